/* restore/globals.c - roles and tablespaces; the contract is in globals.h. */
#include "restore/globals.h"

#include "base/log.h"
#include "base/search.h"
#include "base/str.h"
#include "io/limit.h"
#include "io/tap.h"
#include "pg/query.h"
#include "pg/sql_token.h"
#include "repo/whole_object.h"

/* As text, too: a string of talloc's grows to less than that. */
#define GLOBALS_MAX ((uint64_t) 127 * 1024 * 1024)

typedef enum StatementKind
{
    STATEMENT_OTHER, /* GRANT: always run */
    STATEMENT_SETTING,
    STATEMENT_ROLE,
    STATEMENT_TABLESPACE,
    STATEMENT_QUEUE, /* Greenplum's: what roles may use */
    STATEMENT_GROUP,
} StatementKind;

/* A statement, and what it is about. */
typedef struct Statement
{
    char *sql;
    StatementKind kind;
    bool create;
    char *object;          /* name of the role or tablespace, else NULL */
    size_t name, name_len; /* where it stands in sql, with its quotes */
} Statement;

struct Globals
{
    Statement *items;
    size_t count, capacity;
};

/* RESOURCE has been read: QUEUE or GROUP follows; else STATEMENT_OTHER. */
static StatementKind resource_kind(SqlScanner *scanner)
{
    SqlToken t;
    if (!sql_token_next(scanner, &t))
        return STATEMENT_OTHER;
    return sql_token_is(&t, "queue")   ? STATEMENT_QUEUE
           : sql_token_is(&t, "group") ? STATEMENT_GROUP
                                       : STATEMENT_OTHER;
}

static StatementKind kind_at(SqlScanner *scanner, const SqlToken *t)
{
    return sql_token_is(t, "role")         ? STATEMENT_ROLE
           : sql_token_is(t, "tablespace") ? STATEMENT_TABLESPACE
           : sql_token_is(t, "resource")   ? resource_kind(scanner)
                                           : STATEMENT_OTHER;
}

/* SELECT binary_upgrade....: Greenplum's pg_dumpall writes it for each tablespace, for a server that is being
 * upgraded. */
static bool is_for_upgrade(const char *sql)
{
    SqlScanner scanner = {sql, true};
    SqlToken t;
    return sql_token_next(&scanner, &t) && sql_token_is(&t, "select") &&
           sql_token_next(&scanner, &t) && sql_token_is(&t, "binary_upgrade");
}

/* CREATE or ALTER ROLE name, COMMENT ON ROLE name, SECURITY LABEL FOR p ON ROLE name, the same for
 * TABLESPACE, CREATE and ALTER RESOURCE QUEUE or GROUP: the name is the token behind the first such word. */
static void classify(void *ctx, Statement *s)
{
    SqlScanner scanner = {s->sql, true};
    SqlToken t;
    if (!sql_token_next(&scanner, &t))
        return;
    s->create = sql_token_is(&t, "create");
    if (sql_token_is(&t, "set"))
        s->kind = STATEMENT_SETTING;
    if (!s->create && !sql_token_is(&t, "alter") && !sql_token_is(&t, "comment") &&
        !sql_token_is(&t, "security"))
        return;
    while (sql_token_next(&scanner, &t))
    {
        StatementKind kind = kind_at(&scanner, &t);
        if (kind == STATEMENT_OTHER)
            continue;
        if (!sql_token_next(&scanner, &t))
            return;
        s->kind = kind;
        s->object = sql_token_name(ctx, &t);
        s->name = (size_t) (t.start - s->sql);
        s->name_len = t.len;
        return;
    }
}

/* The next statement from *sql on; false: there is none left. Orders to psql, such as \restrict, are
 * none, and neither is a comment. */
static bool next_statement(const char **sql, const char **ret_start, size_t *ret_len)
{
    SqlScanner scanner = {*sql, true};
    SqlToken t;
    *ret_start = NULL;
    while (sql_token_next(&scanner, &t))
    {
        if (t.kind == SQL_TOKEN_SEMICOLON && *ret_start != NULL)
            break;
        if (t.kind == SQL_TOKEN_SEMICOLON)
            continue;
        if (*ret_start == NULL && *t.start == '\\')
            scanner.pos = t.start + strcspn(t.start, "\n");
        else if (*ret_start == NULL)
            *ret_start = t.start;
    }
    if (*ret_start == NULL)
        return false;
    *ret_len = (size_t) (scanner.pos - *ret_start);
    *sql = scanner.pos;
    return true;
}

Globals *globals_parse(void *ctx, const char *sql)
{
    Globals *g = mem_new(ctx, Globals);
    const char *start;
    size_t len;
    while (next_statement(&sql, &start, &len))
    {
        char *text = mem_strndup(g, start, len);
        if (is_for_upgrade(text))
            continue;
        Statement *s = mem_push(g, g->items, g->count, g->capacity, Statement);
        s->sql = text;
        classify(g, s);
    }
    return g;
}

static bool append(void *arg, const void *data, size_t len, Error *err)
{
    (void) err;
    str_addn(arg, data, len);
    return true;
}

Globals *globals_read(void *ctx, Storage *st, const char *set_dir, const NodeRecord *node,
                      CompressMethod method, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "globals");
    const ObjectRecord *object = &node->globals;
    char *data;
    size_t len;
    if (object->path == NULL)
    {
        error_set(err, ERR_NOT_FOUND, "the set holds no roles and tablespaces of node %d",
                  node->content);
        error_hint(err, "Back up with --globals to have them.");
        return NULL;
    }
    if (!whole_object_read(st, tmp, set_dir, object, GLOBALS_MAX, &data, &len, err))
        return NULL;
    Str *sql = str_new(tmp);
    AUTO(io_free)
    IoStage *chain = io_decompress_new(method, io_limit_new(GLOBALS_MAX, io_sink_new(append, sql)));
    if (!io_write(chain, data, len, err) || !io_finish(chain, err))
    {
        error_prefix(err, "\"%s\"", object->path);
        return NULL;
    }
    return globals_parse(ctx, sql->data);
}

static bool has(const Globals *g, StatementKind kind, const char *name)
{
    for (size_t i = 0; i < g->count; i++)
    {
        const Statement *s = &g->items[i];
        if (s->create && s->kind == kind && str_equal(s->object, name))
            return true;
    }
    return false;
}

bool globals_has_role(const Globals *g, const char *name)
{
    return has(g, STATEMENT_ROLE, name);
}

bool globals_has_tablespace(const Globals *g, const char *name)
{
    return has(g, STATEMENT_TABLESPACE, name);
}

static bool name_before(const void *names, size_t row, const void *name)
{
    return strcmp(pg_cell(names, (int) row, 0), name) < 0;
}

static bool is_in(const PGresult *names, const char *name)
{
    size_t count = (size_t) PQntuples(names);
    size_t row = search_first(names, count, name_before, name);
    return row < count && strcmp(pg_cell(names, (int) row, 0), name) == 0;
}

/* ---- making them ---- */

/* An advisory lock, of pgark by its first number: who makes globals. */
#define TURN_FAMILY  0x7067726b /* "pgrk" */
#define TURN_GLOBALS 1

/* What is being made. */
typedef struct Making
{
    void *ctx;
    PgConn *conn;
    const PGresult *there[STATEMENT_GROUP + 1]; /* names that were there before; NULL: none */
    bool begun;                                 /* within a transaction */
    const char *unnamed;                        /* the tablespace that it will name */
} Making;

static bool said(const Statement *s, Error *err)
{
    if (s->kind == STATEMENT_ROLE)
        return error_prefix(err, "role \"%s\"", s->object);
    if (s->kind == STATEMENT_TABLESPACE)
        return error_prefix(err, "tablespace \"%s\"", s->object);
    if (s->object != NULL)
        return error_prefix(err, "resource %s \"%s\"",
                            s->kind == STATEMENT_QUEUE ? "queue" : "group", s->object);
    return error_prefix(err, "roles and tablespaces");
}

static bool end(Making *m, Error *err)
{
    bool begun = m->begun;
    m->begun = false;
    if (begun && !pg_exec(m->conn, "COMMIT", err))
        return error_prefix(err, "roles and tablespaces");
    m->unnamed = NULL;
    return true;
}

static bool begin(Making *m, Error *err)
{
    if (m->begun)
        return true;
    m->begun = pg_exec(m->conn, "BEGIN READ WRITE", err);
    return m->begun;
}

/* CREATE TABLESPACE is no part of any transaction. So it goes by a name of its own until the transaction
 * that gives it its settings gives it its name, too. That name tells whose it is, should it be left. */
static bool create_tablespace(Making *m, const Statement *s, Error *err)
{
    char hex[TAP_HEX_LEN];
    if (!end(m, err))
        return false;
    tap_hash_memory(TAP_XXH3_128, s->sql, strlen(s->sql), hex);
    const char *name = mem_printf(m->ctx, "pgark_restore_%s", hex);
    const char *create = mem_printf(m->ctx, "%.*s%s%s", (int) s->name, s->sql, name,
                                    s->sql + s->name + s->name_len);
    if (!is_in(m->there[STATEMENT_TABLESPACE], name) && !pg_exec(m->conn, create, err))
    {
        error_hint(err, "Make its directory on the server, or the tablespace itself, before.");
        return said(s, err);
    }
    m->unnamed = name;
    const char *rename = mem_printf(m->ctx, "ALTER TABLESPACE %s RENAME TO %.*s", name,
                                    (int) s->name_len, s->sql + s->name);
    return (begin(m, err) && pg_exec(m->conn, rename, err)) || said(s, err);
}

static bool run(Making *m, const Statement *s, Error *err)
{
    /* Those of resources are no part of any transaction. */
    bool alone = s->kind == STATEMENT_SETTING || s->kind == STATEMENT_QUEUE ||
                 s->kind == STATEMENT_GROUP;
    if (s->object != NULL && m->there[s->kind] != NULL && is_in(m->there[s->kind], s->object))
        return true;
    if (s->kind == STATEMENT_TABLESPACE && s->create)
        return create_tablespace(m, s, err);
    /* A setting may be what allows the transaction to write. */
    if (alone && !end(m, err))
        return false;
    return ((alone || begin(m, err)) && pg_exec(m->conn, s->sql, err)) || said(s, err);
}

/* After a failure: what is committed is complete, but for a tablespace that has no name yet. */
static void undo(const Making *m)
{
    Error ignored = ERROR_INIT;
    pg_rollback(m->conn);
    if (m->unnamed != NULL && PQstatus(m->conn->raw) == CONNECTION_OK &&
        !pg_exec(m->conn, mem_printf(m->ctx, "DROP TABLESPACE %s", m->unnamed), &ignored))
        log_debug("%s: %s", m->conn->label, ignored.message);
}

static PGresult *list_names(PgConn *conn, const char *column, const char *catalogue, Error *err)
{
    char sql[128];
    snprintf(sql, sizeof(sql), "SELECT %s FROM pg_catalog.%s ORDER BY %s::text COLLATE \"C\"",
             column, catalogue, column);
    return pg_query(conn, sql, 0, NULL, err);
}

static bool create_all(const Globals *g, PgConn *conn, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "globals");
    /* Read before anything is made: what is there now is not to be touched. */
    AUTO(PQclear) PGresult *roles = list_names(conn, "rolname", "pg_roles", err);
    AUTO(PQclear)
    PGresult *spaces = roles == NULL ? NULL : list_names(conn, "spcname", "pg_tablespace", err);
    if (spaces == NULL)
        return error_prefix(err, "could not list the roles and tablespaces");
    AUTO(PQclear) PGresult *queues = NULL;
    AUTO(PQclear) PGresult *groups = NULL;
    if (conn->server.product != SERVER_POSTGRESQL &&
        ((queues = list_names(conn, "rsqname", "pg_resqueue", err)) == NULL ||
         (groups = list_names(conn, "rsgname", "pg_resgroup", err)) == NULL))
        return error_prefix(err, "could not list the resource queues and groups");
    Making m = {.ctx = tmp,
                .conn = conn,
                .there = {[STATEMENT_ROLE] = roles,
                          [STATEMENT_TABLESPACE] = spaces,
                          [STATEMENT_QUEUE] = queues,
                          [STATEMENT_GROUP] = groups}};
    bool ok = true;
    for (size_t i = 0; ok && i < g->count; i++)
        ok = run(&m, &g->items[i], err);
    ok = ok && end(&m, err);
    if (!ok)
        undo(&m);
    return ok;
}

/* Of this session, which ends a moment later where the server does not hear us. */
static bool take_turn(PgConn *conn, const char *function, Error *err)
{
    char sql[96];
    snprintf(sql, sizeof(sql), "SELECT pg_catalog.%s(%d, %d)", function, TURN_FAMILY, TURN_GLOBALS);
    AUTO(PQclear) PGresult *res = pg_query(conn, sql, 0, NULL, err);
    return res != NULL || error_prefix(err, "roles and tablespaces");
}

bool globals_create(const Globals *g, PgConn *conn, Error *err)
{
    Error ignored = ERROR_INIT;
    if (!take_turn(conn, "pg_advisory_lock", err))
        return false;
    bool ok = create_all(g, conn, err);
    if (!take_turn(conn, "pg_advisory_unlock", &ignored))
        log_debug("%s: %s", conn->label, ignored.message);
    return ok;
}

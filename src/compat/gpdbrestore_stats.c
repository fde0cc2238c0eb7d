/* compat/gpdbrestore_stats.c - statistics of the planner put back; see gpdbrestore_parts.h. */
#include <errno.h>

#include "compat/dump_names.h"
#include "compat/gpdbrestore_parts.h"
#include "compat/stats_script.h"
#include "pg/query.h"

#define ALL       "*"
#define COUNT_MAX 10 /* tables that are warned about by name */

typedef struct Stats
{
    const DbRestore *r;
    MemContext *ctx; /* of a table */
    PgConn *conn;
    const char *schema; /* where the table is now */
    const char *table;
    bool skip; /* what is said of this table */
    Error why; /* why not; it was wanted */
    uint64_t done, missing, failed;
    Error *err;
} Stats;

static const char *script_path(const DbRestore *r)
{
    const char *prefix = r->manifest->set.prefix;
    return cron_place_beside(r->ctx, &r->place, r->key,
                             dump_name(r->ctx, DUMP_STATISTICS,
                                       prefix == NULL ? "" : mem_printf(r->ctx, "%s_", prefix), -1,
                                       1, r->key));
}

static FILE *open_script(const DbRestore *r, Error *err)
{
    const char *path = script_path(r);
    FILE *in = fopen(path, "re");
    if (in != NULL)
        return in;
    error_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_STORAGE, "%s: cannot read \"%s\"",
                legacy_options_called(r->o, RESTORE_STATS), path);
    if (err->code == ERR_NOT_FOUND)
        error_hint(err, "gpcrondump writes it with --dump-stats.");
    return NULL;
}

bool restore_stats_check(const DbRestore *r, PgConn *conn, Error *err)
{
    if (!restore_given(r, RESTORE_STATS))
        return true;
    FILE *in = open_script(r, err);
    if (in == NULL)
        return false;
    fclose(in);
    AUTO(PQclear)
    PGresult *res = pg_query(conn,
                             "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname ="
                             " current_user",
                             0, NULL, err);
    if (res == NULL)
        return false;
    if (PQntuples(res) == 1 && pg_cell_bool(res, 0, 0))
        return true;
    error_set(err, ERR_USAGE, "%s needs a superuser, who alone may write pg_statistic",
              legacy_options_called(r->o, RESTORE_STATS));
    return error_hint(err, "Without it the restore ends with ANALYZE.");
}

/* ---- which tables ---- */

static bool same_name(const LegacyName *n, const char *schema, const char *table)
{
    return strcmp(n->schema, schema) == 0 &&
           (strcmp(n->name, ALL) == 0 || strcmp(n->name, table) == 0);
}

static bool is_named(const DbRestore *r, const char *schema, const char *table)
{
    for (size_t i = 0; i < r->tables.count; i++)
    {
        if (same_name(&r->tables.items[i], schema, table))
            return true;
    }
    for (size_t i = 0; i < r->schemas.count && r->tables.count == 0; i++)
    {
        if (strcmp(r->schemas.items[i].name, schema) == 0)
            return true;
    }
    return r->tables.count + r->schemas.count == 0;
}

/* Where the tables of a schema are after the restore. */
static const char *schema_now(const DbRestore *r, const char *schema)
{
    const char *to = legacy_options_string(r->o, RESTORE_CHANGE_SCHEMA);
    for (size_t i = 0; to != NULL && i < r->tables.count; i++)
    {
        if (strcmp(r->tables.items[i].schema, schema) == 0)
            return to;
    }
    return schema;
}

/* The table, and those that it is a partition of: whoever is named brings his partitions. */
static PGresult *find_table(Stats *s)
{
    const char *params[] = {s->schema, s->table};
    return pg_query(
        s->conn,
        "WITH RECURSIVE up(oid, level) AS (SELECT c.oid, 0 FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'm', 'f')"
        " UNION ALL SELECT i.inhparent, level + 1 FROM pg_catalog.pg_inherits i"
        " JOIN up ON i.inhrelid = up.oid WHERE level < 100)"
        " SELECT n.nspname, c.relname, c.relkind IN ('r', 'p') FROM up JOIN pg_catalog.pg_class c"
        " ON c.oid = up.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " ORDER BY level",
        2, params, s->err);
}

/* In which schema an ancestor was when it was dumped, nobody says; it is named as it is now. */
static bool is_wanted(const Stats *s, const char *schema, const PGresult *found)
{
    bool wanted = is_named(s->r, schema, s->table);
    for (int i = 1; i < PQntuples(found) && !wanted; i++)
    {
        for (size_t k = 0; k < s->r->tables.count && !wanted; k++)
        {
            LegacyName n = s->r->tables.items[k];
            n.schema = schema_now(s->r, n.schema);
            wanted = same_name(&n, pg_cell(found, i, 0), pg_cell(found, i, 1));
        }
    }
    return wanted;
}

/* ---- one table ---- */

static bool begin(Stats *s, bool lock, Error *err)
{
    const char *quoted = pg_quote_table(s->ctx, s->conn, s->schema, s->table, err);
    if (quoted == NULL)
        return false;
    const char *params[] = {STATS_SETTING, quoted};
    if (!pg_exec(s->conn, "BEGIN", err) ||
        (lock &&
         !pg_exec(s->conn,
                  mem_printf(s->ctx, "LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE", quoted), err)))
        return false;
    AUTO(PQclear)
    PGresult *res = pg_query(s->conn, "SELECT pg_catalog.set_config($1, $2, true)", 2, params, err);
    return res != NULL;
}

static bool begin_table(Stats *s, const StatsLine *line)
{
    mem_free(s->ctx);
    s->ctx = mem_context(NULL, "table");
    s->schema = mem_strdup(s->ctx, schema_now(s->r, line->schema));
    s->table = mem_strdup(s->ctx, line->table);
    s->skip = true;
    error_clear(&s->why);
    AUTO(PQclear) PGresult *found = find_table(s);
    if (found == NULL)
        return false;
    if (PQntuples(found) == 0)
    {
        s->missing += is_named(s->r, line->schema, line->table) ? 1 : 0;
        return true;
    }
    if (is_wanted(s, line->schema, found))
        s->skip = !begin(s, pg_cell_bool(found, 0, 2), &s->why);
    return true;
}

/* A column whose statistics found no column of that name and type stays without. */
static void run_statement(Stats *s, const char *text)
{
    if (s->skip)
        return;
    AUTO(PQclear) PGresult *res = pg_query(s->conn, text, 0, NULL, &s->why);
    if (res != NULL && strncmp(text, STATS_INSERT, strlen(STATS_INSERT)) == 0 &&
        strcmp(PQcmdTuples(res), "1") != 0)
        error_set(&s->why, ERR_QUERY, "its columns are not those that it was dumped with");
    s->skip = error_is_set(&s->why);
}

static bool connection_is_lost(const Stats *s)
{
    return PQstatus(s->conn->raw) != CONNECTION_OK;
}

static bool end_table(Stats *s)
{
    char shown[200];
    if (!s->skip)
        s->skip = !pg_exec(s->conn, "COMMIT", &s->why);
    if (!error_is_set(&s->why))
    {
        s->done += s->skip ? 0 : 1;
        return true;
    }
    if (connection_is_lost(s))
    {
        *s->err = s->why;
        return false;
    }
    pg_rollback(s->conn);
    if (s->failed++ < COUNT_MAX)
        log_warning("no statistics of table %s.%s: %s", s->schema, s->table,
                    str_one_line(shown, sizeof(shown), s->why.message));
    return true;
}

static bool set_encoding(const Stats *s, const char *encoding)
{
    const char *params[] = {encoding};
    AUTO(PQclear)
    PGresult *res = pg_query(s->conn, "SELECT pg_catalog.set_config('client_encoding', $1, false)",
                             1, params, s->err);
    return res != NULL;
}

/* ---- all of them ---- */

static bool run_script(Stats *s, StatsReader *reader)
{
    StatsLine line;
    while (stats_script_read(reader, &line, s->err))
    {
        bool ok = true;
        if (line.kind == STATS_LINE_END)
            return true;
        if (line.kind == STATS_LINE_ENCODING)
            ok = set_encoding(s, line.text);
        else if (line.kind == STATS_LINE_TABLE)
            ok = begin_table(s, &line);
        else if (line.kind == STATS_LINE_STATEMENT)
            run_statement(s, line.text);
        else
            ok = end_table(s);
        if (!ok)
            return false;
    }
    return false;
}

static void tell(const Stats *s)
{
    log_info("Restored the statistics of %" PRIu64 " tables", s->done);
    if (s->missing > 0)
        log_info("%" PRIu64 " tables with statistics are not in the database", s->missing);
    if (s->failed > 0)
        log_warning("%" PRIu64 " tables have no statistics: run ANALYZE on them", s->failed);
}

bool restore_stats(const DbRestore *r, Error *err)
{
    const char *path = script_path(r);
    const PgConnSpec spec = {.conninfo = cron_place_conninfo(r->ctx, &r->place, r->target)};
    FILE *in = open_script(r, err);
    if (in == NULL)
        return false;
    AUTO(pg_conn_close)
    PgConn *conn = pg_conn_open(&spec, NULL, "gpdbrestore statistics", NULL, err);
    Stats s = {.r = r, .conn = conn, .err = err};
    StatsReader reader = stats_script_reader(r->ctx, in, path);
    bool ok = conn != NULL &&
              (conn->server.product == SERVER_POSTGRESQL ||
               pg_exec(conn, "SET allow_system_table_mods = on", err)) &&
              run_script(&s, &reader);
    fclose(in);
    mem_free(s.ctx);
    if (ok)
        tell(&s);
    return ok || error_prefix(err, "%s", legacy_options_called(r->o, RESTORE_STATS));
}

/* restore/journal.c - what a restore has done; the contract is in journal.h. */
#include "restore/journal.h"

#include "base/search.h"
#include "base/str.h"
#include "restore/entry.h"
#include "restore/journal_request.h"

#define SCHEMA "pgark_restore"

struct Journal
{
    JournalItem *items; /* sorted; of the run before this one */
    size_t count;
    bool taken_over;
};

/* ---- items ---- */

static int item_order(const void *a, const void *b)
{
    const JournalItem *x = a;
    const JournalItem *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return (x->part > y->part) - (x->part < y->part);
}

bool journal_has(const Journal *journal, JournalItem item)
{
    return journal != NULL && journal->count > 0 &&
           bsearch(&item, journal->items, journal->count, sizeof(item), item_order) != NULL;
}

static bool item_before(const void *items, size_t i, const void *item)
{
    return item_order(&((const JournalItem *) items)[i], item) < 0;
}

bool journal_has_any(const Journal *journal, JournalKind kind, int64_t id)
{
    if (journal == NULL)
        return false;
    JournalItem first = {.kind = kind, .id = id, .part = INT64_MIN};
    size_t at = search_first(journal->items, journal->count, item_before, &first);
    return at < journal->count && journal->items[at].kind == kind && journal->items[at].id == id;
}

bool journal_is(const Journal *journal, JournalStep step)
{
    bool taken_over = journal != NULL && journal->taken_over && step == JOURNAL_COMPLETE;
    return taken_over || journal_has_any(journal, JOURNAL_STEP, step);
}

/* 64 bits of a hash tell the few statements of an entry apart. */
static int64_t number_of(const char *text)
{
    char hex[TAP_HEX_LEN];
    tap_hash_memory(TAP_XXH3_128, text, strlen(text), hex);
    hex[16] = '\0';
    return (int64_t) strtoull(hex, NULL, 16);
}

JournalItem journal_definition(const DdlEntry *entry)
{
    return (JournalItem){
        .kind = JOURNAL_DEFINITION, .id = entry->toc->dump_id, .part = number_of(entry->sql)};
}

JournalItem journal_analyze(const char *quoted)
{
    return (JournalItem){.kind = JOURNAL_ANALYZE, .part = number_of(quoted)};
}

const char *journal_note(void *ctx, const Journal *journal, JournalItem item)
{
    if (journal == NULL || journal->taken_over)
        return "";
    return mem_printf(ctx,
                      "INSERT INTO " SCHEMA ".%s VALUES ('%c', '%" PRId64 "', '%" PRId64 "'); ",
                      item.elsewhere  ? "done_elsewhere"
                      : item.unlogged ? "done_unlogged"
                                      : "done",
                      (char) item.kind, item.id, item.part);
}

bool journal_done(const Journal *journal, PgConn *conn, JournalItem item, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "journal");
    const char *sql = journal_note(tmp, journal, item);
    return *sql == '\0' || pg_exec(conn, sql, err) ||
           error_prefix(err, "could not write the journal");
}

/* ---- finding one ---- */

/* Whether the schema is there, and is a journal of ours; *ret: 0 no, 1 yes. */
static bool look(PgConn *conn, bool *ret, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(
        conn,
        "SELECT n.nspowner = (SELECT r.oid FROM pg_catalog.pg_roles r"
        "  WHERE r.rolname = current_user)"
        " AND (SELECT count(*) = 4 FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid"
        "  AND c.relname IN ('request', 'done', 'done_unlogged', 'done_elsewhere')"
        "  AND c.relkind = 'r'"
        "  AND c.relowner = n.nspowner)"
        " FROM pg_catalog.pg_namespace n WHERE n.nspname = '" SCHEMA "'",
        0, NULL, err);
    *ret = false;
    if (res == NULL)
        return error_prefix(err, "could not look for a restore to go on with");
    if (PQntuples(res) == 0)
        return true;
    *ret = pg_cell_bool(res, 0, 0);
    if (*ret)
        return true;
    error_set(err, ERR_EXISTS,
              "schema " SCHEMA " of the target is not the journal of a restore by this role");
    return error_hint(err, "Restore as the role that owns the schema, or drop it.");
}

static bool read_items(RestoreNode *node, PgConn *conn, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(conn,
                             "SELECT kind, id, part FROM " SCHEMA ".done"
                             " UNION ALL SELECT kind, id, part FROM " SCHEMA ".done_unlogged"
                             " UNION ALL SELECT kind, id, part FROM " JOURNAL_ELSEWHERE,
                             0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not read what was restored before");
    Journal *journal = node->journal = mem_new(node->ctx, Journal);
    journal->count = (size_t) PQntuples(res);
    journal->items = mem_array(journal, JournalItem, journal->count);
    for (size_t i = 0; i < journal->count; i++)
        journal->items[i] = (JournalItem){.kind = (JournalKind) *pg_cell(res, (int) i, 0),
                                          .id = pg_cell_int(res, (int) i, 1),
                                          .part = pg_cell_int(res, (int) i, 2)};
    if (journal->count > 1)
        qsort(journal->items, journal->count, sizeof(JournalItem), item_order);
    return true;
}

static const char *find_value(const PGresult *res, const char *name)
{
    for (int i = 0; i < PQntuples(res); i++)
        if (strcmp(pg_cell(res, i, 0), name) == 0)
            return pg_cell(res, i, 1);
    return "";
}

static bool not_empty(const RestoreNode *node, const PGresult *res, Error *err)
{
    char key[40];
    error_set(err, ERR_EXISTS,
              "database \"%s\" is not empty: it holds a restore of set %s that is not complete",
              node->database, str_one_line(key, sizeof(key), find_value(res, "set")));
    return error_hint(err, "Use the same command with --resume to go on, or drop schema " SCHEMA
                           " (and what was restored) to begin anew.");
}

static bool check_request(const RestoreNode *node, const PGresult *res, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "request");
    size_t count;
    const JournalTerm *terms = journal_terms(node, tmp, &count);
    for (size_t i = 0; i < count; i++)
    {
        const char *before = find_value(res, terms[i].name);
        char shown[40];
        if (strcmp(before, terms[i].value) == 0)
            continue;
        error_set(err, ERR_USAGE,
                  "the restore of database \"%s\" that is not complete was another one: its %s is "
                  "not the same",
                  node->database, terms[i].name);
        return i > 0 ? error_hint(err, "Use the same options as before.")
                     : error_hint(err, "Name the set that it restores: %s.",
                                  str_one_line(shown, sizeof(shown), before));
    }
    return true;
}

static bool read_journal(RestoreNode *node, PgConn *conn, Error *err)
{
    const RestoreRequest *r = node->request;
    bool found;
    if (!look(conn, &found, err))
        return false;
    if (!found)
        return true;
    AUTO(PQclear)
    PGresult *res = pg_query(conn, "SELECT name, value FROM " SCHEMA ".request", 0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not read what was restored before");
    if (r->resume)
        return check_request(node, res, err) && read_items(node, conn, err);
    return r->clean || r->truncate || not_empty(node, res, err);
}

bool journal_open(RestoreNode *node, PgConn *conn, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "journal");
    const char *role = node->request->role;
    node->journal = NULL;
    if (role == NULL)
        return read_journal(node, conn, err);
    role = pg_quote_ident(tmp, conn, role, err);
    return role != NULL &&
           (pg_exec(conn, mem_printf(tmp, "SET ROLE %s", role), err) ||
            error_prefix(err, "--role")) &&
           read_journal(node, conn, err) && pg_exec(conn, "RESET ROLE", err);
}

void journal_take_over(RestoreNode *node)
{
    node->over = true;
    node->journal = mem_new(node->ctx, Journal);
    node->journal->taken_over = true;
}

/* ---- making and removing ---- */

static bool archive_has_schema(const RestoreNode *node)
{
    for (size_t i = 0; i < node->toc->entry_count; i++)
        if (entry_is(&node->toc->entries[i], "SCHEMA") &&
            strcmp(node->toc->entries[i].tag, SCHEMA) == 0)
            return true;
    return false;
}

static bool make(RestoreNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "journal");
    size_t count;
    const JournalTerm *terms = journal_terms(node, tmp, &count);
    const char *heap = PQserverVersion(node->main->raw) >= 120000 ? " USING heap" : "";
    Str *sql = str_new(tmp);
    bool there;
    if (!look(node->main, &there, err))
        return false;
    if (there)
        str_add(sql, "DROP SCHEMA " SCHEMA " CASCADE; ");
    str_addf(
        sql,
        "CREATE SCHEMA " SCHEMA "; CREATE TABLE " SCHEMA ".request"
        " (name pg_catalog.text, value pg_catalog.text)%s; CREATE TABLE " SCHEMA
        ".done (kind pg_catalog.text, id pg_catalog.int8, part pg_catalog.int8)%s;"
        " CREATE UNLOGGED TABLE " SCHEMA ".done_unlogged (kind pg_catalog.text,"
        " id pg_catalog.int8, part pg_catalog.int8)%s; CREATE TABLE " JOURNAL_ELSEWHERE
        " (kind pg_catalog.text, id pg_catalog.int8, part pg_catalog.int8)%s; INSERT INTO " SCHEMA
        ".request VALUES ",
        heap, heap, heap, heap);
    for (size_t i = 0; i < count; i++)
    {
        const char *value = pg_quote_literal(tmp, node->main, terms[i].value, err);
        if (value == NULL)
            return false;
        str_addf(sql, "%s('%s', %s)", i == 0 ? "" : ", ", terms[i].name, value);
    }
    return pg_exec(node->main, sql->data, err);
}

bool journal_begin(RestoreNode *node, Error *err)
{
    if (node->journal != NULL)
        return true;
    if (archive_has_schema(node))
    {
        log_debug("%s: no journal, as the set has a schema " SCHEMA, node->label);
        return true;
    }
    if (make(node, err))
    {
        node->journal = mem_new(node->ctx, Journal);
        return true;
    }
    if (!pg_sqlstate_is(err, PG_STATE_NO_PRIVILEGE))
        return error_prefix(err, "could not begin a journal");
    log_debug("%s: no journal, --resume will not be possible: %s", node->label, err->message);
    error_clear(err);
    return true;
}

/* Says at debug level what went wrong. */
static bool try(PgConn *conn, const char *sql)
{
    Error err = ERROR_INIT;
    bool ok = pg_exec(conn, sql, &err);
    if (!ok)
        log_debug("%s: %s", conn->label, err.message);
    return ok;
}

bool journal_remove(RestoreNode *node, Error *err)
{
    Error failed = ERROR_INIT;
    if (node->journal == NULL || node->journal->taken_over)
        return true;
    if (!pg_exec(node->main, "SAVEPOINT pgark_journal", err))
        return false;
    /* Event triggers of a database that is in use are not to see this, nor to forbid it. */
    if (!try(node->main, "SET LOCAL session_replication_role = replica") &&
        !pg_exec(node->main, "ROLLBACK TO SAVEPOINT pgark_journal", err))
        return false;
    if (pg_exec(node->main, "DROP SCHEMA " SCHEMA " CASCADE", &failed))
        return true;
    log_warning("%s: schema " SCHEMA " could not be dropped: %s", node->label, failed.message);
    return pg_exec(node->main, "ROLLBACK TO SAVEPOINT pgark_journal", err);
}

void journal_forget(RestoreNode *node)
{
    PgConn *conn = node->main;
    bool made = node->request->create && !node->fills;
    if (node->journal == NULL || node->resumed || made || conn == NULL ||
        PQstatus(conn->raw) != CONNECTION_OK || PQtransactionStatus(conn->raw) != PQTRANS_IDLE)
        return;
    /* The run is cancelled by now. A busy server may take its time to end what its workers did. */
    conn->cancel = NULL;
    if (try(conn,
            "SET lock_timeout = '10s'; DO $$ BEGIN IF NOT EXISTS (SELECT FROM " SCHEMA ".done)"
            " AND NOT EXISTS (SELECT FROM " SCHEMA ".done_unlogged)"
            " AND NOT EXISTS (SELECT FROM " JOURNAL_ELSEWHERE ") THEN"
            " DROP SCHEMA " SCHEMA " CASCADE; END IF; END $$"))
    {
        bool left = false;
        Error err = ERROR_INIT;
        if (look(conn, &left, &err) && !left)
            node->journal = NULL;
    }
    conn->cancel = node->cancel;
}

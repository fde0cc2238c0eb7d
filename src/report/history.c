/* report/history.c - one line or row for each backup; the contract is in history.h. */
#include "report/history.h"

#include "base/clock.h"
#include "pg/query.h"
#include "report/set_report.h"

#define LOCK_PATIENCE_MS 10000
#define LOCK_PAUSE_MS    20
#define LOCK_FILE        "history.lock"

/* ---- the repository ---- */

static bool take_lock(Repo *repo, void *ctx, StorageLock **ret_lock, Error *err)
{
    int64_t deadline = clock_ms() + LOCK_PATIENCE_MS;
    char *owner = NULL;
    for (;;)
    {
        if (!storage_lock(repo->storage, ctx, LOCK_FILE, true, "history", ret_lock, &owner, err))
            return false;
        if (*ret_lock != NULL)
            return true;
        if (clock_ms() > deadline)
            return error_set(err, ERR_LOCK, "somebody else has been writing %s for %d s",
                             HISTORY_FILE, LOCK_PATIENCE_MS / 1000);
        clock_sleep_ms(LOCK_PAUSE_MS);
    }
}

static bool read_lines(Repo *repo, void *ctx, char **ret_text, size_t *ret_len, Error *err)
{
    StorageInfo info;
    *ret_text = mem_strdup(ctx, "");
    *ret_len = 0;
    if (!storage_stat(repo->storage, HISTORY_FILE, &info, err))
        return false;
    if (info.kind == STORAGE_MISSING)
        return true;
    if (info.size > HISTORY_MAX)
    {
        error_set(err, ERR_STORAGE, "%s has more than %zu MB", HISTORY_FILE,
                  HISTORY_MAX / 1024 / 1024);
        return error_hint(err, "Move it away: a new one is begun then.");
    }
    return storage_read_all(repo->storage, ctx, HISTORY_FILE, HISTORY_MAX, ret_text, ret_len, err);
}

bool history_to_repository(Repo *repo, const RunOutcome *outcome, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "history");
    AUTO(storage_unlock) StorageLock *lock = NULL;
    AUTO(storage_writer_free) StorageWriter *w = NULL;
    char *text;
    size_t len;
    if (!take_lock(repo, ctx, &lock, err) || !read_lines(repo, ctx, &text, &len, err))
        return false;
    json_t *object = run_outcome_json(outcome);
    char *line = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    const char *end = len > 0 && text[len - 1] != '\n' ? "\n" : "";
    const char *added = mem_printf(ctx, "%s%s\n", end, line);
    free(line);
    w = storage_write_open(repo->storage, HISTORY_FILE, STORAGE_WRITE_ATOMIC, err);
    return w != NULL && storage_write(w, text, len, err) &&
           storage_write(w, added, strlen(added), err) && storage_writer_commit(w, err);
}

/* ---- the database ---- */

/* Whoever may not make a schema can still write into one that somebody has made for all. */
static bool make_table(PgConn *conn, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(conn, "SELECT pg_catalog.to_regclass('pgark.history') IS NOT NULL", 0,
                             NULL, err);
    if (res == NULL)
        return false;
    if (pg_cell_bool(res, 0, 0))
        return true;
    return pg_exec(conn,
                   "CREATE SCHEMA IF NOT EXISTS pgark;"
                   "CREATE TABLE pgark.history ("
                   " outcome text NOT NULL, key text, fleet text, prefix text, repository text,"
                   " started_at timestamptz NOT NULL, finished_at timestamptz NOT NULL,"
                   " nodes int, tables bigint, rows bigint, bytes bigint, stored bigint,"
                   " cut text, stall_ms double precision, warnings int,"
                   " sqlstate text, node text, message text, options text, version text);"
                   "COMMENT ON TABLE pgark.history IS 'backups by pgark, one row each'",
                   err);
}

/* Text of a database that is not in UTF-8 may have found its way into a message. */
static const char *utf8(void *ctx, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return NULL;
    json_t *string = set_report_string(text);
    const char *copy = mem_strdup(ctx, json_string_value(string));
    json_decref(string);
    return copy;
}

static const char *number(void *ctx, uint64_t value)
{
    return mem_printf(ctx, "%" PRIu64, value);
}

static const char *instant(void *ctx, int64_t us)
{
    char iso[CLOCK_ISO_LEN];
    return mem_strdup(ctx, clock_iso(iso, us));
}

static bool insert_row(PgConn *conn, const RunOutcome *o, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "row");
    const Manifest *m = o->manifest;
    const Error *e = o->error;
    const char *values[] = {
        run_end_word(o->end),
        m == NULL ? NULL : m->set.key,
        utf8(ctx, m == NULL ? o->name : m->set.fleet),
        utf8(ctx, o->prefix),
        utf8(ctx, o->repo),
        instant(ctx, o->started_us),
        instant(ctx, o->finished_us),
        number(ctx, o->node_count),
        m == NULL ? NULL : number(ctx, m->totals.tables),
        m == NULL ? NULL : number(ctx, m->totals.rows),
        m == NULL ? NULL : number(ctx, m->totals.logical),
        m == NULL ? NULL : number(ctx, m->totals.stored),
        m == NULL ? NULL : m->cut.method,
        m == NULL ? NULL : mem_printf(ctx, "%.3f", (double) m->cut.stall_us / 1000.0),
        number(ctx, (uint64_t) o->warnings),
        e == NULL ? NULL : utf8(ctx, e->sqlstate),
        e == NULL ? NULL : utf8(ctx, e->node),
        e == NULL ? NULL : utf8(ctx, e->message),
        utf8(ctx, o->asked),
        PGARK_VERSION,
    };
    AUTO(PQclear)
    PGresult *res = pg_query(
        conn,
        "INSERT INTO pgark.history (outcome, key, fleet, prefix, repository, started_at,"
        " finished_at, nodes, tables, rows, bytes, stored, cut, stall_ms, warnings, sqlstate, node,"
        " message, options, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
        " $13, $14, $15, $16, $17, $18, $19, $20)",
        (int) LENGTH_OF(values), values, err);
    return res != NULL;
}

bool history_to_database(const PgConnSpec *spec, const RunOutcome *outcome, Error *err)
{
    AUTO(pg_conn_close) PgConn *conn = pg_conn_open(spec, NULL, "pgark history", NULL, err);
    /* The lock is for two runs that both find no table. */
    return conn != NULL &&
           pg_exec(conn,
                   "SET client_encoding = 'UTF8'; SET statement_timeout = '10s'; BEGIN;"
                   "SELECT pg_catalog.pg_advisory_xact_lock("
                   "pg_catalog.hashtext('pgark.history')::bigint)",
                   err) &&
           make_table(conn, err) && insert_row(conn, outcome, err) && pg_exec(conn, "COMMIT", err);
}

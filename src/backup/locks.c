/* backup/locks.c - ACCESS SHARE on every table; the contract is in locks.h. */
#include "backup/locks.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

/* Entries for the catalogues that pg_dump and we read, and for other sessions' little needs. */
#define LOCKS_SPARE 300

/* A wait is worth a line when it lasts longer than other people's short transactions do. */
#define REPORT_FIRST_MS 3000
#define REPORT_EVERY_MS 30000

bool locks_capacity(PgConn *probe, int64_t *ret_capacity, int64_t *ret_used,
                    int *ret_per_transaction, Error *err)
{
    /* NLOCKENTS() in the server's lock.c: max_locks_per_transaction * (MaxBackends +
     * max_prepared_xacts); MaxBackends in postinit.c. */
    AUTO(PQclear)
    PGresult *res = pg_query(
        probe,
        "SELECT s.l * (s.c + s.p + s.w + s.a + s.r + 1), s.l,"
        " (SELECT count(DISTINCT (k.locktype, k.database, k.relation, k.transactionid, "
        "k.virtualxid,"
        "  k.classid, k.objid, k.objsubid)::text) FROM pg_catalog.pg_locks k WHERE NOT k.fastpath)"
        " FROM (SELECT pg_catalog.current_setting('max_locks_per_transaction')::bigint AS l,"
        " pg_catalog.current_setting('max_connections')::bigint AS c,"
        " pg_catalog.current_setting('max_prepared_transactions')::bigint AS p,"
        " pg_catalog.current_setting('max_worker_processes')::bigint AS w,"
        " pg_catalog.current_setting('autovacuum_max_workers')::bigint AS a,"
        " pg_catalog.current_setting('max_wal_senders')::bigint AS r) s",
        0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not read the size of the lock table");
    *ret_capacity = pg_cell_int(res, 0, 0);
    *ret_per_transaction = (int) pg_cell_int(res, 0, 1);
    *ret_used = pg_cell_int(res, 0, 2);
    return true;
}

bool locks_check_capacity(PgConn *probe, size_t tables, Error *err)
{
    int64_t capacity = 0;
    int64_t used = 0;
    int per_transaction = 0;
    if (!locks_capacity(probe, &capacity, &used, &per_transaction, err))
        return false;
    int64_t needed = (int64_t) tables + used + LOCKS_SPARE;
    if (needed <= capacity || (int64_t) tables < per_transaction)
        return true;
    int64_t slots = per_transaction > 0 ? capacity / per_transaction : 1;
    error_set(err, ERR_USAGE,
              "the server's lock table holds %" PRId64 " locks, %zu tables and %" PRId64
              " locks in use now need %" PRId64,
              capacity, tables, used, needed);
    error_hint(err,
               "Set max_locks_per_transaction to at least %" PRId64
               " (now %d) and restart that server.",
               needed / slots + 1, per_transaction);
    return error_node(err, probe->label);
}

char *locks_statement(void *ctx, const Catalog *relations, size_t first, size_t count,
                      const char *mode)
{
    Str *sql = str_new(ctx);
    for (size_t i = first; i < first + count; i++)
        str_addf(sql, "%s%s %s", i == first ? "LOCK TABLE" : ",",
                 relations->items[i].lock_tree ? "" : " ONLY", relations->items[i].quoted);
    str_addf(sql, " IN %s MODE", mode);
    return sql->data;
}

/* Somebody in the way, in words: column 0 is a pid (NULL or 0: a prepared transaction), then user,
 * application, query, gid. */
static const char *describe_blocker(void *ctx, const PGresult *res, int first)
{
    char query[200];
    char gid[100];
    if (pg_cell_null(res, 0, first) || pg_cell_int(res, 0, first) == 0)
        return mem_printf(ctx, "prepared transaction \"%s\"",
                          str_one_line(gid, sizeof(gid), pg_cell(res, 0, first + 4)));
    return mem_printf(ctx, "pid %s (user \"%s\", application \"%s\", query: %s)",
                      pg_cell(res, 0, first), pg_cell(res, 0, first + 1),
                      pg_cell(res, 0, first + 2),
                      str_one_line(query, sizeof(query), pg_cell(res, 0, first + 3)));
}

/* a is the row of pg_stat_activity; locked is the row of pg_locks that conflicts. A prepared
 * transaction has no pid there; what it shares with its gid is the lock on its own xid. */
#define BLOCKER_COLUMNS(locked)                                                                    \
    " coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.query, ''),"           \
    " (SELECT p.gid FROM pg_catalog.pg_locks t JOIN pg_catalog.pg_prepared_xacts p"                \
    "  ON p.transaction = t.transactionid"                                                         \
    "  WHERE t.pid IS NULL AND t.virtualtransaction = " locked ".virtualtransaction LIMIT 1)"

/* Who stands in the way: the holder of the strongest lock on one of these tables, or who waits for
 * it. Looked up after the wait ran out, so it is what is there now, and may be nobody. */
static void name_blocker(PgConn *holder, PgConn *probe, const Catalog *relations, size_t first,
                         size_t count, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "blocker");
    Str *oids = str_new(tmp);
    for (size_t i = first; i < first + count; i++)
        str_addf(oids, "%s%u", i == first ? "{" : ",", relations->items[i].oid);
    str_add(oids, "}");
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", PQbackendPID(holder->raw));
    const char *params[] = {oids->data, pid};
    Error ignored = ERROR_INIT;
    AUTO(PQclear)
    PGresult *res = pg_query(
        probe,
        "SELECT n.nspname, c.relname, l.granted, l.pid," BLOCKER_COLUMNS(
            "l") " FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation"
                 " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                 " LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
                 " WHERE l.relation = ANY ($1::oid[]) AND l.mode = 'AccessExclusiveLock'"
                 " AND l.pid IS DISTINCT FROM $2::int AND l.database = (SELECT d.oid"
                 "  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())"
                 " ORDER BY l.granted DESC, l.pid LIMIT 1",
        2, params, &ignored);
    if (res == NULL || PQntuples(res) == 0)
        return;
    snprintf(err->message, sizeof(err->message),
             "could not lock table \"%s.%s\" in time: %s it exclusively: %s", pg_cell(res, 0, 0),
             pg_cell(res, 0, 1),
             pg_cell_bool(res, 0, 2) ? "somebody holds" : "somebody waits to hold",
             describe_blocker(tmp, res, 3));
}

/* Who keeps l from being granted, b.pid (0: a prepared transaction, whose lock is h). Before there was a
 * function for it: whoever has the one mode that excludes ACCESS SHARE. */
#define BLOCKERS                                                                                   \
    "CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(l.pid)) b(pid)"              \
    " LEFT JOIN pg_catalog.pg_locks h ON b.pid = 0 AND h.pid IS NULL"                              \
    "  AND h.relation = l.relation AND h.mode = 'AccessExclusiveLock'"
#define BLOCKERS_BEFORE_96                                                                         \
    "JOIN pg_catalog.pg_locks h ON h.relation = l.relation AND h.granted"                          \
    "  AND h.mode = 'AccessExclusiveLock'"                                                         \
    " CROSS JOIN LATERAL (SELECT coalesce(h.pid, 0)) b(pid)"

/* The holder is waiting: for which table, and for whom. */
static void report_wait(PgConn *holder, PgConn *probe)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "blocker");
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", PQbackendPID(holder->raw));
    const char *params[] = {pid};
    Error ignored = ERROR_INIT;
    const char *sql = mem_printf(
        tmp,
        "SELECT n.nspname, c.relname, b.pid," BLOCKER_COLUMNS(
            "h") " FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation"
                 " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace %s"
                 " LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid"
                 " WHERE l.pid = $1::int AND NOT l.granted LIMIT 1",
        PQserverVersion(probe->raw) >= 90600 ? BLOCKERS : BLOCKERS_BEFORE_96);
    AUTO(PQclear) PGresult *res = pg_query(probe, sql, 1, params, &ignored);
    if (res == NULL)
        log_debug("%s: who is in the way cannot be told: %s", probe->label, ignored.message);
    else if (PQntuples(res) == 1)
        log_info("%s: waiting for table \"%s.%s\", which is locked exclusively by %s", probe->label,
                 pg_cell(res, 0, 0), pg_cell(res, 0, 1), describe_blocker(tmp, res, 2));
}

/* Runs a LOCK statement, and says now and then whom it waits for. */
static bool lock_patiently(PgConn *holder, PgConn *probe, const char *sql, int64_t *report_ms,
                           Error *err)
{
    if (!pg_send(holder, sql, err))
        return false;
    while (PQisBusy(holder->raw))
    {
        bool late = false;
        if (!pg_conn_wait(holder, false, *report_ms, &late, err))
            return false;
        if (late)
        {
            report_wait(holder, probe);
            *report_ms = clock_ms() + REPORT_EVERY_MS;
        }
        else if (PQconsumeInput(holder->raw) == 0)
            return pg_conn_error(holder, NULL, err, "lost the connection");
    }
    AUTO(PQclear) PGresult *res = pg_collect(holder, 0, err);
    return res != NULL;
}

static bool explain_failure(PgConn *holder, PgConn *probe, const Catalog *relations, size_t first,
                            size_t count, Error *err)
{
    if (pg_sqlstate_is(err, PG_STATE_UNDEFINED_TABLE) ||
        pg_sqlstate_is(err, PG_STATE_UNDEFINED_OBJECT) || pg_sqlstate_is(err, PG_STATE_NO_SCHEMA) ||
        pg_sqlstate_is(err, PG_STATE_DEADLOCK) || pg_sqlstate_is(err, "42809"))
        err->code = ERR_CHANGED;
    else if (pg_sqlstate_is(err, PG_STATE_LOCK_NOT_AVAILABLE))
    {
        err->code = ERR_LOCK;
        name_blocker(holder, probe, relations, first, count, err);
        error_hint(err, "Wait until that transaction has ended, or raise --lock-wait-timeout.");
    }
    else if (pg_sqlstate_is(err, PG_STATE_NO_PRIVILEGE))
        error_hint(err, "The backup role needs USAGE on every schema and SELECT on every table "
                        "(pg_read_all_data gives both).");
    return error_prefix(err, "could not lock the tables");
}

bool locks_take(PgConn *holder, PgConn *probe, const Catalog *relations, int64_t wait_ms,
                int64_t *report_ms, Error *err)
{
    char set[64];
    int64_t soon = clock_ms() + REPORT_FIRST_MS;
    if (*report_ms < soon)
        *report_ms = soon;
    snprintf(set, sizeof(set), "SET LOCAL lock_timeout = %" PRId64, wait_ms);
    if (!pg_exec(holder, set, err))
        return false;
    for (size_t first = 0; first < relations->count; first += LOCKS_PER_STATEMENT)
    {
        size_t left = relations->count - first;
        size_t count = left < LOCKS_PER_STATEMENT ? left : LOCKS_PER_STATEMENT;
        AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "lock statement");
        if (!lock_patiently(holder, probe,
                            locks_statement(tmp, relations, first, count, "ACCESS SHARE"),
                            report_ms, err))
            return explain_failure(holder, probe, relations, first, count, err);
    }
    return true;
}

const char *locks_oids(void *ctx, const Catalog *relations)
{
    Str *oids = str_new(ctx);
    str_addc(oids, '{');
    for (size_t i = 0; i < relations->count; i++)
        str_addf(oids, "%s%u", i == 0 ? "" : ",", relations->items[i].oid);
    str_addc(oids, '}');
    return oids->data;
}

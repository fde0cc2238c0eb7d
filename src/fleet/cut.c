/*
 * fleet/cut.c - the one logical instant; the contract is in cut.h.
 *
 * Words: T is the instant that a cut claims. A cut is consistent when every node's snapshot
 * shows exactly the transactions that had committed on that node at T.
 *
 * 1. Double collect (no writer is blocked)
 *    a. Every scout takes a snapshot S(i); the answer also holds pg_current_snapshot()
 *       (xmin:xmax: running xids; it is asked for by the name that all versions know,
 *       txid_current_snapshot) and the prepared transactions of that database.
 *    b. After all of these answers are in, every probe reads it anew.
 *    If on every node (b) equals (a) as text, T is any instant between the last answer of (a)
 *    and the first question of (b):
 *    - A transaction that wrote has an xid. Had one committed (or aborted) on node i between its
 *      (a) and (b), it was either among the running ones at (a) and is not at (b), or not yet
 *      begun at (a) and xmax has moved by (b), since xmax is one more than the newest xid
 *      completed. Either way the text differs. xids in the text are 64 bits wide and never come
 *      back. So between (a) and (b) the set of committed transactions did not change on node i,
 *      and S(i) shows it at T.
 *    - This holds on all nodes for the same T. What was committed on one node because somebody
 *      had seen a commit on another is therefore never shown without its cause.
 *    Two-phase commits: at T, gid g may be committed on one node and still prepared on another;
 *    then the snapshots are true for T and yet show half of g. So the probe reads the prepared
 *    transactions in (b), too, and before the snapshot text. As no xid ended between (a) and
 *    that text, all that was prepared on node i at T is in its list. (A list read in (a) would
 *    not do: g can be running when node 1 is asked, be prepared right after, and be committed
 *    on node 0 before that is asked; the texts do not show the step from running to prepared.)
 *    Where g had been committed by T it is not in the list any more, with one exception: COMMIT
 *    PREPARED removes the xid before the gid, so a list can still show a gid whose commit S(i)
 *    shows already. Such a gid was there in (a), too, with an xid that S(i) has not as running;
 *    (a) looks for that. If there is none and every node has the same list in (b), each gid is
 *    undecided everywhere: nothing is half committed. Otherwise a gid that is missing somewhere
 *    may be committed there, and the try fails.
 *    Only a primary can be looked at in this way: the text of a standby's snapshot leaves out
 *    the running xids, and would stay the same while one of them commits. cut_check() refuses
 *    those.
 *
 * 2. Barrier (writers wait for a moment)
 *    Probes lock every user table of every node in SHARE MODE. A transaction that wrote a table
 *    holds ROW EXCLUSIVE on it until it has ended, prepared ones included; so once all SHARE
 *    locks are granted no transaction that wrote any of these tables is open on any node, and
 *    none can begin to write. T is any instant while all of them are held; the snapshots are
 *    taken then. What an application commits on two nodes by two plain commits is whole, too, if
 *    both transactions were open at the same time: while one of them is open its node's lock is
 *    not granted.
 *    - Somebody who holds node 1 and wants node 0 would wait for us and we for him, and no
 *      server sees that. So every try has a short limit, after which all is released, and the
 *      next one comes after a jittered pause.
 *    - A cycle within one server is found by its deadlock detector, which then ends one of the
 *      two, perhaps not us. It looks after a wait of deadlock_timeout; who waits for us began to
 *      wait after our try began; so a try that is shorter than deadlock_timeout ends first, and
 *      nobody is ever killed because of us.
 *    - Nothing but locks is waited for while locks are held: transactions and statements are
 *      ready before, and the snapshots are one round trip.
 *
 * 3. With an engine (fleet/engine.h) two-phase commits are its own: it says, of the gids that (b)
 *    lists, whether any is half committed in the snapshots; of all others 1 goes on to hold. Its
 *    barrier locks all tables and all their parts on all nodes, as in 2, and with them what keeps
 *    parts from being moved; the second look is taken inside. As not everything that such an engine
 *    commits on several nodes has two phases, strict tries the barrier first, and 1 where it cannot be
 *    had.
 *
 *    Where everybody writes through the coordinator (Greenplum), its locks are those of all nodes: a
 *    SHARE lock there waits until every writer's commit has ended on every node, as the writer lets go
 *    of the coordinator last. So it is taken there alone, and 2 holds as it stands. For 1 the
 *    coordinator's list of prepared transactions is not compared: it never has one. What is then proven
 *    is one instant of all others, at which no transaction is half committed on them; what the
 *    coordinator's snapshot may lack of it is no more than definitions, which its locks keep.
 *
 * Tables that came after the list was locked are caught by node_confirm: the cut is taken again.
 *
 * 4. Restore points (physical backups). Inside the barrier of 2 or 3 every node writes a restore point into its
 *    WAL. A server that is recovered up to it has replayed exactly the commits whose records are before that
 *    of the restore point. A transaction that wrote one of the locked tables lets go of its lock only when its
 *    commit is in WAL, and none can begin to write while the locks are held: so what it did is before the
 *    restore point on all nodes, or behind it on all. With Citus two-phase commits that are between their
 *    steps are held back by its own locks; those that a crash has left come back as they are on all nodes,
 *    prepared here and decided there, and are finished by its recovery as they would have been. Restore points need
 *    no proof afterwards. Tables that were made since the list was read are not locked; the application that has
 *    just made them on several nodes may find what it wrote on one side only.
 *
 *    Greenplum's coordinator makes all of them, by a function of its own, which keeps the second phase of distributed
 *    commits from beginning and waits for those that have begun: no transaction is committed before the point on one
 *    node and behind it on another. That alone is not enough. A transaction that has written on one segment only is
 *    committed there in one phase, which the function does not hold back, so of two that follow each other on two
 *    segments the second could be before its point and the first behind it. With the barrier's locks none of them is
 *    open. The barrier alone would do for the tables that it locks; with the function it does for all that are
 *    distributed, also catalogues, and those that were made since.
 */
#include "fleet/cut.h"

#include "backup/locks.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "pg/replication.h"

#define TRY_FIRST_MS 60
#define TRY_LAST_MS  1000
#define HOLD_MS      80    /* the longest that an engine's barrier waits for a proof */
#define ANSWER_MS    10000 /* a node that does not answer a snapshot within this is gone */

typedef struct Cut
{
    BackupNode *nodes;
    size_t count;
    const FleetEngine *engine; /* NULL: none */
    const Cancel *cancel;
    CutRecord *record;
    int64_t deadline_ms;
    unsigned seed;
    char obstacle[600]; /* what made the last try fail, for the message at the end */
    /* Restore points in the place of snapshots; NULL: snapshots. There are no scouts then. */
    const char *point;
    uint64_t *lsns; /* of each node */
    bool *begun;    /* nodes have been asked to write it; NULL: nobody wants to know */
} Cut;

static bool send_all(const Cut *cut, bool scouts, const char *sql, Error *err)
{
    for (size_t i = 0; i < cut->count; i++)
    {
        PgConn *conn = scouts ? cut->nodes[i].scout : cut->nodes[i].probe;
        if (!pg_send(conn, sql, err))
            return false;
    }
    return true;
}

/* Waits for the ends of statements that were sent to all. */
static bool collect_all(const Cut *cut, bool scouts, Error *err)
{
    for (size_t i = 0; i < cut->count; i++)
    {
        PgConn *conn = scouts ? cut->nodes[i].scout : cut->nodes[i].probe;
        PGresult *res = pg_collect(conn, clock_ms() + ANSWER_MS, err);
        PQclear(res);
        if (res == NULL)
            return false;
    }
    return true;
}

static bool begin_scouts(const Cut *cut, Error *err)
{
    /* COMMIT outside of a transaction is only a warning, so one text serves every try. */
    return send_all(cut, true, "COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err) &&
           collect_all(cut, true, err);
}

/* A condition on pg_prepared_xacts p: gids that 1 judges, or those that the engine does. */
static const char *gid_condition(void *ctx, const Cut *cut, bool own)
{
    if (cut->engine == NULL || cut->engine->cut.own_gids == NULL)
        return own ? "false" : "true";
    return mem_printf(ctx, "p.gid %sLIKE '%s'", own ? "" : "NOT ", cut->engine->cut.own_gids);
}

/* Everybody writes through the coordinator (EngineCut in engine.h). */
static bool is_coordinated(const Cut *cut)
{
    return cut->engine != NULL && cut->engine->cut.through_coordinator;
}

/* The first of the nodes on which transactions are prepared. */
static size_t first_judged(const Cut *cut)
{
    return is_coordinated(cut) ? 1 : 0;
}

static void note_prepared(Cut *cut, const BackupNode *node, const char *gids)
{
    char line[300];
    snprintf(cut->obstacle, sizeof(cut->obstacle),
             "a prepared transaction on node %d may be half committed: %s", node->content,
             str_one_line(line, sizeof(line), gids));
}

/* The snapshot's name and text, the gids that 1 judges, and whether all of these are undecided: among
 * the running xids, or at or behind xmax (xids of 32 bits go round, so "behind" is by the distance). */
static const char *snapshot_sql(void *ctx, const Cut *cut)
{
    const char *judged = gid_condition(ctx, cut, false);
    return mem_printf(
        ctx,
        "SELECT pg_catalog.pg_export_snapshot(), pg_catalog.txid_current_snapshot(),"
        " (SELECT pg_catalog.string_agg(p.gid, chr(10) ORDER BY p.gid)"
        "  FROM pg_catalog.pg_prepared_xacts p"
        "  WHERE p.database = pg_catalog.current_database() AND %s),"
        " (SELECT pg_catalog.bool_and(p.transaction::text::bigint = ANY (ARRAY(SELECT"
        "  x %% 4294967296 FROM pg_catalog.txid_snapshot_xip(s.s) x))"
        "  OR (p.transaction::text::bigint"
        "  - pg_catalog.txid_snapshot_xmax(s.s) %% 4294967296 + 4294967296)"
        "  %% 4294967296 < 2147483648)"
        "  FROM pg_catalog.pg_prepared_xacts p, (SELECT pg_catalog.txid_current_snapshot()) s(s)"
        "  WHERE p.database = pg_catalog.current_database() AND %s)",
        judged, judged);
}

/* Asks all scouts for their snapshots at once. *ret_even: the prepared transactions forbid nothing.
 */
static bool take_snapshots(Cut *cut, bool *ret_even, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "prepared");
    const char *first = NULL;
    *ret_even = true;
    if (!send_all(cut, true, snapshot_sql(tmp, cut), err))
        return false;
    cut->record->at_us = clock_wall_us();
    for (size_t i = 0; i < cut->count; i++)
    {
        BackupNode *node = &cut->nodes[i];
        AUTO(PQclear) PGresult *res = pg_collect(node->scout, clock_ms() + ANSWER_MS, err);
        if (res == NULL)
            return error_prefix(err, "could not take the snapshot");
        snprintf(node->snapshot_id, sizeof(node->snapshot_id), "%s", pg_cell(res, 0, 0));
        mem_free(node->record.snapshot);
        node->record.snapshot = mem_strdup(node->ctx, pg_cell(res, 0, 1));
        const char *gids = pg_cell(res, 0, 2);
        if (i < first_judged(cut))
            continue;
        if (first == NULL)
            first = mem_strdup(tmp, gids);
        bool decided = !pg_cell_null(res, 0, 3) && !pg_cell_bool(res, 0, 3);
        if (decided || strcmp(first, gids) != 0)
        {
            note_prepared(cut, gids[0] != '\0' ? node : &cut->nodes[first_judged(cut)],
                          gids[0] != '\0' ? gids : first);
            *ret_even = false;
        }
    }
    return true;
}

/* One round trip: first the lists, then the snapshot that shows that nothing has ended before it
 * either, so that all that was prepared at T is in the lists. */
static const char *second_sql(void *ctx, const Cut *cut)
{
    static const char list[] =
        "coalesce((SELECT pg_catalog.string_agg(p.gid, chr(10) ORDER BY p.gid)"
        " FROM pg_catalog.pg_prepared_xacts p"
        " WHERE p.database = pg_catalog.current_database()";
    return mem_printf(ctx,
                      "SELECT pg_catalog.set_config('pgark.prepared', %s AND %s), ''), false),"
                      " pg_catalog.set_config('pgark.own', %s AND %s), ''), false);"
                      " SELECT pg_catalog.txid_current_snapshot(),"
                      " pg_catalog.current_setting('pgark.prepared'),"
                      " pg_catalog.current_setting('pgark.own')",
                      list, gid_condition(ctx, cut, false), list, gid_condition(ctx, cut, true));
}

/* Whether a node's second look agrees with its snapshot, and its gids with the first node's; first
 * NULL: nothing is ever prepared on this node. */
static bool is_same(Cut *cut, const BackupNode *node, const PGresult *res, const char *first)
{
    const char *gids = pg_cell(res, 0, 1);
    if (strcmp(node->record.snapshot, pg_cell(res, 0, 0)) != 0)
    {
        snprintf(cut->obstacle, sizeof(cut->obstacle),
                 "transactions committed on node %d during every try", node->content);
        return false;
    }
    if (first == NULL || strcmp(first, gids) == 0)
        return true;
    note_prepared(cut, gids[0] != '\0' ? node : &cut->nodes[first_judged(cut)],
                  gids[0] != '\0' ? gids : first);
    return false;
}

/* Asks all probes for a second look. */
static bool look_again(Cut *cut, bool *ret_same, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "prepared");
    const char *first = NULL;
    char **own = mem_array(tmp, char *, cut->count);
    *ret_same = true;
    if (!send_all(cut, false, second_sql(tmp, cut), err))
        return false;
    for (size_t i = 0; i < cut->count; i++)
    {
        BackupNode *node = &cut->nodes[i];
        AUTO(PQclear) PGresult *res = pg_collect(node->probe, clock_ms() + ANSWER_MS, err);
        if (res == NULL)
            return error_prefix(err, "could not prove the snapshot");
        if (first == NULL && i >= first_judged(cut))
            first = mem_strdup(tmp, pg_cell(res, 0, 1));
        own[i] = mem_strdup(tmp, pg_cell(res, 0, 2));
        *ret_same = *ret_same && is_same(cut, node, res, first);
    }
    return !*ret_same || cut->engine == NULL || cut->engine->cut.settle == NULL ||
           cut->engine->cut.settle(cut->nodes, cut->count, own, ret_same, cut->obstacle,
                                   sizeof(cut->obstacle), err);
}

static void pause_between_tries(Cut *cut, int base_ms)
{
    clock_sleep_ms(1 + (int) ((unsigned) rand_r(&cut->seed) % (unsigned) (base_ms + 1)));
}

/* *ret_proven false, true returned: the time is up. */
static bool double_collect(Cut *cut, int64_t until_ms, bool *ret_proven, Error *err)
{
    *ret_proven = false;
    cut->record->method = "double-collect";
    for (int tries = 0; !*ret_proven && (tries == 0 || clock_ms() < until_ms); tries++)
    {
        bool even;
        bool same;
        if (!begin_scouts(cut, err))
            return false;
        int64_t start = clock_us();
        if (!take_snapshots(cut, &even, err) || !look_again(cut, &same, err))
            return false;
        cut->record->tries++;
        cut->record->window_us = clock_us() - start;
        *ret_proven = even && same;
        /* Tries that follow each other at once can beat with a regular writer. */
        if (!*ret_proven && tries >= 20)
            pause_between_tries(cut, 4);
    }
    return true;
}

/* The longest that a try may last: shorter than any node's deadlock_timeout. */
static bool longest_try(const Cut *cut, int64_t *ret_ms, Error *err)
{
    *ret_ms = TRY_LAST_MS;
    for (size_t i = 0; i < cut->count; i++)
    {
        AUTO(PQclear)
        PGresult *res = pg_query(cut->nodes[i].probe,
                                 "SELECT setting FROM pg_catalog.pg_settings"
                                 " WHERE name = 'deadlock_timeout'",
                                 0, NULL, err);
        if (res == NULL)
            return false;
        int64_t limit = pg_cell_int(res, 0, 0) * 8 / 10;
        if (limit < *ret_ms)
            *ret_ms = limit;
    }
    return true;
}

static bool lock_refused(const Error *err)
{
    return pg_sqlstate_is(err, PG_STATE_LOCK_NOT_AVAILABLE) || pg_sqlstate_is(err, "57014") ||
           pg_sqlstate_is(err, "40P01");
}

/* Who holds a lock that conflicts with SHARE on a table of this node, for the last message. */
static void note_lock_obstacle(Cut *cut, const BackupNode *node)
{
    Error ignored = ERROR_INIT;
    AUTO(PQclear)
    PGresult *res = pg_query(
        node->probe,
        "SELECT coalesce(a.pid::text, 'prepared transaction'), c.relname, coalesce(a.query, p.gid),"
        " pg_catalog.date_trunc('second', now() - coalesce(a.xact_start, p.prepared))"
        " FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation"
        " LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
        /* A prepared transaction has no pid; the lock on its own xid tells which one it is. */
        " LEFT JOIN pg_catalog.pg_locks x ON l.pid IS NULL AND x.pid IS NULL"
        "  AND x.virtualtransaction = l.virtualtransaction AND x.locktype = 'transactionid'"
        " LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = x.transactionid"
        " WHERE l.granted AND l.mode IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock',"
        " 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"
        " AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid() AND c.relkind IN ('r', 'p')"
        " AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d"
        "  WHERE d.datname = pg_catalog.current_database())"
        " AND c.oid >= 16384 ORDER BY coalesce(a.xact_start, p.prepared) LIMIT 1",
        0, NULL, &ignored);
    char query[200];
    if (res != NULL && PQntuples(res) == 1)
        snprintf(cut->obstacle, sizeof(cut->obstacle),
                 "on node %d %s%s has been writing table \"%s\" for %s: %s", node->content,
                 pg_cell(res, 0, 0)[0] == 'p' ? "" : "pid ", pg_cell(res, 0, 0), pg_cell(res, 0, 1),
                 pg_cell(res, 0, 3), str_one_line(query, sizeof(query), pg_cell(res, 0, 2)));
    else
        snprintf(cut->obstacle, sizeof(cut->obstacle), "node %d: locks were not to be had",
                 node->content);
}

/* Autovacuum holds SHARE UPDATE EXCLUSIVE on a table for as long as it works there, which may be
 * hours, and SHARE conflicts with it. The server ends an autovacuum that a waiting session finds in
 * its way once deadlock_timeout has passed, as a worker that is cancelled only comes back later.
 * Our tries are shorter than that on purpose, so that service is never ours: what has outlasted a
 * try is cancelled here, by the same rule, and never when it prevents wraparound. The look and the
 * cancel are one statement; should the worker be at another table by then, that one is vacuumed
 * later, and nothing is lost. Where we may not signal it (superusers may, and from version 17 on
 * pg_signal_autovacuum_worker), it stays an obstacle like any other. */
static void cancel_autovacuum(const BackupNode *node)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "autovacuum");
    if (PQserverVersion(node->probe->raw) < 100000)
        return; /* Greenplum 6 has none for the tables of users */
    const char *params[] = {locks_oids(tmp, &node->locked)};
    Error ignored = ERROR_INIT;
    AUTO(PQclear)
    PGresult *res = pg_query(
        node->probe,
        "SELECT w.pid, pg_catalog.pg_cancel_backend(w.pid) FROM ("
        " SELECT DISTINCT a.pid FROM pg_catalog.pg_stat_activity a"
        " JOIN pg_catalog.pg_locks l ON l.pid = a.pid"
        " WHERE a.backend_type = 'autovacuum worker' AND a.datname = pg_catalog.current_database()"
        " AND a.query LIKE 'autovacuum: %' AND a.query NOT LIKE '%(to prevent wraparound)%'"
        " AND l.granted AND l.mode = 'ShareUpdateExclusiveLock'"
        " AND l.relation = ANY ($1::oid[])) w",
        1, params, &ignored);
    if (res == NULL)
        log_debug("%s: autovacuum cannot be cancelled: %s", node->label, ignored.message);
    for (int i = 0; res != NULL && i < PQntuples(res); i++)
        log_debug("%s: cancelled autovacuum, pid %s", node->label, pg_cell(res, i, 0));
}

/* What a barrier locks on one node, in statements of so many tables that they can be sent. */
typedef struct BarrierLocks
{
    char **statements;
    size_t count, capacity;
} BarrierLocks;

static void add_locks(void *ctx, const Catalog *tables, BarrierLocks *ret)
{
    for (size_t first = 0; first < tables->count; first += LOCKS_PER_STATEMENT)
    {
        size_t left = tables->count - first;
        *mem_push(ctx, ret->statements, ret->count, ret->capacity, char *) = locks_statement(
            ctx, tables, first, left < LOCKS_PER_STATEMENT ? left : LOCKS_PER_STATEMENT, "SHARE");
    }
}

/* A barrier is locked in two rounds over all nodes: tables, then what an engine needs besides. Who has
 * written a table needs the latter to commit, so in the other order he and we would wait for each
 * other. */
typedef enum BarrierRound
{
    ROUND_TABLES,
    ROUND_ENGINE,
    ROUND_COUNT,
} BarrierRound;

static BarrierLocks list_locks(void *ctx, const Cut *cut, const BackupNode *node,
                               BarrierRound round)
{
    BarrierLocks locks = {.statements = NULL};
    if (round == ROUND_TABLES)
    {
        if (!is_coordinated(cut) || node == &cut->nodes[0])
            add_locks(ctx, &node->locked, &locks);
        return locks;
    }
    bool more = cut->engine != NULL && cut->engine->cut.barrier != NULL;
    const char *own = more ? cut->engine->cut.barrier(ctx, node) : NULL;
    if (own != NULL)
        *mem_push(ctx, locks.statements, locks.count, locks.capacity, char *) = mem_strdup(ctx,
                                                                                           own);
    return locks;
}

static bool barrier_refused(const Cut *cut, Error *err)
{
    error_prefix(err, "could not take the barrier's locks");
    return error_hint(err, cut->engine == NULL
                               ? "SHARE locks need UPDATE, DELETE or TRUNCATE rights on the tables "
                                 "of a primary server."
                               : "They need a superuser on every node.");
}

/* Should this host vanish now, the servers let the writers go by themselves; a version that has no such
 * limit by what its operating system notices. */
static const char *begin_barrier(const BackupNode *node)
{
    return PQserverVersion(node->probe->raw) >= 90600
               ? "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '10s'; "
               : "BEGIN; SET LOCAL tcp_keepalives_idle = 4; SET LOCAL tcp_keepalives_interval = 2;"
                 " SET LOCAL tcp_keepalives_count = 3; ";
}

/* Before version 11 one timer serves all statements that are sent together, and is set before the first. */
static bool lock_within(PgConn *probe, Str *limit, const char *locks, Error *err)
{
    static const char no_limit[] = "SET LOCAL statement_timeout = 0";
    if (PQserverVersion(probe->raw) < 110000)
        return pg_exec(probe, limit->data, err) && pg_exec(probe, locks, err) &&
               pg_exec(probe, no_limit, err);
    str_addf(limit, "; %s; %s", locks, no_limit);
    return pg_exec(probe, limit->data, err);
}

/* Takes the locks of one node and round; *ret_locked false: not within the try's time. */
static bool lock_node(Cut *cut, BackupNode *node, BarrierRound round, int64_t try_end_ms,
                      bool *ret_locked, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "barrier");
    Str *sql = str_new(tmp);
    BarrierLocks locks = list_locks(tmp, cut, node, round);
    *ret_locked = true;
    for (size_t i = 0; i < locks.count; i++)
    {
        int64_t ms = try_end_ms - clock_ms();
        Error refused = ERROR_INIT;
        str_clear(sql);
        str_addf(sql, "%sSET LOCAL statement_timeout = %d",
                 PQtransactionStatus(node->probe->raw) == PQTRANS_IDLE ? begin_barrier(node) : "",
                 ms < 1 ? 1 : (int) ms);
        if (lock_within(node->probe, sql, locks.statements[i], &refused))
            continue;
        *ret_locked = false;
        if (!lock_refused(&refused) && !pg_sqlstate_is(&refused, PG_STATE_UNDEFINED_TABLE))
        {
            *err = refused;
            return barrier_refused(cut, err);
        }
        pg_rollback(node->probe);
        note_lock_obstacle(cut, node);
        cancel_autovacuum(node);
        return true;
    }
    return true;
}

/* The locks are held: snapshots, and with an engine their proof, unless its locks hold back all commits; for
 * others must pause for a moment by themselves. */
static bool prove_inside(Cut *cut, bool *ret_proven, Error *err)
{
    int64_t until = clock_ms() + HOLD_MS;
    bool held = cut->engine == NULL || is_coordinated(cut);
    bool even;
    bool same = true;
    for (;;)
    {
        int64_t start = clock_us();
        if (!take_snapshots(cut, &even, err) || (!held && !look_again(cut, &same, err)))
            return false;
        cut->record->window_us = clock_us() - start;
        *ret_proven = (even || is_coordinated(cut)) && same;
        if (*ret_proven || held || clock_ms() >= until)
            return true;
        if (!begin_scouts(cut, err))
            return false;
    }
}

/* The transaction that writes the restore point has an xid, so that its commit brings WAL to disk up to
 * there: walsenders send no other. */
static const char *point_sql(void *ctx, const Cut *cut, Error *err)
{
    const char *name = pg_quote_literal(ctx, cut->nodes[0].probe, cut->point, err);
    return name == NULL
               ? NULL
               : mem_printf(ctx,
                            "SELECT pg_catalog.set_config('synchronous_commit', 'local', true),"
                            " pg_catalog.txid_current(), pg_catalog.pg_create_restore_point(%s)",
                            name);
}

static bool point_refused(Error *err)
{
    error_prefix(err, "could not make a restore point");
    return error_hint(err, "It needs a superuser, or GRANT EXECUTE ON FUNCTION "
                           "pg_create_restore_point(text) and a primary server.");
}

static bool take_points(const Cut *cut, const PGresult *res, Error *err)
{
    for (size_t i = 0; i < cut->count; i++)
    {
        int row = 0;
        while (row < PQntuples(res) && pg_cell_int(res, row, 0) != cut->nodes[i].content)
            row++;
        if (row == PQntuples(res))
            return error_set(err, ERR_QUERY, "the coordinator made no restore point on node %d",
                             cut->nodes[i].content);
        if (!replication_lsn(res, row, 1, &cut->lsns[i], err))
            return false;
    }
    return true;
}

/* The coordinator makes all. On the others nothing has an xid by that, so nothing brings their WAL to disk: a
 * transaction of our own does. */
static bool mark_by_coordinator(Cut *cut, bool *ret_marked, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "restore point");
    PgConn *coordinator = cut->nodes[0].probe;
    const char *sql = cut->engine->cut.restore_point(tmp, coordinator, cut->point, err);
    int64_t start = clock_us();
    cut->record->at_us = clock_wall_us();
    if (sql == NULL)
        return false;
    if (cut->begun != NULL)
        *cut->begun = true;
    AUTO(PQclear)
    PGresult *res = pg_send(coordinator, sql, err)
                        ? pg_collect(coordinator, clock_ms() + ANSWER_MS, err)
                        : NULL;
    if (res == NULL)
    {
        point_refused(err);
        return error_node(err, cut->nodes[0].label);
    }
    if (!take_points(cut, res, err))
        return error_node(err, cut->nodes[0].label);
    cut->record->window_us = clock_us() - start;
    *ret_marked = send_all(cut, false,
                           "SELECT pg_catalog.set_config('synchronous_commit', 'local', true),"
                           " pg_catalog.txid_current()",
                           err) &&
                  collect_all(cut, false, err) && send_all(cut, false, "COMMIT", err) &&
                  collect_all(cut, false, err);
    return *ret_marked;
}

/* Makes the restore points of all nodes at once; open transactions are committed with them. */
static bool mark_all(Cut *cut, bool *ret_marked, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "restore point");
    if (cut->engine != NULL && cut->engine->cut.restore_point != NULL)
        return mark_by_coordinator(cut, ret_marked, err);
    const char *sql = point_sql(tmp, cut, err);
    int64_t start = clock_us();
    cut->record->at_us = clock_wall_us();
    if (sql == NULL)
        return false;
    if (cut->begun != NULL)
        *cut->begun = true;
    if (!send_all(cut, false, sql, err))
        return false;
    for (size_t i = 0; i < cut->count; i++)
    {
        AUTO(PQclear)
        PGresult *res = pg_collect(cut->nodes[i].probe, clock_ms() + ANSWER_MS, err);
        if (res == NULL)
        {
            point_refused(err);
            return error_node(err, cut->nodes[i].label);
        }
        if (!replication_lsn(res, 0, 2, &cut->lsns[i], err))
            return error_node(err, cut->nodes[i].label);
    }
    cut->record->window_us = clock_us() - start;
    *ret_marked = send_all(cut, false, "COMMIT", err) && collect_all(cut, false, err);
    return *ret_marked;
}

static bool barrier_try(Cut *cut, int64_t try_ms, bool *ret_proven, Error *err)
{
    bool locked = true;
    *ret_proven = false;
    if (cut->engine != NULL && cut->engine->cut.recover != NULL)
        cut->engine->cut.recover(cut->nodes, cut->count);
    if (cut->point == NULL && !begin_scouts(cut, err))
        return false;
    int64_t start = clock_us();
    /* DANGER: from here to the ROLLBACK writers wait. */
    for (size_t i = 0; i < cut->count * ROUND_COUNT && locked; i++)
    {
        BackupNode *node = &cut->nodes[i % cut->count];
        if (!lock_node(cut, node, (BarrierRound) (i / cut->count),
                       clock_ms() + try_ms - (clock_us() - start) / 1000, &locked, err))
            return error_node(err, node->label);
    }
    bool ok = !locked || (cut->point != NULL ? mark_all(cut, ret_proven, err)
                                             : prove_inside(cut, ret_proven, err));
    for (size_t i = 0; i < cut->count; i++)
        pg_rollback(cut->nodes[i].probe);
    int64_t stall = clock_us() - start;
    if (stall > cut->record->stall_us)
        cut->record->stall_us = stall;
    cut->record->tries++;
    return ok;
}

static bool too_late(Cut *cut, int64_t start_ms, Error *err)
{
    error_set(err, ERR_CUT, "no consistent cut in %d tries within %.1f s: %s", cut->record->tries,
              (double) (clock_ms() - start_ms) / 1000.0, cut->obstacle);
    return error_hint(err, "End that transaction (COMMIT PREPARED or ROLLBACK PREPARED a "
                           "forgotten one), or raise --cut-timeout.");
}

/* *ret_proven false, true returned: the time is up. */
static bool barrier(Cut *cut, int64_t until_ms, bool *ret_proven, Error *err)
{
    int64_t longest;
    *ret_proven = false;
    cut->record->method = "barrier";
    if (!longest_try(cut, &longest, err))
        return false;
    int64_t try_ms = TRY_FIRST_MS < longest ? TRY_FIRST_MS : longest;
    for (int tries = 0; !*ret_proven && (tries == 0 || clock_ms() <= until_ms); tries++)
    {
        if (tries > 0)
            pause_between_tries(cut, (int) try_ms / 2);
        if (!cancel_check(cut->cancel, err) || !barrier_try(cut, try_ms, ret_proven, err))
            return false;
        /* Most tries that fail do so by an unlucky meeting, not by a long transaction: grow slowly.
         */
        if (tries % 4 == 3 && try_ms * 2 <= longest)
            try_ms *= 2;
    }
    return true;
}

/* Who must not take the barrier's locks can still be given an instant that is proven. */
static bool barrier_if_allowed(Cut *cut, int64_t until_ms, bool *ret_proven, Error *err)
{
    if (barrier(cut, until_ms, ret_proven, err))
        return true;
    for (size_t i = 0; i < cut->count; i++)
        pg_rollback(cut->nodes[i].probe);
    if (!pg_sqlstate_is(err, PG_STATE_NO_PRIVILEGE))
        return false;
    snprintf(cut->obstacle, sizeof(cut->obstacle), "%.500s", err->message);
    error_clear(err);
    return true;
}

static bool snapshots_only(Cut *cut, Error *err)
{
    bool even;
    cut->record->method = "none";
    cut->record->tries = 1;
    if (!begin_scouts(cut, err))
        return false;
    int64_t start = clock_us();
    if (!take_snapshots(cut, &even, err))
        return false;
    cut->record->window_us = clock_us() - start;
    return true;
}

bool cut_check(const BackupNode *nodes, size_t count, CutMode mode, Error *err)
{
    for (size_t i = 0; i < count; i++)
    {
        if (!nodes[i].record.in_recovery || mode == CUT_NONE || (mode == CUT_STRICT && count == 1))
            continue;
        error_set(err, ERR_CUT, "%s is a standby, where no %s", nodes[i].label,
                  mode == CUT_BARRIER ? "barrier can be taken"
                                      : "cut of several servers can be proven");
        return error_hint(err, "Name the primary servers, or use --cut=none where snapshots of "
                               "slightly different instants will do.");
    }
    return true;
}

bool cut_take(BackupNode *nodes, size_t count, CutMode mode, int64_t timeout_ms,
              const FleetEngine *engine, const Cancel *cancel, CutRecord *record, Error *err)
{
    memset(record, 0, sizeof(*record));
    int64_t now = clock_ms();
    Cut cut = {.nodes = nodes,
               .count = count,
               .engine = engine,
               .cancel = cancel,
               .record = record,
               .deadline_ms = now + timeout_ms,
               .seed = (unsigned) clock_wall_us()};
    /* One node's snapshot is an instant by itself, unless it is all nodes of its fleet at once. */
    if (mode == CUT_NONE || (mode == CUT_STRICT && count == 1 && engine == NULL))
        return snapshots_only(&cut, err);
    bool proven = false;
    int64_t half = now + timeout_ms / 2;
    bool ok;
    if (mode == CUT_BARRIER)
        ok = barrier(&cut, cut.deadline_ms, &proven, err);
    else if (engine != NULL)
        ok = barrier_if_allowed(&cut, half, &proven, err) &&
             (proven || double_collect(&cut, cut.deadline_ms, &proven, err));
    else
        ok = double_collect(&cut, half, &proven, err) &&
             (proven || barrier(&cut, cut.deadline_ms, &proven, err));
    return ok && (proven || too_late(&cut, now, err));
}

/* One server's restore point is an instant by itself. */
static bool points_only(Cut *cut, Error *err)
{
    bool marked;
    cut->record->method = "none";
    cut->record->tries = 1;
    return send_all(cut, false, "BEGIN", err) && collect_all(cut, false, err) &&
           mark_all(cut, &marked, err);
}

bool cut_restore_point(BackupNode *nodes, size_t count, const CutPoint *point, const Cancel *cancel,
                       CutRecord *record, Error *err)
{
    memset(record, 0, sizeof(*record));
    int64_t now = clock_ms();
    bool marked = false;
    Cut cut = {.nodes = nodes,
               .count = count,
               .engine = point->engine,
               .cancel = cancel,
               .record = record,
               .deadline_ms = now + point->timeout_ms,
               .seed = (unsigned) clock_wall_us(),
               .point = point->name,
               .lsns = point->lsns,
               .begun = point->begun};
    if (count == 1 || point->mode == CUT_NONE)
        return points_only(&cut, err);
    return barrier(&cut, cut.deadline_ms, &marked, err) && (marked || too_late(&cut, now, err));
}

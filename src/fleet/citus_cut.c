/*
 * fleet/citus_cut.c - two-phase commits of Citus, as the cut looks at them (EngineCut in engine.h).
 *
 * How Citus commits a transaction that wrote on several nodes (transaction_management.c,
 * remote_transaction.c and transaction_recovery.c of 11.0 to 14.0): the node where the client is
 * connected, the initiator, prepares it on every other one, each with a gid of its own,
 * citus_<initiator's group>_<pid>_<transaction>_<connection>; then, still before its own commit, writes
 * a row for each gid into its pg_dist_transaction; commits; and in the callback behind that commit,
 * before any of its locks is released, sends COMMIT PREPARED to all. So its own commit decides, and
 * the rows become visible by it.
 *
 * 1. An instant T that is proven by double collect shows such a transaction whole, or not at all,
 *    unless one of its gids is prepared at T while its row is visible at T:
 *    - No gid of it is prepared at T: either none was yet; then the initiator had not committed,
 *      nothing of it is visible anywhere. Or all are finished; all of it is visible everywhere, or
 *      it was rolled back.
 *    - Some gid is prepared at T, and its row is not visible in the initiator's snapshot: the
 *      initiator had not committed, so no COMMIT PREPARED had been sent: nothing of it is visible.
 *    - Some gid is prepared at T, and its row is visible: the initiator's part is visible, that node's
 *      is not. Only then the try fails.
 *    The rows are read in the scouts' own snapshots, which stay what they are: there is no hurry.
 *    The row of a gid is removed (by the recovery daemon) only when the gid is no longer prepared.
 *
 * 2. Barrier. EXCLUSIVE on pg_dist_transaction of a node waits for every transaction that has written
 *    its rows, to the very end of its COMMIT PREPAREDs, and keeps others from writing theirs. Held on
 *    all nodes that can be initiators, no two-phase commit is between its decision and its end,
 *    but for what a crash has left, which rule 1 looks for as well. Locked with it are
 *    pg_dist_partition and, on the coordinator, pg_dist_node, so that no table is distributed and no
 *    node added meanwhile: the locks, and the order, of citus_create_restore_point.
 *
 * Not every transaction on several nodes has two phases. Citus commits by plain COMMITs, the other
 * nodes first,
 *    - one that wrote a table of the initiator's that Citus does not know, and one shard elsewhere
 *      (TaskListRequires2PC in executor_util_tasks.c looks at shards alone);
 *    - one that wrote on several nodes behind a LOCK TABLE or a TRUNCATE of a single-shard table in the
 *      same transaction (ConnectionModifiedPlacement in placement_connection.c takes the connections
 *      of these for ones that have written).
 * Real instants lie between its commits, as between those of any application: 1 may show them. That is why
 * a barrier, where it can be had, locks every table and every shard as well: such a transaction has ROW
 * EXCLUSIVE on what it wrote until it has ended on that node.
 *
 * Shards that move. The copy of a shard is committed on its new node before the placement changes, which
 * is a two-phase commit over the nodes that know the placements, so by 1 and 2 the coordinator's
 * snapshot says where every shard is at T. The relation that was left behind stays as it was, with our
 * lock on it if we had it, and is not read. A move that ends between the list of what is locked and T gives
 * a part that is not locked yet: node_confirm finds it, and the cut is taken again. One that ends
 * later is none of our business: what was locked at T is there to the end.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "fleet/citus.h"

#define RECOVER_MS 10000

static const BackupNode *node_of_group(const BackupNode *nodes, size_t count, int group)
{
    for (size_t i = 0; i < count; i++)
        if (nodes[i].dbid == group)
            return &nodes[i];
    return NULL;
}

/* The gids of all nodes whose initiator is this one, as the text of an array. */
static const char *gids_of(void *ctx, int group, size_t count, char *const *prepared)
{
    Str *gids = str_new(ctx);
    char start[32];
    int len = snprintf(start, sizeof(start), "citus_%d_", group);
    for (size_t i = 0; i < count; i++)
    {
        for (const char *line = prepared[i]; *line != '\0';)
        {
            size_t end = strcspn(line, "\n");
            if (strncmp(line, start, (size_t) len) == 0 && strcspn(line, "\"\\,{}") >= end)
            {
                str_add(gids, gids->len == 0 ? "{" : ",");
                str_addn(gids, line, end);
            }
            line += end + (line[end] == '\n' ? 1 : 0);
        }
    }
    if (gids->len > 0)
        str_addc(gids, '}');
    return gids->data;
}

static bool settle_group(const BackupNode *initiator, const char *gids, bool *ret_whole,
                         char *obstacle, size_t size, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(initiator->scout,
                             "SELECT gid FROM pg_catalog.pg_dist_transaction"
                             " WHERE gid = ANY ($1::text[]) LIMIT 1",
                             1, &gids, err);
    if (res == NULL)
    {
        error_prefix(err, "could not look which distributed transactions are committed");
        return error_node(err, initiator->label);
    }
    if (PQntuples(res) == 0)
        return true;
    *ret_whole = false;
    snprintf(obstacle, size, "distributed transaction %s, of node %d, is half committed",
             pg_cell(res, 0, 0), initiator->content);
    return true;
}

/* The group that a gid begins with, -1: with none. A gid with a newline in it comes as several lines,
 * of which only the first is sure to begin like one of Citus. */
static int group_of(const char *line)
{
    static const char start[] = "citus_";
    if (strncmp(line, start, strlen(start)) != 0)
        return -1;
    char *rest;
    long group = strtol(line + strlen(start), &rest, 10);
    return *rest == '_' && group >= 0 && group <= INT_MAX ? (int) group : -1;
}

/* A gid of a group that is no node of the cluster any more: nobody can tell whether it is committed. */
static bool has_stranger(const BackupNode *nodes, size_t count, char *const *prepared,
                         char *obstacle, size_t size)
{
    for (size_t i = 0; i < count; i++)
    {
        for (const char *line = prepared[i]; *line != '\0';)
        {
            size_t end = strcspn(line, "\n");
            if (node_of_group(nodes, count, group_of(line)) == NULL)
            {
                char gid[300];
                char text[300];
                snprintf(gid, sizeof(gid), "%.*s", (int) end, line);
                snprintf(obstacle, size,
                         "prepared transaction %s on node %d is of no node of this cluster",
                         str_one_line(text, sizeof(text), gid), nodes[i].content);
                return true;
            }
            line += end + (line[end] == '\n' ? 1 : 0);
        }
    }
    return false;
}

bool citus_settle(const BackupNode *nodes, size_t count, char *const *prepared, bool *ret_whole,
                  char *obstacle, size_t obstacle_size, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "settle");
    *ret_whole = !has_stranger(nodes, count, prepared, obstacle, obstacle_size);
    for (size_t i = 0; i < count && *ret_whole; i++)
    {
        const char *gids = gids_of(tmp, nodes[i].dbid, count, prepared);
        if (gids[0] != '\0' &&
            !settle_group(&nodes[i], gids, ret_whole, obstacle, obstacle_size, err))
            return false;
    }
    return true;
}

/* Each node finishes what it began itself. What cannot be done now (a role that may not, a daemon that
 * is at it) is found by citus_settle. */
void citus_recover(const BackupNode *nodes, size_t count)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "recover");
    bool *sent = mem_array(tmp, bool, count);
    for (size_t i = 0; i < count; i++)
    {
        Error ignored = ERROR_INIT;
        sent[i] = pg_send(nodes[i].probe, "SELECT pg_catalog.recover_prepared_transactions()",
                          &ignored);
    }
    for (size_t i = 0; i < count; i++)
    {
        Error ignored = ERROR_INIT;
        AUTO(PQclear)
        PGresult *res = sent[i] ? pg_collect(nodes[i].probe, clock_ms() + RECOVER_MS, &ignored)
                                : NULL;
        if (res == NULL)
            log_debug("%s: recover_prepared_transactions: %s", nodes[i].label, ignored.message);
    }
}

const char *citus_barrier(void *ctx, const BackupNode *node)
{
    return mem_strdup(ctx, node->dbid == 0
                               ? "LOCK TABLE pg_catalog.pg_dist_node, pg_catalog.pg_dist_partition,"
                                 " pg_catalog.pg_dist_transaction IN EXCLUSIVE MODE"
                               : "LOCK TABLE pg_catalog.pg_dist_transaction,"
                                 " pg_catalog.pg_dist_partition IN EXCLUSIVE MODE");
}

/*
 * backup/adopt.c - going on in the snapshot of a run that died (node_adopt in node.h).
 *
 * Why the rows are those that the dead run saw. The dead run's holder had ACCESS SHARE on every table
 * from before the snapshot; the session that holds took the same locks while that holder still had
 * them, and imported the snapshot. So from before the snapshot until that session's transaction ends,
 * no table was emptied, rewritten, dropped or renamed, and no version of a row that the snapshot shows
 * was removed or moved to another block. We import the snapshot, take the locks, and then look whether
 * that very transaction is still there: its virtual transaction id is given out once in the life of a
 * server (which has not been started anew since, that is looked at, too), and a transaction keeps its
 * locks to its end. If it is, the tables were never unlocked, and our own locks keep them from here on,
 * whatever becomes of the session that held them. So a range of blocks that the dead run copied and
 * one that we copy are parts of the same state.
 */
#include "backup/locks.h"
#include "backup/node.h"
#include "base/str.h"

/* Only an ACCESS EXCLUSIVE request that waits for the session that holds can be in our way, and it
 * waits until that one ends: to wait for it is of no use, unless it has a limit of its own. */
#define ADOPT_LOCK_WAIT_MS 10000

static bool check_identity(const BackupNode *node, Error *err)
{
    const HoldNodeRecord *held = node->held;
    if (!str_equal(node->record.system_identifier, held->system_identifier) ||
        !str_equal(node->record.database, held->database))
        return error_set(err, ERR_CHANGED,
                         "this is database \"%s\" of system %s, the set is of \"%s\" of %s",
                         node->record.database, node->record.system_identifier, held->database,
                         held->system_identifier);
    return str_equal(node->started, held->server_started) ||
           error_set(err, ERR_NOT_FOUND,
                     "the snapshot is gone: the server was started at %s, after it was taken",
                     node->started);
}

static bool import(BackupNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "import");
    const char *id = pg_quote_literal(tmp, node->scout, node->held->snapshot_id, err);
    if (id == NULL)
        return false;
    const char *sql = mem_printf(tmp,
                                 "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                                 " SET TRANSACTION SNAPSHOT %s",
                                 id);
    if (!pg_exec(node->scout, sql, err))
    {
        if (err->code == ERR_QUERY)
            err->code = ERR_NOT_FOUND;
        return error_prefix(err, "the snapshot is gone");
    }
    /* Exported once more: from here on we do not depend on the session that holds. */
    AUTO(PQclear)
    PGresult *res = pg_query(
        node->scout, "SELECT pg_catalog.pg_export_snapshot(), pg_catalog.txid_current_snapshot()",
        0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not export the snapshot");
    snprintf(node->snapshot_id, sizeof(node->snapshot_id), "%s", pg_cell(res, 0, 0));
    node->record.snapshot = mem_strdup(node->ctx, pg_cell(res, 0, 1));
    return str_equal(node->record.snapshot, node->held->snapshot) ||
           error_set(err, ERR_NOT_FOUND, "the snapshot is gone: %s is another one (%s, not %s)",
                     node->held->snapshot_id, node->record.snapshot, node->held->snapshot);
}

static bool lock_tables(BackupNode *node, Error *err)
{
    int64_t wait_ms = node->request->lock_wait_ms;
    if (!scope_read(node->scout, node->ctx, node->request->selection, node->scope, &node->catalog,
                    err))
        return false;
    node->locked = catalog_to_lock(node->ctx, &node->catalog);
    if (!pg_exec(node->holder, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err))
        return false;
    if (locks_take(node->holder, node->probe, &node->locked,
                   wait_ms > 0 ? wait_ms : ADOPT_LOCK_WAIT_MS, &node->lock_report_ms, err))
        return true;
    if (err->code == ERR_LOCK)
        snprintf(err->hint, sizeof(err->hint),
                 "It waits for the process that holds the snapshot: end it, then resume again.");
    return false;
}

static bool check_unbroken(const BackupNode *node, Error *err)
{
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", node->held->pid);
    const char *params[] = {pid, node->held->transaction};
    AUTO(PQclear)
    PGresult *res = pg_query(node->probe,
                             "SELECT count(*) FROM pg_catalog.pg_locks WHERE pid = $1::int"
                             " AND locktype = 'virtualxid' AND virtualxid = $2 AND granted",
                             2, params, err);
    if (res == NULL)
        return error_prefix(err, "could not look for the transaction that holds");
    return pg_cell_int(res, 0, 0) == 1 ||
           error_set(err, ERR_NOT_FOUND,
                     "the snapshot is gone: the transaction that held its tables has ended");
}

bool node_adopt(BackupNode *node, Error *err)
{
    bool ok = check_identity(node, err) && import(node, err) && lock_tables(node, err) &&
              check_unbroken(node, err);
    return ok || error_node(err, node->label);
}

bool node_relist(BackupNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "relist");
    Catalog missing;
    if (!scope_read(node->scout, node->ctx, node->request->selection, node->scope, &node->catalog,
                    err))
        return error_node(err, node->label);
    catalog_missing(tmp, &node->catalog, &node->locked, &missing);
    if (missing.count == 0)
        return true;
    error_set(err, ERR_CHANGED, "table %s was not there when the tables were locked",
              missing.items[0].quoted);
    return error_node(err, node->label);
}

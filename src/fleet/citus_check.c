/* fleet/citus_check.c - is a Citus cluster ready to be backed up (FleetEngine.inspect),
 * and what it holds that no set does (FleetEngine.left_out). */
#include "backup/locks.h"
#include "base/str.h"
#include "fleet/citus.h"

static void inspect_role(const BackupNode *node, EngineFinding add, void *arg, const PGresult *res)
{
    bool super = pg_cell_bool(res, 0, 0);
    add(arg, node->content, "role", super ? CHECK_OK : CHECK_WARNING,
        super
            ? "superuser"
            : "no superuser: the barrier cannot be taken, without which what Citus commits by "
              "plain commits may be torn, nor can transactions that a crash has left be finished");
}

static void inspect_nodes(const BackupNode *node, EngineFinding add, void *arg, const PGresult *res)
{
    if (pg_cell_int(res, 0, 1) > 0)
        add(arg, node->content, "metadata", CHECK_WARNING,
            "not synced to some node: what its clients write there may not be seen; run "
            "start_metadata_sync_to_all_nodes()");
    else
        add(arg, node->content, "metadata", CHECK_OK, "synced to every node");
    if (pg_cell_int(res, 0, 2) == 0)
        add(arg, node->content, "coordinator", CHECK_WARNING,
            "not among its cluster's nodes; add it by citus_set_coordinator_host()");
}

static void inspect_shards(const BackupNode *node, EngineFinding add, void *arg,
                           const PGresult *res)
{
    if (pg_cell_int(res, 0, 3) > 0)
        add(arg, node->content, "replication factor", CHECK_OK,
            "some shards have several placements; one of each is backed up, and a restore makes "
            "as many");
    if (pg_cell_int(res, 0, 4) > 0)
        add(arg, node->content, "prepared transactions", CHECK_WARNING,
            "distributed transactions have been left for minutes; recover_prepared_transactions() "
            "finishes them");
}

static void inspect_moves(const BackupNode *node, EngineFinding add, void *arg, const PGresult *res)
{
    if (pg_cell_int(res, 0, 5) > 0)
        add(arg, node->content, "rebalance", CHECK_WARNING,
            "shards are being moved: there is no barrier until a move has ended, and a backup may "
            "have to start over");
}

/* The tables of a worker that the coordinator knows nothing of, made there by hand: their number, and the
 * name of one. Range and append tables are no known tables on a worker: they are parts of what was listed. */
static PGresult *strangers(const BackupNode *worker, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "strangers");
    const char *params[] = {locks_oids(tmp, &worker->locked)};
    return pg_query(
        worker->probe,
        "SELECT count(*), min(n.nspname || '.' || c.relname) FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'"
        " AND n.nspname <> 'information_schema' AND c.oid <> ALL ($1::oid[])"
        " AND NOT " CITUS_HIDE_SHARDS " AND NOT EXISTS (SELECT FROM pg_catalog.pg_dist_partition p"
        "  WHERE p.logicalrelid::oid = c.oid)"
        " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid"
        "  AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'e')",
        1, params, err);
}

bool citus_left_out(BackupNode *node, Error *err)
{
    const Selection *selection = node->request->selection;
    char name[130];
    /* Without data nothing of a worker is wanted, and not even the parts of tables are listed. */
    if (node->dbid == 0 || !selection_is_all(selection) || (selection->sections & SELECT_DATA) == 0)
        return true;
    AUTO(PQclear) PGresult *res = strangers(node, err);
    if (res == NULL || pg_cell_int(res, 0, 0) == 0)
        return res != NULL;
    node->record.warnings = mem_array(node->ctx, char *, 1);
    node->record.warning_count = 1;
    str_one_line(name, sizeof(name), pg_cell(res, 0, 1));
    node->record.warnings[0] = mem_printf(
        node->ctx, "%s tables are on this worker only, and in no set; \"%s\" is one",
        pg_cell(res, 0, 0), name);
    return true;
}

bool citus_inspect(const BackupNode *nodes, EngineFinding add, void *arg, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(
        nodes[0].probe,
        "SELECT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user),"
        " (SELECT count(*) FROM pg_catalog.pg_dist_node WHERE noderole = 'primary' AND isactive"
        "  AND NOT (hasmetadata AND metadatasynced)),"
        " (SELECT count(*) FROM pg_catalog.pg_dist_node WHERE groupid = 0),"
        " (SELECT count(*) FROM pg_catalog.pg_dist_partition p JOIN pg_catalog.pg_dist_shard s"
        "  ON s.logicalrelid = p.logicalrelid WHERE p.repmodel <> 't' AND 1 <"
        "  (SELECT count(*) FROM pg_catalog.pg_dist_placement l WHERE l.shardid = s.shardid"
        "   AND l.shardstate = 1)),"
        " (SELECT count(*) FROM pg_catalog.pg_prepared_xacts WHERE gid LIKE 'citus\\_%'"
        "  AND database = pg_catalog.current_database() AND prepared < now() - interval '3 min'),"
        " (SELECT count(*) FROM pg_catalog.get_rebalance_progress())",
        0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not look at the Citus cluster");
    inspect_role(&nodes[0], add, arg, res);
    inspect_nodes(&nodes[0], add, arg, res);
    inspect_shards(&nodes[0], add, arg, res);
    inspect_moves(&nodes[0], add, arg, res);
    return true;
}

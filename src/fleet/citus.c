/* fleet/citus.c - finding the nodes of a Citus cluster; the contract is in engine.h. */
#include "fleet/citus_restore.h"

#include "base/str.h"

#define OLDEST_MAJOR 11

/* Shards hide from queries of pg_class, and LOCK TABLE counts as changing one. On a table of the
 * coordinator it would lock on every node, to the end of the backup: what is locked where is our
 * own business. That holds for pg_dump, too. */
#define CITUS_OPTIONS "-c citus.enable_ddl_propagation=off"
#define CITUS_SETUP                                                                                \
    "SET citus.override_table_visibility = off; SET citus.enable_manual_changes_to_shards = on;"   \
    " SET citus.enable_ddl_propagation = off"

/* *ret_version NULL: the extension is not there. */
static bool read_version(PgConn *conn, void *ctx, const char **ret_version, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(conn,
                             "SELECT extversion FROM pg_catalog.pg_extension"
                             " WHERE extname = 'citus'",
                             0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not look for Citus");
    *ret_version = PQntuples(res) == 0 ? NULL : mem_strdup(ctx, pg_cell(res, 0, 0));
    return true;
}

static bool read_group(PgConn *conn, int *ret_group, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(conn, "SELECT groupid FROM pg_catalog.pg_dist_local_group", 0, NULL,
                             err);
    if (res == NULL)
        return error_prefix(err, "could not read which node of the Citus cluster this is");
    *ret_group = PQntuples(res) == 0 ? 0 : (int) pg_cell_int(res, 0, 0);
    return true;
}

static bool refuse_worker(PgConn *conn, int group, Error *err)
{
    Error ignored = ERROR_INIT;
    AUTO(PQclear)
    PGresult *res = pg_query(conn,
                             "SELECT nodename, nodeport FROM pg_catalog.pg_dist_node"
                             " WHERE groupid = 0 AND noderole = 'primary'",
                             0, NULL, &ignored);
    error_set(err, ERR_USAGE, "database \"%s\" is that of a worker of a Citus cluster (group %d)",
              PQdb(conn->raw), group);
    if (res == NULL || PQntuples(res) == 0)
        return error_hint(err, "Name the coordinator, pgark finds the workers by itself.");
    return error_hint(err, "Name the coordinator (%s:%s), pgark finds the workers by itself.",
                      pg_cell(res, 0, 0), pg_cell(res, 0, 1));
}

/* The same login as on the coordinator, on another host. */
static void add_node(void *ctx, Fleet *fleet, const PgConn *conn, const FleetRequest *request,
                     const PGresult *res, int row)
{
    FleetNode *node = &fleet->nodes[fleet->node_count];
    const char *host = mem_strdup(ctx, pg_cell(res, row, 1));
    const char *port = mem_strdup(ctx, pg_cell(res, row, 2));
    engine_map_host(ctx, request->host_map, request->host_map_count, &host, &port);
    *node = fleet->nodes[0];
    node->content = (int) fleet->node_count - 1;
    node->dbid = (int) pg_cell_int(res, row, 0);
    node->spec.host = host;
    node->spec.hostaddr = "";
    node->spec.port = port;
    node->spec.database = mem_strdup(ctx, PQdb(conn->raw));
    fleet->node_count++;
}

static bool add_workers(void *ctx, Fleet *fleet, const PgConn *conn, const FleetRequest *request,
                        const PGresult *res, Error *err)
{
    FleetNode coordinator = fleet->nodes[0];
    fleet->nodes = mem_array(ctx, FleetNode, PQntuples(res) + 1);
    fleet->nodes[0] = coordinator;
    fleet->nodes[0].content = -1;
    fleet->nodes[0].dbid = 0;
    fleet->nodes[0].spec.setup = CITUS_SETUP;
    fleet->nodes[0].spec.program_options = CITUS_OPTIONS;
    fleet->node_count = 1;
    for (int i = 0; i < PQntuples(res); i++)
    {
        if (pg_cell_int(res, i, 0) == 0)
            continue;
        if (!pg_cell_bool(res, i, 3))
        {
            error_set(err, ERR_USAGE, "worker %s:%s of the Citus cluster is not active",
                      pg_cell(res, i, 1), pg_cell(res, i, 2));
            return error_hint(err, "Activate it (citus_activate_node) or remove it "
                                   "(citus_remove_node) first.");
        }
        add_node(ctx, fleet, conn, request, res, i);
    }
    return true;
}

static bool citus_discover(void *ctx, Fleet *fleet, PgConn *conn, const FleetRequest *request,
                           bool *ret_found, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "citus");
    const char *version = NULL;
    int group = 0;
    *ret_found = false;
    if (!read_version(conn, tmp, &version, err) || version == NULL)
        return version == NULL && err->code == ERR_NONE;
    if (!read_group(conn, &group, err))
        return false;
    if (group != 0)
        return refuse_worker(conn, group, err);
    AUTO(PQclear)
    PGresult *res = pg_query(conn,
                             "SELECT n.groupid, n.nodename, n.nodeport, n.isactive,"
                             " (SELECT count(*) FROM pg_catalog.pg_dist_partition)"
                             " FROM (SELECT) one LEFT JOIN pg_catalog.pg_dist_node n"
                             "  ON n.noderole = 'primary' ORDER BY n.groupid",
                             0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not read the nodes of the Citus cluster");
    /* The extension alone makes no cluster. */
    bool nodes = !pg_cell_null(res, 0, 0);
    if (!nodes && pg_cell_int(res, 0, 4) == 0)
        return true;
    if (atoi(version) < OLDEST_MAJOR)
        return error_set(err, ERR_USAGE, "Citus %s is too old, pgark needs %d.0 or newer", version,
                         OLDEST_MAJOR);
    *ret_found = true;
    return fleet->node_count == 0 || add_workers(ctx, fleet, conn, request, res, err);
}

static bool check_node(const BackupNode *node, const char *version, void *ctx, Error *err)
{
    const char *its = NULL;
    int group = 0;
    if (!read_version(node->probe, ctx, &its, err))
        return false;
    if (its == NULL)
        return error_set(err, ERR_USAGE, "database \"%s\" there has no Citus",
                         node->record.database);
    if (strcmp(its, version) != 0)
    {
        error_set(err, ERR_USAGE, "Citus %s there, %s on the coordinator", its, version);
        return error_hint(err, "Finish the upgrade (ALTER EXTENSION citus UPDATE on every node).");
    }
    if (!read_group(node->probe, &group, err))
        return false;
    if (group == node->dbid)
        return true;
    error_set(err, ERR_USAGE,
              "this is node group %d of a Citus cluster, the coordinator has %d "
              "under that address",
              group, node->dbid);
    return error_hint(err,
                      "Where names mean other hosts here, use --host-map; metadata that is not "
                      "synced, start_metadata_sync_to_all_nodes().");
}

static bool citus_check(BackupNode *nodes, size_t count, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "citus");
    const char *version = NULL;
    if (!read_version(nodes[0].probe, tmp, &version, err))
        return error_node(err, nodes[0].label);
    for (size_t i = 0; i < count; i++)
    {
        if (!check_node(&nodes[i], version == NULL ? "" : version, tmp, err))
            return error_node(err, nodes[i].label);
    }
    return true;
}

const FleetEngine citus_engine = {
    .topology = "citus",
    .discover = citus_discover,
    .check = citus_check,
    .map = citus_map,
    .left_out = citus_left_out,
    .inspect = citus_inspect,
    .cut = {.own_gids = "citus\\_%",
            .settle = citus_settle,
            .recover = citus_recover,
            .barrier = citus_barrier},
    .restore = &citus_restore,
};

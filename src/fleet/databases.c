/* fleet/databases.c - all databases of the servers of a fleet (fleet_all_databases in topology.h). */
#include "fleet/engine.h"
#include "pg/query.h"

static bool add_databases(void *ctx, const FleetNode *node, FleetNode **nodes, size_t *count,
                          size_t *capacity, Error *err)
{
    char label[32];
    snprintf(label, sizeof(label), "node %d", node->content);
    AUTO(pg_conn_close)
    PgConn *conn = pg_conn_open(&node->spec, label, "pgark", NULL, err);
    if (conn == NULL)
        return false;
    AUTO(PQclear)
    PGresult *res = pg_query(conn,
                             "SELECT datname FROM pg_catalog.pg_database"
                             " WHERE datallowconn AND NOT datistemplate ORDER BY datname",
                             0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not list the databases");
    for (int i = 0; i < PQntuples(res); i++)
    {
        FleetNode *copy = mem_push(ctx, *nodes, *count, *capacity, FleetNode);
        *copy = *node;
        /* The same server for all of them, whatever other hosts the conninfo names. */
        copy->spec = *pg_conn_pin(ctx, conn, &node->spec);
        copy->spec.database = mem_strdup(ctx, pg_cell(res, i, 0));
    }
    return true;
}

bool fleet_all_databases(void *ctx, Fleet *fleet, Error *err)
{
    FleetNode *nodes = NULL;
    size_t count = 0;
    size_t capacity = 0;
    if (fleet->engine != NULL)
    {
        error_set(err, ERR_USAGE, "--all-databases: this database is that of a coordinator (%s)",
                  fleet->topology);
        return error_hint(err, "Back up each such database by itself, with -d.");
    }
    for (size_t i = 0; i < fleet->node_count; i++)
    {
        if (!add_databases(ctx, &fleet->nodes[i], &nodes, &count, &capacity, err))
            return false;
    }
    fleet->nodes = nodes;
    fleet->node_count = count;
    return true;
}

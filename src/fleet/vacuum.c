/* fleet/vacuum.c - VACUUM of a fleet; the contract is in vacuum.h. */
#include "fleet/vacuum.h"

#include "base/parallel.h"
#include "pg/query.h"

typedef struct VacuumRun
{
    const Fleet *fleet;
    size_t *servers; /* first node of each, and behind the last one the number of nodes */
    size_t server_count;
    const Cancel *cancel;
} VacuumRun;

static bool vacuum_database(const VacuumRun *run, const FleetNode *node, Error *err)
{
    char label[32];
    snprintf(label, sizeof(label), "node %d", node->content);
    AUTO(pg_conn_close)
    PgConn *conn = pg_conn_open(&node->spec, label, "pgark vacuum", run->cancel, err);
    return conn != NULL && (pg_exec(conn, "VACUUM", err) || error_node(err, label));
}

static bool vacuum_server(void *arg, size_t i, Error *err)
{
    const VacuumRun *run = arg;
    for (size_t n = run->servers[i]; n < run->servers[i + 1]; n++)
    {
        if (!vacuum_database(run, &run->fleet->nodes[n], err))
            return false;
    }
    return true;
}

bool vacuum_fleet(void *ctx, const Fleet *fleet, Cancel *cancel, Error *err)
{
    VacuumRun run = {
        .fleet = fleet, .servers = mem_array(ctx, size_t, fleet->node_count + 1), .cancel = cancel};
    for (size_t i = 0; i < fleet->node_count; i++)
    {
        if (i == 0 || fleet->nodes[i - 1].content != fleet->nodes[i].content)
            run.servers[run.server_count++] = i;
    }
    run.servers[run.server_count] = fleet->node_count;
    return parallel_run(run.server_count, vacuum_server, &run, cancel, err);
}

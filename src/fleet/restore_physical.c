/* fleet/restore_physical.c - restoring a physical set; the contract is in restore_physical.h. */
#include "fleet/restore_physical.h"

#include "base/clock.h"
#include "base/log.h"
#include "fleet/node_address.h"
#include "fleet/restore_physical_parts.h"
#include "pg/server_version.h"

bool restore_physical_open(PhysicalRun *run, Error *err)
{
    const PhysicalRestoreRequest *request = &run->restore->files;
    char key[SET_KEY_LEN];
    SetChoice choice = {.prefix = request->prefix, .form = SET_OF_FILES};
    if (!repo_resolve(run->repo, run->ctx, request->key, &choice, key, &run->dir, &run->lock, err))
        return false;
    Manifest *m = manifest_read(run->repo->storage, run->ctx, run->dir, false, err);
    if (m == NULL)
        return error_prefix(err, "set %s", key);
    run->result->manifest = m;
    if (manifest_is_physical(m))
        return true;
    error_set(err, ERR_USAGE, "set %s holds rows and definitions, no base backups", key);
    return error_hint(err, "Without --physical it is loaded into servers that run.");
}

/* Of a fleet, the nodes that are not named stay as they are, wherever that is. */
static void say_left_out(const PhysicalRun *run)
{
    const Manifest *m = run->result->manifest;
    for (size_t i = 0; i < m->node_count; i++)
    {
        bool named = false;
        for (size_t j = 0; j < run->restore->files.directory_count; j++)
            named = named || run->restore->files.directories[j].content == m->nodes[i].content;
        if (!named)
            log_info("node %d of the set is not restored: --map does not name it",
                     m->nodes[i].content);
    }
}

/* ---- addresses of nodes ---- */

static bool rewrite_nodes(void *arg, const PhysicalDirectory *directories, size_t count, Error *err)
{
    PhysicalRun *run = arg;
    CitusDirectory *list = mem_array(run->ctx, CitusDirectory, count);
    for (size_t i = 0; i < count; i++)
    {
        const NodeRecord *node = manifest_node(run->result->manifest, directories[i].content);
        list[i] = (CitusDirectory){.path = directories[i].path, .database = node->database};
    }
    return citus_nodes_rewrite(&run->nodes, list, count, &run->tables, err);
}

/* One server program recovers all of them. */
static bool find_major(const PhysicalRestoreRequest *request, const Manifest *m, int *ret_major,
                       Error *err)
{
    *ret_major = 0;
    for (size_t i = 0; i < request->directory_count; i++)
    {
        const NodeRecord *node = manifest_node(m, request->directories[i].content);
        const int major = node == NULL ? *ret_major
                                       : server_version_major(node->server_version_num);
        if (*ret_major != 0 && major != *ret_major)
        {
            error_set(err, ERR_USAGE,
                      "--host-map recovers servers of one major version, and node %d is of "
                      "PostgreSQL %d, others of %d",
                      node->content, major, *ret_major);
            return error_hint(err, "Restore nodes of each version by a run of its own.");
        }
        *ret_major = major;
    }
    /* That the set has none of the nodes is told with the directories. */
    if (*ret_major == 0)
        *ret_major = server_version_major(m->nodes[0].server_version_num);
    return true;
}

static bool prepare_citus(PhysicalRun *run, PhysicalRestoreRequest *request, Error *err)
{
    int major;
    const RestoreHosts *hosts = &run->restore->hosts;
    if (!find_major(request, run->result->manifest, &major, err))
        return false;
    run->nodes = (CitusNodes){.host_map = hosts->map,
                              .host_map_count = hosts->count,
                              .program = citus_nodes_program(run->ctx, major, run->cancel, err),
                              .no_sync = request->no_sync,
                              .cancel = run->cancel};
    request->finish = rewrite_nodes;
    request->finish_arg = run;
    return run->nodes.program != NULL;
}

/* ---- Greenplum ---- */

static bool is_greenplum(const PhysicalRun *run)
{
    return strcmp(run->result->manifest->set.topology, "greenplum") == 0;
}

/* Mirrors are made of primaries that run; and where all nodes are is known where all are restored. */
static bool check_greenplum(const PhysicalRun *run, Error *err)
{
    if (run->restore->files.standby)
        return error_set(err, ERR_USAGE,
                         "--standby: not of a Greenplum cluster, whose mirrors gpaddmirrors and "
                         "gpinitstandby make once it runs");
    if (run->restore->agents.count == 0)
        return true;
    error_set(err, ERR_USAGE, "--agent-map: not of a Greenplum cluster");
    return error_hint(err, "A restore on each host brings its nodes, that of the coordinator with "
                           "--host-map.");
}

static bool rewrite_greenplum(void *arg, const PhysicalDirectory *directories, size_t count,
                              Error *err)
{
    PhysicalRun *run = arg;
    run->greenplum.point = run->result->target.name;
    run->tables = 1;
    return greenplum_nodes_rewrite(&run->greenplum, directories, count, err);
}

static bool names_coordinator(const PhysicalRestoreRequest *request)
{
    for (size_t i = 0; i < request->directory_count; i++)
        if (request->directories[i].content == -1)
            return true;
    return false;
}

/* The coordinator alone knows where the others are. */
static bool prepare_greenplum(PhysicalRun *run, PhysicalRestoreRequest *request, Error *err)
{
    const NodeRecord *coordinator = manifest_node(run->result->manifest, -1);
    const RestoreHosts *hosts = &run->restore->hosts;
    if (coordinator == NULL || !names_coordinator(request))
    {
        run->tables = 1;
        if (hosts->count > 0)
            log_info("--host-map changes nothing here: it is for the run that restores the "
                     "coordinator, node -1");
        return true;
    }
    run->greenplum = (GreenplumNodes){
        .host_map = hosts->map,
        .host_map_count = hosts->count,
        .program = greenplum_nodes_program(run->ctx, run->cancel, err),
        .dbid = coordinator->dbid,
        .database = coordinator->database,
        .no_sync = request->no_sync,
        .cancel = run->cancel};
    request->finish = rewrite_greenplum;
    request->finish_arg = run;
    return run->greenplum.program != NULL;
}

bool restore_physical_hosts(PhysicalRun *run, PhysicalRestoreRequest *request, Error *err)
{
    const Manifest *m = run->result->manifest;
    const RestoreHosts *hosts = &run->restore->hosts;
    const bool greenplum = is_greenplum(run);
    const bool citus = strcmp(m->set.topology, "citus") == 0;
    if (hosts->count > 0 && !citus && !greenplum)
        return error_set(err, ERR_USAGE,
                         "--host-map is for sets of a Citus or Greenplum cluster, and set %s is of "
                         "topology %s",
                         m->set.key, m->set.topology);
    if (!node_address_check(hosts->map, hosts->count, err))
        return false;
    if (greenplum)
        return prepare_greenplum(run, request, err);
    return hosts->count == 0 || request->directory_count == 0 || prepare_citus(run, request, err);
}

/* ---- the run ---- */

static bool restore_here(PhysicalRun *run, Error *err)
{
    PhysicalRestoreRequest request = run->restore->files;
    if (!restore_physical_hosts(run, &request, err))
        return false;
    Progress *progress = progress_new(run->ctx, run->mode, "restore", request.directory_count,
                                      (size_t) request.jobs);
    supervise_progress(run->supervisor, progress);
    return physical_restore(run->ctx, run->repo, run->dir, &request, run->cancel, progress,
                            run->result, err);
}

static bool run_work(void *arg, Error *err)
{
    PhysicalRun *run = arg;
    run->cancel = supervise_attempt(run->supervisor, err);
    run->repo = run->cancel == NULL ? NULL : repo_open(run->ctx, run->restore->files.repo, err);
    if (run->repo == NULL || !restore_physical_open(run, err))
        return false;
    if (is_greenplum(run) && !check_greenplum(run, err))
        return false;
    say_left_out(run);
    if (run->restore->agents.count > 0 ? !restore_physical_by_agents(run, err)
                                       : !restore_here(run, err))
        return false;
    if (run->restore->hosts.count > 0 && run->tables == 0)
        log_warning("no node that is restored has a table of the cluster's nodes");
    return true;
}

bool restore_physical(void *ctx, const FleetRestore *restore, Supervisor *supervisor,
                      ProgressMode mode, PhysicalRestoreResult *ret, Error *err)
{
    int64_t start = clock_ms();
    *ret = (PhysicalRestoreResult){.manifest = NULL};
    PhysicalRun run = {
        .ctx = ctx, .restore = restore, .supervisor = supervisor, .mode = mode, .result = ret};
    bool ok = supervise_run(supervisor, run_work, NULL, &run, err);
    storage_unlock(run.lock);
    ret->elapsed_ms = clock_ms() - start;
    return ok;
}

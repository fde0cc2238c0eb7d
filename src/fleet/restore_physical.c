/* fleet/restore_physical.c - restoring a physical set; the contract is in restore_physical.h. */
#include "fleet/restore_physical.h"

#include "base/clock.h"
#include "base/log.h"
#include "fleet/citus_nodes.h"

typedef struct PhysicalRun
{
    void *ctx;
    const PhysicalRestoreRequest *request;
    RestoreHosts hosts;
    CitusNodes nodes;
    Supervisor *supervisor;
    ProgressMode mode;
    PhysicalRestoreResult *result;
    StorageLock *lock; /* shared: keeps expire away */
} PhysicalRun;

static Manifest *read_set(PhysicalRun *run, Repo *repo, char **ret_dir, Error *err)
{
    char key[SET_KEY_LEN];
    SetChoice choice = {.prefix = run->request->prefix, .form = SET_OF_FILES};
    if (!repo_resolve(repo, run->ctx, run->request->key, &choice, key, ret_dir, &run->lock, err))
        return NULL;
    Manifest *m = manifest_read(repo->storage, run->ctx, *ret_dir, false, err);
    if (m == NULL)
    {
        error_prefix(err, "set %s", key);
        return NULL;
    }
    if (manifest_is_physical(m))
        return m;
    error_set(err, ERR_USAGE, "set %s holds rows and definitions, no base backups", key);
    error_hint(err, "Without --physical it is loaded into servers that run.");
    return NULL;
}

/* Of a fleet, the nodes that are not named stay as they are, wherever that is. */
static void say_left_out(const PhysicalRun *run, const Manifest *m)
{
    for (size_t i = 0; i < m->node_count; i++)
    {
        bool named = false;
        for (size_t j = 0; j < run->request->directory_count; j++)
            named = named || run->request->directories[j].content == m->nodes[i].content;
        if (!named)
            log_info("node %d of the set is not restored: --map does not name it",
                     m->nodes[i].content);
    }
}

/* ---- addresses of nodes ---- */

static bool rewrite_nodes(void *arg, const PhysicalDirectory *directories, size_t count, Error *err)
{
    const PhysicalRun *run = arg;
    CitusDirectory *list = mem_array(run->ctx, CitusDirectory, count);
    for (size_t i = 0; i < count; i++)
    {
        const NodeRecord *node = manifest_node(run->result->manifest, directories[i].content);
        list[i] = (CitusDirectory){.path = directories[i].path, .database = node->database};
    }
    return citus_nodes_rewrite(&run->nodes, list, count, err);
}

/* One server program recovers all of them. */
static bool find_major(const PhysicalRestoreRequest *request, const Manifest *m, int *ret_major,
                       Error *err)
{
    *ret_major = 0;
    for (size_t i = 0; i < request->directory_count; i++)
    {
        const NodeRecord *node = manifest_node(m, request->directories[i].content);
        const int major = node == NULL ? *ret_major : node->server_version_num / 10000;
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
        *ret_major = m->nodes[0].server_version_num / 10000;
    return true;
}

/* What is needed for it is looked for before anything is written. */
static bool prepare_nodes(PhysicalRun *run, const Manifest *m, const Cancel *cancel,
                          PhysicalRestoreRequest *request, Error *err)
{
    int major;
    if (run->hosts.count == 0)
        return true;
    if (strcmp(m->set.topology, "citus") != 0)
        return error_set(err, ERR_USAGE,
                         "--host-map is for sets of a Citus cluster, and set %s is of topology %s",
                         m->set.key, m->set.topology);
    if (!citus_nodes_check(run->hosts.map, run->hosts.count, err) ||
        !find_major(request, m, &major, err))
        return false;
    run->nodes = (CitusNodes){.host_map = run->hosts.map,
                              .host_map_count = run->hosts.count,
                              .program = citus_nodes_program(run->ctx, major, cancel, err),
                              .no_sync = request->no_sync,
                              .cancel = cancel};
    request->finish = rewrite_nodes;
    request->finish_arg = run;
    return run->nodes.program != NULL;
}

static bool run_work(void *arg, Error *err)
{
    PhysicalRun *run = arg;
    PhysicalRestoreRequest request = *run->request;
    char *dir;
    Cancel *cancel = supervise_attempt(run->supervisor, err);
    Repo *repo = cancel == NULL ? NULL : repo_open(run->ctx, run->request->repo, err);
    Manifest *m = repo == NULL ? NULL : read_set(run, repo, &dir, err);
    if (m == NULL)
        return false;
    run->result->manifest = m;
    if (!prepare_nodes(run, m, cancel, &request, err))
        return false;
    say_left_out(run, m);
    Progress *progress = progress_new(run->ctx, run->mode, "restore", run->request->directory_count,
                                      (size_t) run->request->jobs);
    supervise_progress(run->supervisor, progress);
    return physical_restore(run->ctx, repo, dir, &request, cancel, progress, run->result, err);
}

bool restore_physical(void *ctx, const PhysicalRestoreRequest *request, RestoreHosts hosts,
                      Supervisor *supervisor, ProgressMode mode, PhysicalRestoreResult *ret,
                      Error *err)
{
    int64_t start = clock_ms();
    *ret = (PhysicalRestoreResult){.manifest = NULL};
    PhysicalRun run = {.ctx = ctx,
                       .request = request,
                       .hosts = hosts,
                       .supervisor = supervisor,
                       .mode = mode,
                       .result = ret};
    bool ok = supervise_run(supervisor, run_work, NULL, &run, err);
    storage_unlock(run.lock);
    ret->elapsed_ms = clock_ms() - start;
    return ok;
}

/* fleet/restore_physical.c - restoring a physical set; the contract is in restore_physical.h. */
#include "fleet/restore_physical.h"

#include "base/clock.h"
#include "base/log.h"

typedef struct PhysicalRun
{
    void *ctx;
    const PhysicalRestoreRequest *request;
    Supervisor *supervisor;
    ProgressMode mode;
    PhysicalRestoreResult *result;
    StorageLock *lock; /* shared: keeps expire away */
} PhysicalRun;

static Manifest *read_set(PhysicalRun *run, Repo *repo, char **ret_dir, Error *err)
{
    char key[SET_KEY_LEN];
    if (!repo_resolve(repo, run->ctx, run->request->key, run->request->prefix, key, ret_dir,
                      &run->lock, err))
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

static bool run_work(void *arg, Error *err)
{
    PhysicalRun *run = arg;
    char *dir;
    Cancel *cancel = supervise_attempt(run->supervisor, err);
    Repo *repo = cancel == NULL ? NULL : repo_open(run->ctx, run->request->repo, err);
    Manifest *m = repo == NULL ? NULL : read_set(run, repo, &dir, err);
    if (m == NULL)
        return false;
    run->result->manifest = m;
    say_left_out(run, m);
    Progress *progress = progress_new(run->ctx, run->mode, "restore", run->request->directory_count,
                                      (size_t) run->request->jobs);
    supervise_progress(run->supervisor, progress);
    return physical_restore(run->ctx, repo, dir, run->request, cancel, progress, run->result, err);
}

bool restore_physical(void *ctx, const PhysicalRestoreRequest *request, Supervisor *supervisor,
                      ProgressMode mode, PhysicalRestoreResult *ret, Error *err)
{
    int64_t start = clock_ms();
    *ret = (PhysicalRestoreResult){.manifest = NULL};
    PhysicalRun run = {
        .ctx = ctx, .request = request, .supervisor = supervisor, .mode = mode, .result = ret};
    bool ok = supervise_run(supervisor, run_work, NULL, &run, err);
    storage_unlock(run.lock);
    ret->elapsed_ms = clock_ms() - start;
    return ok;
}

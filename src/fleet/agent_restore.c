/* fleet/agent_restore.c - restoring through agents; the contract is in agent_restore.h. */
#include "fleet/agent_restore.h"

#include "base/clock.h"
#include "base/str.h"
#include "fleet/agent_tour.h"
#include "repo/part.h"

typedef struct Run
{
    void *ctx;
    const RestoreRequest *request;
    const char *const *arguments;
    size_t argument_count;
    Supervisor *supervisor;
    ProgressMode mode;
    AgentRestoreResult *result;
    Repo *repo;
    char key[SET_KEY_LEN];
    char *dir;
    StorageLock *lock;
} Run;

static bool is_wanted(const RestoreRequest *request, const NodeRecord *node)
{
    return request->from_database == NULL || str_equal(request->from_database, node->database);
}

bool agent_restore_wanted(const RestoreRequest *request, bool *ret_wanted, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "where");
    AUTO(storage_unlock) StorageLock *lock = NULL;
    char key[SET_KEY_LEN];
    char *dir;
    SetChoice choice = {.prefix = request->prefix, .form = SET_OF_ROWS};
    *ret_wanted = false;
    Repo *repo = repo_open(tmp, request->repo, err);
    if (repo == NULL || !repo_resolve(repo, tmp, request->key, &choice, key, &dir, &lock, err))
        return false;
    const Manifest *m = manifest_read(repo->storage, tmp, dir, true, err);
    if (m != NULL && !manifest_want_rows(m, "load", err))
        return false;
    for (size_t i = 0; m != NULL && i < m->node_count; i++)
    {
        bool here;
        if (!part_is_here(repo, dir, &m->nodes[i], &here, err))
            return false;
        *ret_wanted = *ret_wanted || (!here && is_wanted(request, &m->nodes[i]));
    }
    return m != NULL || error_prefix(err, "set %s", key);
}

/* ---- which nodes, to where ---- */

static const RestoreTarget *target_of(const RestoreRequest *request, int content)
{
    for (size_t i = 0; i < request->target_count; i++)
    {
        if (request->single_target || request->targets[i].content == content)
            return &request->targets[i];
    }
    return NULL;
}

/* The database that a target's conninfo names, as libpq would take it; "postgres" where nothing does, which
 * for --create means the name that the set has. */
static const char *database_of(void *ctx, const PgConnSpec *spec)
{
    char *name = spec->database == NULL ? NULL : mem_strdup(ctx, spec->database);
    if (name == NULL && spec->conninfo != NULL && strchr(spec->conninfo, '=') == NULL &&
        strstr(spec->conninfo, "://") == NULL)
        name = mem_strdup(ctx, spec->conninfo);
    PQconninfoOption *all = name != NULL || spec->conninfo == NULL
                                ? NULL
                                : PQconninfoParse(spec->conninfo, NULL);
    for (PQconninfoOption *o = all; o != NULL && o->keyword != NULL; o++)
    {
        if (str_equal(o->keyword, "dbname") && o->val != NULL)
            name = mem_strdup(ctx, o->val);
    }
    PQconninfoFree(all);
    if (name == NULL)
        name = mem_strdup(ctx, getenv("PGDATABASE"));
    return name == NULL || name[0] == '\0' ? AGENT_RESTORE_DATABASE : name;
}

static bool check_map(const Run *run, Error *err)
{
    const Manifest *m = run->result->manifest;
    const RestoreRequest *r = run->request;
    for (size_t i = 0; i < m->node_count; i++)
    {
        if (m->nodes[i].schema.path == NULL)
        {
            error_set(err, ERR_USAGE,
                      "set %s is of a fleet with a coordinator, and its parts lie apart", run->key);
            return error_hint(err, "Bring the directories of the set together below one, which "
                                   "becomes the set as if one process had written it.");
        }
        if (r->single_target && m->node_count > 1)
        {
            error_set(err, ERR_USAGE, "set %s has %zu nodes, one target cannot take them", run->key,
                      m->node_count);
            return error_hint(err, "Name a target for each with --map CONTENT=CONNINFO.");
        }
        if (target_of(r, m->nodes[i].content) == NULL)
            return error_set(err, ERR_USAGE, "--map leaves out content id %d of set %s",
                             m->nodes[i].content, run->key);
    }
    for (size_t t = 0; !r->single_target && t < r->target_count; t++)
    {
        bool found = false;
        for (size_t i = 0; i < m->node_count; i++)
            found = found || m->nodes[i].content == r->targets[t].content;
        if (!found)
            return error_set(err, ERR_USAGE,
                             "--map names content id %d, which set %s does not have",
                             r->targets[t].content, run->key);
    }
    return true;
}

static void list_visits(const Run *run, AgentTour *tour)
{
    const Manifest *m = run->result->manifest;
    tour->visits = mem_array(run->ctx, AgentVisit, m->node_count);
    for (size_t i = 0; i < m->node_count; i++)
    {
        const NodeRecord *r = &m->nodes[i];
        const PgConnSpec *target = &target_of(run->request, r->content)->spec;
        AgentVisit *v = &tour->visits[tour->count++];
        v->content = r->content;
        v->spec = *target;
        v->spec.database = AGENT_RESTORE_DATABASE;
        v->more = json_pack("{s:s, s:s}", "repo_id",
                            r->repo_id == NULL ? run->repo->id : r->repo_id, "database",
                            database_of(run->ctx, target));
    }
}

/* ---- the run ---- */

static bool open_set(Run *run, Error *err)
{
    SetChoice choice = {.prefix = run->request->prefix, .form = SET_OF_ROWS};
    run->repo = repo_open(run->ctx, run->request->repo, err);
    if (run->repo == NULL || !repo_resolve(run->repo, run->ctx, run->request->key, &choice,
                                           run->key, &run->dir, &run->lock, err))
        return false;
    run->result->manifest = manifest_read(run->repo->storage, run->ctx, run->dir, true, err);
    return run->result->manifest != NULL || error_prefix(err, "set %s", run->key);
}

static void take_results(Run *run, const AgentTour *tour)
{
    run->result->nodes = json_array();
    for (size_t i = 0; i < tour->count; i++)
        json_array_append(run->result->nodes, tour->visits[i].result);
}

static bool work(void *arg, Error *err)
{
    Run *run = arg;
    AgentTour tour = {.kind = AGENT_RESTORE,
                      .key = run->key,
                      .repo = run->request->repo,
                      .arguments = (const char **) (uintptr_t) run->arguments,
                      .argument_count = run->argument_count,
                      .meet = true,
                      .cancel = supervise_attempt(run->supervisor, err)};
    if (tour.cancel == NULL || !open_set(run, err) || !check_map(run, err))
        return false;
    tour.progress = progress_new(run->ctx, run->mode, "restore", run->result->manifest->node_count,
                                 1);
    supervise_progress(run->supervisor, tour.progress);
    progress_phase(tour.progress, "agents");
    list_visits(run, &tour);
    bool ok = agent_tour_run(&tour, err);
    if (ok)
        take_results(run, &tour);
    agent_tour_free(&tour);
    return ok;
}

/* NOLINTNEXTLINE(readability-function-size): all that a restore is given, at its one call */
bool agent_restore(void *ctx, const RestoreRequest *request, const char *const *arguments,
                   size_t argument_count, Supervisor *supervisor, ProgressMode mode,
                   AgentRestoreResult *ret, Error *err)
{
    int64_t start = clock_ms();
    memset(ret, 0, sizeof(*ret));
    Run run = {.ctx = ctx,
               .request = request,
               .arguments = arguments,
               .argument_count = argument_count,
               .supervisor = supervisor,
               .mode = mode,
               .result = ret};
    bool ok = supervise_run(supervisor, work, NULL, &run, err);
    storage_unlock(run.lock);
    ret->elapsed_ms = clock_ms() - start;
    return ok;
}

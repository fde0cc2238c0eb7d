/* fleet/restore_point.c - common restore points; the contract is in restore_point.h. */
#include "fleet/restore_point.h"

#include "base/parallel.h"
#include "fleet/cut.h"
#include "fleet/engine.h"

typedef struct PointRun
{
    void *ctx;
    const Fleet *fleet;
    const BackupRequest *request;
    const char *name;
    Supervisor *supervisor;
    Cancel *cancel;
    Progress *progress;
    BackupNode *nodes;
    size_t count;
    Point *point;
} PointRun;

static bool connect_one(void *arg, size_t i, Error *err)
{
    return node_connect(&((PointRun *) arg)->nodes[i], true, err);
}

static void make_nodes(PointRun *run)
{
    run->nodes = mem_array(run->ctx, BackupNode, run->count);
    for (size_t i = 0; i < run->count; i++)
    {
        node_init(&run->nodes[i], run->request, &run->fleet->nodes[i].spec,
                  run->fleet->nodes[i].content, run->progress, i);
        run->nodes[i].cancel = run->cancel;
        run->nodes[i].dbid = run->fleet->nodes[i].dbid;
        run->nodes[i].scope = engine_scope_at_first(run->fleet->engine, i);
    }
}

/* What the barrier has to lock is known once it is known what lies where. */
static bool find_parts(PointRun *run, Error *err)
{
    const FleetEngine *engine = run->fleet->engine;
    if (engine == NULL)
        return engine_refuse(run->nodes, run->count, err);
    if (!engine->check(run->nodes, run->count, err) ||
        (engine->check_physical != NULL && !engine->check_physical(run->nodes, run->count, err)) ||
        engine_map(engine, run->nodes, run->count, run->nodes[0].probe, err) == NULL)
        return false;
    for (size_t i = 0; i < run->count; i++)
        if (!node_list(&run->nodes[i], err))
            return error_node(err, run->nodes[i].label);
    return true;
}

/* As sets are named, so that a set and the points of its servers find each other. */
static const char *fleet_name(const PointRun *run)
{
    const NodeRecord *first = &run->nodes[0].record;
    return run->fleet->name != NULL
               ? run->fleet->name
               : mem_printf(run->ctx, "%s-%s", first->database, first->system_identifier);
}

static void fill_point(PointRun *run, const char *fleet, const CutRecord *cut, const uint64_t *lsns)
{
    for (size_t i = 0; i < run->count; i++)
    {
        const NodeRecord *node = &run->nodes[i].record;
        *mem_push(run->ctx, run->point->nodes, run->point->count, run->point->capacity,
                  PointRecord) = (PointRecord){
            .name = mem_strdup(run->ctx, run->name),
            .fleet = mem_strdup(run->ctx, fleet),
            .method = cut->method,
            .at_us = cut->at_us,
            .content = run->nodes[i].content,
            .system_identifier = mem_strdup(run->ctx, node->system_identifier),
            .lsn = lsns[i]};
    }
}

static bool make_point(PointRun *run, Repo *repo, Error *err)
{
    CutRecord cut;
    bool begun = false;
    const char *fleet = fleet_name(run);
    uint64_t *lsns = mem_array(run->ctx, uint64_t, run->count);
    const CutPoint point = {.name = run->name,
                            .mode = run->request->cut,
                            .timeout_ms = run->request->cut_timeout_ms,
                            .engine = run->fleet->engine,
                            .lsns = lsns,
                            .begun = &begun};
    if (!point_begin(repo, fleet, run->name, err))
        return false;
    if (!cut_restore_point(run->nodes, run->count, &point, run->cancel, &cut, err))
    {
        if (!begun)
            point_give_up(repo, fleet, run->name);
        else
            error_hint(err, "Some servers may have the point in their WAL: the next try needs "
                            "another name.");
        return false;
    }
    fill_point(run, fleet, &cut, lsns);
    return point_write(repo, run->point, err);
}

static bool point_work(void *arg, Error *err)
{
    PointRun *run = arg;
    run->cancel = supervise_attempt(run->supervisor, err);
    Repo *repo = run->cancel == NULL ? NULL
                                     : repo_open_or_create(run->ctx, run->request->repo, err);
    if (repo == NULL)
        return false;
    make_nodes(run);
    bool ok = parallel_run(run->count, connect_one, run, run->cancel, err) &&
              find_parts(run, err) && make_point(run, repo, err);
    for (size_t i = 0; i < run->count; i++)
        node_close(&run->nodes[i]);
    return ok;
}

bool restore_point_make(void *ctx, const Fleet *fleet, const BackupRequest *request,
                        const char *name, Supervisor *supervisor, Point *ret, Error *err)
{
    *ret = (Point){.count = 0};
    PointRun run = {.ctx = ctx,
                    .fleet = fleet,
                    .request = request,
                    .name = name,
                    .supervisor = supervisor,
                    .count = fleet->node_count,
                    .point = ret};
    run.progress = progress_new(ctx, PROGRESS_NONE, "restore point", run.count, 1);
    return supervise_run(supervisor, point_work, NULL, &run, err);
}

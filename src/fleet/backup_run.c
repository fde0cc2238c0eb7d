/* fleet/backup_run.c - one backup of a whole fleet; the contract is in backup_run.h. */
#include "fleet/backup_run.h"

#include <time.h>

#include "backup/config_files.h"
#include "backup/locks.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/str.h"
#include "fleet/backup_run_parts.h"
#include "fleet/cut.h"
#include "fleet/resume.h"
#include "fleet/space.h"

#define CONFIRM_ROUNDS 20
#define LOCK_SLICE_MS  5000
#define LOCK_PAUSE_MS  50
#define GIVE_UP_S      5

static bool connect_one(void *arg, size_t i, Error *err)
{
    BackupRun *run = arg;
    return node_connect(&run->nodes[i], run->request->dry_run || run->request->physical != NULL,
                        err);
}

/* Between servers nobody sees a deadlock: a transaction that has locked a table on one node and
 * waits for a table on another, which we hold, while we wait for the first. So in a fleet a wait
 * comes in slices, and between them all nodes let go of everything. */
static int64_t slice_ms(const BackupRun *run)
{
    return run->count > 1 ? LOCK_SLICE_MS : 0;
}

/* Everybody writes through the coordinator, the first node. */
static bool is_coordinated(const BackupRun *run)
{
    return run->fleet->engine != NULL && run->fleet->engine->cut.through_coordinator;
}

static bool lock_one(void *arg, size_t i, Error *err)
{
    BackupRun *run = arg;
    if (i > 0 && is_coordinated(run) && !run->locked[0])
    {
        run->locked[i] = false;
        return true;
    }
    return node_lock(&run->nodes[i], slice_ms(run), &run->locked[i], err);
}

static bool confirm_one(void *arg, size_t i, Error *err)
{
    BackupRun *run = arg;
    return node_confirm(&run->nodes[i], slice_ms(run), &run->same[i], err);
}

/* Databases of one server one after the other: each has as many workers as were asked for. The
 * definitions of all come first. */
static bool dump_databases(BackupRun *run, size_t first, size_t end, Error *err)
{
    Storage *st = run->repo->storage;
    for (size_t i = first; i < end; i++)
    {
        if (!node_dump_schema(&run->nodes[i], st, run->set->dir, err))
            return false;
    }
    for (size_t i = first; i < end; i++)
    {
        if (!node_open_workers(&run->nodes[i], err) ||
            !node_dump(&run->nodes[i], st, run->set->dir, err))
            return false;
        node_close_workers(&run->nodes[i]);
    }
    return true;
}

static bool dump_server(void *arg, size_t i, Error *err)
{
    BackupRun *run = arg;
    size_t first = run->servers[i];
    size_t end = run->servers[i + 1];
    if (end - first > 1)
        return dump_databases(run, first, end, err);
    return node_dump(&run->nodes[first], run->repo->storage, run->set->dir, err);
}

static bool list_one(void *arg, size_t i, Error *err)
{
    return node_list(&((BackupRun *) arg)->nodes[i], err);
}

/* What belongs to which node, as the coordinator's probe or scout sees it. */
static bool map_nodes(BackupRun *run, PgConn *coordinator, Error *err)
{
    run->map = engine_map(run->fleet->engine, run->nodes, run->count, coordinator, err);
    return run->map != NULL;
}

/* An agent finds its own. */
static bool find_pg_dump_one(void *arg, size_t i, Error *err)
{
    BackupNode *node = &((BackupRun *) arg)->nodes[i];
    return node->remote || node_find_pg_dump(node, err);
}

static bool plan_one(void *arg, size_t i, Error *err)
{
    BackupRun *run = arg;
    return node_plan(&run->nodes[i], run->nodes[i].probe, err);
}

bool backup_run_each(BackupRun *run, ParallelFn fn, Error *err)
{
    return parallel_run(run->count, fn, run, run->cancel, err);
}

typedef struct Behind
{
    BackupRun *run;
    ParallelFn fn;
} Behind;

static bool behind(void *arg, size_t i, Error *err)
{
    const Behind *b = arg;
    return b->fn(b->run, i + 1, err);
}

/* Where everybody writes through the coordinator a lock there keeps others from all nodes. In another order
 * somebody could have the coordinator's lock and wait for one of ours, while we wait for his. */
static bool coordinator_first(BackupRun *run, ParallelFn fn, Error *err)
{
    Behind rest = {.run = run, .fn = fn};
    if (!is_coordinated(run))
        return backup_run_each(run, fn, err);
    return fn(run, 0, err) && parallel_run(run->count - 1, behind, &rest, run->cancel, err);
}

/* Two names for one server would store its rows twice, and restore them twice. */
static bool check_distinct(const BackupRun *run, Error *err)
{
    for (size_t i = 0; i < run->count; i++)
    {
        for (size_t j = 0; j < i; j++)
        {
            const BackupNode *a = &run->nodes[j];
            const BackupNode *b = &run->nodes[i];
            if (a->content == b->content ||
                strcmp(a->record.system_identifier, b->record.system_identifier) != 0)
                continue;
            if (strcmp(a->started, b->started) == 0)
                return error_set(err, ERR_USAGE, "%s and %s are the same server", a->label,
                                 b->label);
            if (run->fleet->engine == NULL)
                log_warning(
                    "%s and %s have the same system identifier: is one a copy or a standby of "
                    "the other?",
                    a->label, b->label);
        }
    }
    return true;
}

static bool read_config(void *arg, size_t i, Error *err)
{
    BackupNode *node = &((BackupRun *) arg)->nodes[i];
    return !node->with_config || config_files_read(node, err);
}

/* All locks of a server's databases lie in one table. */
static bool check_locks(const BackupRun *run, Error *err)
{
    for (size_t s = 0; !run->request->dry_run && s < run->server_count; s++)
    {
        size_t tables = 0;
        for (size_t i = run->servers[s]; i < run->servers[s + 1]; i++)
        {
            const NodeScope *scope = run->nodes[i].scope;
            tables += run->nodes[i].locked.count + (scope == NULL ? 0 : scope->hidden_count);
        }
        if (!locks_check_capacity(run->nodes[run->servers[s]].probe, tables, err))
            return false;
    }
    return true;
}

/* Enough to refuse what cannot end well before anybody is locked. */
bool backup_run_check_space(BackupRun *run, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "fleet name");
    SpaceEstimate estimate;
    if (run->request->no_space_check)
        return true;
    return space_estimate(run->repo, run->nodes, run->count, backup_publish_fleet(run, tmp),
                          &estimate, err) &&
           space_check(run->repo, &estimate, run->request->min_free, err);
}

bool backup_run_begin_set(BackupRun *run, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "fleet name");
    RepoSet *set = repo_set_begin(run->repo, run->ctx, backup_publish_fleet(run, tmp),
                                  run->request->key, err);
    pthread_mutex_lock(&run->set_mutex);
    run->set = set;
    pthread_mutex_unlock(&run->set_mutex);
    return set != NULL;
}

static bool lock_all(BackupRun *run, Error *err)
{
    for (;;)
    {
        bool all = true;
        if (!coordinator_first(run, lock_one, err))
            return false;
        for (size_t i = 0; i < run->count; i++)
            all = all && run->locked[i];
        if (all)
            return true;
        for (size_t i = 0; i < run->count; i++)
            node_unlock(&run->nodes[i]);
        clock_sleep_ms(LOCK_PAUSE_MS);
    }
}

/* The nodes are there: of one fleet, if it has a coordinator, and of none otherwise. */
static bool find_parts(BackupRun *run, Error *err)
{
    const FleetEngine *engine = run->fleet->engine;
    if (engine == NULL)
        return engine_refuse(run->nodes, run->count, err);
    if (!engine->check(run->nodes, run->count, err) || !map_nodes(run, run->nodes[0].probe, err) ||
        !backup_run_each(run, list_one, err))
        return false;
    for (size_t i = 0; i < run->count; i++)
        if (!engine->left_out(&run->nodes[i], err))
            return error_node(err, run->nodes[i].label);
    return true;
}

/* The cut, again as long as tables come between the list that was locked and the snapshots. */
static bool take_cut(BackupRun *run, Error *err)
{
    for (int round = 0; round < CONFIRM_ROUNDS; round++)
    {
        bool same = true;
        int tries = run->cut.tries;
        int64_t stall = run->cut.stall_us;
        if (!cut_take(run->nodes, run->count, run->request->cut, run->request->cut_timeout_ms,
                      run->fleet->engine, run->cancel, &run->cut, err))
            return false;
        run->cut.tries += tries;
        if (stall > run->cut.stall_us)
            run->cut.stall_us = stall;
        if (run->fleet->engine != NULL && !map_nodes(run, run->nodes[0].scout, err))
            return false;
        if (!coordinator_first(run, confirm_one, err))
            return false;
        for (size_t i = 0; i < run->count; i++)
            same = same && run->same[i];
        if (same)
            return true;
    }
    error_set(err, ERR_CUT, "new tables came during each of %d tries", CONFIRM_ROUNDS);
    return error_hint(err, "Try again when less tables are being created.");
}

static bool adopt_one(void *arg, size_t i, Error *err)
{
    BackupRun *run = arg;
    return node_adopt(&run->nodes[i], err);
}

static bool adopt_part(void *arg, size_t i, Error *err)
{
    return adopt_one(arg, i + 1, err);
}

/* With a coordinator its snapshot says what belongs to the others: as they were at the cut, which is not
 * as they are now. */
static bool adopt_all(BackupRun *run, Error *err)
{
    if (run->fleet->engine == NULL)
        return backup_run_each(run, adopt_one, err);
    return adopt_one(run, 0, err) && map_nodes(run, run->nodes[0].scout, err) &&
           node_relist(&run->nodes[0], err) &&
           parallel_run(run->count - 1, adopt_part, run, run->cancel, err);
}

static bool copy_and_publish(BackupRun *run, Error *err)
{
    if (run->request->hold_ms > 0)
        backup_hold_start(run);
    progress_phase(run->progress, "data");
    bool dumped = run->agents != NULL
                      ? backup_agents_dump(run, err)
                      : parallel_run(run->server_count, dump_server, run, run->cancel, err);
    if (!dumped)
        return false;
    progress_phase(run->progress, "publishing");
    return backup_publish(run, err);
}

static bool take_set(BackupRun *run, const char *fleet, Error *err)
{
    RepoSet *set = repo_set_take(run->repo, run->ctx, fleet, run->request->key, err);
    pthread_mutex_lock(&run->set_mutex);
    run->set = set;
    pthread_mutex_unlock(&run->set_mutex);
    return set != NULL;
}

/* In the place of locks and cut: those of the run that died. Its keeper stays until the end, or until
 * one of our own takes its place. */
static bool resume(BackupRun *run, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "resume");
    const char *fleet = backup_publish_fleet(run, tmp);
    run->cut = run->left->cut;
    run->started_us = run->left->hold.started_us;
    progress_phase(run->progress, "taking over");
    if (!resume_match(run->left, fleet, run->nodes, run->count, err) ||
        !take_set(run, fleet, err) || !backup_base_open(run, err) || !adopt_all(run, err))
        return false;
    run->adopted = true;
    if (run->request->hold_ms > 0 && !keeper_stop(run->repo, run->set->dir, err))
        return false;
    return copy_and_publish(run, err);
}

/* A set whose definitions cannot be read in its snapshot cannot be gone on with. */
static bool check_hold(const BackupRun *run, Error *err)
{
    if (run->request->hold_ms == 0 || !is_coordinated(run))
        return true;
    error_set(err, ERR_USAGE,
              "--hold: a backup of this kind of cluster (%s) cannot be gone on with",
              run->fleet->topology);
    return error_hint(err, "Leave --hold out.");
}

static bool attempt(BackupRun *run, Error *err)
{
    progress_phase(run->progress, "connecting");
    backup_agents_prepare(run);
    if (!check_hold(run, err) || !backup_run_each(run, connect_one, err) ||
        !check_distinct(run, err) || !find_parts(run, err) ||
        (run->request->physical == NULL && !backup_run_each(run, find_pg_dump_one, err)) ||
        !check_locks(run, err) || !backup_run_each(run, read_config, err) ||
        !cut_check(run->nodes, run->count, run->request->cut, err))
        return false;
    if (run->request->dry_run)
        return backup_base_open(run, err) && backup_run_each(run, plan_one, err);
    if (run->request->physical != NULL)
        return backup_physical(run, err);
    if (run->left != NULL)
        return resume(run, err);
    if (!backup_agents_open(run, err) ||
        (run->agents == NULL && !backup_run_check_space(run, err)) ||
        !backup_run_begin_set(run, err) || !backup_base_open(run, err))
        return false;
    progress_phase(run->progress, "locking tables");
    if (!lock_all(run, err))
        return false;
    backup_agents_event(run, EVENT_LOCKED);
    progress_phase(run->progress, "cut");
    if (!take_cut(run, err))
        return false;
    backup_agents_event(run, EVENT_SNAPSHOT);
    return copy_and_publish(run, err);
}

static void make_nodes(BackupRun *run)
{
    run->nodes = mem_array(run->ctx, BackupNode, run->count);
    run->same = mem_array(run->ctx, bool, run->count);
    run->locked = mem_array(run->ctx, bool, run->count);
    run->servers = mem_array(run->ctx, size_t, run->count + 1);
    for (size_t i = 0; i < run->count; i++)
    {
        const FleetNode *nodes = run->fleet->nodes;
        bool first = i == 0 || nodes[i - 1].content != nodes[i].content;
        bool last = i + 1 == run->count || nodes[i + 1].content != nodes[i].content;
        node_init(&run->nodes[i], run->request, &nodes[i].spec, nodes[i].content, run->progress, i);
        run->nodes[i].dbid = nodes[i].dbid;
        run->nodes[i].shared_server = !first || !last;
        run->nodes[i].with_globals = first && run->request->globals &&
                                     (i == 0 || run->fleet->engine == NULL);
        run->nodes[i].with_config = first && run->request->config_files;
        if (first)
            run->servers[run->server_count++] = i;
    }
    run->servers[run->server_count] = run->count;
}

/* last: no other attempt follows. */
static void end_attempt(BackupRun *run, const Error *failure, bool last)
{
    /* Agents that were told to end have ended: they hold what their nodes' servers must not. */
    backup_agents_end(run);
    backup_physical_end(run);
    /* The servers first: nobody there shall wait while files are removed here. */
    for (size_t i = 0; i < run->count && !run->request->dry_run; i++)
        node_close(&run->nodes[i]);
    /* From here on the base may go, unless a published set depends on it. */
    backup_base_close(run);
    bool kept = run->set != NULL && backup_hold_end(run, failure);
    bool partial = run->set != NULL && !run->set->committed && !kept && last &&
                   run->request->keep_partial;
    if (partial)
        log_message(LOG_WARNING, "what the run has stored stays as the unfinished set %s",
                    run->set->key);
    pthread_mutex_lock(&run->set_mutex);
    RepoSet *set = run->set;
    run->set = NULL;
    if (set != NULL)
        set->kept = kept || partial;
    pthread_mutex_unlock(&run->set_mutex);
    repo_set_end(set);
}

static bool open_repo(BackupRun *run, Error *err)
{
    if (run->request->repo == NULL || run->repo != NULL)
        return true;
    if (!run->request->dry_run)
    {
        run->repo = repo_open_or_create(run->ctx, run->request->repo, err);
        return run->repo != NULL;
    }
    /* A dry run creates nothing: a repository that is not there yet is only not known. */
    Error missing = ERROR_INIT;
    run->repo = repo_open(run->ctx, run->request->repo, &missing);
    if (run->repo == NULL && missing.code != ERR_NOT_FOUND)
    {
        *err = missing;
        return false;
    }
    StorageSpace space = {.free = 0};
    run->result->repo_known = run->repo != NULL &&
                              storage_space(run->repo->storage, &space, &missing);
    run->result->free_bytes = space.free;
    return true;
}

static bool run_work(void *arg, Error *err)
{
    BackupRun *run = arg;
    if (!open_repo(run, err))
        return false;
    for (int i = 0; i <= run->request->retries; i++)
    {
        Error failure = ERROR_INIT;
        memset(&run->cut, 0, sizeof(run->cut));
        run->cancel = supervise_attempt(run->supervisor, err);
        if (run->cancel == NULL)
            return false;
        for (size_t n = 0; n < run->count; n++)
        {
            run->nodes[n].cancel = run->cancel;
            run->nodes[n].scope = engine_scope_at_first(run->fleet->engine, n);
        }
        bool ok = attempt(run, &failure);
        bool again = !ok && failure.code == ERR_CHANGED && run->left == NULL &&
                     !supervise_cancelled(run->supervisor);
        end_attempt(run, &failure, !again || i == run->request->retries);
        if (ok)
            return true;
        *err = failure;
        if (!again)
            return false;
        run->result->restarts++;
        log_info("starting over, as the catalogue changed: %s", failure.message);
    }
    error_prefix(err, "gave up after %d restarts", run->request->retries);
    return error_hint(err, "Back up at a calmer moment, leave out what is made and dropped all the "
                           "time (-N, -T), or raise --retries.");
}

/* The process is about to end at once: take the unfinished set along. The lock is kept, so that the
 * work cannot go on with it. */
static bool run_give_up(void *arg)
{
    BackupRun *run = arg;
    Error ignored = ERROR_INIT;
    /* Where the commit itself hangs, with the lock, expire will find what it is. */
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += GIVE_UP_S;
    if (pthread_mutex_timedlock(&run->set_mutex, &until) != 0)
        return true;
    if (run->set != NULL && run->set->committed)
    {
        pthread_mutex_unlock(&run->set_mutex);
        return false;
    }
    if (run->set != NULL && !run->set->kept && !run->request->keep_partial &&
        !repo_remove_set(run->repo, run->set->dir, &ignored))
        log_message(LOG_WARNING, "an unfinished set stays in \"%s\" until pgark expire",
                    run->set->dir);
    return true;
}

bool backup_run(void *ctx, const Fleet *fleet, const BackupRequest *request, Supervisor *supervisor,
                ProgressMode mode, BackupResult *result, Error *err)
{
    int64_t start = clock_ms();
    Repo *repo = NULL;
    HoldFile *left = NULL;
    memset(result, 0, sizeof(*result));
    if (request->resume && !resume_open(ctx, request, &fleet, &repo, &left, err))
        return false;
    BackupRun run = {.ctx = ctx,
                     .fleet = fleet,
                     .request = request,
                     .supervisor = supervisor,
                     .mode = mode,
                     .result = result,
                     .repo = repo,
                     .left = left,
                     .count = fleet->node_count,
                     .started_us = clock_wall_us()};
    run.progress = progress_new(ctx, mode, "backup", run.count, (size_t) request->jobs + 1);
    pthread_mutex_init(&run.set_mutex, NULL);
    make_nodes(&run);
    supervise_progress(supervisor, run.progress);
    bool ok = supervise_run(supervisor, run_work, run_give_up, &run, err);
    result->nodes = run.nodes;
    result->node_count = run.count;
    for (size_t i = 0; i < run.count; i++)
        result->bytes += run.nodes[i].plan.bytes;
    result->elapsed_ms = clock_ms() - start;
    return ok;
}

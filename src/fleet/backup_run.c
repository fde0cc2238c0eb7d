/* fleet/backup_run.c - one backup of a whole fleet; the contract is in backup_run.h. */
#include "fleet/backup_run.h"

#include <time.h>

#include "backup/locks.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/str.h"
#include "fleet/cut.h"
#include "repo/repo.h"

#define BACKUP_RESTARTS 5
#define CONFIRM_ROUNDS  20
#define LOCK_SLICE_MS   5000
#define LOCK_PAUSE_MS   50
#define GIVE_UP_S       5

typedef struct Run
{
    void *ctx;
    const Fleet *fleet;
    const BackupRequest *request;
    Supervisor *supervisor;
    ProgressMode mode;
    BackupResult *result;
    Repo *repo;
    pthread_mutex_t set_mutex; /* guards set and its committed: give_up runs on the main thread */
    RepoSet *set;              /* while one is being made */
    Progress *progress;
    Cancel *cancel; /* of this attempt */
    BackupNode *nodes;
    size_t count;
    size_t *servers; /* first node of each server, and behind the last one count */
    size_t server_count;
    bool *same;   /* per node: node_confirm's answer */
    bool *locked; /* per node: node_lock's answer */
    CutRecord cut;
    int64_t started_us;
} Run;

static bool connect_one(void *arg, size_t i, Error *err)
{
    Run *run = arg;
    return node_connect(&run->nodes[i], run->request->dry_run, err);
}

/* Between servers nobody sees a deadlock: a transaction that has locked a table on one node and
 * waits for a table on another, which we hold, while we wait for the first. So in a fleet a wait
 * comes in slices, and between them all nodes let go of everything. */
static int64_t slice_ms(const Run *run)
{
    return run->count > 1 ? LOCK_SLICE_MS : 0;
}

static bool lock_one(void *arg, size_t i, Error *err)
{
    Run *run = arg;
    return node_lock(&run->nodes[i], slice_ms(run), &run->locked[i], err);
}

static bool confirm_one(void *arg, size_t i, Error *err)
{
    Run *run = arg;
    return node_confirm(&run->nodes[i], slice_ms(run), &run->same[i], err);
}

/* Databases of one server one after the other: each has as many workers as were asked for. The
 * definitions of all come first. */
static bool dump_databases(Run *run, size_t first, size_t end, Error *err)
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
    Run *run = arg;
    size_t first = run->servers[i];
    size_t end = run->servers[i + 1];
    if (end - first > 1)
        return dump_databases(run, first, end, err);
    return node_dump(&run->nodes[first], run->repo->storage, run->set->dir, err);
}

static bool plan_one(void *arg, size_t i, Error *err)
{
    Run *run = arg;
    BackupNode *node = &run->nodes[i];
    return node_find_pg_dump(node, err) && node_plan(node, node->probe, err);
}

static bool each(Run *run, ParallelFn fn, Error *err)
{
    return parallel_run(run->count, fn, run, run->cancel, err);
}

/* Two names for one server would store its rows twice, and restore them twice. */
static bool check_distinct(const Run *run, Error *err)
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
            log_warning("%s and %s have the same system identifier: is one a copy or a standby of "
                        "the other?",
                        a->label, b->label);
        }
    }
    return true;
}

/* All locks of a server's databases lie in one table. */
static bool check_locks(const Run *run, Error *err)
{
    for (size_t s = 0; !run->request->dry_run && s < run->server_count; s++)
    {
        size_t tables = 0;
        for (size_t i = run->servers[s]; i < run->servers[s + 1]; i++)
            tables += run->nodes[i].locked.count;
        if (!locks_check_capacity(run->nodes[run->servers[s]].probe, tables, err))
            return false;
    }
    return true;
}

/* A first look by the planner's page counts: cheap, and enough to refuse what cannot end well. A
 * set is rarely smaller than a twentieth of the tables. */
static bool check_space(Run *run, Error *err)
{
    uint64_t needed = 1024 * 1024;
    uint64_t available;
    for (size_t i = 0; i < run->count; i++)
    {
        AUTO(PQclear)
        PGresult *res = pg_query(run->nodes[i].probe,
                                 "SELECT coalesce(sum(relpages::bigint), 0) *"
                                 " pg_catalog.current_setting('block_size')::bigint / 20"
                                 " FROM pg_catalog.pg_class WHERE relkind IN ('r', 't')"
                                 " AND relpages > 0",
                                 0, NULL, err);
        if (res == NULL)
            return false;
        needed += (uint64_t) pg_cell_int(res, 0, 0);
    }
    if (!storage_free_space(run->repo->storage, &available, err))
        return false;
    if (available >= needed)
        return true;
    char have[STR_BYTES_LEN];
    char want[STR_BYTES_LEN];
    error_set(err, ERR_STORAGE, "repository \"%s\" has only %s free, at least %s will be needed",
              storage_uri(run->repo->storage), str_format_bytes(have, available),
              str_format_bytes(want, needed));
    return error_hint(err, "Free some space there (pgark expire), or name another repository.");
}

/* What retention and the writers' lock go by. */
static const char *fleet_name(const Run *run, void *ctx)
{
    const NodeRecord *first = &run->nodes[0].record;
    if (run->fleet->name != NULL)
        return run->fleet->name;
    if (run->request->all_databases)
        return mem_printf(ctx, "all-%s", first->system_identifier);
    return mem_printf(ctx, "%s-%s", first->database, first->system_identifier);
}

static bool begin_set(Run *run, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "fleet name");
    RepoSet *set = repo_set_begin(run->repo, run->ctx, fleet_name(run, tmp), run->request->key,
                                  err);
    pthread_mutex_lock(&run->set_mutex);
    run->set = set;
    pthread_mutex_unlock(&run->set_mutex);
    return set != NULL;
}

static bool lock_all(Run *run, Error *err)
{
    for (;;)
    {
        bool all = true;
        if (!each(run, lock_one, err))
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

/* The cut, again as long as tables come between the list that was locked and the snapshots. */
static bool take_cut(Run *run, Error *err)
{
    for (int round = 0; round < CONFIRM_ROUNDS; round++)
    {
        bool same = true;
        int tries = run->cut.tries;
        int64_t stall = run->cut.stall_us;
        if (!cut_take(run->nodes, run->count, run->request->cut, run->request->cut_timeout_ms,
                      run->cancel, &run->cut, err))
            return false;
        run->cut.tries += tries;
        if (stall > run->cut.stall_us)
            run->cut.stall_us = stall;
        if (!each(run, confirm_one, err))
            return false;
        for (size_t i = 0; i < run->count; i++)
            same = same && run->same[i];
        if (same)
            return true;
    }
    error_set(err, ERR_CUT, "new tables came during each of %d tries", CONFIRM_ROUNDS);
    return error_hint(err, "Try again when less tables are being created.");
}

static void fill_totals(const Run *run, Manifest *m)
{
    TotalsRecord *t = &m->totals;
    for (size_t i = 0; i < run->count; i++)
    {
        BackupNode *node = &run->nodes[i];
        t->objects += atomic_load(&node->objects);
        t->stored += node->record.schema.bytes + node->record.chunks.bytes +
                     node->record.globals.bytes;
    }
    t->tables = m->table_count;
    t->sequences = m->sequence_count;
    for (size_t i = 0; i < m->table_count; i++)
    {
        t->chunks += m->tables[i].chunks;
        t->rows += m->tables[i].rows;
        t->logical += m->tables[i].logical;
        t->stored += m->tables[i].stored;
    }
}

static char **copy_strings(void *ctx, char **strings, size_t count)
{
    char **copy = mem_array(ctx, char *, count);
    for (size_t i = 0; i < count; i++)
        copy[i] = mem_strdup(copy, strings[i]);
    return copy;
}

static void copy_node(void *ctx, NodeRecord *to, const NodeRecord *from)
{
    *to = *from;
    to->host = mem_strdup(ctx, from->host);
    to->database = mem_strdup(ctx, from->database);
    to->system_identifier = mem_strdup(ctx, from->system_identifier);
    to->server_version = mem_strdup(ctx, from->server_version);
    to->encoding = mem_strdup(ctx, from->encoding);
    to->snapshot = mem_strdup(ctx, from->snapshot);
    to->schema.path = mem_strdup(ctx, from->schema.path);
    to->chunks.path = mem_strdup(ctx, from->chunks.path);
    to->globals.path = mem_strdup(ctx, from->globals.path);
    to->warnings = copy_strings(ctx, from->warnings, from->warning_count);
}

static void copy_tables(Manifest *m, const BackupNode *node)
{
    for (size_t i = 0; i < node->catalog.count; i++)
    {
        TableRecord *t = mem_push(m, m->tables, m->table_count, m->table_capacity, TableRecord);
        *t = node->tables[i];
        t->database = mem_strdup(m, node->record.database);
        t->schema = mem_strdup(m, t->schema);
        t->name = mem_strdup(m, t->name);
        t->extension = mem_strdup(m, t->extension);
        t->columns = copy_strings(m, t->columns, t->column_count);
        t->types = copy_strings(m, t->types, t->type_count);
    }
    for (size_t i = 0; i < node->sequence_count; i++)
    {
        SequenceRecord *s = mem_push(m, m->sequences, m->sequence_count, m->sequence_capacity,
                                     SequenceRecord);
        *s = node->sequences[i];
        s->database = mem_strdup(m, node->record.database);
        s->schema = mem_strdup(m, s->schema);
        s->name = mem_strdup(m, s->name);
    }
}

/* Gathers from the nodes what the manifest says; it outlives their connections. */
static Manifest *make_manifest(const Run *run)
{
    Manifest *m = mem_new(run->ctx, Manifest);
    SetRecord *set = &m->set;
    snprintf(set->key, sizeof(set->key), "%s", run->set->key);
    set->version = mem_strdup(m, PGARK_VERSION);
    set->fleet = mem_strdup(m, fleet_name(run, m));
    set->topology = mem_strdup(m, run->fleet->topology);
    set->started_us = run->started_us;
    set->finished_us = clock_wall_us();
    set->compress = run->request->compress;
    set->format = mem_strdup(m, backup_format_name(run->request->format));
    set->chunk_size = run->request->chunk_size;
    set->jobs = run->request->jobs;
    set->sections = (int) run->request->selection->sections;
    selection_describe(run->request->selection, m, &set->selection, &set->selection_count);
    m->cut = run->cut;
    for (size_t i = 0; i < run->count; i++)
    {
        copy_node(m, mem_push(m, m->nodes, m->node_count, m->node_capacity, NodeRecord),
                  &run->nodes[i].record);
        copy_tables(m, &run->nodes[i]);
    }
    fill_totals(run, m);
    return m;
}

static bool write_manifest(ManifestWriter *w, const Manifest *m, Error *err)
{
    bool ok = manifest_write_set(w, &m->set, err);
    for (size_t i = 0; ok && i < m->node_count; i++)
        ok = manifest_write_node(w, &m->nodes[i], err);
    ok = ok && manifest_write_cut(w, &m->cut, err);
    for (size_t i = 0; ok && i < m->table_count; i++)
        ok = manifest_write_table(w, &m->tables[i], err);
    for (size_t i = 0; ok && i < m->sequence_count; i++)
        ok = manifest_write_sequence(w, &m->sequences[i], err);
    return ok && manifest_write_totals(w, &m->totals, err) && manifest_writer_commit(w, NULL, err);
}

/* The directories whose entries must last before the manifest may say that they exist. */
static bool sync_directories(Run *run, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "directories");
    for (size_t i = 0; i < run->count; i++)
    {
        char *dir = mem_printf(tmp, "%s/%s", run->set->dir, run->nodes[i].node_dir);
        while (strlen(dir) > strlen(run->set->dir))
        {
            if (!storage_sync_dir(run->repo->storage, dir, err))
                return false;
            *strrchr(dir, '/') = '\0';
        }
    }
    return storage_sync_dir(run->repo->storage, run->set->dir, err);
}

static bool publish(Run *run, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "publish");
    Manifest *m = make_manifest(run);
    if (!run->request->no_sync && !sync_directories(run, err))
        return false;
    AUTO(manifest_writer_free)
    ManifestWriter *w = manifest_writer_new(run->repo->storage,
                                            mem_printf(tmp, "%s/manifest.jsonl", run->set->dir),
                                            true, run->request->no_sync, err);
    if (w == NULL)
        return false;
    /* From here on the set is published or it is not, and nobody removes it in between. */
    pthread_mutex_lock(&run->set_mutex);
    run->set->committed = cancel_check(run->cancel, err) && write_manifest(w, m, err);
    bool ok = run->set->committed;
    pthread_mutex_unlock(&run->set_mutex);
    if (ok)
        run->result->manifest = m;
    return ok;
}

static bool attempt(Run *run, Error *err)
{
    progress_phase(run->progress, "connecting");
    if (!each(run, connect_one, err) || !check_distinct(run, err) || !check_locks(run, err) ||
        !cut_check(run->nodes, run->count, run->request->cut, err))
        return false;
    if (run->request->dry_run)
        return each(run, plan_one, err);
    if (!check_space(run, err) || !begin_set(run, err))
        return false;
    progress_phase(run->progress, "locking tables");
    if (!lock_all(run, err))
        return false;
    progress_phase(run->progress, "cut");
    if (!take_cut(run, err))
        return false;
    progress_phase(run->progress, "data");
    if (!parallel_run(run->server_count, dump_server, run, run->cancel, err))
        return false;
    progress_phase(run->progress, "publishing");
    return publish(run, err);
}

static void make_nodes(Run *run)
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
        run->nodes[i].shared_server = !first || !last;
        run->nodes[i].with_globals = first && run->request->globals;
        if (first)
            run->servers[run->server_count++] = i;
    }
    run->servers[run->server_count] = run->count;
}

static void end_attempt(Run *run)
{
    /* The servers first: nobody there shall wait while files are removed here. */
    for (size_t i = 0; i < run->count && !run->request->dry_run; i++)
        node_close(&run->nodes[i]);
    pthread_mutex_lock(&run->set_mutex);
    RepoSet *set = run->set;
    run->set = NULL;
    pthread_mutex_unlock(&run->set_mutex);
    repo_set_end(set);
}

static bool open_repo(Run *run, Error *err)
{
    if (run->request->repo == NULL)
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
    run->result->repo_known = run->repo != NULL &&
                              storage_free_space(run->repo->storage, &run->result->free_bytes,
                                                 &missing);
    return true;
}

static bool run_work(void *arg, Error *err)
{
    Run *run = arg;
    if (!open_repo(run, err))
        return false;
    for (int i = 0; i <= BACKUP_RESTARTS; i++)
    {
        Error failure = ERROR_INIT;
        memset(&run->cut, 0, sizeof(run->cut));
        run->cancel = supervise_attempt(run->supervisor, err);
        if (run->cancel == NULL)
            return false;
        for (size_t n = 0; n < run->count; n++)
            run->nodes[n].cancel = run->cancel;
        bool ok = attempt(run, &failure);
        end_attempt(run);
        if (ok)
            return true;
        *err = failure;
        if (failure.code != ERR_CHANGED || supervise_cancelled(run->supervisor))
            return false;
        run->result->restarts++;
        log_info("starting over, as the catalogue changed: %s", failure.message);
    }
    return error_prefix(err, "gave up after %d restarts", BACKUP_RESTARTS);
}

/* The process is about to end at once: take the unfinished set along. The lock is kept, so that the
 * work cannot go on with it. */
static bool run_give_up(void *arg)
{
    Run *run = arg;
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
    if (run->set != NULL && !repo_remove_set(run->repo, run->set->dir, &ignored))
        log_message(LOG_WARNING, "an unfinished set stays in \"%s\" until pgark expire",
                    run->set->dir);
    return true;
}

bool backup_run(void *ctx, const Fleet *fleet, const BackupRequest *request, Supervisor *supervisor,
                ProgressMode mode, BackupResult *result, Error *err)
{
    int64_t start = clock_ms();
    memset(result, 0, sizeof(*result));
    Run run = {.ctx = ctx,
               .fleet = fleet,
               .request = request,
               .supervisor = supervisor,
               .mode = mode,
               .result = result,
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

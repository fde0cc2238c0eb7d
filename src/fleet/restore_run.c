/* fleet/restore_run.c - one restore of a set; the contract is in restore_run.h. */
#include "fleet/restore_run.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/str.h"
#include "fleet/engine.h"
#include "repo/base.h"
#include "restore/journal.h"
#include "restore/target.h"

typedef struct RestoreRun
{
    void *ctx;
    const RestoreRequest *request;
    Supervisor *supervisor;
    ProgressMode mode;
    RestoreResult *result;
    Repo *repo;
    Fold *fold;
    char key[SET_KEY_LEN];
    char *set_dir;
    StorageLock *lock; /* shared: keeps expire away */
    Cancel *cancel;
    size_t *servers; /* first node of each server, and behind the last one the number of nodes */
    size_t server_count;
} RestoreRun;

static bool connect_one(void *arg, size_t i, Error *err)
{
    return restore_node_connect(&((RestoreRun *) arg)->result->nodes[i], err);
}

static bool prepare_one(void *arg, size_t i, Error *err)
{
    return restore_node_prepare(&((RestoreRun *) arg)->result->nodes[i], err);
}

/* The nodes that go to one server: several where all its databases do. They take turns, as each has
 * as many workers as were asked for; the first makes what belongs to the server. */
static bool restore_server(void *arg, size_t server, Error *err)
{
    RestoreRun *run = arg;
    RestoreNode *nodes = run->result->nodes;
    for (size_t i = run->servers[server]; i < run->servers[server + 1]; i++)
    {
        if (i == run->servers[server] && nodes[i].globals != NULL &&
            !target_make_globals(&nodes[i], err))
            return false;
        if (!restore_node_run(&nodes[i], err))
            return false;
    }
    return true;
}

static bool open_set(RestoreRun *run, Error *err)
{
    SetChoice choice = {.prefix = run->request->prefix, .form = SET_OF_ROWS};
    run->repo = repo_open(run->ctx, run->request->repo, err);
    if (run->repo == NULL || !repo_resolve(run->repo, run->ctx, run->request->key, &choice,
                                           run->key, &run->set_dir, &run->lock, err))
        return false;
    run->result->manifest = manifest_read(run->repo->storage, run->ctx, run->set_dir, false, err);
    if (run->result->manifest == NULL)
        return error_prefix(err, "set %s", run->key);
    if (!manifest_want_rows(run->result->manifest, "load", err) ||
        !base_check_depends(run->repo->storage, run->set_dir, &run->result->manifest->set, err))
        return false;
    run->fold = fold_manifest(run->result->manifest, err);
    return run->fold != NULL || error_prefix(err, "set %s", run->key);
}

static const RestoreTarget *target_of(const RestoreRequest *request, int content)
{
    for (size_t i = 0; i < request->target_count; i++)
    {
        if (request->single_target || request->targets[i].content == content)
            return &request->targets[i];
    }
    return NULL;
}

static bool is_wanted(const RestoreRequest *request, const NodeRecord *node)
{
    return !fold_is_source(node) && (request->checked == NULL || request->part == node->content) &&
           (request->from_database == NULL || strcmp(request->from_database, node->database) == 0);
}

/* How many nodes of the set are wanted, and on how many servers they were. */
static size_t count_wanted(const RestoreRun *run, size_t *ret_servers)
{
    const Manifest *m = run->result->manifest;
    size_t wanted = 0;
    const NodeRecord *last = NULL;
    *ret_servers = 0;
    for (size_t i = 0; i < m->node_count; i++)
    {
        if (!is_wanted(run->request, &m->nodes[i]))
            continue;
        wanted++;
        *ret_servers += last == NULL || last->content != m->nodes[i].content ? 1 : 0;
        last = &m->nodes[i];
    }
    return wanted;
}

static bool has_content(const Manifest *m, int content)
{
    for (size_t i = 0; i < m->node_count; i++)
    {
        if (m->nodes[i].content == content && !fold_is_source(&m->nodes[i]))
            return true;
    }
    return false;
}

/* Every node of the set has a target, and every target a node. */
static bool check_map(const RestoreRun *run, Error *err)
{
    const Manifest *m = run->result->manifest;
    const RestoreRequest *request = run->request;
    size_t servers;
    if (count_wanted(run, &servers) == 0)
        return error_set(err, ERR_NOT_FOUND, "set %s does not hold database \"%s\"", run->key,
                         request->from_database);
    if (request->single_target && servers > 1)
    {
        error_set(err, ERR_USAGE, "set %s has %zu nodes, one target cannot take them", run->key,
                  servers);
        return error_hint(err, "Name a target for each with --map CONTENT=CONNINFO.");
    }
    for (size_t i = 0; !request->single_target && i < request->target_count; i++)
    {
        if (!has_content(m, request->targets[i].content))
            return error_set(err, ERR_USAGE,
                             "--map names content id %d, which set %s does not have",
                             request->targets[i].content, run->key);
    }
    for (size_t i = 0; i < m->node_count; i++)
    {
        if (is_wanted(request, &m->nodes[i]) && target_of(request, m->nodes[i].content) == NULL)
            return error_set(err, ERR_USAGE, "--map leaves out content id %d of set %s",
                             m->nodes[i].content, run->key);
    }
    return true;
}

/* Whether another database of the same server is restored, too. */
static bool is_one_of_several(const RestoreRun *run, const NodeRecord *node)
{
    const Manifest *m = run->result->manifest;
    for (size_t i = 0; i < m->node_count; i++)
    {
        if (&m->nodes[i] != node && m->nodes[i].content == node->content &&
            is_wanted(run->request, &m->nodes[i]))
            return true;
    }
    return false;
}

static void make_node(RestoreRun *run, Progress *progress, const NodeRecord *record)
{
    size_t i = run->result->node_count++;
    RestoreNode *node = &run->result->nodes[i];
    node->request = run->request;
    node->spec = target_of(run->request, record->content)->spec;
    node->storage = run->repo->storage;
    node->set_dir = run->set_dir;
    node->manifest = run->result->manifest;
    node->record = record;
    node->fold = run->fold;
    const FleetEngine *engine = run->request->distribute != NULL
                                    ? &citus_engine
                                    : engine_of(run->result->manifest->set.topology);
    node->cluster = engine == NULL ? NULL : engine->restore;
    node->own_name = is_one_of_several(run, record);
    node->cancel = run->cancel;
    node->progress_all = progress;
    node->progress = progress_node(progress, i);
    node->progress_index = i;
    snprintf(node->label, sizeof(node->label), "target of node %d", record->content);
    snprintf(node->progress->label, sizeof(node->progress->label), "node %d%s%s", record->content,
             node->own_name ? " " : "", node->own_name ? record->database : "");
}

static void make_nodes(RestoreRun *run, Progress *progress)
{
    const Manifest *m = run->result->manifest;
    const NodeRecord *last = NULL;
    run->result->nodes = mem_array(run->ctx, RestoreNode, m->node_count);
    run->servers = mem_array(run->ctx, size_t, m->node_count + 1);
    for (size_t i = 0; i < m->node_count; i++)
    {
        if (!is_wanted(run->request, &m->nodes[i]))
            continue;
        if (last == NULL || last->content != m->nodes[i].content)
            run->servers[run->server_count++] = run->result->node_count;
        last = &m->nodes[i];
        make_node(run, progress, last);
    }
    run->servers[run->server_count] = run->result->node_count;
}

/* Two nodes of a set in one database would mix their rows. */
static bool check_targets_differ(const RestoreRun *run, Error *err)
{
    for (size_t i = 0; i < run->result->node_count; i++)
    {
        for (size_t j = 0; j < i; j++)
        {
            const RestoreNode *a = &run->result->nodes[j];
            const RestoreNode *b = &run->result->nodes[i];
            if (strcmp(a->identity, b->identity) == 0 && strcmp(a->database, b->database) == 0)
                return error_set(err, ERR_USAGE,
                                 "nodes %d and %d would both be restored into database \"%s\" of "
                                 "the same server",
                                 a->record->content, b->record->content, a->database);
        }
    }
    return true;
}

/* Only what was really begun is to be removed. */
static void say_what_is_left(const RestoreRun *run, Error *err)
{
    const RestoreNode *first = NULL;
    bool journal = true;
    size_t changed = 0;
    for (size_t i = 0; i < run->result->node_count; i++)
    {
        const RestoreNode *node = &run->result->nodes[i];
        if (!node->touched)
            continue;
        first = first == NULL ? node : first;
        journal = journal && node->journal != NULL;
        changed++;
    }
    if (changed == 0)
        return;
    if (journal && run->request->checked == NULL)
        error_hint(err, "The restore is not complete: the same command with --resume goes on.");
    else if (run->request->create && !first->fills)
        error_hint(err,
                   "The restore is not complete: drop the new database%s (\"%s\"%s) before "
                   "another try.",
                   changed > 1 ? "s" : "", first->database, changed > 1 ? ", ..." : "");
    else if (run->request->truncate)
        error_hint(err, "The restore is not complete; the same again empties the tables and loads "
                        "them anew.");
    else if (run->request->keep_existing)
        error_hint(
            err, "The restore is not complete, and what it did before stays: the same again makes "
                 "what is missing; --truncate empties tables that have rows by now.");
    else if (!first->whole)
        error_hint(err, "The restore is not complete, and what it did before stays: try again with "
                        "--clean --if-exists, or with less.");
    else
        error_hint(err,
                   "The restore is not complete: empty the target database%s before another try.",
                   changed > 1 ? "s" : "");
}

/* Journals are removed when all nodes are complete, and say so before. Thus a node that has none was
 * not begun, or was complete where another says so. */
static bool find_begun(RestoreRun *run, Error *err)
{
    RestoreNode *nodes = run->result->nodes;
    size_t begun = 0;
    bool over = false;
    for (size_t i = 0; i < run->result->node_count; i++)
    {
        begun += nodes[i].journal != NULL ? 1 : 0;
        over = over || journal_is(nodes[i].journal, JOURNAL_OVER);
    }
    if (begun == 0)
    {
        error_set(err, ERR_NOT_FOUND, "database \"%s\" holds no restore that could go on",
                  nodes[0].database);
        return error_hint(err, "Run the command without --resume.");
    }
    for (size_t i = 0; over && i < run->result->node_count; i++)
        if (nodes[i].journal == NULL)
            journal_take_over(&nodes[i]);
    return true;
}

static bool note_over(void *arg, size_t i, Error *err)
{
    const RestoreNode *node = &((RestoreRun *) arg)->result->nodes[i];
    JournalItem item = {.kind = JOURNAL_STEP, .id = JOURNAL_OVER};
    return journal_done(node->journal, node->main, item, err) || error_node(err, node->label);
}

static bool finish_one(void *arg, size_t i, Error *err)
{
    return restore_node_finish(&((RestoreRun *) arg)->result->nodes[i], err);
}

static bool restore_all(RestoreRun *run, Progress *progress, Error *err)
{
    size_t count = run->result->node_count;
    progress_phase(progress, "checking");
    if (!parallel_run(count, connect_one, run, run->cancel, err) ||
        !check_targets_differ(run, err) || (run->request->resume && !find_begun(run, err)) ||
        !parallel_run(count, prepare_one, run, run->cancel, err))
        return false;
    if (run->request->checked != NULL &&
        !run->request->checked(run->request->checked_arg, progress_node(progress, 0), run->cancel,
                               err))
        return false;
    for (size_t i = 0; i < count; i++)
        progress_workers(progress, (size_t) run->result->nodes[i].jobs);
    if (!parallel_run(run->server_count, restore_server, run, run->cancel, err))
        return false;
    if (count > 1 && !parallel_run(count, note_over, run, run->cancel, err))
        return false;
    return parallel_run(count, finish_one, run, run->cancel, err);
}

static bool restore_work(void *arg, Error *err)
{
    RestoreRun *run = arg;
    run->cancel = supervise_attempt(run->supervisor, err);
    if (run->cancel == NULL || !open_set(run, err) || !check_map(run, err))
        return false;
    size_t servers;
    Progress *progress = progress_new(run->ctx, run->mode, "restore", count_wanted(run, &servers),
                                      (size_t) run->request->jobs);
    make_nodes(run, progress);
    supervise_progress(run->supervisor, progress);
    bool ok = restore_all(run, progress, err);
    for (size_t i = 0; !ok && i < run->result->node_count; i++)
        journal_forget(&run->result->nodes[i]);
    if (!ok)
        say_what_is_left(run, err);
    for (size_t i = 0; i < run->result->node_count; i++)
        restore_node_close(&run->result->nodes[i], run->ctx);
    return ok;
}

bool restore_run(void *ctx, const RestoreRequest *request, Supervisor *supervisor,
                 ProgressMode mode, RestoreResult *result, Error *err)
{
    int64_t start = clock_ms();
    memset(result, 0, sizeof(*result));
    RestoreRun run = {
        .ctx = ctx, .request = request, .supervisor = supervisor, .mode = mode, .result = result};
    bool ok = supervise_run(supervisor, restore_work, NULL, &run, err);
    storage_unlock(run.lock);
    result->elapsed_ms = clock_ms() - start;
    return ok;
}

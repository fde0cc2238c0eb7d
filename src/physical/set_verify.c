/*
 * physical/set_verify.c - proving a physical set; the contract is in set_verify.h.
 *
 * The work is cut into tasks that threads take in turn: runs of parts of which each begins with a member, so
 * that a run can be read by itself, and files of WAL. What the files of a node are is gathered for the
 * comparison with its server's manifest, which comes when all tasks are done.
 */
#include "physical/set_verify.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/crc32c.h"
#include "base/parallel.h"
#include "physical/chain.h"
#include "physical/manifest_check.h"
#include "physical/object_read.h"
#include "physical/tar_stream.h"
#include "physical/wal_name.h"
#include "physical/wal_parse.h"
#include "physical/wal_read.h"
#include "repo/verify_parts.h"

typedef struct Task
{
    bool wal;
    size_t first, count; /* records */
    size_t node;
} Task;

typedef struct NodeState
{
    pthread_mutex_t mutex;
    ManifestCheck *check;
    atomic_bool damaged; /* the files are not all known: they are not compared */
    uint64_t files;
} NodeState;

typedef struct Run
{
    Storage *st;
    void *ctx;
    const char *set_dir;
    const Manifest *m;
    const Cancel *cancel;
    VerifyProblems *problems;
    NodeState *nodes;
    Task *tasks;
    size_t task_count, task_capacity;
    atomic_size_t next;
    atomic_ullong bytes;
    atomic_bool records_read;
    void (*progress)(void *arg, uint64_t bytes);
    void *progress_arg;
} Run;

/* ---- tasks ---- */

static size_t node_of(const Manifest *m, int content)
{
    size_t i = 0;
    while (i < m->node_count && m->nodes[i].content != content)
        i++;
    return i;
}

static void list_tasks(Run *run)
{
    const Manifest *m = run->m;
    for (size_t i = 0; i < m->part_count; i++)
    {
        const PartRecord *p = &m->parts[i];
        bool begins = p->part == 0 || p->first_member == 0;
        Task *last = run->task_count == 0 ? NULL : &run->tasks[run->task_count - 1];
        if (!begins && last != NULL)
            last->count++;
        else
            *mem_push(run->ctx, run->tasks, run->task_count, run->task_capacity,
                      Task) = (Task){.first = i, .count = 1, .node = node_of(m, p->content)};
    }
    for (size_t i = 0; i < m->wal_count; i++)
        *mem_push(run->ctx, run->tasks, run->task_count, run->task_capacity, Task) = (Task){
            .wal = true, .first = i, .count = 1, .node = node_of(m, m->wals[i].content)};
}

static void count_bytes(Run *run, uint64_t n)
{
    uint64_t done = atomic_fetch_add(&run->bytes, n) + n;
    if (run->progress != NULL)
        run->progress(run->progress_arg, done);
}

/* ---- parts ---- */

typedef struct Files
{
    NodeState *node;
    const char *stream;
    TarStream *tar;
    uint32_t crc;
} Files;

static bool begin_file(void *arg, const TarMember *member UNUSED, Error *err UNUSED)
{
    ((Files *) arg)->crc = 0;
    return true;
}

static bool file_data(void *arg, const void *data, size_t len, Error *err UNUSED)
{
    Files *f = arg;
    f->crc = crc32c_extend(f->crc, data, len);
    return true;
}

static bool end_file(void *arg, const TarMember *member, Error *err UNUSED)
{
    const Files *f = arg;
    char path[TAR_NAME_LEN + 32];
    bool base = strcmp(f->stream, PART_BASE) == 0;
    snprintf(path, sizeof(path), "%s%s%s%s", base ? "" : "pg_tblspc/", base ? "" : f->stream,
             base ? "" : "/", member->name);
    if (member->kind != TAR_FILE || !wal_name_is_listed(path))
        return true;
    pthread_mutex_lock(&f->node->mutex);
    manifest_check_file(f->node->check, path, member->size, &f->crc);
    f->node->files++;
    pthread_mutex_unlock(&f->node->mutex);
    return true;
}

static bool walk(void *arg, const void *data, size_t len, Error *err)
{
    const Files *f = arg;
    for (size_t done = 0, n = 0; done < len; done += n)
    {
        if (!tar_stream_take(f->tar, (const char *) data + done, len - done, &n, err))
            return false;
    }
    return true;
}

static bool read_parts(Run *run, const Task *task, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "parts");
    Files files = {.node = &run->nodes[task->node], .stream = run->m->parts[task->first].stream};
    const TarEvents events = {
        .begin = begin_file, .data = file_data, .end = end_file, .arg = &files};
    AUTO(io_free) IoStage *sink = io_sink_new(walk, &files);
    files.tar = tar_stream_new(tmp, &events);
    for (size_t i = task->first; i < task->first + task->count; i++)
    {
        const PartRecord *p = &run->m->parts[i];
        const StoredObject object = {.object = p->object,
                                     .logical = p->logical,
                                     .xxh3 = p->xxh3,
                                     .stored = p->stored,
                                     .sha256 = p->sha256};
        if (!object_read(run->st, run->set_dir, &object, run->m->set.compress.method, sink,
                         run->cancel, err))
            return false;
        count_bytes(run, p->stored);
    }
    return tar_stream_finish(files.tar, err) ||
           error_prefix(err, "object %s", run->m->parts[task->first].object);
}

/* ---- WAL ---- */

static bool read_wal(Run *run, const Task *task, Error *err)
{
    const WalRecord *w = &run->m->wals[task->first];
    if (!wal_read_of_set(run->st, run->set_dir, run->m, w, NULL, run->cancel, err))
        return false;
    count_bytes(run, w->stored);
    return true;
}

/* ---- the server's manifest ---- */

static bool to_check(void *arg, const void *data, size_t len, Error *err)
{
    return manifest_check_write(arg, data, len, err);
}

static bool read_manifest(Run *run, size_t node, Error *err)
{
    const PhysicalRecord *r = &run->m->physicals[node];
    NodeState *state = &run->nodes[node];
    const StoredObject object = {.object = r->manifest.path,
                                 .logical = r->manifest_bytes,
                                 .stored = r->manifest.bytes,
                                 .sha256 = r->manifest.sha256};
    bool whole = !atomic_load(&state->damaged);
    AUTO(io_free)
    IoStage *sink = whole ? io_sink_new(to_check, state->check) : io_tap_new(TAP_XXH3_128, NULL);
    if (!object_read(run->st, run->set_dir, &object, run->m->set.compress.method, sink, run->cancel,
                     err))
        return false;
    count_bytes(run, r->manifest.bytes);
    return !whole || manifest_check_finish(state->check, err) ||
           error_prefix(err, "node %d", r->content);
}

/* ---- the run ---- */

/* false only when the run has to stop. */
static bool note(Run *run, NodeState *node, bool ok, const Error *why, Error *err)
{
    if (ok)
        return true;
    if (why->code == ERR_CANCELLED)
    {
        *err = *why;
        return false;
    }
    if (node != NULL)
        atomic_store(&node->damaged, true);
    verify_problem(run->problems, "%s", why->message);
    return true;
}

static bool work(void *arg, size_t thread UNUSED, Error *err)
{
    Run *run = arg;
    for (size_t i; (i = atomic_fetch_add(&run->next, 1)) < run->task_count;)
    {
        const Task *task = &run->tasks[i];
        Error why = ERROR_INIT;
        bool ok = task->wal ? read_wal(run, task, &why) : read_parts(run, task, &why);
        if (!note(run, task->wal ? NULL : &run->nodes[task->node], ok, &why, err))
            return false;
    }
    return true;
}

static bool finish_node(void *arg, size_t node, Error *err)
{
    Run *run = arg;
    Error why = ERROR_INIT;
    WalParseResult wal = {.read = false};
    void *tmp = mem_context(NULL, "node");
    bool ok = run->m->physicals[node].manifest.path == NULL ||
              note(run, NULL, read_manifest(run, node, &why), &why, err);
    ok = ok && wal_parse(run->st, tmp, run->set_dir, run->m, node, run->cancel, &wal, err);
    if (ok && wal.problem != NULL)
        verify_problem(run->problems, "%s", wal.problem);
    if (!wal.read)
        atomic_store(&run->records_read, false);
    mem_free(tmp);
    return ok;
}

static bool list_files(Run *run, SetVerifyResult *ret, Error *err)
{
    const Manifest *m = run->m;
    AUTO(verify_files_free) VerifyFiles *files = verify_files_new(run->problems);
    for (size_t i = 0; i < m->part_count; i++)
        verify_files_whole(files, m->parts[i].object, m->parts[i].stored);
    for (size_t i = 0; i < m->wal_count; i++)
        verify_files_whole(files, m->wals[i].object, m->wals[i].stored);
    for (size_t i = 0; i < m->physical_count; i++)
    {
        if (m->physicals[i].manifest.path != NULL)
            verify_files_whole(files, m->physicals[i].manifest.path,
                               m->physicals[i].manifest.bytes);
        Error why = ERROR_INIT;
        if (!wal_read_check_records(m, &m->physicals[i], &why))
            verify_problem(run->problems, "%s", why.message);
    }
    if (!verify_files_compare(files, run->st, run->set_dir, true, &ret->common.objects, err))
        return false;
    if (ret->common.objects != m->totals.objects)
        verify_problem(run->problems,
                       "the manifest accounts for %" PRIu64 " objects and says %" PRIu64,
                       ret->common.objects, m->totals.objects);
    return true;
}

static bool verify_all(Run *run, bool quick, int jobs, Cancel *cancel, SetVerifyResult *ret,
                       Error *err)
{
    const Manifest *m = run->m;
    if (!list_files(run, ret, err))
        return false;
    ret->parts = m->part_count;
    ret->segments = m->wal_count;
    if (quick)
        return true;
    list_tasks(run);
    atomic_store(&run->records_read, true);
    if (!parallel_run((size_t) jobs, work, run, cancel, err) ||
        !parallel_run(m->physical_count, finish_node, run, cancel, err))
        return false;
    ret->records_read = atomic_load(&run->records_read);
    for (size_t i = 0; i < m->node_count; i++)
        ret->files += run->nodes[i].files;
    return true;
}

static NodeState *make_nodes(void *ctx, const Manifest *m)
{
    NodeState *nodes = mem_array(ctx, NodeState, m->node_count);
    for (size_t i = 0; i < m->node_count; i++)
    {
        pthread_mutex_init(&nodes[i].mutex, NULL);
        nodes[i].check = manifest_check_new();
    }
    return nodes;
}

static void free_nodes(const Run *run)
{
    for (size_t i = 0; i < run->m->node_count; i++)
    {
        manifest_check_free(run->nodes[i].check);
        pthread_mutex_destroy(&run->nodes[i].mutex);
    }
}

/* ---- the chain ---- */

typedef struct Wanted
{
    Repo *repo;
    void *ctx;
    bool quick;
    int jobs;
    Cancel *cancel;
    void (*progress)(void *arg, uint64_t bytes);
    void *progress_arg;
} Wanted;

/* Adds to what ret counts. */
static bool verify_one(const Wanted *w, const char *set_dir, const Manifest *m,
                       VerifyProblems *problems, SetVerifyResult *ret, Error *err)
{
    SetVerifyResult own = {.parts = 0};
    Run run = {.st = w->repo->storage,
               .ctx = w->ctx,
               .set_dir = set_dir,
               .m = m,
               .cancel = w->cancel,
               .problems = problems,
               .nodes = make_nodes(w->ctx, m),
               .progress = w->progress,
               .progress_arg = w->progress_arg};
    atomic_store(&run.bytes, ret->common.bytes);
    bool ok = verify_all(&run, w->quick, w->jobs, w->cancel, &own, err);
    ret->common.bytes = atomic_load(&run.bytes);
    ret->common.objects += own.common.objects;
    ret->parts += own.parts;
    ret->files += own.files;
    ret->segments += own.segments;
    ret->records_read = (ret->sets == 0 || ret->records_read) && own.records_read;
    ret->sets++;
    free_nodes(&run);
    return ok;
}

/* What is wrong with a set that this one is incremental to, is wrong with this one. */
static bool verify_older(const Wanted *w, const ChainSet *set, VerifyProblems *problems,
                         SetVerifyResult *ret, Error *err)
{
    AUTO(verify_problems_free) VerifyProblems *its = verify_problems_new();
    VerifyResult found = {.problems = NULL};
    bool ok = verify_one(w, set->dir, set->m, its, ret, err);
    verify_problems_move(its, w->ctx, &found);
    for (size_t i = 0; i < found.problem_count; i++)
        verify_problem(problems, "set %s: %s", set->m->set.key, found.problems[i]);
    return ok;
}

static bool verify_chain(const Wanted *w, const char *set_dir, Manifest *m,
                         VerifyProblems *problems, SetVerifyResult *ret, Error *err)
{
    Chain chain;
    Error why = ERROR_INIT;
    bool ok = chain_open(w->repo, w->ctx, set_dir, m, &chain, &why);
    if (!ok && why.code != ERR_CORRUPT && why.code != ERR_NOT_FOUND)
        *err = why;
    else if (!ok)
        verify_problem(problems, "%s", why.message);
    bool go_on = ok || why.code == ERR_CORRUPT || why.code == ERR_NOT_FOUND;
    for (size_t i = 0; ok && i + 1 < chain.count; i++)
        ok = go_on = verify_older(w, &chain.sets[i], problems, ret, err);
    chain_close(&chain);
    return go_on;
}

/* NOLINTNEXTLINE(readability-function-size): everything a caller may choose, at its one call */
bool set_verify(Repo *repo, void *ctx, const char *set_dir, bool quick, int jobs, Cancel *cancel,
                void (*progress)(void *arg, uint64_t bytes), void *arg, SetVerifyResult *ret,
                Error *err)
{
    AUTO(mem_context_free) MemContext *scratch = mem_context(NULL, "verify");
    AUTO(verify_problems_free) VerifyProblems *problems = verify_problems_new();
    const Wanted wanted = {.repo = repo,
                           .ctx = scratch,
                           .quick = quick,
                           .jobs = jobs,
                           .cancel = cancel,
                           .progress = progress,
                           .progress_arg = arg};
    Error why = ERROR_INIT;
    bool ok = true;
    *ret = (SetVerifyResult){.parts = 0};
    Manifest *m = manifest_read(repo->storage, scratch, set_dir, false, &why);
    if (m == NULL && why.code != ERR_CORRUPT)
    {
        *err = why;
        return false;
    }
    if (m == NULL)
        verify_problem(problems, "%s", why.message);
    else
        ok = verify_one(&wanted, set_dir, m, problems, ret, err) &&
             verify_chain(&wanted, set_dir, m, problems, ret, err);
    verify_problems_move(problems, ctx, &ret->common);
    return ok;
}

/*
 * repo/verify.c - proving a stored set without a server.
 *
 * The calling thread reads the manifest and the nodes' chunk files and puts every chunk into a
 * short queue; jobs threads take them out and read the data. What the manifest's records say of
 * each other and of the files is compared in the calling thread.
 */
#include "repo/verify.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/str.h"
#include "repo/base.h"
#include "repo/fold.h"
#include "repo/part.h"
#include "repo/verify_parts.h"

#define QUEUE_LEN  64
#define OBJECT_MAX 1100
#define JOBS_MAX   256

/* ---- problems ---- */

struct VerifyProblems
{
    pthread_mutex_t lock;
    char **texts;
    size_t count, capacity;
    uint64_t untold;
};

VerifyProblems *verify_problems_new(void)
{
    VerifyProblems *p = mem_new(NULL, VerifyProblems);

    pthread_mutex_init(&p->lock, NULL);
    return p;
}

void verify_problems_free(VerifyProblems *p)
{
    if (p == NULL)
        return;
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

void verify_problem(VerifyProblems *p, const char *fmt, ...)
{
    char text[2304], line[2304];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    str_one_line(line, sizeof(line), text); /* names of tables may hold newlines */
    pthread_mutex_lock(&p->lock);
    if (p->count >= VERIFY_PROBLEMS_MAX)
        p->untold++;
    else
        *mem_push(p, p->texts, p->count, p->capacity, char *) = mem_strdup(p, line);
    pthread_mutex_unlock(&p->lock);
}

void verify_problems_move(VerifyProblems *p, void *ctx, VerifyResult *ret)
{
    for (size_t i = 0; i < p->count; i++)
        *mem_push(ctx, ret->problems, ret->problem_count, ret->problem_capacity,
                  char *) = mem_strdup(ctx, p->texts[i]);
    if (p->untold > 0)
        *mem_push(ctx, ret->problems, ret->problem_count, ret->problem_capacity,
                  char *) = mem_printf(ctx, "and %" PRIu64 " more problems", p->untold);
}

/* ---- the run ---- */

typedef struct Item
{
    ChunkRecord chunk;
    char object[OBJECT_MAX]; /* what chunk.object points to */
    bool binary;
} Item;

typedef struct Verify
{
    Repo *repo;
    Storage *st;
    const char *set_dir;
    bool quick;
    const Cancel *cancel;
    void (*progress)(void *arg, uint64_t bytes);
    void *progress_arg;
    const Manifest *m;
    VerifyProblems *problems;
    VerifyFiles *files;
    VerifyTables *tables; /* of the node whose chunks are being read */
    bool *depends_there;  /* of each set that this one depends on */
    atomic_ullong chunks, bytes, rows;

    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t changed;
    Item *queue; /* a ring */
    size_t head, used;
    bool closed; /* no more items: done, or stopped */
    Error failure;
} Verify;

static void stop_with(Verify *v, const Error *why)
{
    pthread_mutex_lock(&v->lock);
    if (!error_is_set(&v->failure))
        v->failure = *why;
    v->closed = true;
    pthread_cond_broadcast(&v->changed);
    pthread_mutex_unlock(&v->lock);
}

/* put_item waits for room; false when the run was stopped. */
static bool put_item(Verify *v, const ChunkRecord *chunk, bool binary)
{
    bool open;

    pthread_mutex_lock(&v->lock);
    while (v->used == QUEUE_LEN && !v->closed)
        pthread_cond_wait(&v->changed, &v->lock);
    open = !v->closed;
    if (open)
    {
        Item *item = &v->queue[(v->head + v->used++) % QUEUE_LEN];

        item->chunk = *chunk;
        item->binary = binary;
        snprintf(item->object, sizeof(item->object), "%s", chunk->object);
        pthread_cond_broadcast(&v->changed);
    }
    pthread_mutex_unlock(&v->lock);
    return open;
}

/* take_item copies the next item; false when there will be none. After a failure what is queued
 * does not matter any more. */
static bool take_item(Verify *v, Item *ret_item)
{
    bool got;

    pthread_mutex_lock(&v->lock);
    while (v->used == 0 && !v->closed)
        pthread_cond_wait(&v->changed, &v->lock);
    got = v->used > 0 && !error_is_set(&v->failure);
    if (got)
    {
        *ret_item = v->queue[v->head];
        ret_item->chunk.object = ret_item->object;
        v->head = (v->head + 1) % QUEUE_LEN;
        v->used--;
        pthread_cond_broadcast(&v->changed);
    }
    pthread_mutex_unlock(&v->lock);
    return got;
}

static void count_bytes(Verify *v, uint64_t n)
{
    uint64_t done = atomic_fetch_add(&v->bytes, n) + n;

    if (v->progress != NULL)
        v->progress(v->progress_arg, done);
}

static void *worker_main(void *arg)
{
    Verify *v = arg;
    AUTO(chunk_reader_free) ChunkReader *text = NULL;
    AUTO(chunk_reader_free) ChunkReader *binary = NULL;
    CompressMethod method = v->m->set.compress.method;
    Item item;

    text = chunk_reader_new(v->st, v->set_dir, method, false, true, NULL, NULL);
    binary = chunk_reader_new(v->st, v->set_dir, method, true, true, NULL, NULL);
    while (take_item(v, &item))
    {
        Error err = ERROR_INIT;

        if (chunk_reader_run(item.binary ? binary : text, &item.chunk, v->cancel, &err))
        {
            atomic_fetch_add(&v->rows, item.chunk.rows);
            count_bytes(v, item.chunk.stored);
        }
        else if (err.code == ERR_CANCELLED)
            stop_with(v, &err);
        else
            verify_problem(v->problems, "%s", err.message);
    }
    return NULL;
}

/* ---- the calling thread's part ---- */

/* A set that is missing is one problem, whatever number of chunks it has. */
static bool look_for_depends(Verify *v, Error *err)
{
    const SetRecord *set = &v->m->set;
    SetRecord one = *set;

    for (size_t i = 0; i < set->depends_count; i++)
    {
        Error why = ERROR_INIT;

        one.depends_on = &set->depends_on[i];
        one.depends_count = 1;
        v->depends_there[i] = base_check_depends(v->st, v->set_dir, &one, &why);
        if (!v->depends_there[i] && why.code != ERR_NOT_FOUND)
            return error_set(err, why.code, "%s", why.message);
        if (!v->depends_there[i])
            verify_problem(v->problems, "%s", why.message);
    }
    return true;
}

/* Of a chunk that another set has; *ret_there: its object is, as long as it must be. */
static bool look_elsewhere(Verify *v, const ChunkRecord *chunk, bool *ret_there, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "elsewhere");
    const SetRecord *set = &v->m->set;
    StorageInfo info;
    size_t i = 0;

    *ret_there = false;
    while (i < set->depends_count && strcmp(set->depends_on[i], chunk->set) != 0)
        i++;
    if (i == set->depends_count)
    {
        verify_problem(v->problems,
                       "table oid %" PRIu32 ", chunk %" PRIu32
                       ": it refers to set %s, of which the "
                       "manifest says nothing",
                       chunk->table_oid, chunk->chunk, chunk->set);
        return true;
    }
    if (!v->depends_there[i])
        return true;
    if (!storage_stat(v->st,
                      repo_path_in(ctx, base_chunk_dir(ctx, v->set_dir, chunk), chunk->object),
                      &info, err))
        return false;
    *ret_there = info.kind == STORAGE_FILE && info.size >= chunk->offset + chunk->stored;
    if (!*ret_there)
        verify_problem(v->problems, "object %s of set %s is %s", chunk->object, chunk->set,
                       info.kind == STORAGE_FILE ? "too short" : "missing");
    return true;
}

static bool take_chunk(void *arg, const ChunkRecord *chunk, uint64_t line_offset UNUSED,
                       uint32_t line_len UNUSED, Error *err)
{
    Verify *v = arg;
    const TableRecord *table = verify_tables_chunk(v->tables, chunk);

    if (!cancel_check(v->cancel, err))
        return false;
    atomic_fetch_add(&v->chunks, 1);
    if (chunk->object == NULL)
        return true;
    if (chunk->set[0] != '\0')
    {
        bool there;

        if (!look_elsewhere(v, chunk, &there, err))
            return false;
        if (!there)
            return true;
    }
    else
        verify_files_slice(v->files, chunk->object, chunk->offset, chunk->stored);
    if (v->quick || table == NULL || put_item(v, chunk, table->binary))
        return true;
    return error_set(err, ERR_CANCELLED, "the verification was stopped");
}

/* verify_object reads a whole file that is no chunk. */
static bool verify_object(Verify *v, const ObjectRecord *object, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "object");
    AUTO(storage_reader_free) StorageReader *in = NULL;
    AUTO(io_free) IoStage *tap = io_tap_new(TAP_SHA256, NULL);
    unsigned char *buffer = mem_array(ctx, unsigned char, IO_BUFFER_SIZE);
    char sha256[TAP_HEX_LEN];
    uint64_t bytes;
    size_t n;

    in = storage_read_open(v->st, mem_printf(ctx, "%s/%s", v->set_dir, object->path), 0, UINT64_MAX,
                           err);
    if (in == NULL)
        return false;
    do
    {
        if (!cancel_check(v->cancel, err) || !storage_read(in, buffer, IO_BUFFER_SIZE, &n, err) ||
            !io_write(tap, buffer, n, err))
            return false;
    } while (n > 0);
    if (!io_finish(tap, err))
        return false;
    io_tap_result(tap, &bytes, sha256);
    if (bytes == object->bytes && strcmp(sha256, object->sha256) != 0)
        return error_set(err, ERR_CORRUPT, "object %s: its SHA-256 differs", object->path);
    count_bytes(v, bytes);
    return true;
}

/* verify_node returns false only when the run has to stop; *ret_read tells whether the chunk file
 * could be read to its end. */
static bool verify_node(Verify *v, const NodeRecord *node, bool *ret_read, Error *err)
{
    AUTO(verify_tables_free) VerifyTables *tables = NULL;
    Error why = ERROR_INIT;

    v->tables = tables = verify_tables_new(v->problems, v->m, node);
    if (node->schema.path != NULL)
        verify_files_whole(v->files, node->schema.path, node->schema.bytes);
    verify_files_whole(v->files, node->chunks.path, node->chunks.bytes);
    if (node->globals.path != NULL)
        verify_files_whole(v->files, node->globals.path, node->globals.bytes);
    if (node->config.path != NULL)
        verify_files_whole(v->files, node->config.path, node->config.bytes);
    *ret_read = manifest_each_chunk(v->st, v->set_dir, node, take_chunk, v, &why);
    if (*ret_read)
        verify_tables_compare(tables);
    else if (why.code != ERR_CANCELLED && why.code != ERR_NOT_FOUND)
        verify_problem(v->problems, "%s", why.message);
    const ObjectRecord *const whole[] = {&node->schema, &node->globals, &node->config};
    for (size_t i = 0; !v->quick && i < LENGTH_OF(whole) && why.code != ERR_CANCELLED; i++)
    {
        error_clear(&why);
        /* A missing file and one of another length are told when the files are compared. */
        if (whole[i]->path != NULL && !verify_object(v, whole[i], &why) &&
            why.code != ERR_CANCELLED && why.code != ERR_NOT_FOUND)
            verify_problem(v->problems, "%s", why.message);
    }
    if (why.code != ERR_CANCELLED)
        return true;
    if (err != NULL)
        *err = why;
    return false;
}

static bool verify_nodes(Verify *v, VerifyResult *ret, Error *err)
{
    bool complete = true;

    for (size_t i = 0; i < v->m->node_count; i++)
    {
        bool read;
        bool here;

        if (!part_is_here(v->repo, v->set_dir, &v->m->nodes[i], &here, err))
            return false;
        ret->elsewhere += here ? 0 : 1;
        if (!here)
            continue;
        if (!verify_node(v, &v->m->nodes[i], &read, err))
            return false;
        complete = complete && read;
    }
    if (!verify_files_compare(v->files, v->st, v->set_dir, complete, &ret->objects, err))
        return false;
    if (complete && ret->elsewhere == 0 && ret->objects != v->m->totals.objects)
        verify_problem(v->problems,
                       "the manifest accounts for %" PRIu64 " objects and says %" PRIu64,
                       ret->objects, v->m->totals.objects);
    return true;
}

static void close_queue(Verify *v)
{
    pthread_mutex_lock(&v->lock);
    v->closed = true;
    pthread_cond_broadcast(&v->changed);
    pthread_mutex_unlock(&v->lock);
}

static bool run_threads(Verify *v, int jobs, VerifyResult *ret, Error *err)
{
    pthread_t threads[JOBS_MAX];
    int started = 0;
    bool ok = true;

    jobs = v->quick ? 0 : jobs < 1 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : jobs;
    while (ok && started < jobs)
    {
        ok = pthread_create(&threads[started], NULL, worker_main, v) == 0;
        started += ok;
    }
    if (!ok && started > 0)
        ok = true; /* fewer threads do it too */
    if (ok)
        ok = verify_nodes(v, ret, err);
    else
        error_set(err, ERR_INTERNAL, "cannot start a thread");
    if (!ok)
    {
        Error stop = ERROR_INIT;

        error_set(&stop, ERR_CANCELLED, "the verification was stopped");
        stop_with(v, &stop);
    }
    close_queue(v);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (ok && error_is_set(&v->failure))
        return error_set(err, v->failure.code, "%s", v->failure.message);
    return ok;
}

static bool verify_data(Verify *v, int jobs, VerifyResult *ret, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "verify");
    AUTO(verify_files_free) VerifyFiles *files = verify_files_new(v->problems);
    bool ok;

    v->files = files;
    v->queue = mem_array(ctx, Item, QUEUE_LEN);
    v->depends_there = mem_array(ctx, bool, v->m->set.depends_count);
    if (!look_for_depends(v, err))
        return false;
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->changed, NULL);
    ok = run_threads(v, jobs, ret, err);
    pthread_cond_destroy(&v->changed);
    pthread_mutex_destroy(&v->lock);
    ret->chunks = atomic_load(&v->chunks);
    ret->bytes = atomic_load(&v->bytes);
    ret->rows = atomic_load(&v->rows);
    return ok;
}

/* NOLINTNEXTLINE(readability-function-size): everything a caller may choose, at its one call */
bool verify_set(Repo *repo, void *ctx, const char *set_dir, bool quick, int jobs,
                const Cancel *cancel, void (*progress)(void *arg, uint64_t bytes), void *arg,
                VerifyResult *ret, Error *err)
{
    AUTO(mem_context_free) MemContext *scratch = mem_context(NULL, "verify manifest");
    AUTO(verify_problems_free) VerifyProblems *problems = verify_problems_new();
    Verify v = {
        .repo = repo,
        .st = repo->storage,
        .set_dir = set_dir,
        .quick = quick,
        .cancel = cancel,
        .progress = progress,
        .progress_arg = arg,
        .problems = problems,
    };
    Error why = ERROR_INIT;
    bool ok = true;

    *ret = (VerifyResult){0};
    Manifest *m = manifest_read(repo->storage, scratch, set_dir, false, &why);
    v.m = m;
    if (m != NULL)
    {
        ok = verify_data(&v, jobs, ret, err);
        /* Changes m, of which nothing else is asked any more. */
        if (ok && fold_manifest(m, &why) == NULL)
            verify_problem(problems, "%s", why.message);
    }
    else if (why.code == ERR_CORRUPT)
        verify_problem(problems, "%s", why.message);
    else
    {
        ok = false;
        if (err != NULL)
            *err = why;
    }
    verify_problems_move(problems, ctx, ret);
    return ok;
}

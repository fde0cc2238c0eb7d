/* backup/chunk_writer.c - from COPY rows to stored bytes; the contract is in chunk_writer.h. */
#include "backup/chunk_writer.h"

#include "base/clock.h"
#include "io/tap.h"

#define SPOOL_SIZE  ((size_t) 1024 * 1024)
#define BUNDLE_SIZE ((uint64_t) 64 * 1024 * 1024)

struct ChunkWriter
{
    Storage *storage;
    char *set_dir;
    char *node_dir;
    Compress compress;
    int flags; /* StorageWriteFlags */
    int bundle_flags;
    IoStage *chain; /* logical -> compressor -> stored -> spool */
    IoStage *stored;
    char *spool;
    size_t spooled;
    bool comparing;    /* beyond the spool nothing is kept */
    bool spilled;      /* more came */
    char *object_name; /* of the chunk at hand, should it need an object */
    StorageWriter *object;
    StorageWriter *bundle;
    char *bundle_name;
    uint64_t bundle_size;
    atomic_int *bundle_ids;
    uint64_t objects;
    /* of the chunk at hand */
    RateLimit *rate;
    const Cancel *cancel;
    ProgressNode *progress;
    uint64_t estimate;
    uint64_t counted;
};

static char *full_path(void *ctx, const ChunkWriter *w, const char *name)
{
    return mem_printf(ctx, "%s/%s", w->set_dir, name);
}

static StorageWriter *open_object(ChunkWriter *w, const char *name, int flags, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "path");
    w->objects++;
    return storage_write_open(w->storage, full_path(tmp, w, name), (StorageWriteFlags) flags, err);
}

static bool spool_write(void *arg, const void *data, size_t len, Error *err)
{
    ChunkWriter *w = arg;
    if (w->object == NULL && !w->spilled && w->spooled + len <= SPOOL_SIZE)
    {
        memcpy(w->spool + w->spooled, data, len);
        w->spooled += len;
        return true;
    }
    if (w->comparing)
    {
        w->spilled = true;
        return true;
    }
    if (w->object == NULL)
    {
        w->object = open_object(w, w->object_name, w->flags, err);
        if (w->object == NULL || !storage_write(w->object, w->spool, w->spooled, err))
            return false;
    }
    return storage_write(w->object, data, len, err);
}

ChunkWriter *chunk_writer_new(Storage *st, const char *set_dir, const char *node_dir,
                              Compress compress, bool no_sync, bool keep, atomic_int *bundle_ids)
{
    ChunkWriter *w = mem_new(NULL, ChunkWriter);
    w->storage = st;
    w->set_dir = mem_strdup(w, set_dir);
    w->node_dir = mem_strdup(w, node_dir);
    w->compress = compress;
    w->flags = no_sync ? STORAGE_WRITE_NO_SYNC : STORAGE_WRITE_PLAIN;
    w->bundle_flags = w->flags | (keep ? STORAGE_WRITE_KEEP : 0);
    w->bundle_ids = bundle_ids;
    w->spool = mem_array(w, char, SPOOL_SIZE);
    w->stored = io_tap_new(TAP_SHA256, io_sink_new(spool_write, w));
    w->chain = io_tap_new(TAP_XXH3_128, io_compress_stored_new(compress, 0, w->stored));
    return w;
}

void chunk_writer_free(ChunkWriter *w)
{
    io_free(w->chain);
    storage_writer_free(w->object);
    storage_writer_free(w->bundle);
    mem_free(w);
}

static bool commit(StorageWriter **writer, Error *err)
{
    bool ok = storage_writer_commit(*writer, err);
    storage_writer_free(*writer);
    *writer = NULL;
    return ok;
}

static bool append_to_bundle(ChunkWriter *w, void *ctx, ChunkRecord *record, Error *err)
{
    if (w->bundle != NULL && w->bundle_size + w->spooled > BUNDLE_SIZE && !commit(&w->bundle, err))
        return false;
    if (w->bundle == NULL)
    {
        mem_free(w->bundle_name);
        w->bundle_name = mem_printf(w, "%s/bundle-%d", w->node_dir,
                                    atomic_fetch_add(w->bundle_ids, 1) + 1);
        w->bundle = open_object(w, w->bundle_name, w->bundle_flags, err);
        if (w->bundle == NULL)
            return false;
        w->bundle_size = 0;
    }
    record->object = mem_strdup(ctx, w->bundle_name);
    record->offset = w->bundle_size;
    w->bundle_size += w->spooled;
    return storage_write(w->bundle, w->spool, w->spooled, err);
}

/* The estimate is in bytes of the heap; never run ahead of it. */
static void count_progress(ChunkWriter *w, size_t len)
{
    uint64_t left = w->estimate - w->counted;
    uint64_t step = left < len ? left : len;
    w->counted += step;
    atomic_fetch_add_explicit(&w->progress->bytes_done, step, memory_order_relaxed);
}

static bool on_block(void *arg, const void *data, size_t len, Error *err)
{
    ChunkWriter *w = arg;
    if (!io_write(w->chain, data, len, err) ||
        (w->rate != NULL && !rate_take(w->rate, len, w->cancel, err)))
        return false;
    count_progress(w, len);
    return true;
}

static void begin_chunk(ChunkWriter *w, const ChunkJob *job)
{
    const Relation *table = job->table;
    io_reset(w->chain);
    w->spooled = 0;
    w->spilled = false;
    w->progress = job->progress;
    w->rate = job->rate;
    w->cancel = job->conn->cancel;
    w->estimate = job->chunk->bytes;
    w->counted = 0;
    mem_free(w->object_name);
    w->object_name = mem_printf(w, "%s/%u.%u.%s%s", w->node_dir, table->oid, job->chunk->number,
                                table->binary ? "bin" : "txt", compress_suffix(w->compress.method));
}

/* The base has it: an object that was begun goes. */
static void refer(ChunkWriter *w, void *ctx, const ChunkRecord *base, ChunkRecord *record)
{
    if (w->object != NULL)
        w->objects--;
    storage_writer_free(w->object);
    w->object = NULL;
    record->object = mem_strdup(ctx, base->object);
    record->offset = base->offset;
    memcpy(record->set, base->set, SET_KEY_LEN);
}

/* *ret_again: it has changed, and not all of it was kept. */
static bool end_chunk(ChunkWriter *w, void *ctx, const ChunkJob *job, ChunkRecord *record,
                      bool *ret_again, Error *err)
{
    *ret_again = false;
    if (!io_finish(w->chain, err))
        return false;
    io_tap_result(w->chain, &record->logical, record->xxh3);
    if (record->rows == 0)
    {
        /* No rows, no object: the stream's own header and trailer say nothing. */
        record->logical = 0;
        record->xxh3[0] = '\0';
        if (w->object != NULL)
            return error_set(err, ERR_INTERNAL, "a chunk without rows has data");
        return true;
    }
    io_tap_result(w->stored, &record->stored, record->sha256);
    if (job->base != NULL && job->provider->unchanged(job->base, record))
    {
        refer(w, ctx, job->base, record);
        return true;
    }
    *ret_again = w->spilled;
    if (w->spilled)
        return true;
    if (w->object == NULL)
        return append_to_bundle(w, ctx, record, err);
    record->object = mem_strdup(ctx, w->object_name);
    return commit(&w->object, err);
}

static bool copy_once(ChunkWriter *w, const ChunkJob *job, void *ctx, ChunkRecord *record,
                      bool *ret_started, bool *ret_again, Error *err)
{
    begin_chunk(w, job);
    *record = (ChunkRecord){.table_oid = job->table->oid,
                            .chunk = job->chunk->number,
                            .from_block = job->chunk->from_block,
                            .to_block = job->chunk->to_block};
    return pg_copy_out(job->conn, job->sql, on_block, w, &record->rows, ret_started, err) &&
           end_chunk(w, ctx, job, record, ret_again, err);
}

bool chunk_writer_copy(ChunkWriter *w, const ChunkJob *job, void *ctx, ChunkRecord *record,
                       bool *ret_started, Error *err)
{
    int64_t start = clock_us();
    bool again;
    w->comparing = job->base != NULL && !job->table->likely_changed;
    if (!copy_once(w, job, ctx, record, ret_started, &again, err))
        return false;
    w->comparing = false;
    if (again)
    {
        /* What was shown as done is to be done once more. */
        atomic_fetch_sub(&w->progress->bytes_done, w->counted);
        if (!copy_once(w, job, ctx, record, ret_started, &again, err))
            return false;
    }
    record->us = clock_us() - start;
    atomic_fetch_add(&job->progress->bytes_done, w->estimate - w->counted);
    return true;
}

bool chunk_writer_close(ChunkWriter *w, uint64_t *ret_objects, Error *err)
{
    *ret_objects = w->objects;
    return w->bundle == NULL || commit(&w->bundle, err);
}

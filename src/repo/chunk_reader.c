/*
 * repo/chunk_reader.c - stored bytes -> sha256 -> decompress -> limit -> xxh3 -> rows -> sink.
 *
 * The chain and its buffers are made once; a chunk only resets them.
 */
#include "repo/chunk_reader.h"

#include "io/limit.h"
#include "io/rows.h"
#include "repo/base.h"

struct ChunkReader
{
    Storage *st;
    IoStage *chain; /* begins with the tap of the stored bytes */
    IoStage *limit;
    IoStage *logical_tap;
    IoStage *rows;
    IoSinkWrite sink;
    void *arg;
    char *set_dir;
    unsigned char buffer[IO_BUFFER_SIZE];
};

ChunkReader *chunk_reader_new(Storage *st, const char *set_dir, CompressMethod method, bool binary,
                              bool count_rows, IoSinkWrite sink, void *arg)
{
    ChunkReader *r = mem_new(NULL, ChunkReader);

    r->st = st;
    r->set_dir = mem_strdup(r, set_dir);
    IoStage *last = sink != NULL ? io_sink_new(sink, arg) : NULL;
    if (count_rows)
        last = r->rows = io_rows_new(binary, last);
    r->logical_tap = io_tap_new(TAP_XXH3_128, last);
    r->limit = io_limit_new(0, r->logical_tap);
    r->chain = io_tap_new(TAP_SHA256, io_decompress_new(method, r->limit));
    return r;
}

void chunk_reader_free(ChunkReader *r)
{
    if (r == NULL)
        return;
    io_free(r->chain);
    mem_free(r);
}

static bool push_stored(ChunkReader *r, StorageReader *in, const ChunkRecord *chunk,
                        const Cancel *cancel, Error *err)
{
    uint64_t done = 0;
    size_t n;

    for (;;)
    {
        if (!cancel_check(cancel, err) || !storage_read(in, r->buffer, sizeof(r->buffer), &n, err))
            return false;
        if (n == 0)
            break;
        if (!io_write(r->chain, r->buffer, n, err))
            return false;
        done += n;
    }
    if (done != chunk->stored)
        return error_set(err, ERR_CORRUPT, "it ends after %" PRIu64 " of %" PRIu64 " bytes", done,
                         chunk->stored);
    return true;
}

/* compare looks at the stored side first: when that is wrong, it is the cause of all the rest. */
static bool compare(ChunkReader *r, const ChunkRecord *chunk, Error *err)
{
    char hex[TAP_HEX_LEN];
    uint64_t bytes;

    io_tap_result(r->chain, &bytes, hex);
    if (strcmp(hex, chunk->sha256) != 0)
        return error_set(err, ERR_CORRUPT, "the SHA-256 of the stored bytes differs");
    io_tap_result(r->logical_tap, &bytes, hex);
    if (bytes != chunk->logical)
        return error_set(err, ERR_CORRUPT, "%" PRIu64 " bytes after decompression, not %" PRIu64,
                         bytes, chunk->logical);
    if (strcmp(hex, chunk->xxh3) != 0)
        return error_set(err, ERR_CORRUPT, "the XXH3-128 of the decompressed bytes differs");
    if (r->rows != NULL && io_rows_count(r->rows) != chunk->rows)
        return error_set(err, ERR_CORRUPT, "%" PRIu64 " rows, not %" PRIu64, io_rows_count(r->rows),
                         chunk->rows);
    return true;
}

static bool read_chunk(ChunkReader *r, const ChunkRecord *chunk, const Cancel *cancel, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "path");
    AUTO(storage_reader_free) StorageReader *in = NULL;
    const char *dir = base_chunk_dir(tmp, r->set_dir, chunk);

    in = storage_read_open(r->st, mem_printf(tmp, "%s/%s", dir, chunk->object), chunk->offset,
                           chunk->stored, err);
    if (in == NULL)
        return false;
    io_reset(r->chain);
    io_limit_set(r->limit, chunk->logical);
    return push_stored(r, in, chunk, cancel, err) && io_finish(r->chain, err) &&
           compare(r, chunk, err);
}

bool chunk_reader_run(ChunkReader *r, const ChunkRecord *chunk, const Cancel *cancel, Error *err)
{
    Error own = ERROR_INIT;

    if (chunk->object == NULL)
        return true;
    if (err == NULL)
        err = &own;
    if (read_chunk(r, chunk, cancel, err))
        return true;
    if (err->code == ERR_NOT_FOUND)
    {
        error_clear(err);
        error_set(err, ERR_CORRUPT, "it is missing");
    }
    if (err->code == ERR_CORRUPT)
        error_prefix(err, "object %s%s%s (table oid %" PRIu32 ", chunk %" PRIu32 ")", chunk->object,
                     chunk->set[0] == '\0' ? "" : " of set ", chunk->set, chunk->table_oid,
                     chunk->chunk);
    return false;
}

/* physical/object_read.c - stored -> SHA-256 -> decompress -> limit -> XXH3-128 -> chain; see object_read.h. */
#include "physical/object_read.h"

#include "io/limit.h"
#include "io/tap.h"

static bool into_chain(void *arg, const void *data, size_t len, Error *err)
{
    return io_write(arg, data, len, err);
}

static bool push(StorageReader *in, const StoredObject *object, IoStage *first,
                 const Cancel *cancel, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "buffer");
    unsigned char *buffer = mem_block(tmp, IO_BUFFER_SIZE);
    uint64_t done = 0;
    for (;;)
    {
        size_t n;
        if (!cancel_check(cancel, err) || !storage_read(in, buffer, IO_BUFFER_SIZE, &n, err))
            return false;
        if (n == 0)
            break;
        if (!io_write(first, buffer, n, err))
            return false;
        done += n;
    }
    return done == object->stored ||
           error_set(err, ERR_CORRUPT, "it ends after %" PRIu64 " of %" PRIu64 " bytes", done,
                     object->stored);
}

/* The stored side first: when that is wrong, it is the cause of all the rest. */
static bool compare(const StoredObject *object, IoStage *stored, IoStage *logical, Error *err)
{
    char hex[TAP_HEX_LEN];
    uint64_t bytes;
    io_tap_result(stored, &bytes, hex);
    if (strcmp(hex, object->sha256) != 0)
        return error_set(err, ERR_CORRUPT, "the SHA-256 of the stored bytes differs");
    io_tap_result(logical, &bytes, hex);
    if (bytes != object->logical)
        return error_set(err, ERR_CORRUPT, "%" PRIu64 " bytes after decompression, not %" PRIu64,
                         bytes, object->logical);
    return object->xxh3 == NULL || strcmp(hex, object->xxh3) == 0 ||
           error_set(err, ERR_CORRUPT, "the XXH3-128 of the decompressed bytes differs");
}

static bool read_proven(Storage *st, const char *dir, const StoredObject *object,
                        CompressMethod method, IoStage *chain, const Cancel *cancel, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "object");
    IoStage *logical = io_tap_new(TAP_XXH3_128, io_sink_new(into_chain, chain));
    AUTO(io_free)
    IoStage *first = io_tap_new(TAP_SHA256,
                                io_decompress_new(method, io_limit_new(object->logical, logical)));
    AUTO(storage_reader_free)
    StorageReader *in = storage_read_open(st, mem_printf(tmp, "%s/%s", dir, object->object), 0,
                                          object->stored, err);
    return in != NULL && push(in, object, first, cancel, err) && io_finish(first, err) &&
           compare(object, first, logical, err) && io_finish(chain, err);
}

bool object_read(Storage *st, const char *dir, const StoredObject *object, CompressMethod method,
                 IoStage *chain, const Cancel *cancel, Error *err)
{
    if (read_proven(st, dir, object, method, chain, cancel, err))
        return true;
    if (err->code == ERR_NOT_FOUND)
    {
        error_clear(err);
        error_set(err, ERR_CORRUPT, "it is missing");
    }
    if (err->code == ERR_CORRUPT)
        error_prefix(err, "object %s", object->object);
    return false;
}

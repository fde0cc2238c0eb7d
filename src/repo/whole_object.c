/* repo/whole_object.c - the contract is in whole_object.h. */
#include "repo/whole_object.h"

#include "io/tap.h"

/* Reads up to size bytes. */
static bool fill(StorageReader *r, char *data, size_t size, size_t *ret_len, Error *err)
{
    size_t n;
    *ret_len = 0;
    do
    {
        if (!storage_read(r, data + *ret_len, size - *ret_len, &n, err))
            return false;
        *ret_len += n;
    } while (n > 0 && *ret_len < size);
    return true;
}

bool whole_object_read(Storage *st, void *ctx, const char *set_dir, const ObjectRecord *object,
                       uint64_t max, char **ret_data, size_t *ret_len, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "object");
    char hex[TAP_HEX_LEN];
    if (object->bytes > max)
        return error_set(err, ERR_CORRUPT, "\"%s\" is too large", object->path);
    AUTO(storage_reader_free)
    StorageReader *r = storage_read_open(st, mem_printf(tmp, "%s/%s", set_dir, object->path), 0,
                                         UINT64_MAX, err);
    if (r == NULL)
        return false;
    /* One byte more, to see one that is too long; the NUL takes its place. */
    size_t size = (size_t) object->bytes + 1;
    *ret_data = mem_block(ctx, size);
    if (!fill(r, *ret_data, size, ret_len, err))
        return false;
    if (*ret_len != object->bytes)
        return error_set(err, ERR_CORRUPT, "\"%s\" is not what the manifest says (length)",
                         object->path);
    (*ret_data)[*ret_len] = '\0';
    tap_hash_memory(TAP_SHA256, *ret_data, *ret_len, hex);
    return strcmp(hex, object->sha256) == 0 ||
           error_set(err, ERR_CORRUPT, "\"%s\" is not what the manifest says (SHA-256)",
                     object->path);
}

bool whole_object_sha256(Storage *st, const char *path, char ret_sha256[TAP_HEX_LEN], Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "hash");
    AUTO(storage_reader_free) StorageReader *in = storage_read_open(st, path, 0, UINT64_MAX, err);
    AUTO(io_free) IoStage *tap = io_tap_new(TAP_SHA256, NULL);
    unsigned char *buffer = mem_array(tmp, unsigned char, IO_BUFFER_SIZE);
    uint64_t bytes;
    size_t n;

    if (in == NULL)
        return false;
    do
    {
        if (!storage_read(in, buffer, IO_BUFFER_SIZE, &n, err) || !io_write(tap, buffer, n, err))
            return false;
    } while (n > 0);
    if (!io_finish(tap, err))
        return false;
    io_tap_result(tap, &bytes, ret_sha256);
    return true;
}

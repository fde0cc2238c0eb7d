/* compat/cron_object.c - objects of a set as files; the contract is in cron_object.h. */
#include "compat/cron_object.h"

#include "io/limit.h"
#include "repo/whole_object.h"

#define OBJECT_MAX ((uint64_t) 127 * 1024 * 1024)

static bool write_bytes(void *arg, const void *data, size_t len, Error *err)
{
    return storage_write(arg, data, len, err);
}

bool cron_object_write(Repo *repo, const char *set_dir, const SetRecord *set,
                       const ObjectRecord *object, const char *dir, const char *name, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "object");
    AUTO(storage_writer_free) StorageWriter *w = NULL;
    char *data;
    size_t len;
    if (object->path == NULL)
        return true;
    Storage *st = storage_open(tmp, dir, err);
    if (st == NULL ||
        !whole_object_read(repo->storage, tmp, set_dir, object, OBJECT_MAX, &data, &len, err))
        return false;
    w = storage_write_open(st, name, STORAGE_WRITE_ATOMIC, err);
    if (w == NULL)
        return false;
    AUTO(io_free)
    IoStage *chain = io_decompress_new(set->compress.method,
                                       io_limit_new(OBJECT_MAX, io_sink_new(write_bytes, w)));
    return io_write(chain, data, len, err) && io_finish(chain, err) &&
           storage_writer_commit(w, err);
}

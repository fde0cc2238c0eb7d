/* physical/wal_store.c - WAL to objects; the contract is in wal_store.h. */
#include "physical/wal_store.h"

#include "io/tap.h"
#include "physical/wal_check.h"
#include "physical/wal_name.h"

struct WalStore
{
    WalStoreSpec spec;
    IoStage *chain; /* logical -> page headers -> compressor -> stored -> object */
    IoStage *check;
    IoStage *history; /* the same without a look at page headers */
    IoStage *stored;
    IoStage *history_stored;
    StorageWriter *object;
    StorageWriter *partial;
    /* of the segment at hand */
    char name[WAL_NAME_LEN];
    void *ctx; /* of the paths, which lie below base */
    char *object_name;
    char *dir_path;
    char *partial_path;
    bool partial_named; /* its name is durable */
    uint64_t written;
};

static bool sink_write(void *arg, const void *data, size_t len, Error *err)
{
    WalStore *w = arg;
    return storage_write(w->object, data, len, err);
}

WalStore *wal_store_new(const WalStoreSpec *spec)
{
    WalStore *w = mem_new(NULL, WalStore);
    w->spec = *spec;
    w->stored = io_tap_new(TAP_SHA256, io_sink_new(sink_write, w));
    w->check = wal_check_new(spec->system_identifier, spec->segment_size,
                             io_compress_stored_new(spec->compress, 0, w->stored));
    w->chain = io_tap_new(TAP_XXH3_128, w->check);
    w->history_stored = io_tap_new(TAP_SHA256, io_sink_new(sink_write, w));
    w->history = io_tap_new(TAP_XXH3_128,
                            io_compress_stored_new(spec->compress, 0, w->history_stored));
    return w;
}

void wal_store_drop(WalStore *w)
{
    storage_writer_free(w->object);
    storage_writer_free(w->partial);
    mem_free(w->ctx);
    w->object = w->partial = NULL;
    w->ctx = NULL;
    w->partial_named = false;
    w->written = 0;
}

void wal_store_free(WalStore *w)
{
    wal_store_drop(w);
    io_free(w->chain);
    io_free(w->history);
    mem_free(w);
}

static char *below_base(const WalStore *w, const char *name)
{
    return mem_printf(w->ctx, "%s/%s", w->spec.base, name);
}

static StorageWriter *open_object(WalStore *w, const char *dir, const char *name, Error *err)
{
    const int flags = (w->spec.no_sync ? STORAGE_WRITE_NO_SYNC : STORAGE_WRITE_PLAIN) |
                      (w->spec.lasting ? STORAGE_WRITE_ATOMIC : STORAGE_WRITE_PLAIN);
    w->object_name = mem_printf(w->ctx, "%s/%s%s", dir, name,
                                compress_suffix(w->spec.compress.method));
    return storage_write_open(w->spec.storage, below_base(w, w->object_name),
                              (StorageWriteFlags) flags, err);
}

/* What an earlier run has received, and told the server to be durable, may be more than what comes before the
 * server dies: it is written over, by the same bytes. One that is too long is none of ours. */
static StorageWriter *open_partial(WalStore *w, Error *err)
{
    Storage *st = w->spec.storage;
    const StorageWriteFlags flags = STORAGE_WRITE_NO_SYNC | STORAGE_WRITE_KEEP | STORAGE_WRITE_OVER;
    StorageInfo left;
    w->partial_path = mem_printf(w->ctx, "%s/%s%s", w->dir_path, w->name, WAL_PARTIAL_SUFFIX);
    if (!storage_stat(st, w->partial_path, &left, err) ||
        (left.size > w->spec.segment_size && !storage_remove(st, w->partial_path, err)))
        return NULL;
    return storage_write_open(st, w->partial_path, flags, err);
}

bool wal_store_begin(WalStore *w, uint32_t timeline, uint64_t start, Error *err)
{
    wal_store_drop(w);
    w->ctx = mem_context(NULL, "segment");
    wal_name_format(w->name, timeline, start, w->spec.segment_size);
    char *dir = w->spec.grouped
                    ? mem_printf(w->ctx, "%s/%.*s", w->spec.dir, WAL_PREFIX_LEN, w->name)
                    : mem_strdup(w->ctx, w->spec.dir);
    w->dir_path = below_base(w, dir);
    if (!storage_make_dir(w->spec.storage, w->dir_path, false, err))
        return false;
    w->object = open_object(w, dir, w->name, err);
    if (w->object == NULL)
        return false;
    if (w->spec.lasting)
        w->partial = open_partial(w, err);
    io_reset(w->chain);
    wal_check_set(w->check, timeline, start);
    return w->partial != NULL || !w->spec.lasting;
}

bool wal_store_write(WalStore *w, const void *data, size_t len, Error *err)
{
    w->written += len;
    return io_write(w->chain, data, len, err) &&
           (w->partial == NULL || storage_write(w->partial, data, len, err));
}

uint64_t wal_store_room(const WalStore *w)
{
    return w->object == NULL ? 0 : w->spec.segment_size - w->written;
}

static bool pad(WalStore *w, Error *err)
{
    static const unsigned char zeros[8192];
    while (w->written < w->spec.segment_size)
    {
        uint64_t left = w->spec.segment_size - w->written;
        size_t n = left < sizeof(zeros) ? (size_t) left : sizeof(zeros);
        w->written += n;
        if (!io_write(w->chain, zeros, n, err))
            return false;
    }
    return true;
}

/* Makes the object at hand durable and tells of it. */
static bool finish(WalStore *w, IoStage *chain, IoStage *stored, char *name, Error *err)
{
    WalRecord record = {.content = w->spec.content, .name = name, .object = w->object_name};
    if (!io_finish(chain, err) || !storage_writer_commit(w->object, err))
        return false;
    storage_writer_free(w->object);
    w->object = NULL;
    io_tap_result(chain, &record.logical, record.xxh3);
    io_tap_result(stored, &record.stored, record.sha256);
    return w->spec.on_stored(w->spec.arg, &record, err);
}

bool wal_store_end(WalStore *w, Error *err)
{
    bool ok = pad(w, err) && finish(w, w->chain, w->stored, w->name, err) &&
              (w->partial == NULL || storage_remove(w->spec.storage, w->partial_path, err));
    wal_store_drop(w);
    return ok;
}

bool wal_store_sync(WalStore *w, Error *err)
{
    if (w->partial == NULL || w->spec.no_sync)
        return true;
    w->partial_named = storage_sync_file(w->spec.storage, w->partial_path, err) &&
                       (w->partial_named || storage_sync_dir(w->spec.storage, w->dir_path, err));
    return w->partial_named;
}

bool wal_store_history(WalStore *w, uint32_t timeline, const void *data, size_t len, Error *err)
{
    char name[WAL_HISTORY_LEN];
    wal_store_drop(w);
    w->ctx = mem_context(NULL, "history");
    wal_history_format(name, timeline);
    bool ok = storage_make_dir(w->spec.storage, below_base(w, w->spec.dir), false, err);
    w->object = ok ? open_object(w, w->spec.dir, name, err) : NULL;
    io_reset(w->history);
    ok = w->object != NULL && io_write(w->history, data, len, err) &&
         finish(w, w->history, w->history_stored, name, err);
    wal_store_drop(w);
    return ok;
}

bool wal_store_sync_names(WalStore *w, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "names");
    return w->spec.no_sync ||
           storage_sync_dir(w->spec.storage, mem_printf(tmp, "%s/%s", w->spec.base, w->spec.dir),
                            err);
}

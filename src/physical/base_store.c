/* physical/base_store.c - streams to parts; the contract is in base_store.h. */
#include "physical/base_store.h"

#include <unistd.h>

#include "base/crc32c.h"
#include "io/worker.h"
#include "physical/incremental_file.h"
#include "physical/manifest_check.h"
#include "physical/manifest_make.h"
#include "physical/tar_stream.h"
#include "physical/wal_name.h"

#define RING_BLOCKS 32 /* of a quarter of a megabyte each */
#define THREADS_MAX 4

struct BaseStore
{
    const BaseStoreSpec *spec;
    BaseStored stored;
    IoStage *chain;  /* logical -> compressor -> sha256 -> object */
    IoStage *xxh3;   /* in it */
    IoStage *sha256; /* in it */
    StorageWriter *object;
    ManifestCheck *manifest;
    ManifestMake *made; /* NULL: the server makes one */
    PageCheck *pages;
    const BaseBackupTablespace *space; /* whose archive is coming */
    const char *stream;
    TarStream *tar;
    uint64_t offset; /* in the archive, of the part's first byte */
    uint64_t part_len;
    bool first_seen; /* first_member is known */
    PartRecord part; /* at hand, when object is */
    bool in_manifest;
    uint32_t crc;             /* of the file at hand */
    IncrementalFile *changes; /* walks through files of changed blocks */
    bool in_changes;          /* the file at hand is one */
    uint32_t kept, blocks;    /* of the whole file: that stay unless they come; that it has */
    BaseStreamBytes *bytes;   /* of the stream at hand */
    char path[TAR_NAME_LEN + 32];
};

static bool write_object(void *arg, const void *data, size_t len, Error *err)
{
    return storage_write(((BaseStore *) arg)->object, data, len, err);
}

static void bad_page(void *arg, const char *path, uint32_t segment, uint32_t block)
{
    BaseStore *s = arg;
    BaseStored *r = &s->stored;
    char name[sizeof(s->path)];
    r->bad_pages++;
    bool whole = !incremental_file_whole(s->path, name, sizeof(name));
    if (r->page_count < BASE_PAGES_MAX)
        *mem_push(s, r->pages, r->page_count, r->page_capacity, BasePage) = (BasePage){
            .path = mem_strdup(s, whole ? s->path : name), .segment = segment, .block = block};
    (void) path; /* relative to its tablespace */
}

/* ---- what a restore will make of it ---- */

static bool on_kept(void *arg, uint32_t blocks, Error *err UNUSED)
{
    BaseStore *s = arg;
    s->kept = s->blocks = blocks;
    return true;
}

static bool on_block(void *arg, uint32_t block, const void *page UNUSED, Error *err UNUSED)
{
    BaseStore *s = arg;
    if (block >= s->blocks)
        s->blocks = block + 1;
    return true;
}

static void count_begin(BaseStore *s, const TarMember *m)
{
    char whole[sizeof(s->path)];
    s->bytes->restored += TAR_BLOCK;
    s->kept = s->blocks = 0;
    s->in_changes = m->kind == TAR_FILE && incremental_file_whole(s->path, whole, sizeof(whole));
    if (s->in_changes)
        incremental_file_begin(s->changes, m->size);
}

static void count_data(BaseStore *s, const void *data, size_t len)
{
    Error ignored = ERROR_INIT;
    if (!s->in_changes || incremental_file_write(s->changes, data, len, &ignored))
        return;
    s->bytes->unknown = true;
    s->in_changes = false;
}

static uint64_t in_tar(uint64_t size)
{
    return (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

static void count_end(BaseStore *s, const TarMember *m)
{
    const uint64_t block_size = s->spec->block_size;
    Error ignored = ERROR_INIT;
    if (s->in_changes && !incremental_file_end(s->changes, &ignored))
        s->bytes->unknown = true;
    else if (s->in_changes)
    {
        s->bytes->restored += in_tar(s->blocks * block_size);
        s->bytes->added += (s->blocks - s->kept) * block_size;
    }
    else if (m->kind == TAR_FILE)
    {
        s->bytes->restored += in_tar(m->size);
        s->bytes->added += TAR_BLOCK + in_tar(m->size);
    }
}

static long processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count;
}

/* Of a node that is the whole fleet the codec is what all wait for, where there are processors for more of it: one is
 * the server's, one receives and compares. */
static int spare_threads(const BaseStoreSpec *spec)
{
    long spare = spec->nodes == 1 ? processors() - 2 : 0;
    return spare < 0 ? 0 : spare > THREADS_MAX ? THREADS_MAX : (int) spare;
}

/* A thread for the second half costs a copy of all bytes, and gains nothing where the nodes' own threads fill the
 * processors. */
static IoStage *divide(const BaseStoreSpec *spec, IoStage *second_half, Error *err)
{
    bool shared = spec->nodes >= (size_t) processors();
    return shared ? second_half : io_worker_new(RING_BLOCKS, second_half, err);
}

BaseStore *base_store_new(const BaseStoreSpec *spec, Error *err)
{
    BaseStore *s = mem_new(NULL, BaseStore);
    s->spec = spec;
    s->manifest = manifest_check_new();
    if (spec->check_pages)
        s->pages = page_check_new(s, spec->block_size, spec->segment_blocks, bad_page, s);
    const IncrementalEvents changes = {.keep = on_kept, .block = on_block, .arg = s};
    s->changes = incremental_file_new(s, spec->block_size, &changes);
    s->sha256 = io_tap_new(TAP_SHA256, io_sink_new(write_object, s));
    IoStage *compressor = io_compress_stored_new(spec->compress, spare_threads(spec), s->sha256);
    s->xxh3 = io_tap_new(TAP_XXH3_128, compressor);
    s->made = spec->make_manifest ? manifest_make_new(err) : NULL;
    s->chain = divide(spec, s->xxh3, err);
    if (s->chain != NULL && (s->made != NULL || !spec->make_manifest))
        return s;
    base_store_free(s);
    return NULL;
}

void base_store_free(BaseStore *s)
{
    if (s == NULL)
        return;
    io_free(s->chain);
    storage_writer_free(s->object);
    manifest_check_free(s->manifest);
    manifest_make_free(s->made);
    mem_free(s);
}

const BaseStored *base_store_result(const BaseStore *s)
{
    return &s->stored;
}

/* ---- objects ---- */

static bool open_object(BaseStore *s, const char *name, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "object");
    const BaseStoreSpec *spec = s->spec;
    io_reset(s->chain);
    s->object = storage_write_open(spec->storage, mem_printf(tmp, "%s/%s", spec->set_dir, name),
                                   spec->no_sync ? STORAGE_WRITE_NO_SYNC : STORAGE_WRITE_PLAIN,
                                   err);
    return s->object != NULL;
}

static bool close_object(BaseStore *s, Error *err)
{
    bool ok = io_finish(s->chain, err) && storage_writer_commit(s->object, err);
    storage_writer_free(s->object);
    s->object = NULL;
    return ok;
}

static bool open_part(BaseStore *s, Error *err)
{
    s->part.content = s->spec->content;
    s->part.stream = mem_strdup(s, s->stream);
    s->part.object = mem_printf(s, "%s/%s.%04" PRIu32 ".tar%s", s->spec->dir, s->stream,
                                s->part.part, compress_suffix(s->spec->compress.method));
    s->part_len = 0;
    return open_object(s, s->part.object, err);
}

static bool close_part(BaseStore *s, Error *err)
{
    if (!close_object(s, err))
        return false;
    io_tap_result(s->xxh3, &s->part.logical, s->part.xxh3);
    io_tap_result(s->sha256, &s->part.stored, s->part.sha256);
    if (!s->first_seen)
        s->part.first_member = s->part.logical;
    *mem_push(s, s->stored.parts, s->stored.part_count, s->stored.part_capacity,
              PartRecord) = s->part;
    s->offset += s->part_len;
    s->part.part++;
    s->first_seen = false;
    return true;
}

static bool write_part(BaseStore *s, const void *data, size_t len, Error *err)
{
    if (s->object == NULL && !open_part(s, err))
        return false;
    s->part_len += len;
    return io_write(s->chain, data, len, err);
}

/* ---- members ---- */

static bool begin_member(void *arg, const TarMember *m, Error *err UNUSED)
{
    BaseStore *s = arg;
    if (!s->first_seen)
        s->part.first_member = m->offset - s->offset;
    s->first_seen = true;
    s->crc = 0;
    if (s->space->oid == 0)
        snprintf(s->path, sizeof(s->path), "%s", m->name);
    else
        snprintf(s->path, sizeof(s->path), "pg_tblspc/%" PRIu32 "/%s", s->space->oid, m->name);
    count_begin(s, m);
    if (s->pages != NULL)
        page_check_begin(s->pages, m->name, m->size);
    return true;
}

static bool member_data(void *arg, const void *data, size_t len, Error *err UNUSED)
{
    BaseStore *s = arg;
    s->crc = crc32c_extend(s->crc, data, len);
    count_data(s, data, len);
    if (s->pages != NULL)
        page_check_data(s->pages, data, len);
    return true;
}

static bool end_member(void *arg, const TarMember *m, Error *err)
{
    BaseStore *s = arg;
    count_end(s, m);
    if (m->kind != TAR_FILE || !wal_name_is_listed(s->path))
        return true;
    s->stored.files++;
    manifest_check_file(s->manifest, s->path, m->size, &s->crc);
    return s->made == NULL || manifest_make_file(s->made, s->path, m->size, m->mtime, s->crc, err);
}

/* ---- the sink ---- */

static bool on_begin(void *arg, const BaseBackupStart *start, Error *err UNUSED)
{
    BaseStore *s = arg;
    BaseBackupStart *to = &s->stored.start;
    uint64_t bytes = 0;
    *to = *start;
    to->tablespaces = mem_array(s, BaseBackupTablespace, start->count);
    s->stored.bytes = mem_array(s, BaseStreamBytes, start->count);
    for (size_t i = 0; i < start->count; i++)
    {
        to->tablespaces[i] = start->tablespaces[i];
        to->tablespaces[i].location = mem_strdup(s, start->tablespaces[i].location);
        bytes += start->tablespaces[i].bytes;
    }
    if (s->pages != NULL)
        page_check_start(s->pages, start->lsn);
    atomic_store(&s->spec->progress->bytes_total, bytes);
    return true;
}

/* Servers before 15 leave the end of an archive out. */
static bool end_archive(BaseStore *s, Error *err)
{
    static const char zeros[2 * TAR_BLOCK];
    if (s->space == NULL)
        return true;
    bool ok = tar_stream_finish(s->tar, err) &&
              (tar_stream_ended(s->tar) || write_part(s, zeros, sizeof(zeros), err)) &&
              (s->object == NULL || close_part(s, err));
    mem_free(s->tar);
    s->tar = NULL;
    s->space = NULL;
    return ok;
}

static bool on_archive(void *arg, size_t tablespace, Error *err)
{
    BaseStore *s = arg;
    const TarEvents events = {
        .begin = begin_member, .data = member_data, .end = end_member, .arg = s};
    if (!end_archive(s, err))
        return false;
    s->space = &s->stored.start.tablespaces[tablespace];
    s->bytes = &s->stored.bytes[tablespace];
    s->stream = s->space->oid == 0 ? PART_BASE : mem_printf(s, "%" PRIu32, s->space->oid);
    s->tar = tar_stream_new(s, &events);
    s->offset = 0;
    s->part.part = 0;
    s->first_seen = false;
    return true;
}

static bool on_manifest(void *arg, Error *err)
{
    BaseStore *s = arg;
    if (!end_archive(s, err))
        return false;
    s->in_manifest = true;
    s->stored.manifest.path = mem_printf(s, "%s/backup_manifest%s", s->spec->dir,
                                         compress_suffix(s->spec->compress.method));
    return open_object(s, s->stored.manifest.path, err);
}

static void count(BaseStore *s, size_t len)
{
    ProgressNode *p = s->spec->progress;
    uint64_t done = atomic_fetch_add_explicit(&p->bytes_done, len, memory_order_relaxed) + len;
    /* What the server estimated at the beginning may be less than what it sends. */
    if (done > atomic_load_explicit(&p->bytes_total, memory_order_relaxed))
        atomic_store_explicit(&p->bytes_total, done, memory_order_relaxed);
}

/* Goes on to the next place where a part may end; a header is never divided, as all sizes are multiples of its
 * own. */
static bool take_slice(BaseStore *s, const char *data, size_t len, size_t *ret_taken, Error *err)
{
    uint64_t limit = s->spec->part_size * PART_SIZES - (s->object == NULL ? 0 : s->part_len);
    if (len > limit)
        len = (size_t) limit;
    if (!tar_stream_take(s->tar, data, len, ret_taken, err) ||
        !write_part(s, data, *ret_taken, err))
        return false;
    bool boundary = tar_stream_boundary(s->tar) && !tar_stream_ended(s->tar);
    return s->part_len < s->spec->part_size * (boundary ? 1 : PART_SIZES) || close_part(s, err);
}

static bool on_data(void *arg, const void *data, size_t len, Error *err)
{
    BaseStore *s = arg;
    if (s->in_manifest)
        return manifest_check_write(s->manifest, data, len, err) &&
               io_write(s->chain, data, len, err);
    if (s->space == NULL)
        return error_set(err, ERR_QUERY, "the server sent data of no archive");
    count(s, len);
    for (size_t done = 0, n = 0; done < len; done += n)
    {
        if (!take_slice(s, (const char *) data + done, len - done, &n, err))
            return error_prefix(err, "stream %s", s->stream);
    }
    return true;
}

BaseBackupSink base_store_sink(BaseStore *s)
{
    return (BaseBackupSink){.begin = on_begin,
                            .archive = on_archive,
                            .manifest = on_manifest,
                            .data = on_data,
                            .arg = s};
}

bool base_store_manifest(BaseStore *s, uint64_t end_lsn, Error *err)
{
    const BaseBackupStart *start = &s->stored.start;
    const ManifestWal wal = {.timeline = start->timeline, .start = start->lsn, .end = end_lsn};
    return on_manifest(s, err) && manifest_make_finish(s->made, &wal, on_data, s, err);
}

bool base_store_finish(BaseStore *s, Error *err)
{
    if (!end_archive(s, err))
        return false;
    if (!s->in_manifest)
        return true;
    if (!manifest_check_finish(s->manifest, err) || !close_object(s, err))
        return false;
    io_tap_result(s->xxh3, &s->stored.manifest_bytes, (char[TAP_HEX_LEN]){0});
    io_tap_result(s->sha256, &s->stored.manifest.bytes, s->stored.manifest.sha256);
    return true;
}

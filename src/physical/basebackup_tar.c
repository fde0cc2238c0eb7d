/*
 * physical/basebackup_tar.c - a base backup as tar archives; see basebackup_parts.h.
 *
 * base.tar, <oid>.tar for each tablespace, pg_wal.tar, each with the suffix of its codec; and backup_manifest. The
 * server's archives are passed on as they are, but for their end: members that are added stand before it. What the
 * server has compressed is passed on as it is altogether, and nothing can be added. A file
 * that is in an archive twice is the second one when that is unpacked. To standard output goes base.tar alone, with
 * the manifest as its last member.
 */
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "io/worker.h"
#include "physical/basebackup_parts.h"
#include "physical/tar_write.h"

#define RING_BLOCKS 16
#define CONF        "postgresql.auto.conf"
#define CONF_MAX    ((size_t) 1024 * 1024)
#define WAL_PARTS   "pg_wal.part" /* directory of segments that are not in the archive yet */
#define MANIFEST    "backup_manifest"

/* A file, and the way to it. */
typedef struct Out
{
    IoStage *chain;
    StorageWriter *file; /* NULL: standard output */
} Out;

typedef struct Tar
{
    BasebackupForm form;
    BasebackupPlace place;
    Out *data; /* the archive at hand, or the manifest */
    Out *base; /* base.tar, which is kept open for what end adds */
    Out *wal;  /* of the receiving thread, until end */
    TarStream *stream;
    bool in_manifest;
    bool in_base;
    bool base_came;
    bool in_conf;
    Str *conf;    /* what the server has in CONF */
    bool alone;   /* base.tar goes to standard output */
    int manifest; /* alone: a file that keeps it until its length is known; -1 */
    uint64_t manifest_bytes;
} Tar;

/* ---- files ---- */

static bool write_file(void *arg, const void *data, size_t len, Error *err)
{
    const Out *out = arg;
    return out->file != NULL ? storage_write(out->file, data, len, err)
                             : fd_write(STDOUT_FILENO, "standard output", data, len, err);
}

static char *path_of(void *ctx, const Tar *t, const char *name)
{
    return mem_printf(ctx, "%s/%s/%s", t->place.above, t->place.name, name);
}

static void out_free(Out *out)
{
    if (out == NULL)
        return;
    io_free(out->chain);
    storage_writer_free(out->file);
    mem_free(out);
}

static bool out_open(const Tar *t, const char *name, Compress how, StorageWriter **ret_file,
                     Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "name");
    const char *path = path_of(tmp, t, mem_printf(tmp, "%s%s", name, compress_suffix(how.method)));
    *ret_file = storage_write_open(
        t->place.storage, path,
        t->form.request->no_sync ? STORAGE_WRITE_NO_SYNC : STORAGE_WRITE_PLAIN, err);
    return *ret_file != NULL;
}

static Out *out_new(const Tar *t, const char *name, bool compress, Error *err)
{
    const Compress how = compress ? t->form.request->compress : (Compress){.method = COMPRESS_NONE};
    Out *out = mem_new(NULL, Out);
    if (t->alone || out_open(t, name, how, &out->file, err))
        out->chain = io_worker_new(
            RING_BLOCKS, io_compress_new(how, io_buffer_new(io_sink_new(write_file, out))), err);
    if (out->chain != NULL)
        return out;
    out_free(out);
    return NULL;
}

/* NULL is fine. */
static bool out_close(Out **out, Error *err)
{
    bool ok = *out == NULL || (io_finish((*out)->chain, err) &&
                               ((*out)->file == NULL || storage_writer_commit((*out)->file, err)));
    out_free(*out);
    *out = NULL;
    return ok;
}

static bool add_padding(Out *out, uint64_t size, Error *err)
{
    static const char zeros[TAR_BLOCK];
    return io_write(out->chain, zeros, tar_write_padding(size), err);
}

static bool add_end(Out *out, Error *err)
{
    static const char zeros[2 * TAR_BLOCK];
    return io_write(out->chain, zeros, sizeof(zeros), err);
}

static bool add_header(Out *out, const char *name, uint64_t size, Error *err)
{
    unsigned char block[TAR_BLOCK];
    tar_write_header(block, name, size, false, clock_wall_us() / 1000000);
    return io_write(out->chain, block, sizeof(block), err);
}

static bool add_member(Out *out, const char *name, const char *data, size_t len, Error *err)
{
    return add_header(out, name, len, err) && io_write(out->chain, data, len, err) &&
           add_padding(out, len, err);
}

/* ---- streams ---- */

static bool begin_member(void *arg, const TarMember *m, Error *err UNUSED)
{
    Tar *t = arg;
    t->in_conf = t->in_base && strcmp(m->name, CONF) == 0 && m->size < CONF_MAX;
    return true;
}

static bool member_data(void *arg, const void *data, size_t len, Error *err UNUSED)
{
    Tar *t = arg;
    if (t->in_conf)
        str_addn(t->conf, data, len);
    return true;
}

static bool tar_begin(BasebackupForm *f, const BaseBackupStart *start, Error *err)
{
    Tar *t = (Tar *) f;
    if (t->alone && start->count > 1)
    {
        error_set(
            err, ERR_USAGE,
            "the server has tablespaces, of which each is an archive of its own, and standard "
            "output takes one");
        return error_hint(err, "-D DIRECTORY takes them all.");
    }
    return t->alone ||
           (basebackup_place(t, f->dir->path, &t->place, err) &&
            basebackup_place(t, mem_printf(t, "%s/" WAL_PARTS, f->dir->path), &f->wal, err));
}

static bool end_archive(Tar *t, Error *err)
{
    if (t->stream == NULL) /* there is none, or the server compresses it */
        return out_close(&t->data, err);
    bool ok = tar_stream_finish(t->stream, err);
    mem_free(t->stream);
    t->stream = NULL;
    if (ok && t->in_base)
    {
        t->base = t->data;
        t->data = NULL;
        t->in_base = false;
        return true;
    }
    return ok && add_end(t->data, err) && out_close(&t->data, err);
}

static bool tar_archive(BasebackupForm *f, const BaseBackupTablespace *space, Error *err)
{
    Tar *t = (Tar *) f;
    char name[32] = "base.tar";
    const CompressMethod server = f->request->server_compress;
    const TarEvents events = {.begin = begin_member, .data = member_data, .arg = t};
    if (!end_archive(t, err))
        return false;
    if (space->oid != 0)
        snprintf(name, sizeof(name), "%" PRIu32 ".tar", space->oid);
    t->base_came = t->base_came || space->oid == 0;
    if (server != COMPRESS_NONE)
    {
        t->data = out_new(t, mem_printf(t, "%s%s", name, compress_suffix(server)), false, err);
        return t->data != NULL;
    }
    t->in_base = space->oid == 0;
    t->stream = tar_stream_new(t, &events);
    t->data = out_new(t, name, true, err);
    return t->data != NULL;
}

static bool tar_manifest(BasebackupForm *f, Error *err)
{
    Tar *t = (Tar *) f;
    if (!end_archive(t, err))
        return false;
    t->in_manifest = true;
    if (t->alone)
        return (t->manifest = fd_temporary(err)) >= 0;
    t->data = out_new(t, MANIFEST, false, err);
    return t->data != NULL;
}

static bool keep_manifest(Tar *t, const void *data, size_t len, Error *err)
{
    t->manifest_bytes += len;
    return t->alone ? fd_write(t->manifest, "a temporary file", data, len, err)
                    : io_write(t->data->chain, data, len, err);
}

static bool tar_data(BasebackupForm *f, const void *data, size_t len, Error *err)
{
    Tar *t = (Tar *) f;
    if (t->in_manifest)
        return keep_manifest(t, data, len, err);
    if (t->stream == NULL)
        return io_write(t->data->chain, data, len, err);
    for (size_t done = 0, n = 0; done < len; done += n)
    {
        if (!tar_stream_take(t->stream, (const char *) data + done, len - done, &n, err))
            return false;
        if (!tar_stream_ended(t->stream) &&
            !io_write(t->data->chain, (const char *) data + done, n, err))
            return false;
    }
    return true;
}

/* ---- WAL ---- */

static bool append_file(Tar *t, const char *path, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "buffer");
    char *buffer = mem_array(tmp, char, IO_BUFFER_SIZE);
    AUTO(storage_reader_free)
    StorageReader *in = storage_read_open(t->form.wal.storage, path, 0, UINT64_MAX, err);
    size_t n = 1;
    while (in != NULL && n > 0)
    {
        if (!storage_read(in, buffer, IO_BUFFER_SIZE, &n, err) ||
            !io_write(t->wal->chain, buffer, n, err))
            return false;
    }
    return in != NULL;
}

static bool tar_wal(BasebackupForm *f, const char *name, uint64_t size, Error *err)
{
    Tar *t = (Tar *) f;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "segment");
    const char *path = mem_printf(tmp, "%s/%s/%s", f->wal.above, f->wal.name, name);
    if (t->wal == NULL)
        t->wal = out_new(t, "pg_wal.tar", true, err);
    return t->wal != NULL && add_header(t->wal, name, size, err) && append_file(t, path, err) &&
           add_padding(t->wal, size, err) && storage_remove(f->wal.storage, path, err);
}

/* ---- the end ---- */

static bool add_recovery(Tar *t, const char *recovery, Error *err)
{
    if (recovery == NULL)
        return true;
    str_add(t->conf, recovery);
    return add_member(t->base, CONF, t->conf->data, t->conf->len, err) &&
           add_member(t->base, "standby.signal", "", 0, err);
}

static bool add_manifest(Tar *t, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "buffer");
    char *buffer = mem_array(tmp, char, IO_BUFFER_SIZE);
    if (t->manifest < 0)
        return true;
    if (!add_header(t->base, MANIFEST, t->manifest_bytes, err))
        return false;
    for (uint64_t done = 0; done < t->manifest_bytes;)
    {
        ssize_t n = pread(t->manifest, buffer, IO_BUFFER_SIZE, (off_t) done);
        if (n <= 0)
            return error_errno(err, ERR_STORAGE, "cannot read a temporary file");
        if (!io_write(t->base->chain, buffer, (size_t) n, err))
            return false;
        done += (uint64_t) n;
    }
    return add_padding(t->base, t->manifest_bytes, err);
}

/* What follows when all archives are finished: nothing but them is in the directory, and their names are durable. */
static bool end_directory(Tar *t, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "end");
    return t->alone ||
           (storage_remove_dir(t->place.storage, path_of(tmp, t, WAL_PARTS), err) &&
            (t->form.request->no_sync ||
             storage_sync_dir(t->place.storage,
                              mem_printf(tmp, "%s/%s", t->place.above, t->place.name), err)));
}

static bool tar_end(BasebackupForm *f, const char *recovery, Error *err)
{
    Tar *t = (Tar *) f;
    if (!end_archive(t, err) || !out_close(&t->data, err))
        return false;
    if (!t->base_came)
        return error_set(err, ERR_QUERY, "the server sent no data directory");
    bool ok = t->base == NULL || (add_recovery(t, recovery, err) && add_manifest(t, err) &&
                                  add_end(t->base, err) && out_close(&t->base, err));
    ok = ok && (t->wal == NULL || (add_end(t->wal, err) && out_close(&t->wal, err)));
    return ok && end_directory(t, err);
}

static void tar_free(BasebackupForm *f)
{
    Tar *t = (Tar *) f;
    out_free(t->data);
    out_free(t->base);
    out_free(t->wal);
    if (t->manifest >= 0)
        close(t->manifest);
    mem_free(t);
}

/* There is nothing outside. */
static void tar_clear(const BasebackupForm *f)
{
    (void) f;
}

static const BasebackupFormOps tar_ops = {.begin = tar_begin,
                                          .archive = tar_archive,
                                          .manifest = tar_manifest,
                                          .data = tar_data,
                                          .wal = tar_wal,
                                          .end = tar_end,
                                          .free = tar_free,
                                          .clear = tar_clear};

BasebackupForm *basebackup_tar_new(const BasebackupRequest *request, const RestoreDir *dir)
{
    Tar *t = mem_new(NULL, Tar);
    t->form = (BasebackupForm){.ops = &tar_ops, .request = request, .dir = dir};
    t->conf = str_new(t);
    t->alone = request->directory == NULL;
    t->manifest = -1;
    return &t->form;
}

/* physical/wal_fetch.c - a restore_command; the contract is in wal_fetch.h. */
#include "physical/wal_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "physical/object_read.h"
#include "physical/wal_check.h"
#include "physical/wal_name.h"
#include "physical/wal_read.h"
#include "repo/wal_archive.h"

typedef struct Fetch
{
    const char *path;
    int fd;
} Fetch;

/* Who asks, and for what. */
typedef struct Source
{
    Repo *repo;
    char *dir; /* of the set */
    const Manifest *m;
    int content;
    const char *name;
    const char *system_identifier;
    uint64_t segment_size;
    uint64_t restore_lsn;
    bool found;
} Source;

static bool open_file(Fetch *f, Error *err)
{
    f->fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    return f->fd >= 0 || error_errno(err, ERR_STORAGE, "cannot create %s", f->path);
}

static bool write_all(void *arg, const void *data, size_t len, Error *err)
{
    const Fetch *f = arg;
    return fd_write(f->fd, f->path, data, len, err);
}

static const WalRecord *find_wal(const Manifest *m, int content, const char *name)
{
    for (size_t i = 0; i < m->wal_count; i++)
        if (m->wals[i].content == content && strcmp(m->wals[i].name, name) == 0)
            return &m->wals[i];
    return NULL;
}

static bool copy_of_set(Source *s, Fetch *f, Error *err)
{
    const WalRecord *wal = find_wal(s->m, s->content, s->name);
    s->found = wal != NULL;
    return wal == NULL ||
           (open_file(f, err) && wal_read_of_set(s->repo->storage, s->dir, s->m, wal,
                                                 io_sink_new(write_all, f), NULL, err));
}

/* ---- what is received all the time ---- */

static bool copy_archived(Source *s, void *ctx, Fetch *f, Error *err)
{
    ArchivedRecord record;
    if (!wal_archive_find(s->repo, ctx, s->system_identifier, s->name, &record, &s->found, err))
        return false;
    if (!s->found)
        return true;
    StoredObject object = {.object = record.object,
                           .logical = record.logical,
                           .xxh3 = record.xxh3,
                           .stored = record.stored,
                           .sha256 = record.sha256};
    const char *dir = wal_archive_dir(ctx, s->system_identifier, s->name);
    uint32_t timeline;
    uint64_t start;
    AUTO(io_free) IoStage *sink = io_sink_new(write_all, f);
    if (wal_name_parse(s->name, s->segment_size, &timeline, &start))
    {
        sink = wal_check_new(strtoull(s->system_identifier, NULL, 10), s->segment_size, sink);
        wal_check_set(sink, timeline, start);
    }
    return open_file(f, err) &&
           object_read(s->repo->storage, dir, &object, record.compress.method, sink, NULL, err);
}

/* Is there more of it than in the set? That has its last segment up to the restore point only. */
static bool is_more(const Source *s, uint64_t partial_size)
{
    uint32_t timeline;
    uint64_t start;
    uint64_t in_set = 0;
    if (find_wal(s->m, s->content, s->name) != NULL &&
        wal_name_parse(s->name, s->segment_size, &timeline, &start))
        in_set = s->restore_lsn - start < s->segment_size ? s->restore_lsn - start
                                                          : s->segment_size;
    return partial_size > in_set;
}

static bool pour(StorageReader *in, uint64_t segment_size, Fetch *f, Error *err)
{
    static const unsigned char zeros[8192];
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "buffer");
    unsigned char *buffer = mem_block(tmp, IO_BUFFER_SIZE);
    uint64_t done = 0;
    for (size_t n = 1; n > 0; done += n)
        if (!storage_read(in, buffer, IO_BUFFER_SIZE, &n, err) || !write_all(f, buffer, n, err))
            return false;
    for (size_t n; done < segment_size; done += n)
    {
        n = segment_size - done < sizeof(zeros) ? (size_t) (segment_size - done) : sizeof(zeros);
        if (!write_all(f, zeros, n, err))
            return false;
    }
    return true;
}

/* Nothing vouches for it but the checksums of its records: at the first wrong one recovery ends. */
static bool copy_partial(Source *s, Fetch *f, Error *err)
{
    uint64_t size = 0;
    AUTO(storage_reader_free)
    StorageReader *in = wal_archive_partial(s->repo, s->system_identifier, s->name, &size, err);
    if (in == NULL && err->code != ERR_NOT_FOUND)
        return false;
    s->found = in != NULL && size <= s->segment_size && is_more(s, size);
    error_clear(err);
    return !s->found || (open_file(f, err) && pour(in, s->segment_size, f, err));
}

/* ---- all ---- */

static bool copy(Source *s, void *ctx, bool archive, Fetch *f, Error *err)
{
    if (archive && (!copy_archived(s, ctx, f, err) ||
                    (!s->found && wal_name_is_segment(s->name) && !copy_partial(s, f, err))))
        return false;
    return s->found || copy_of_set(s, f, err);
}

static bool find_node(Source *s, Error *err)
{
    for (size_t i = 0; i < s->m->physical_count; i++)
    {
        if (s->m->physicals[i].content != s->content)
            continue;
        s->system_identifier = s->m->nodes[i].system_identifier;
        s->segment_size = s->m->physicals[i].wal_segment_size;
        s->restore_lsn = s->m->physicals[i].restore_lsn;
        return true;
    }
    return error_set(err, ERR_USAGE, "the set has no base backup of node %d", s->content);
}

static bool fetch_from(Source *s, bool archive, Fetch *f, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "fetch");
    if (!wal_name_is_segment(s->name) && !wal_name_is_history(s->name))
        return true;
    s->m = manifest_read(s->repo->storage, tmp, s->dir, false, err);
    if (s->m == NULL || !find_node(s, err))
        return false;
    bool ok = copy(s, tmp, archive, f, err);
    if (f->fd >= 0 && close(f->fd) != 0 && ok)
        ok = error_errno(err, ERR_STORAGE, "cannot write to %s", f->path);
    if (!ok && f->fd >= 0)
        unlink(f->path);
    return ok;
}

bool wal_fetch(const char *repo_uri, const char *key, int content, const char *name,
               const char *path, bool archive, bool *ret_found, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "repo");
    AUTO(storage_unlock) StorageLock *lock = NULL;
    char resolved[SET_KEY_LEN];
    Source s = {.repo = repo_open(tmp, repo_uri, err), .content = content, .name = name};
    Fetch f = {.path = path, .fd = -1};
    bool ok = s.repo != NULL &&
              repo_resolve(s.repo, tmp, key, NULL, resolved, &s.dir, &lock, err) &&
              fetch_from(&s, archive, &f, err);
    *ret_found = s.found;
    return ok;
}

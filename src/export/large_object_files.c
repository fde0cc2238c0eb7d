/* export/large_object_files.c - the contract is in large_object_files.h. */
#include "export/large_object_files.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "repo/large_object_list.h"

#define NAME_LEN 48

typedef struct Files
{
    int dir;      /* its descriptor */
    int fd;       /* of the object written last, or -1 */
    uint32_t oid; /* which that is */
    Output *toc;  /* blobs.toc */
    Compress compress;
    const Cancel *cancel;
    uint8_t *bytes; /* of a piece */
    size_t room;
    void *ctx;
} Files;

static void object_name(char name[NAME_LEN], uint32_t oid, const char *suffix)
{
    snprintf(name, NAME_LEN, "blob_%" PRIu32 ".dat%s", oid, suffix);
}

static bool failed(const char *name, Error *err)
{
    return error_errno(err, ERR_STORAGE, "could not write \"%s\"", name);
}

static bool close_object(Files *f, Error *err)
{
    char name[NAME_LEN];
    int fd = f->fd;
    f->fd = -1;
    if (fd < 0 || close(fd) == 0)
        return true;
    object_name(name, f->oid, "");
    return failed(name, err);
}

static bool open_object(Files *f, uint32_t oid, Error *err)
{
    char name[NAME_LEN];
    if (f->fd >= 0 && f->oid == oid)
        return true;
    if (!close_object(f, err))
        return false;
    object_name(name, oid, "");
    f->oid = oid;
    f->fd = openat(f->dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return f->fd >= 0 || failed(name, err);
}

static int digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static bool put_piece(void *arg, const LargeObjectPiece *piece, Error *err)
{
    Files *f = arg;
    char name[NAME_LEN];
    if (!open_object(f, piece->oid, err))
        return false;
    if (piece->size > f->room)
    {
        f->bytes = mem_grow(f->ctx, f->bytes, uint8_t, piece->size);
        f->room = piece->size;
    }
    for (size_t i = 0; i < piece->size; i++)
        f->bytes[i] = (uint8_t) (digit(piece->hex[2 * i]) << 4 | digit(piece->hex[2 * i + 1]));
    for (size_t done = 0; done < piece->size;)
    {
        ssize_t n = pwrite(f->fd, f->bytes + done, piece->size - done,
                           (off_t) (piece->offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        object_name(name, piece->oid, "");
        if (n < 0)
            return failed(name, err);
        done += (size_t) n;
    }
    return true;
}

/* ---- compression ---- */

typedef struct Target
{
    int fd;
    const char *name;
} Target;

static bool to_target(void *arg, const void *data, size_t len, Error *err)
{
    const Target *target = arg;
    const char *pos = data;
    while (len > 0)
    {
        ssize_t n = write(target->fd, pos, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(target->name, err);
        pos += n;
        len -= (size_t) n;
    }
    return true;
}

static bool compress_bytes(Files *f, int from, Target *target, Error *err)
{
    AUTO(io_free) IoStage *chain = io_compress_new(f->compress, io_sink_new(to_target, target));
    uint8_t buffer[16384];
    ssize_t n;
    while ((n = read(from, buffer, sizeof(buffer))) != 0)
    {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, ERR_STORAGE, "could not read what becomes \"%s\"",
                               target->name);
        if (!cancel_check(f->cancel, err) || !io_write(chain, buffer, (size_t) n, err))
            return false;
    }
    return io_finish(chain, err);
}

/* Puts the compressed file in the place of the other. */
static bool compress_object(Files *f, const char *name, int from, const char *into, Error *err)
{
    Target target = {.name = into};
    target.fd = openat(f->dir, into, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (target.fd < 0)
        return failed(into, err);
    bool ok = compress_bytes(f, from, &target, err);
    if (close(target.fd) != 0 && ok)
        ok = failed(into, err);
    return ok && (unlinkat(f->dir, name, 0) == 0 || failed(name, err));
}

/* One that has no contents has no file yet. */
static bool finish_object(void *arg, const TocEntry *e, Error *err)
{
    Files *f = arg;
    char name[NAME_LEN];
    char into[NAME_LEN];
    char line[2 * NAME_LEN];
    if (strcmp(e->desc, "BLOB") != 0)
        return true;
    object_name(name, e->oid, "");
    object_name(into, e->oid, compress_suffix(f->compress.method));
    int from = openat(f->dir, name, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (from < 0)
        return failed(name, err);
    bool ok = f->compress.method == COMPRESS_NONE || compress_object(f, name, from, into, err);
    close(from);
    snprintf(line, sizeof(line), "%" PRIu32 " %s\n", e->oid, name);
    return ok && output_text(f->toc, line, err);
}

static bool write_files(Files *f, TableData *data, const ExportEntry *list,
                        const ExportEntry *contents, Error *err)
{
    return (contents == NULL || large_objects_pieces(data, contents, put_piece, f, err)) &&
           close_object(f, err) && large_objects_each(data, list, 1, finish_object, f, err) &&
           output_commit(f->toc, err);
}

bool large_object_files(TableData *data, const ExportEntry *list, const ExportEntry *contents,
                        OutputDir *dir, Compress compress, const Cancel *cancel, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "large objects");
    AUTO(output_free)
    Output *toc = output_dir_file(dir, LARGE_OBJECT_TOC, (Compress){.method = COMPRESS_NONE}, err);
    Files f = {.dir = output_dir_descriptor(dir, err),
               .fd = -1,
               .toc = toc,
               .compress = compress,
               .cancel = cancel,
               .ctx = tmp};
    if (toc == NULL || f.dir < 0)
        return false;
    bool ok = write_files(&f, data, list, contents, err) && output_dir_sync_files(dir, err);
    if (f.fd >= 0)
        close(f.fd);
    return ok;
}

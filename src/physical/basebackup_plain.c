/*
 * physical/basebackup_plain.c - a base backup as a data directory; see basebackup_parts.h.
 *
 * Source of what a data directory has besides the server's files: PostgreSQL documentation, "pg_basebackup"
 * (tablespaces at their places, links in pg_tblspc), "Continuous Archiving" (archive_status).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "physical/basebackup_parts.h"
#include "physical/restore_files.h"

typedef struct Plain
{
    BasebackupForm form;
    void *ctx;
    void *wal_ctx; /* of the receiving thread, until end */
    char **wals;
    size_t wal_count, wal_capacity;
    RestoreTree tree;
    ProgressNode uncounted; /* of the tree: the caller counts */
    RestoreDir wal_dir;     /* of --waldir */
    IoStage *stage;         /* of the archive or the manifest at hand */
    IoStage *files;         /* in it, of an archive */
    bool in_manifest;
} Plain;

/* ---- places ---- */

static const char *mapped(const BasebackupRequest *r, const char *location)
{
    for (size_t i = 0; i < r->map_count; i++)
        if (strcmp(r->maps[i].from, location) == 0)
            return r->maps[i].to;
    return location;
}

static bool add_tablespace(Plain *p, const BaseBackupTablespace *space, Error *err)
{
    const char *path = mapped(p->form.request, space->location);
    const char *what = mem_printf(p->ctx, "tablespace %" PRIu32, space->oid);
    RestoreTablespace *t = &p->tree.tablespaces[p->tree.tablespace_count];
    if (path[0] != '/')
        return error_set(err, ERR_USAGE, "%s has no directory of its own on the server (\"%s\")",
                         what, path);
    if (!restore_dir_check(p->ctx, path, what, &t->dir, err))
        return error_hint(err, "--tablespace-mapping=%s=NEW puts it somewhere else.",
                          space->location);
    t->oid = space->oid;
    p->tree.tablespace_count++;
    return restore_dir_make(&t->dir, err);
}

/* pg_wal is a link to another directory, if that is wanted. */
static bool make_wal_dir(Plain *p, Error *err)
{
    const char *other = p->form.request->wal_directory;
    const char *path = mem_printf(p->ctx, "%s/pg_wal", p->form.dir->path);
    if (other == NULL)
        return basebackup_place(p->ctx, path, &p->form.wal, err);
    if (!restore_dir_check(p->ctx, other, "--waldir", &p->wal_dir, err) ||
        !restore_dir_make(&p->wal_dir, err))
        return false;
    return (symlink(p->wal_dir.path, path) == 0 ||
            error_errno(err, ERR_STORAGE, "cannot create %s", path)) &&
           basebackup_place(p->ctx, p->wal_dir.path, &p->form.wal, err);
}

static bool plain_begin(BasebackupForm *f, const BaseBackupStart *start, Error *err)
{
    Plain *p = (Plain *) f;
    p->tree.tablespaces = mem_array(p->ctx, RestoreTablespace, start->count);
    for (size_t i = 0; i < start->count; i++)
    {
        if (start->tablespaces[i].oid != 0 && !add_tablespace(p, &start->tablespaces[i], err))
            return false;
    }
    return make_wal_dir(p, err);
}

/* ---- streams ---- */

static bool end_stage(Plain *p, Error *err)
{
    bool ok = p->stage == NULL ||
              (io_finish(p->stage, err) && (p->in_manifest || restore_files_end(p->files, err)));
    io_free(p->stage);
    p->stage = p->files = NULL;
    return ok;
}

static bool plain_archive(BasebackupForm *f, const BaseBackupTablespace *space, Error *err)
{
    Plain *p = (Plain *) f;
    char stream[16] = PART_BASE;
    if (!end_stage(p, err))
        return false;
    if (space->oid != 0)
        snprintf(stream, sizeof(stream), "%" PRIu32, space->oid);
    p->files = restore_files_new(&p->tree, stream, err);
    if (p->files != NULL)
        p->stage = io_decompress_new(p->form.request->server_compress, p->files);
    return p->files != NULL;
}

static bool plain_manifest(BasebackupForm *f, Error *err)
{
    Plain *p = (Plain *) f;
    if (!end_stage(p, err))
        return false;
    p->in_manifest = true;
    p->stage = restore_files_manifest(&p->tree, err);
    return p->stage != NULL;
}

static bool plain_data(BasebackupForm *f, const void *data, size_t len, Error *err)
{
    return io_write(((Plain *) f)->stage, data, len, err);
}

static bool plain_wal(BasebackupForm *f, const char *name, uint64_t size UNUSED, Error *err UNUSED)
{
    Plain *p = (Plain *) f;
    *mem_push(p->wal_ctx, p->wals, p->wal_count, p->wal_capacity, char *) = mem_strdup(p->wal_ctx,
                                                                                       name);
    return true;
}

/* ---- the end ---- */

static bool make_links(const Plain *p, Error *err)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < p->tree.tablespace_count; i++)
    {
        const RestoreTablespace *t = &p->tree.tablespaces[i];
        snprintf(path, sizeof(path), "%s/pg_tblspc/%" PRIu32, p->form.dir->path, t->oid);
        if (symlink(t->dir.path, path) != 0)
            return error_errno(err, ERR_STORAGE, "cannot create %s", path);
    }
    return true;
}

/* What has been received is archived where it comes from: a server that starts here shall not do it again. */
static bool mark_archived(const Plain *p, Error *err)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < p->wal_count; i++)
    {
        snprintf(path, sizeof(path), "%s/pg_wal/archive_status/%s.done", p->form.dir->path,
                 p->wals[i]);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
            return error_errno(err, ERR_STORAGE, "cannot create %s", path);
        close(fd);
    }
    return true;
}

static bool plain_end(BasebackupForm *f, const char *recovery, Error *err)
{
    static const RecoveryFile standby = {.name = "standby.signal", .text = ""};
    Plain *p = (Plain *) f;
    return end_stage(p, err) && restore_files_whole(&p->tree, err) && make_links(p, err) &&
           mark_archived(p, err) &&
           (recovery == NULL || restore_files_recover(&p->tree, recovery, &standby, err)) &&
           (p->form.request->no_sync || p->wal_dir.path == NULL ||
            restore_dir_sync(&p->wal_dir, err)) &&
           restore_files_settle(&p->tree, err) && restore_files_admit(&p->tree, err);
}

static void plain_clear(const BasebackupForm *f)
{
    const Plain *p = (const Plain *) f;
    for (size_t i = 0; i < p->tree.tablespace_count; i++)
        restore_dir_clear(&p->tree.tablespaces[i].dir);
    if (p->form.wal.storage != NULL && p->wal_dir.path != NULL)
        restore_dir_clear(&p->wal_dir);
}

static void plain_free(BasebackupForm *f)
{
    Plain *p = (Plain *) f;
    io_free(p->stage);
    for (size_t i = 0; i < p->tree.tablespace_count; i++)
        restore_dir_close(&p->tree.tablespaces[i].dir);
    restore_dir_close(&p->wal_dir);
    manifest_check_free(p->tree.check);
    pthread_mutex_destroy(&p->tree.mutex);
    mem_free(p->wal_ctx);
    mem_free(p);
}

static const BasebackupFormOps plain_ops = {.begin = plain_begin,
                                            .archive = plain_archive,
                                            .manifest = plain_manifest,
                                            .data = plain_data,
                                            .wal = plain_wal,
                                            .end = plain_end,
                                            .free = plain_free,
                                            .clear = plain_clear};

BasebackupForm *basebackup_plain_new(const BasebackupRequest *request, const RestoreDir *dir)
{
    Plain *p = mem_new(NULL, Plain);
    p->form = (BasebackupForm){.ops = &plain_ops, .request = request, .dir = dir};
    p->ctx = p;
    p->wal_ctx = mem_context(NULL, "names of WAL");
    p->tree.data = *dir;
    p->tree.progress = &p->uncounted;
    p->tree.check = manifest_check_new();
    p->tree.mode = 0700;
    p->tree.no_sync = request->no_sync;
    pthread_mutex_init(&p->tree.mutex, NULL);
    return &p->form;
}

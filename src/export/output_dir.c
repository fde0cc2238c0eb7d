/* export/output_dir.c - a directory of files; the contract is in output.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "export/output_parts.h"

struct OutputDir
{
    void *ctx;
    char *path;   /* as it will be called */
    char *parent; /* the directory it lies in */
    char *tmp;    /* as it is called until then; NULL: it has its name */
    Storage *storage;
    StorageWriteFlags flags;
    int fd; /* of the directory, -1 until it is asked for */
};

OutputDir *output_dir_open(const char *path, bool no_sync, Error *err)
{
    void *ctx = mem_context(NULL, "output directory");
    OutputDir *dir = mem_new(ctx, OutputDir);
    char *name;
    dir->ctx = ctx;
    dir->fd = -1;
    dir->flags = no_sync ? STORAGE_WRITE_NO_SYNC : STORAGE_WRITE_PLAIN;
    output_split(ctx, path, &dir->parent, &name);
    dir->path = mem_printf(ctx, "%s/%s", dir->parent, name);
    char *tmp = mem_printf(ctx, "%s/.%s.%ld.tmp", dir->parent, name, (long) getpid());
    if (!output_check_new(dir->path, err))
        goto failed;
    if (mkdir(tmp, 0700) != 0)
    {
        error_errno(err, ERR_STORAGE, "could not make directory \"%s\"", tmp);
        goto failed;
    }
    dir->tmp = tmp;
    dir->storage = storage_open(ctx, tmp, err);
    if (dir->storage != NULL)
        return dir;
failed:
    output_dir_free(dir);
    return NULL;
}

Output *output_dir_file(OutputDir *dir, const char *name, Compress compress, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "file");
    return output_in(dir->storage, name, mem_printf(tmp, "%s/%s", dir->path, name), compress,
                     dir->flags, err);
}

int output_dir_descriptor(OutputDir *dir, Error *err)
{
    if (dir->fd < 0)
        dir->fd = open(dir->tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir->fd < 0)
        error_errno(err, ERR_STORAGE, "could not open directory \"%s\"", dir->tmp);
    return dir->fd;
}

bool output_dir_sync_files(OutputDir *dir, Error *err)
{
    return (dir->flags & STORAGE_WRITE_NO_SYNC) != 0 || syncfs(dir->fd) == 0 ||
           error_errno(err, ERR_STORAGE, "could not sync directory \"%s\"", dir->tmp);
}

/* The directory's new name is durable when the directory that has it is. */
static bool sync_parent(const OutputDir *dir, Error *err)
{
    int fd = open(dir->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        error_errno(err, ERR_STORAGE, "could not sync directory \"%s\"", dir->parent);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Not every file system can rename without replacing; there, an empty directory that has appeared
 * in the meantime would be replaced, and nothing else. */
static bool give_name(const OutputDir *dir, Error *err)
{
    if (renameat2(AT_FDCWD, dir->tmp, AT_FDCWD, dir->path, RENAME_NOREPLACE) == 0)
        return true;
    if ((errno == EINVAL || errno == ENOSYS) && rename(dir->tmp, dir->path) == 0)
        return true;
    return error_errno(err, ERR_STORAGE, "could not rename \"%s\" to \"%s\"", dir->tmp, dir->path);
}

bool output_dir_commit(OutputDir *dir, Error *err)
{
    bool sync = (dir->flags & STORAGE_WRITE_NO_SYNC) == 0;
    if ((sync && !storage_sync_dir(dir->storage, "", err)) || !give_name(dir, err))
        return false;
    dir->tmp = NULL;
    return !sync || sync_parent(dir, err);
}

static void remove_dir(const OutputDir *dir)
{
    Error err = ERROR_INIT;
    Storage *st = storage_open(dir->ctx, dir->parent, &err);
    const char *name = strrchr(dir->tmp, '/') + 1;
    if (st == NULL || !storage_remove_tree(st, name, &err))
        log_warning("could not remove \"%s\": %s", dir->tmp, err.message);
}

void output_dir_free(OutputDir *dir)
{
    if (dir == NULL)
        return;
    if (dir->fd >= 0)
        close(dir->fd);
    if (dir->tmp != NULL)
        remove_dir(dir);
    mem_free(dir->ctx);
}

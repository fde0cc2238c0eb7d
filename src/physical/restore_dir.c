/* physical/restore_dir.c - directories of a restore; the contract is in restore_dir.h. */
#include "physical/restore_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "storage/storage.h"

/* Of an absolute path. */
static const char *parent_of(void *ctx, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == path ? "/" : mem_strndup(ctx, path, (size_t) (slash - path));
}

/* realpath() of a parent, and the last name behind it: of a directory that is not there. */
static char *new_path(void *ctx, const char *path, const char *what, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "path");
    char *copy = mem_strdup(tmp, path);
    size_t len = strlen(copy);
    while (len > 1 && copy[len - 1] == '/')
        copy[--len] = '\0';
    char *slash = strrchr(copy, '/');
    const char *name = slash == NULL ? copy : slash + 1;
    const char *parent = slash == NULL   ? "."
                         : slash == copy ? "/"
                                         : mem_strndup(tmp, copy, (size_t) (slash - copy));
    char *real = realpath(parent, NULL);
    if (real == NULL)
    {
        error_errno(err, ERR_USAGE, "%s: the parent of %s", what, path);
        return NULL;
    }
    char *result = mem_printf(ctx, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name);
    free(real);
    return result;
}

static bool refuse_entry(void *arg, const char *name, const StorageInfo *info, Error *err)
{
    (void) arg;
    (void) info;
    return error_set(err, ERR_EXISTS, "there is \"%s\"", name);
}

static bool check_empty(const char *path, const char *what, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "list");
    Storage *dir = storage_open(tmp, path, err);
    if (dir == NULL || storage_list(dir, "", refuse_entry, NULL, err))
        return dir != NULL;
    if (err->code != ERR_EXISTS)
        return error_prefix(err, "%s", what);
    return error_prefix(err, "%s: %s is not empty", what, path);
}

/* Its own mode is no hindrance: a restore changes it. */
static bool check_there(const char *path, const struct stat *s, const char *what, Error *err)
{
    if (!S_ISDIR(s->st_mode))
        return error_set(err, ERR_USAGE, "%s: %s is no directory", what, path);
    if (access(path, W_OK) != 0 && errno == EROFS)
        return error_errno(err, ERR_USAGE, "%s: cannot write to %s", what, path);
    if (s->st_uid != geteuid())
    {
        error_set(err, ERR_USAGE, "%s: %s belongs to user %u, not to who runs this (%u)", what,
                  path, (unsigned) s->st_uid, (unsigned) geteuid());
        return error_hint(err, "Run the restore as the user that the server will run as.");
    }
    return check_empty(path, what, err);
}

/* A link that leads to nothing is there for mkdir(2), and nowhere for everybody else. */
static bool check_new(void *ctx, const char *path, const char *what, RestoreDir *ret, Error *err)
{
    struct stat s;
    ret->path = new_path(ctx, path, what, err);
    if (ret->path == NULL)
        return false;
    if (lstat(ret->path, &s) == 0 && S_ISLNK(s.st_mode))
        return error_set(err, ERR_USAGE, "%s: %s is a symbolic link to what is not there", what,
                         path);
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "parent");
    const char *parent = parent_of(tmp, ret->path);
    return access(parent, W_OK | X_OK) == 0 ||
           error_errno(err, ERR_USAGE, "%s: cannot create %s in %s", what, path, parent);
}

bool restore_dir_check(void *ctx, const char *path, const char *what, RestoreDir *ret, Error *err)
{
    struct stat s;
    *ret = (RestoreDir){.made = false};
    if (path[0] == '\0' || path[strcspn(path, "\r\n")] != '\0')
        return error_set(err, ERR_USAGE, "%s: this is no name of a directory", what);
    if (stat(path, &s) == 0)
    {
        char *real = realpath(path, NULL);
        if (real == NULL)
            return error_errno(err, ERR_USAGE, "%s: %s", what, path);
        ret->path = mem_strdup(ctx, real);
        free(real);
        return check_there(ret->path, &s, what, err);
    }
    if (errno != ENOENT)
        return error_errno(err, ERR_USAGE, "%s: %s", what, path);
    return check_new(ctx, path, what, ret, err);
}

bool restore_dir_overlap(const RestoreDir *a, const RestoreDir *b)
{
    size_t n = strlen(a->path);
    size_t m = strlen(b->path);
    size_t less = n < m ? n : m;
    const char *longer = n < m ? b->path : a->path;
    return strncmp(a->path, b->path, less) == 0 && (longer[less] == '\0' || longer[less] == '/');
}

/* From here on no other process of ours takes it, also one that found it empty when we did. Where a file system has
 * no such locks, files that must be new have to do. */
static bool take(const RestoreDir *dir, Error *err)
{
    if (flock(dir->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return error_set(err, ERR_EXISTS, "%s is being written to by somebody else", dir->path);
    return dir->made || check_empty(dir->path, "it was empty a moment ago", err);
}

bool restore_dir_make(RestoreDir *dir, Error *err)
{
    dir->made = mkdir(dir->path, 0700) == 0;
    if (!dir->made && errno != EEXIST)
        return error_errno(err, ERR_STORAGE, "cannot create directory %s", dir->path);
    if (!dir->made && chmod(dir->path, 0700) != 0)
        return error_errno(err, ERR_STORAGE, "cannot change the mode of %s", dir->path);
    dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir->opened = dir->fd >= 0;
    if (dir->opened && take(dir, err))
        return true;
    if (!dir->opened)
        error_errno(err, ERR_STORAGE, "cannot open directory %s", dir->path);
    if (dir->made && !dir->opened)
        rmdir(dir->path);
    restore_dir_close(dir);
    return false;
}

void restore_dir_close(RestoreDir *dir)
{
    if (dir->opened)
        close(dir->fd);
    dir->opened = false;
}

static bool remove_entry(void *arg, const char *name, const StorageInfo *info, Error *err)
{
    (void) info;
    return storage_remove_tree(arg, name, err);
}

void restore_dir_clear(const RestoreDir *dir)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "clear");
    Error err = ERROR_INIT;
    if (!dir->opened)
        return;
    Storage *st = storage_open(tmp, dir->path, &err);
    if (st == NULL || !storage_list(st, "", remove_entry, st, &err) ||
        (dir->made && rmdir(dir->path) != 0 && errno != ENOENT &&
         !error_errno(&err, ERR_STORAGE, "cannot remove directory %s", dir->path)))
        log_warning("what this restore has written is not all removed: %s", err.message);
}

/* Of a directory that is not there yet, its parent is asked. */
bool restore_dir_space(const RestoreDir *dir, uint64_t *ret_free, uint64_t *ret_device, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "space");
    const char *path = dir->path;
    struct stat s;
    struct statvfs fs;
    if (stat(path, &s) != 0 && errno == ENOENT)
        path = parent_of(tmp, path);
    if (stat(path, &s) != 0 || statvfs(path, &fs) != 0)
        return error_errno(err, ERR_STORAGE, "cannot ask for the free space of %s", path);
    *ret_free = (uint64_t) fs.f_bavail * fs.f_frsize;
    *ret_device = (uint64_t) s.st_dev;
    return true;
}

/* It waits for what others write to the file system as well. To fsync(2) every file and directory instead, with all their
 * data on its way before, takes a third longer where nobody else writes: a data directory has thousands of small ones. */
bool restore_dir_sync(const RestoreDir *dir, Error *err)
{
    return syncfs(dir->fd) == 0 || error_errno(err, ERR_STORAGE, "cannot sync %s", dir->path);
}

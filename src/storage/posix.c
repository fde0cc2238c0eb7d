/*
 * storage/posix.c - a repository in a directory of a file system.
 *
 * Durability: an object is synced before its name is. The name of an atomic object or of a directory
 * is synced where it is made; those of plain objects are many, and the caller syncs their directory
 * once. While a large object is written the kernel is asked every few MB to start writing it out, so
 * that the sync at the end is short.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "storage/driver.h"

#define FILE_MODE     0600
#define DIR_MODE      0700
#define WINDOW        ((uint64_t) 4 * 1024 * 1024) /* of a large object, written out at once */
#define OWNER_LEN     256
#define LOCK_ATTEMPTS 100
#define TREE_DEPTH    64
#define READ_AHEAD    ((uint64_t) 1024 * 1024) /* from this length on the kernel is told */

typedef struct PosixStorage
{
    Storage base;
    char *root;
} PosixStorage;

typedef struct PosixWriter
{
    StorageWriter base;
    char *path;      /* of the object */
    char *temp_path; /* what is written: with atomic a temporary name, else path itself */
    StorageWriteFlags flags;
    int fd;
    uint64_t written;
    uint64_t started; /* the kernel was asked to write out up to here */
    uint64_t settled; /* up to here it has, and has dropped the pages */
    bool committed;
} PosixWriter;

typedef struct PosixReader
{
    StorageReader base;
    char *path;
    int fd;
    uint64_t offset;
    uint64_t left;
} PosixReader;

typedef struct PosixLock
{
    StorageLock base;
    int fd;
} PosixLock;

static char *full_path(Storage *st, void *ctx, const char *path)
{
    const char *root = ((const PosixStorage *) st)->root;

    return *path == '\0' ? mem_strdup(ctx, root) : mem_printf(ctx, "%s/%s", root, path);
}

static void path_free(char *path)
{
    mem_free(path);
}
DEFINE_AUTO(char, path_free)

/* A child of the root may not be a symbolic link to elsewhere; the root itself may be one. */
static int no_follow(const char *path)
{
    return *path == '\0' ? 0 : O_NOFOLLOW;
}

static bool close_fd(int *fd)
{
    int rc = *fd >= 0 ? close(*fd) : 0;

    *fd = -1;
    return rc == 0 || errno == EINTR;
}

static void close_fd_auto(int *fd)
{
    close_fd(fd);
}

/* steal_fd takes a descriptor out of the hands of its cleanup. */
static int steal_fd(int *fd)
{
    int stolen = *fd;

    *fd = -1;
    return stolen;
}

/* ---- directories ---- */

static bool sync_path(const char *full, Error *err)
{
    __attribute__((cleanup(close_fd_auto))) int fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return error_errno(err, ERR_STORAGE, "cannot open directory %s", full);
    /* Some file systems cannot sync a directory and say EINVAL: nothing more can be done there. */
    if (fsync(fd) != 0 && errno != EINVAL)
        return error_errno(err, ERR_STORAGE, "cannot sync directory %s", full);
    return true;
}

static bool sync_parent(const char *full, Error *err)
{
    const char *slash = strrchr(full, '/');
    AUTO(path_free) char *parent = NULL;

    if (slash == NULL)
        parent = mem_strdup(NULL, ".");
    else if (slash == full)
        parent = mem_strdup(NULL, "/");
    else
        parent = mem_strndup(NULL, full, (size_t) (slash - full));
    return sync_path(parent, err);
}

static bool posix_make_root(Storage *st, Error *err)
{
    const char *root = ((const PosixStorage *) st)->root;
    struct stat info;

    if (mkdir(root, DIR_MODE) == 0)
    {
        /* A parent that may not be read cannot be synced: not worth a failure. */
        (void) sync_parent(root, NULL);
        return true;
    }
    if (errno == EEXIST && stat(root, &info) == 0 && S_ISDIR(info.st_mode))
        return true;
    if (errno == ENOENT)
    {
        error_set(err, ERR_STORAGE, "cannot create directory %s: its parent does not exist", root);
        return error_hint(err, "Create the parent directory first, or correct the path.");
    }
    return error_errno(err, ERR_STORAGE, "cannot create directory %s", root);
}

static StorageInfo make_info(const struct stat *s)
{
    StorageInfo info = {.kind = STORAGE_OTHER};

    if (S_ISREG(s->st_mode))
        info.kind = STORAGE_FILE;
    else if (S_ISDIR(s->st_mode))
        info.kind = STORAGE_DIR;
    info.size = info.kind == STORAGE_FILE ? (uint64_t) s->st_size : 0;
    info.changed_us = (int64_t) s->st_mtim.tv_sec * 1000000 + s->st_mtim.tv_nsec / 1000;
    return info;
}

static bool posix_stat(Storage *st, const char *path, StorageInfo *ret_info, Error *err)
{
    AUTO(path_free) char *full = full_path(st, NULL, path);
    struct stat s;

    if ((*path == '\0' ? stat(full, &s) : lstat(full, &s)) == 0)
    {
        *ret_info = make_info(&s);
        return true;
    }
    if (errno == ENOENT || errno == ENOTDIR)
        return true;
    return error_errno(err, ERR_STORAGE, "cannot look at %s", full);
}

static void close_dir(DIR *dir)
{
    closedir(dir);
}
DEFINE_AUTO(DIR, close_dir)

static DIR *open_dir_at(int at, const char *name, int flags)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (dir == NULL && fd >= 0)
        close(fd);
    return dir;
}

/* next_entry skips "." and ".."; NULL with errno 0 at the end. */
static const char *next_entry(DIR *dir)
{
    const struct dirent *entry;

    do
    {
        errno = 0;
        entry = readdir(dir);
    } while (entry != NULL &&
             (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    return entry != NULL ? entry->d_name : NULL;
}

static bool posix_list(Storage *st, const char *path, StorageEach each, void *arg, Error *err)
{
    AUTO(path_free) char *full = full_path(st, NULL, path);
    AUTO(close_dir) DIR *dir = open_dir_at(AT_FDCWD, full, no_follow(path));
    const char *name;

    if (dir == NULL && errno == ENOENT)
        return true;
    if (dir == NULL)
        return error_errno(err, ERR_STORAGE, "cannot open directory %s", full);
    while ((name = next_entry(dir)) != NULL)
    {
        struct stat s;
        StorageInfo info;

        if (fstatat(dirfd(dir), name, &s, AT_SYMLINK_NOFOLLOW) != 0)
        {
            if (errno == ENOENT)
                continue; /* removed since it was listed */
            return error_errno(err, ERR_STORAGE, "cannot look at %s/%s", full, name);
        }
        info = make_info(&s);
        if (!each(arg, name, &info, err))
            return false;
    }
    if (errno != 0)
        return error_errno(err, ERR_STORAGE, "cannot read directory %s", full);
    return true;
}

/* make_one_dir makes one directory and its name durable. *ret_new: it was not there before. */
static bool make_one_dir(const char *full, bool *ret_new, bool *ret_no_parent, Error *err)
{
    *ret_new = mkdir(full, DIR_MODE) == 0;
    *ret_no_parent = !*ret_new && errno == ENOENT;
    if (*ret_new)
        return sync_parent(full, err);
    if (errno == EEXIST || *ret_no_parent)
        return true;
    return error_errno(err, ERR_STORAGE, "cannot create directory %s", full);
}

/* make_parts makes a directory and its parents, as far as it gets. */
static bool make_parts(Storage *st, const char *path, bool *ret_new, bool *ret_no_parent,
                       Error *err)
{
    for (const char *end = strchrnul(path, '/');; end = strchrnul(end + 1, '/'))
    {
        AUTO(path_free) char *part = mem_strndup(NULL, path, (size_t) (end - path));
        AUTO(path_free) char *full = full_path(st, NULL, part);

        if (!make_one_dir(full, ret_new, ret_no_parent, err))
            return false;
        if (*ret_no_parent || *end == '\0')
            return true;
    }
}

/* Another run may remove a directory that it found empty between our making it and our using it:
 * then all parts are made again. */
static bool posix_make_dir(Storage *st, const char *path, bool exclusive, Error *err)
{
    AUTO(path_free) char *full = full_path(st, NULL, path);
    bool is_new, no_parent = true;

    for (int attempt = 0; no_parent && attempt < LOCK_ATTEMPTS; attempt++)
    {
        if (!make_parts(st, path, &is_new, &no_parent, err))
            return false;
    }
    if (no_parent)
        return error_set(err, ERR_STORAGE, "cannot create directory %s: its parent does not exist",
                         full);
    if (exclusive && !is_new)
        return error_set(err, ERR_EXISTS, "directory %s exists already", full);
    return true;
}

static bool posix_sync_dir(Storage *st, const char *path, Error *err)
{
    AUTO(path_free) char *full = full_path(st, NULL, path);

    return sync_path(full, err);
}

/* fsync() writes out all pages of a file, whoever made them dirty. */
static bool posix_sync_file(Storage *st, const char *path, Error *err)
{
    AUTO(path_free) char *full = full_path(st, NULL, path);
    __attribute__((cleanup(close_fd_auto))) int fd = open(full, O_RDONLY | O_NOFOLLOW | O_CLOEXEC |
                                                                    O_NONBLOCK);

    if (fd < 0)
        return error_errno(err, ERR_STORAGE, "cannot open %s", full);
    if (fsync(fd) != 0)
        return error_errno(err, ERR_STORAGE, "cannot sync %s", full);
    return true;
}

static bool posix_remove(Storage *st, const char *path, Error *err)
{
    AUTO(path_free) char *full = full_path(st, NULL, path);

    if (unlink(full) == 0 || errno == ENOENT || errno == ENOTDIR)
        return true;
    return error_errno(err, ERR_STORAGE, "cannot remove %s", full);
}

static bool posix_remove_dir(Storage *st, const char *path, Error *err)
{
    AUTO(path_free) char *full = full_path(st, NULL, path);

    if (rmdir(full) == 0 || errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST)
        return true;
    return error_errno(err, ERR_STORAGE, "cannot remove directory %s", full);
}

/* remove_children empties an open directory. It works by descriptors, so that a directory which is
 * replaced by a symbolic link meanwhile cannot lead it elsewhere. */
static bool remove_children(DIR *dir, const char *full, int depth, Error *err)
{
    const char *name;

    if (depth > TREE_DEPTH)
        return error_set(err, ERR_STORAGE, "cannot remove %s: too deep", full);
    while ((name = next_entry(dir)) != NULL)
    {
        AUTO(close_dir) DIR *child = NULL;

        if (unlinkat(dirfd(dir), name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno != EISDIR)
            return error_errno(err, ERR_STORAGE, "cannot remove %s/%s", full, name);
        child = open_dir_at(dirfd(dir), name, O_NOFOLLOW);
        if (child == NULL)
            return error_errno(err, ERR_STORAGE, "cannot remove %s/%s", full, name);
        if (!remove_children(child, full, depth + 1, err))
            return false;
        if (unlinkat(dirfd(dir), name, AT_REMOVEDIR) != 0 && errno != ENOENT)
            return error_errno(err, ERR_STORAGE, "cannot remove %s/%s", full, name);
    }
    if (errno != 0)
        return error_errno(err, ERR_STORAGE, "cannot read directory %s", full);
    return true;
}

static bool posix_remove_tree(Storage *st, const char *path, Error *err)
{
    AUTO(path_free) char *full = full_path(st, NULL, path);
    AUTO(close_dir) DIR *dir = open_dir_at(AT_FDCWD, full, O_NOFOLLOW);

    if (dir == NULL && errno == ENOENT)
        return true;
    if (dir == NULL && (errno == ENOTDIR || errno == ELOOP))
        return posix_remove(st, path, err);
    if (dir == NULL)
        return error_errno(err, ERR_STORAGE, "cannot open directory %s", full);
    /* Who waits for a lock in it may make the lock's file anew behind us. */
    for (int attempt = 1;; attempt++)
    {
        if (!remove_children(dir, full, 0, err))
            return false;
        if (rmdir(full) == 0 || errno == ENOENT)
            return true;
        if ((errno != ENOTEMPTY && errno != EEXIST) || attempt == LOCK_ATTEMPTS)
            return error_errno(err, ERR_STORAGE, "cannot remove directory %s", full);
        rewinddir(dir);
    }
}

static bool posix_space(Storage *st, StorageSpace *ret, Error *err)
{
    const char *root = ((const PosixStorage *) st)->root;
    struct statvfs fs;

    if (statvfs(root, &fs) != 0)
        return error_errno(err, ERR_STORAGE, "cannot ask for the free space of %s", root);
    /* Blocks that are kept for root count neither as free nor as a part of the whole. */
    ret->free = (uint64_t) fs.f_bavail * fs.f_frsize;
    ret->total = (uint64_t) (fs.f_blocks - fs.f_bfree + fs.f_bavail) * fs.f_frsize;
    return true;
}

/* ---- writing ---- */

/* A temporary name begins with '.', which no object's name does. */
static char *temp_name(void *ctx, const char *full)
{
    static atomic_uint counter;
    const char *name = strrchr(full, '/') + 1;

    return mem_printf(ctx, "%.*s.%s.%ld-%u.tmp", (int) (name - full), full, name, (long) getpid(),
                      atomic_fetch_add(&counter, 1));
}

static void posix_writer_free(StorageWriter *base)
{
    PosixWriter *w = (PosixWriter *) base;

    if (w->fd >= 0)
        close(w->fd);
    if (!w->committed && w->temp_path != NULL && (w->flags & STORAGE_WRITE_KEEP) == 0)
        unlink(w->temp_path);
    mem_free(w);
}

/* What is written over is a file, not a pipe that would hold us up or a device. */
static int open_target(const char *target, StorageWriteFlags flags)
{
    bool over = (flags & STORAGE_WRITE_OVER) != 0;
    int fd = open(target,
                  O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | (over ? O_NONBLOCK : O_EXCL),
                  FILE_MODE);
    struct stat s;

    if (fd >= 0 && over && (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)))
    {
        close(fd);
        errno = EEXIST;
        return -1;
    }
    return fd;
}

static StorageWriter *posix_write_open(Storage *st, const char *path, StorageWriteFlags flags,
                                       Error *err)
{
    PosixWriter *w = mem_new(NULL, PosixWriter);
    char *target;

    w->base.st = st;
    w->flags = flags;
    w->path = full_path(st, w, path);
    target = (flags & STORAGE_WRITE_ATOMIC) != 0 ? temp_name(w, w->path) : w->path;
    w->fd = open_target(target, flags);
    if (w->fd < 0)
    {
        if (errno == EEXIST)
            error_set(err, ERR_EXISTS, "%s exists already", w->path);
        else
            error_errno(err, ERR_STORAGE, "cannot create %s", w->path);
        posix_writer_free(&w->base); /* temp_path is not set: what others made stays */
        return NULL;
    }
    w->temp_path = target;
    return &w->base;
}

/* The kernel is kept writing while we fill the next window, so that the sync at the end finds little
 * to do; and what is on the disk leaves the page cache. A backup is read again much later if ever,
 * and on a server's own host its pages would push out those of the database. It is also faster:
 * the few pages in use stay warm, where a large file takes a new one for every 4 kB.
 *
 * Waiting for a window takes the kernel's report of a failed write away from fsync() (each is given
 * once per open file), so that it must be looked at here. */
static bool write_behind(PosixWriter *w, Error *err)
{
    const unsigned settle = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                            SYNC_FILE_RANGE_WAIT_AFTER;
    off_t from = (off_t) w->settled;
    off_t len = (off_t) (w->started - w->settled);

    (void) sync_file_range(w->fd, (off_t) w->started, (off_t) (w->written - w->started),
                           SYNC_FILE_RANGE_WRITE);
    if (len > 0)
    {
        if (sync_file_range(w->fd, from, len, settle) != 0 && errno != ENOSYS && errno != EINVAL)
            return error_errno(err, ERR_STORAGE, "cannot write to %s", w->path);
        (void) posix_fadvise(w->fd, from, len, POSIX_FADV_DONTNEED);
    }
    w->settled = w->started;
    w->started = w->written;
    return true;
}

static bool posix_write(StorageWriter *base, const void *data, size_t len, Error *err)
{
    PosixWriter *w = (PosixWriter *) base;
    const char *p = data;

    while (len > 0)
    {
        ssize_t n = write(w->fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
        {
            errno = n == 0 ? ENOSPC : errno;
            return error_errno(err, ERR_STORAGE, "cannot write to %s", w->path);
        }
        p += n;
        len -= (size_t) n;
        w->written += (uint64_t) n;
    }
    return (w->flags & STORAGE_WRITE_NO_SYNC) != 0 || w->written - w->started < WINDOW ||
           write_behind(w, err);
}

static bool posix_writer_commit(StorageWriter *base, Error *err)
{
    PosixWriter *w = (PosixWriter *) base;
    bool sync = (w->flags & STORAGE_WRITE_NO_SYNC) == 0;

    if (sync && fsync(w->fd) != 0)
        return error_errno(err, ERR_STORAGE, "cannot sync %s", w->path);
    if (w->started > 0)
        (void) posix_fadvise(w->fd, 0, 0, POSIX_FADV_DONTNEED);
    if (!close_fd(&w->fd))
        return error_errno(err, ERR_STORAGE, "cannot close %s", w->path);
    if ((w->flags & STORAGE_WRITE_ATOMIC) != 0)
    {
        if (rename(w->temp_path, w->path) != 0)
            return error_errno(err, ERR_STORAGE, "cannot rename %s to %s", w->temp_path, w->path);
        /* From here on it is the object itself that goes when its name cannot be made durable. */
        w->temp_path = w->path;
        if (sync && !sync_parent(w->path, err))
            return false;
    }
    w->committed = true;
    return true;
}

/* ---- reading ---- */

static void posix_reader_free(StorageReader *base)
{
    close(((PosixReader *) base)->fd);
    mem_free(base);
}

static StorageReader *posix_read_open(Storage *st, const char *path, uint64_t offset,
                                      uint64_t length, Error *err)
{
    AUTO(path_free) char *full = full_path(st, NULL, path);
    /* O_NONBLOCK: a FIFO in an object's place must not hold us up; files do not care. */
    int fd = open(full, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat s;
    PosixReader *r;

    if (fd < 0)
    {
        if (errno == ENOENT || errno == ENOTDIR)
            error_set(err, ERR_NOT_FOUND, "%s does not exist", full);
        else
            error_errno(err, ERR_STORAGE, "cannot open %s", full);
        return NULL;
    }
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode) || offset > INT64_MAX)
    {
        error_set(err, ERR_STORAGE, "cannot read %s: not a regular file", full);
        close(fd);
        return NULL;
    }
    r = mem_new(NULL, PosixReader);
    r->base.st = st;
    r->path = talloc_steal(r, full);
    full = NULL;
    r->fd = fd;
    r->offset = offset;
    r->left = length;
    if (length > READ_AHEAD)
        (void) posix_fadvise(fd, (off_t) offset, 0, POSIX_FADV_SEQUENTIAL);
    return &r->base;
}

static bool posix_read(StorageReader *base, void *buf, size_t size, size_t *ret_n, Error *err)
{
    PosixReader *r = (PosixReader *) base;
    size_t want = size < r->left ? size : (size_t) r->left;
    ssize_t n = 0;

    *ret_n = 0;
    if (want == 0 || r->offset > INT64_MAX)
        return true;
    do
    {
        n = pread(r->fd, buf, want, (off_t) r->offset);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_errno(err, ERR_STORAGE, "cannot read %s", r->path);
    r->offset += (uint64_t) n;
    r->left -= (uint64_t) n;
    *ret_n = (size_t) n;
    return true;
}

/* ---- locks ---- */

/* open_lock_file: a shared lock is also to be had where nothing can be written, on a file that is
 * there already. */
static int open_lock_file(const char *full, bool exclusive)
{
    int fd = open(full, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, FILE_MODE);

    if (fd < 0 && !exclusive && (errno == EACCES || errno == EROFS || errno == EPERM))
        fd = open(full, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    return fd;
}

/* same_file: the lock's file is still the one its name leads to, not one that a holder who has
 * finished since has removed. */
static bool same_file(int fd, const char *full)
{
    struct stat held, named;

    return fstat(fd, &held) == 0 && lstat(full, &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

static char *read_owner(void *ctx, int fd)
{
    char owner[OWNER_LEN];
    ssize_t n = pread(fd, owner, sizeof(owner) - 1, 0);

    owner[n > 0 ? n : 0] = '\0';
    return mem_strndup(ctx, owner, strcspn(owner, "\n"));
}

static bool write_owner(int fd, const char *full, const char *owner, Error *err)
{
    char line[OWNER_LEN];
    int len = snprintf(line, sizeof(line), "%s\n", owner != NULL ? owner : "");

    if (len >= (int) sizeof(line))
        len = (int) sizeof(line) - 1;
    if (ftruncate(fd, 0) != 0 || pwrite(fd, line, (size_t) len, 0) != (ssize_t) len)
        return error_errno(err, ERR_STORAGE, "cannot write to %s", full);
    return true;
}

static bool lock_errno(Error *err, const char *full)
{
    int saved = errno;

    error_errno(err, ERR_STORAGE, "cannot lock %s", full);
    if (saved == ENOLCK || saved == EOPNOTSUPP || saved == ENOSYS || saved == EINVAL)
        error_hint(err, "The file system of the repository must support flock().");
    return false;
}

static bool posix_lock(Storage *st, void *ctx, const char *path, bool exclusive, const char *owner,
                       StorageLock **ret_lock, char **ret_owner, Error *err)
{
    AUTO(path_free) char *full = full_path(st, NULL, path);

    for (int attempt = 0; attempt < LOCK_ATTEMPTS; attempt++)
    {
        __attribute__((cleanup(close_fd_auto))) int fd = open_lock_file(full, exclusive);
        int rc;
        PosixLock *lock;

        if (fd < 0)
            return error_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_STORAGE, "cannot open %s",
                               full);
        do
        {
            rc = flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB);
        } while (rc != 0 && errno == EINTR);
        if (rc != 0 && errno == EWOULDBLOCK)
        {
            if (ret_owner != NULL)
                *ret_owner = read_owner(ctx, fd);
            return true;
        }
        if (rc != 0)
            return lock_errno(err, full);
        if (!same_file(fd, full))
            continue;
        if (exclusive && !write_owner(fd, full, owner, err))
            return false;
        lock = mem_new(NULL, PosixLock);
        lock->base.st = st;
        lock->fd = steal_fd(&fd);
        *ret_lock = &lock->base;
        return true;
    }
    return error_set(err, ERR_LOCK, "cannot lock %s: it is replaced again and again", full);
}

static void posix_unlock(StorageLock *lock)
{
    close(((PosixLock *) lock)->fd);
    mem_free(lock);
}

static char *posix_local_path(Storage *st, void *ctx, const char *path)
{
    return full_path(st, ctx, path);
}

static const StorageOps posix_ops = {
    .make_root = posix_make_root,
    .stat = posix_stat,
    .list = posix_list,
    .make_dir = posix_make_dir,
    .sync_dir = posix_sync_dir,
    .sync_file = posix_sync_file,
    .remove = posix_remove,
    .remove_dir = posix_remove_dir,
    .remove_tree = posix_remove_tree,
    .space = posix_space,
    .write_open = posix_write_open,
    .write = posix_write,
    .writer_commit = posix_writer_commit,
    .writer_free = posix_writer_free,
    .read_open = posix_read_open,
    .read = posix_read,
    .reader_free = posix_reader_free,
    .lock = posix_lock,
    .unlock = posix_unlock,
    .local_path = posix_local_path,
};

Storage *posix_open(void *ctx, const char *uri, const char *root)
{
    PosixStorage *st = mem_new(ctx, PosixStorage);
    size_t len = strlen(root);

    while (len > 1 && root[len - 1] == '/')
        len--;
    st->base.ops = &posix_ops;
    st->base.uri = mem_strdup(st, uri);
    st->root = mem_strndup(st, root, len);
    return &st->base;
}

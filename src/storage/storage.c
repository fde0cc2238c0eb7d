/*
 * storage/storage.c - choosing the driver, and the checks every driver relies on.
 */
#include "storage/storage.h"

#include "base/str.h"
#include "storage/driver.h"

/* A path that leaves the root is a bug of the caller: what comes from a manifest was checked. */
static bool check_path(const char *path, bool may_be_root, Error *err)
{
    const char *part = path;

    if (*path == '\0' && may_be_root)
        return true;
    for (;;)
    {
        size_t len = strcspn(part, "/");

        if (len == 0 || (len == 1 && part[0] == '.') ||
            (len == 2 && part[0] == '.' && part[1] == '.'))
            return error_set(err, ERR_INTERNAL, "\"%s\" is no path inside a repository", path);
        if (part[len] == '\0')
            return true;
        part += len + 1;
    }
}

Storage *storage_open(void *ctx, const char *uri, Error *err)
{
    const char *root = uri, *scheme_end = strstr(uri, "://");

    if (strncmp(uri, "file://", 7) == 0)
    {
        root = uri + 7;
        if (root[0] != '/')
        {
            error_set(err, ERR_USAGE, "repository \"%s\": no absolute path after file://", uri);
            error_hint(err, "Write it as file:///path.");
            return NULL;
        }
    }
    else if (scheme_end != NULL && strcspn(uri, "/.") > (size_t) (scheme_end - uri))
    {
        error_set(err, ERR_USAGE, "repository \"%s\": storage of this kind is not supported", uri);
        error_hint(err, "Name a directory, as /path or file:///path.");
        return NULL;
    }
    if (root[0] == '\0')
    {
        error_set(err, ERR_USAGE, "the repository's path is empty");
        return NULL;
    }
    return posix_open(ctx, uri, root);
}

const char *storage_uri(const Storage *st)
{
    return st->uri;
}

bool storage_make_root(Storage *st, Error *err)
{
    return st->ops->make_root(st, err);
}

bool storage_stat(Storage *st, const char *path, StorageInfo *ret_info, Error *err)
{
    *ret_info = (StorageInfo){.kind = STORAGE_MISSING};
    return check_path(path, true, err) && st->ops->stat(st, path, ret_info, err);
}

bool storage_list(Storage *st, const char *path, StorageEach each, void *arg, Error *err)
{
    return check_path(path, true, err) && st->ops->list(st, path, each, arg, err);
}

bool storage_make_dir(Storage *st, const char *path, bool exclusive, Error *err)
{
    return check_path(path, false, err) && st->ops->make_dir(st, path, exclusive, err);
}

bool storage_sync_dir(Storage *st, const char *path, Error *err)
{
    return check_path(path, true, err) && st->ops->sync_dir(st, path, err);
}

bool storage_sync_file(Storage *st, const char *path, Error *err)
{
    return check_path(path, false, err) && st->ops->sync_file(st, path, err);
}

bool storage_remove(Storage *st, const char *path, Error *err)
{
    return check_path(path, false, err) && st->ops->remove(st, path, err);
}

bool storage_remove_dir(Storage *st, const char *path, Error *err)
{
    return check_path(path, false, err) && st->ops->remove_dir(st, path, err);
}

bool storage_remove_tree(Storage *st, const char *path, Error *err)
{
    return check_path(path, false, err) && st->ops->remove_tree(st, path, err);
}

bool storage_space(Storage *st, StorageSpace *ret, Error *err)
{
    return st->ops->space(st, ret, err);
}

StorageWriter *storage_write_open(Storage *st, const char *path, StorageWriteFlags flags,
                                  Error *err)
{
    return check_path(path, false, err) ? st->ops->write_open(st, path, flags, err) : NULL;
}

bool storage_write(StorageWriter *w, const void *data, size_t len, Error *err)
{
    return w->st->ops->write(w, data, len, err);
}

bool storage_writer_commit(StorageWriter *w, Error *err)
{
    return w->st->ops->writer_commit(w, err);
}

void storage_writer_free(StorageWriter *w)
{
    if (w != NULL)
        w->st->ops->writer_free(w);
}

StorageReader *storage_read_open(Storage *st, const char *path, uint64_t offset, uint64_t length,
                                 Error *err)
{
    return check_path(path, false, err) ? st->ops->read_open(st, path, offset, length, err) : NULL;
}

bool storage_read(StorageReader *r, void *buf, size_t size, size_t *ret_n, Error *err)
{
    return r->st->ops->read(r, buf, size, ret_n, err);
}

void storage_reader_free(StorageReader *r)
{
    if (r != NULL)
        r->st->ops->reader_free(r);
}

bool storage_read_all(Storage *st, void *ctx, const char *path, size_t max, char **ret_data,
                      size_t *ret_len, Error *err)
{
    AUTO(storage_reader_free) StorageReader *r = NULL;
    char block[8192];
    Str *all;

    r = storage_read_open(st, path, 0, UINT64_MAX, err);
    if (r == NULL)
        return false;
    all = str_new(ctx);
    for (;;)
    {
        size_t n;

        if (!storage_read(r, block, sizeof(block), &n, err))
            return false;
        if (n == 0)
            break;
        if (n > max - all->len)
            return error_set(err, ERR_CORRUPT, "%s is longer than %zu bytes", path, max);
        str_addn(all, block, n);
    }
    *ret_data = all->data;
    *ret_len = all->len;
    return true;
}

bool storage_lock(Storage *st, void *ctx, const char *path, bool exclusive, const char *owner,
                  StorageLock **ret_lock, char **ret_owner, Error *err)
{
    *ret_lock = NULL;
    return check_path(path, false, err) &&
           st->ops->lock(st, ctx, path, exclusive, owner, ret_lock, ret_owner, err);
}

void storage_unlock(StorageLock *lock)
{
    if (lock != NULL)
        lock->st->ops->unlock(lock);
}

char *storage_local_path(Storage *st, void *ctx, const char *path)
{
    return st->ops->local_path(st, ctx, path);
}

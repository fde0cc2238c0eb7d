/*
 * storage/storage.h - where a repository's objects live, behind one small interface.
 *
 * Paths are relative to the repository's root, with '/' between parts, made by repo/layout only:
 * no part is empty, "." or "..". A driver is a StorageOps table; posix.c is one. Everything
 * blocks; a Storage may be used by many threads, a reader or writer by one.
 * Every failure is ERR_STORAGE (with errno's text and the path), but where stated.
 */
#ifndef PGARK_STORAGE_STORAGE_H
#define PGARK_STORAGE_STORAGE_H

#include "base/error.h"
#include "base/mem.h"

typedef struct Storage Storage;
typedef struct StorageWriter StorageWriter;
typedef struct StorageReader StorageReader;
typedef struct StorageLock StorageLock;

typedef enum StorageKind
{
    STORAGE_MISSING,
    STORAGE_FILE,
    STORAGE_DIR,
    STORAGE_OTHER,
} StorageKind;

typedef struct StorageInfo
{
    StorageKind kind;
    uint64_t size;      /* bytes, of a file */
    int64_t changed_us; /* wall clock */
} StorageInfo;

/* storage_open names the root by URI: "/path", "relative/path" or "file:///path"; another scheme is
 * ERR_USAGE. Touches nothing. The result lives below ctx. */
Storage *storage_open(void *ctx, const char *uri, Error *err);

/* storage_uri returns the root as given, for messages. */
const char *storage_uri(const Storage *st);

/* storage_make_root creates the root directory itself (mode 0700) when only it is missing. */
bool storage_make_root(Storage *st, Error *err) MUST_CHECK;

/* storage_stat: a missing path is no failure (kind STORAGE_MISSING). "" is the root. */
bool storage_stat(Storage *st, const char *path, StorageInfo *ret_info, Error *err) MUST_CHECK;

/* storage_list calls each(arg, name, info) for every entry of a directory, in no order; a missing
 * directory has none. each may return false with err set to stop. */
typedef bool (*StorageEach)(void *arg, const char *name, const StorageInfo *info, Error *err);
bool storage_list(Storage *st, const char *path, StorageEach each, void *arg, Error *err)
    MUST_CHECK;

/* storage_make_dir creates a directory and its parents (0700), durably. exclusive: the last one
 * must be new, else ERR_EXISTS. */
bool storage_make_dir(Storage *st, const char *path, bool exclusive, Error *err) MUST_CHECK;

/* storage_sync_dir makes the names in a directory durable. */
bool storage_sync_dir(Storage *st, const char *path, Error *err) MUST_CHECK;

/* storage_sync_file makes the content of an object durable that somebody else has written. */
bool storage_sync_file(Storage *st, const char *path, Error *err) MUST_CHECK;

/* storage_remove removes a file; a missing one is no failure. storage_remove_dir removes a
 * directory if it is empty; one that is not, or is missing, is no failure. storage_remove_tree
 * removes a directory with everything in it (symbolic links are removed, not followed). */
bool storage_remove(Storage *st, const char *path, Error *err) MUST_CHECK;
bool storage_remove_dir(Storage *st, const char *path, Error *err) MUST_CHECK;
bool storage_remove_tree(Storage *st, const char *path, Error *err) MUST_CHECK;

/* storage_space: the bytes that this user can still store there, of how many in all. */
typedef struct StorageSpace
{
    uint64_t free;
    uint64_t total;
} StorageSpace;
bool storage_space(Storage *st, StorageSpace *ret, Error *err) MUST_CHECK;

/* Writing: nothing counts before storage_writer_commit(), which makes the content durable (unless
 * no_sync was set), and with atomic the name, too. The name of a plain object lasts from the next
 * storage_sync_dir() of its directory on: one for all. With atomic, the object appears under its
 * name at commit only (temporary name, fsync, rename, fsync of the directory); an existing object
 * of that name is replaced. Without it the name must be new (ERR_EXISTS). The directory must exist.
 * A large object is written through to the disk on the way and does not stay in the page cache
 * (unless no_sync was set), so storage_write blocks when the disk is slower than the caller.
 * storage_writer_free removes what was not committed; NULL is fine. With keep (of a plain object) it
 * stays as it is, as it would if this process were killed. With over (of a plain object) the name may
 * be one that is there: its bytes stay until they are written over, from the first one on, and what
 * lies behind the last that is written stays. */
typedef enum StorageWriteFlags
{
    STORAGE_WRITE_PLAIN = 0,
    STORAGE_WRITE_ATOMIC = 1,
    STORAGE_WRITE_NO_SYNC = 2,
    STORAGE_WRITE_KEEP = 4,
    STORAGE_WRITE_OVER = 8,
} StorageWriteFlags;
StorageWriter *storage_write_open(Storage *st, const char *path, StorageWriteFlags flags,
                                  Error *err);
bool storage_write(StorageWriter *w, const void *data, size_t len, Error *err) MUST_CHECK;
bool storage_writer_commit(StorageWriter *w, Error *err) MUST_CHECK;
void storage_writer_free(StorageWriter *w);
DEFINE_AUTO(StorageWriter, storage_writer_free)

/* Reading: length bytes from offset (length UINT64_MAX: to the end). A missing object is
 * ERR_NOT_FOUND; one that ends early just ends (the caller knows the length it wants).
 * storage_read returns up to size bytes, *ret_n 0 only at the end. */
StorageReader *storage_read_open(Storage *st, const char *path, uint64_t offset, uint64_t length,
                                 Error *err);
bool storage_read(StorageReader *r, void *buf, size_t size, size_t *ret_n, Error *err) MUST_CHECK;
void storage_reader_free(StorageReader *r);
DEFINE_AUTO(StorageReader, storage_reader_free)

/* storage_read_all reads an object of at most max bytes, NUL-terminated, below ctx (ERR_CORRUPT
 * when it is longer). */
bool storage_read_all(Storage *st, void *ctx, const char *path, size_t max, char **ret_data,
                      size_t *ret_len, Error *err) MUST_CHECK;

/* storage_lock takes an advisory lock on the file path (made when missing), never waiting.
 * Held by somebody else: returns true with *ret_lock NULL, and *ret_owner (below ctx, may be "")
 * is what the holder wrote. An exclusive lock writes owner into the file. The lock ends with
 * storage_unlock (NULL is fine) or the process, however that ends. A shared lock needs no right to
 * write when the file is there. ERR_NOT_FOUND: the file's directory is not there. */
bool storage_lock(Storage *st, void *ctx, const char *path, bool exclusive, const char *owner,
                  StorageLock **ret_lock, char **ret_owner, Error *err) MUST_CHECK;
void storage_unlock(StorageLock *lock);
DEFINE_AUTO(StorageLock, storage_unlock)

/* storage_local_path returns the file system path of an object below ctx, or NULL where the driver
 * has none: for programs that can only read files. */
char *storage_local_path(Storage *st, void *ctx, const char *path);

#endif

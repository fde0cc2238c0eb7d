/*
 * storage/driver.h - what a storage driver is, for the drivers and storage.c only.
 *
 * storage.c has checked the path before a driver sees it. The functions carry the contracts of
 * their namesakes in storage.h. A driver allocates its own, larger structs for writers, readers and
 * locks; the ones below are their first members.
 */
#ifndef PGARK_STORAGE_DRIVER_H
#define PGARK_STORAGE_DRIVER_H

#include "storage/storage.h"

typedef struct StorageOps
{
    bool (*make_root)(Storage *st, Error *err);
    bool (*stat)(Storage *st, const char *path, StorageInfo *ret_info, Error *err);
    bool (*list)(Storage *st, const char *path, StorageEach each, void *arg, Error *err);
    bool (*make_dir)(Storage *st, const char *path, bool exclusive, Error *err);
    bool (*sync_dir)(Storage *st, const char *path, Error *err);
    bool (*sync_file)(Storage *st, const char *path, Error *err);
    bool (*remove)(Storage *st, const char *path, Error *err);
    bool (*remove_dir)(Storage *st, const char *path, Error *err);
    bool (*remove_tree)(Storage *st, const char *path, Error *err);
    bool (*space)(Storage *st, StorageSpace *ret, Error *err);
    StorageWriter *(*write_open)(Storage *st, const char *path, StorageWriteFlags flags,
                                 Error *err);
    bool (*write)(StorageWriter *w, const void *data, size_t len, Error *err);
    bool (*writer_commit)(StorageWriter *w, Error *err);
    void (*writer_free)(StorageWriter *w);
    StorageReader *(*read_open)(Storage *st, const char *path, uint64_t offset, uint64_t length,
                                Error *err);
    bool (*read)(StorageReader *r, void *buf, size_t size, size_t *ret_n, Error *err);
    void (*reader_free)(StorageReader *r);
    bool (*lock)(Storage *st, void *ctx, const char *path, bool exclusive, const char *owner,
                 StorageLock **ret_lock, char **ret_owner, Error *err);
    void (*unlock)(StorageLock *lock);
    char *(*local_path)(Storage *st, void *ctx, const char *path);
} StorageOps;

struct Storage
{
    const StorageOps *ops;
    char *uri;
};

struct StorageWriter
{
    Storage *st;
};

struct StorageReader
{
    Storage *st;
};

struct StorageLock
{
    Storage *st;
};

/* posix_open: root is a path of the file system. */
Storage *posix_open(void *ctx, const char *uri, const char *root);

#endif

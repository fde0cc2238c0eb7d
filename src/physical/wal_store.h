/*
 * physical/wal_store.h - from the bytes of WAL to stored segments.
 *
 * WAL -> count + XXH3-128 -> page headers -> compress -> count + SHA-256 -> object
 *
 * A WalStore belongs to one thread, and has one segment at hand at a time.
 */
#ifndef PGARK_PHYSICAL_WAL_STORE_H
#define PGARK_PHYSICAL_WAL_STORE_H

#include "repo/manifest.h"

/* Where segments go, and which are accepted. */
typedef struct WalStoreSpec
{
    Storage *storage;
    const char *base; /* directory within the storage that the objects' names are relative to */
    const char *dir;  /* of the objects, below base */
    bool grouped;     /* below dir, each in a directory of the first digits of its name */
    bool
        lasting; /* it outlives runs: objects appear when they are finished and replace what a run that
                           died had not told of; the segment at hand is also kept as it comes, as NAME.partial,
                           so that what was received is there when this process or the server dies */
    Compress compress;
    bool no_sync;
    uint64_t system_identifier;
    uint64_t segment_size;
    int content;
    /* Called with the record of each finished segment or history file, which dies with the call. */
    bool (*on_stored)(void *arg, const WalRecord *record, Error *err);
    void *arg;
} WalStoreSpec;

typedef struct WalStore WalStore;

/* wal_store_new: what spec points to must outlive the result. */
WalStore *wal_store_new(const WalStoreSpec *spec);

/* wal_store_free removes what is there of the segment at hand (but its .partial). */
void wal_store_free(WalStore *w);
DEFINE_AUTO(WalStore, wal_store_free)

/* wal_store_begin begins the segment of a timeline that begins at start; its directory is made. ERR_EXISTS: it
 * is there, and the store is not a lasting one. A .partial of it that an earlier run left is written over, so that it
 * never has less than it had. */
bool wal_store_begin(WalStore *w, uint32_t timeline, uint64_t start, Error *err) MUST_CHECK;

/* wal_store_write takes bytes, as they come, of the segment at hand, and no more than fit. */
bool wal_store_write(WalStore *w, const void *data, size_t len, Error *err) MUST_CHECK;

/* wal_store_room: bytes that the segment at hand still wants; 0: there is none at hand. */
uint64_t wal_store_room(const WalStore *w);

/* wal_store_end finishes the segment at hand, with zeros where bytes are missing: durable, but for its name in
 * its directory, and told to on_stored. */
bool wal_store_end(WalStore *w, Error *err) MUST_CHECK;

/* wal_store_drop leaves the segment at hand as its .partial. */
void wal_store_drop(WalStore *w);

/* wal_store_sync makes durable what is in the .partial, and its name. */
bool wal_store_sync(WalStore *w, Error *err) MUST_CHECK;

/* wal_store_history stores the history file of a timeline. */
bool wal_store_history(WalStore *w, uint32_t timeline, const void *data, size_t len, Error *err)
    MUST_CHECK;

/* wal_store_sync_names makes the names of objects durable that lie directly in dir. */
bool wal_store_sync_names(WalStore *w, Error *err) MUST_CHECK;

#endif

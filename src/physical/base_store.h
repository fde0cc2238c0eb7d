/*
 * physical/base_store.h - from the streams of a base backup to the objects of a set.
 *
 * stream -> tar walk: which file it is, CRC-32C, checksums of pages
 *        -> count + XXH3-128 -> compress -> count + SHA-256 -> object of about the size that is wanted
 * manifest -> comparison with the files that came -> compress -> count + SHA-256 -> object;
 *        where the server makes none, one of the files that came
 *
 * A part ends where a member of the tar archive ends, once it has its size; in the middle of a member where it
 * would have PART_SIZES times as much. A BaseStore belongs to one thread, and has threads of its own for the
 * second half where there are more processors than nodes.
 */
#ifndef PGARK_PHYSICAL_BASE_STORE_H
#define PGARK_PHYSICAL_BASE_STORE_H

#include <stdatomic.h>

#include "base/rate.h"
#include "pg/base_backup.h"
#include "physical/page_check.h"
#include "physical/request.h"
#include "repo/manifest.h"
#include "report/progress.h"

#define PART_SIZES 4

typedef struct BaseStoreSpec
{
    Storage *storage;
    const char *set_dir; /* within the storage */
    const char *dir;     /* of the node, within the set: exists */
    int content;
    Compress compress;
    size_t nodes; /* of its run: they share the processors */
    bool no_sync;
    uint64_t part_size;
    uint32_t block_size;
    uint32_t segment_blocks;
    bool check_pages;
    bool make_manifest; /* the server makes none */
    const Cancel *cancel;
    ProgressNode *progress;
} BaseStoreSpec;

/* A page that is not right, or was being written when it was read. */
typedef struct BasePage
{
    char *path; /* in the data directory */
    uint32_t segment;
    uint32_t block; /* within the file */
} BasePage;

#define BASE_PAGES_MAX 1000

/* Of a stream of an incremental backup, counted as a tar archive of the whole files would be. */
typedef struct BaseStreamBytes
{
    uint64_t restored; /* files and directories that there are, restored with the backups before */
    uint64_t added;    /* what of them the backups before surely have is left out */
    bool unknown;      /* a file of changed blocks has another form than is known */
} BaseStreamBytes;

/* What was stored; below the store. */
typedef struct BaseStored
{
    BaseBackupStart start;
    BaseStreamBytes *bytes; /* of each of its tablespaces */
    PartRecord *parts;
    size_t part_count, part_capacity;
    ObjectRecord manifest; /* path NULL: none came */
    uint64_t manifest_bytes;
    uint64_t files;
    BasePage *pages; /* at most BASE_PAGES_MAX */
    size_t page_count, page_capacity;
    uint64_t bad_pages; /* all of them */
} BaseStored;

typedef struct BaseStore BaseStore;

/* base_store_new: what spec points to must outlive it. NULL with err set: no thread. */
BaseStore *base_store_new(const BaseStoreSpec *spec, Error *err);
/* base_store_free removes the object that was not finished. */
void base_store_free(BaseStore *s);
DEFINE_AUTO(BaseStore, base_store_free)

/* base_store_sink is where base_backup_run puts what comes. */
BaseBackupSink base_store_sink(BaseStore *s);

/* base_store_manifest, when all archives have come, of a spec with make_manifest: makes and stores one of what has
 * come (physical/manifest_make.h). end_lsn: where the backup ended. */
bool base_store_manifest(BaseStore *s, uint64_t end_lsn, Error *err) MUST_CHECK;

/* base_store_finish, when all has come: everything is stored and durable, but for names in their directory. */
bool base_store_finish(BaseStore *s, Error *err) MUST_CHECK;

/* base_store_result, after that. */
const BaseStored *base_store_result(const BaseStore *s);

#endif

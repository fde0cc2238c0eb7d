/*
 * backup/left.h - what a dead run has left of one node: the chunks of it that another run in the same
 * snapshot need not copy again.
 *
 * Only what is proven counts: a chunk is there when its record is a whole line of the chunk file, and
 * the bytes that the line names have the length and the SHA-256 that it says. So nothing depends on
 * which of a line and its object reached the disk first, or on how the run ended. All else is
 * removed: objects that no good line names, an archive of definitions (made again in seconds), what
 * was about to be renamed.
 *
 * A chunk that the run has referred to is proven in the same way, where the set is that has it; but
 * nothing is ever changed there.
 *
 * An object is covered by its chunks without a gap (doc/format.md, 2.2). One that is not, like the
 * bundle that was being written, or one with a damaged chunk in it, is replaced by a new bundle of its
 * good chunks.
 */
#ifndef PGARK_BACKUP_LEFT_H
#define PGARK_BACKUP_LEFT_H

#include "backup/catalog.h"
#include "repo/base.h"

/* Where to look; strings live as long as the caller wants. */
typedef struct LeftPlace
{
    Storage *storage;
    const char *set_dir;
    const char *node_dir;   /* within the set */
    const char *chunk_file; /* within the set */
    const Catalog *catalog; /* of the snapshot */
    const Cancel *cancel;
    bool no_sync;
    const Base *base; /* what lies in its sets is good, too; NULL: in no others */
} LeftPlace;

typedef struct LeftChunks
{
    ChunkRecord *chunks; /* by table, then by number; ranges of a table do not overlap */
    size_t count;
    size_t capacity;
    uint64_t objects; /* files that they lie in */
    int bundles;      /* the highest number of a bundle that was ever there */
} LeftChunks;

/* left_take proves and cleans, and begins the chunk file anew with what is good; ret lives below ctx,
 * *ret_writer goes on with the file (manifest_writer_new_kept). Reads all that is there. When this is
 * killed at any point, it can be done once more. ERR_STORAGE, ERR_CANCELLED. */
bool left_take(void *ctx, const LeftPlace *place, LeftChunks *ret, ManifestWriter **ret_writer,
               Error *err) MUST_CHECK;

#endif

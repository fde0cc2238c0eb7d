/*
 * backup/chunk_writer.h - one worker's way from COPY rows to stored bytes.
 *
 * COPY data -> count + XXH3-128 -> compress -> count + SHA-256 -> spool
 * The spool keeps the first SPOOL_SIZE stored bytes of a chunk in memory: a chunk that ends within
 * it is appended to the worker's bundle, a bigger one becomes an object of its own.
 *
 * Of an incremental backup, a chunk that the base may have is read to the end first, and nothing but
 * the spool is kept: if it is unchanged (backup/change.h) its record refers to the base's object. If
 * it is not, and was larger than the spool, it is read once more and stored. Where it is expected to
 * have changed it is stored at once, and its object removed when it has not after all.
 */
#ifndef PGARK_BACKUP_CHUNK_WRITER_H
#define PGARK_BACKUP_CHUNK_WRITER_H

#include <stdatomic.h>

#include "backup/change.h"
#include "backup/plan.h"
#include "base/rate.h"
#include "pg/copy.h"
#include "report/progress.h"
#include "storage/storage.h"

typedef struct ChunkWriter ChunkWriter;

/* node_dir: "db/<db>/node<content>" within the set, set_dir the set within the repository.
 * bundle_ids is shared by all writers of a node. keep: the bundle stays when the writer is freed
 * without being closed, as chunks in it may be of use to another run; what is there of the chunk at
 * hand never is. */
ChunkWriter *chunk_writer_new(Storage *st, const char *set_dir, const char *node_dir,
                              Compress compress, bool no_sync, bool keep, atomic_int *bundle_ids);

/* One chunk to be copied. */
typedef struct ChunkJob
{
    PgConn *conn;
    const char *sql; /* holds one COPY TO STDOUT of the chunk */
    const Relation *table;
    const Chunk *chunk;
    ProgressNode *progress;
    RateLimit *rate;         /* of the node, NULL: none */
    const ChunkRecord *base; /* what the base has in its place, with its set; NULL: nothing */
    const ChangeProvider *provider;
} ChunkJob;

/* chunk_writer_copy runs the job, twice if need be, and stores what comes, unless the base has it.
 * record is filled; its strings live below ctx. *ret_started as in pg_copy_out, of the last time. */
bool chunk_writer_copy(ChunkWriter *w, const ChunkJob *job, void *ctx, ChunkRecord *record,
                       bool *ret_started, Error *err) MUST_CHECK;

/* chunk_writer_close makes the last bundle durable; *ret_objects counts the files made. */
bool chunk_writer_close(ChunkWriter *w, uint64_t *ret_objects, Error *err) MUST_CHECK;

/* chunk_writer_free removes what was not closed (but see keep). */
void chunk_writer_free(ChunkWriter *w);
DEFINE_AUTO(ChunkWriter, chunk_writer_free)

#endif

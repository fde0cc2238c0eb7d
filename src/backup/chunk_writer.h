/*
 * backup/chunk_writer.h - one worker's way from COPY rows to stored bytes.
 *
 * COPY data -> count + XXH3-128 -> compress -> count + SHA-256 -> spool
 * The spool keeps the first SPOOL_SIZE stored bytes of a chunk in memory: a chunk that ends within
 * it is appended to the worker's bundle, a bigger one becomes an object of its own.
 */
#ifndef PGARK_BACKUP_CHUNK_WRITER_H
#define PGARK_BACKUP_CHUNK_WRITER_H

#include <stdatomic.h>

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
    RateLimit *rate; /* of the node, NULL: none */
} ChunkJob;

/* chunk_writer_copy runs the job and stores what comes. record is filled; its strings live below
 * ctx. *ret_started as in pg_copy_out. */
bool chunk_writer_copy(ChunkWriter *w, const ChunkJob *job, void *ctx, ChunkRecord *record,
                       bool *ret_started, Error *err) MUST_CHECK;

/* chunk_writer_close makes the last bundle durable; *ret_objects counts the files made. */
bool chunk_writer_close(ChunkWriter *w, uint64_t *ret_objects, Error *err) MUST_CHECK;

/* chunk_writer_free removes what was not closed (but see keep). */
void chunk_writer_free(ChunkWriter *w);
DEFINE_AUTO(ChunkWriter, chunk_writer_free)

#endif

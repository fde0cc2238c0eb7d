/*
 * backup/plan.h - cuts tables into chunks and hands them out, biggest first.
 */
#ifndef PGARK_BACKUP_PLAN_H
#define PGARK_BACKUP_PLAN_H

#include "backup/catalog.h"

typedef struct Chunk
{
    size_t table;        /* index into the catalogue's items */
    uint32_t number;     /* within the table */
    uint64_t from_block; /* of a relation that is split by oids: the first oid */
    uint64_t to_block;   /* 0: to the end, whatever it is */
    uint64_t bytes;      /* estimate: its share of heap and TOAST */
} Chunk;

typedef struct Plan
{
    Chunk *chunks; /* biggest first */
    size_t count;
    size_t capacity;
    uint64_t bytes;
} Plan;

/* plan_make cuts every table with rows; one that is to be compared, where its ranges say, and what has grown behind the
 * last of them by size. A table without a block has no row in any snapshot taken
 * while its lock was held before the size was read (VACUUM cuts off only what nobody can see), and
 * gets one chunk of 0 bytes that needs no COPY. block_ranges: the server can scan them (14 and
 * newer). */
void plan_make(void *ctx, const Catalog *catalog, const BackupRequest *request, bool block_ranges,
               Plan *ret);

/* plan_without takes out of a plan what is done already: records of finished chunks, by table and then
 * by number, whose ranges do not overlap; whatever plan they come from. Every finished chunk keeps its
 * number and range, the chunks that stay have the missing numbers and cover the rest. Below ctx. */
void plan_without(void *ctx, const Catalog *catalog, const ChunkRecord *done, size_t count,
                  Plan *plan);

/* The queue of one node. Workers take chunks; a chunk whose table lock a worker could not get is
 * handed to the holder, with all later chunks of that table. */
typedef struct ChunkQueue ChunkQueue;
ChunkQueue *chunk_queue_new(const Plan *plan, size_t tables, int workers);
void chunk_queue_free(ChunkQueue *queue);
DEFINE_AUTO(ChunkQueue, chunk_queue_free)

/* chunk_queue_next: the next chunk for a worker, NULL when there is none left. */
const Chunk *chunk_queue_next(ChunkQueue *queue);

/* chunk_queue_hand_over gives a chunk to the holder. */
void chunk_queue_hand_over(ChunkQueue *queue, const Chunk *chunk);

/* chunk_queue_worker_done: this worker takes no more. */
void chunk_queue_worker_done(ChunkQueue *queue);

/* chunk_queue_next_held blocks until there is a chunk for the holder, or NULL: all workers are done
 * and nothing is left. Workers leave the queue on cancellation, so this ends then, too. */
const Chunk *chunk_queue_next_held(ChunkQueue *queue);

#endif

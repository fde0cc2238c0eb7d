/*
 * repo/chunk_index.h - which chunks a node's tables have, in few bytes each.
 */
#ifndef PGARK_REPO_CHUNK_INDEX_H
#define PGARK_REPO_CHUNK_INDEX_H

#include "repo/fold.h"

/* Where a chunk's record lies in its node's chunk file (manifest_read_chunk reads it). */
typedef struct ChunkPlace
{
    uint64_t line_offset;
    uint64_t logical;
    uint32_t line_len;
    uint32_t number; /* of the chunk within its table */
    uint32_t table_oid;
    const FoldedPart *part; /* that it is a chunk of, NULL: the node's own table */
} ChunkPlace;

typedef struct ChunkIndex
{
    ChunkPlace *places; /* by table, then by number */
    size_t count;
    size_t capacity;
} ChunkIndex;

/* What is read: a node of a set. */
typedef struct ChunkIndexSource
{
    Storage *storage;
    const char *set_dir;
    const Manifest *manifest;
    const Fold *fold;
    const NodeRecord *node;
} ChunkIndexSource;

/* chunk_index_read reads the node's chunk file, and those of nodes with parts of its tables, once and keeps, below ctx, the places of the chunks
 * that have rows and whose table is among the wanted ones (oids, sorted). Errors are those of
 * manifest_each_chunk. */
ChunkIndex *chunk_index_read(void *ctx, const ChunkIndexSource *source, const uint32_t *wanted,
                             size_t wanted_count, Error *err);

/* chunk_index_table finds a table's places: *ret_count of them from the returned one on. */
const ChunkPlace *chunk_index_table(const ChunkIndex *index, uint32_t table_oid, size_t *ret_count);

#endif

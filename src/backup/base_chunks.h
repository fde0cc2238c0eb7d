/*
 * backup/base_chunks.h - the chunks that the base of an incremental backup has of one node.
 */
#ifndef PGARK_BACKUP_BASE_CHUNKS_H
#define PGARK_BACKUP_BASE_CHUNKS_H

#include "backup/change.h"
#include "repo/base.h"

typedef struct BaseChunks BaseChunks;

/* base_chunks_read reads the node's chunk file in the base, and keeps some 40 bytes for each chunk,
 * below ctx. *ret NULL: the base does not have this node. */
bool base_chunks_read(void *ctx, const Base *base, const ChangeProvider *provider, int content,
                      const char *database, BaseChunks **ret, Error *err) MUST_CHECK;

/* base_chunks_apply gives every relation of the catalogue that can be compared the ranges of the base's
 * chunks (Relation.ranges), for the plan. block_ranges as in plan_make. Below the chunks. */
void base_chunks_apply(BaseChunks *chunks, Catalog *catalog, bool block_ranges);

/* base_chunks_find finds what the base has in the place of a chunk of a relation that can be compared;
 * its strings live below ctx, its set is never "". *ret_there false: nothing, or it is not where it
 * should be (of which the first time is warned about). From any thread. */
bool base_chunks_find(BaseChunks *chunks, void *ctx, const Relation *relation, uint64_t from_block,
                      uint64_t to_block, ChunkRecord *ret, bool *ret_there, Error *err) MUST_CHECK;

const ChangeProvider *base_chunks_provider(const BaseChunks *chunks);

#endif

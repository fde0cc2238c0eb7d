/*
 * restore/before.h - how much a restore that goes on (--resume) found done, and what it did itself.
 */
#ifndef PGARK_RESTORE_BEFORE_H
#define PGARK_RESTORE_BEFORE_H

#include "restore/node.h"

/* before_chunks tells the progress how many bytes are there already. To be called when node->chunks are
 * listed. */
void before_chunks(RestoreNode *node);

/* before_definitions counts those that are there already (node->before.statements). To be called when
 * node->ddl is what will be run. */
void before_definitions(RestoreNode *node);

/* before_loaded notes rows that this run has loaded of a chunk. Thread-safe. */
void before_loaded(RestoreNode *node, const ChunkRef *ref, uint64_t rows);

/* before_rows counts the rows that are there in the end, and which of them were before. */
void before_rows(RestoreNode *node);

#endif

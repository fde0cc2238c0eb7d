/*
 * restore/data.h - loads chunks.
 */
#ifndef PGARK_RESTORE_DATA_H
#define PGARK_RESTORE_DATA_H

#include "restore/node.h"
#include "restore/schedule.h"

typedef struct DataLoader DataLoader;

/* One per worker: keeps the decompressor and its buffers. */
DataLoader *data_loader_new(RestoreNode *node, PgConn *conn);
void data_loader_free(DataLoader *loader);
DEFINE_AUTO(DataLoader, data_loader_free)

/* data_load_chunk begins a transaction with before and copies one chunk of t into t->route or
 * t->quoted; what came is proven when it returns true. The transaction stays open: the caller
 * commits, or rolls back. */
bool data_load_chunk(DataLoader *loader, const RestoreTable *t, const ChunkRef *ref,
                     const char *before, bool freeze, Error *err) MUST_CHECK;

/* data_load runs a TASK_PART (all chunks of a part in one transaction on the server where it will be,
 * which empties the relation first, so that it may be done again), a TASK_TABLE (all chunks of the table in one transaction that truncates it first,
 * with FREEZE) or a TASK_CHUNK (that chunk in a transaction of its own). The stored bytes are
 * checked while they stream to the server; the transaction is committed only when length, both
 * hashes and the row counts of the manifest and of the server agree, and rolled back otherwise:
 * nothing with a wrong hash is ever visible. */
bool data_load(DataLoader *loader, const Task *task, Error *err) MUST_CHECK;

/* data_task_chunks: how many chunks a task of these loads. */
size_t data_task_chunks(const RestoreNode *node, const Task *task);

#endif

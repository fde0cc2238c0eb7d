/*
 * backup/worker.h - the threads that move a node's data.
 */
#ifndef PGARK_BACKUP_WORKER_H
#define PGARK_BACKUP_WORKER_H

#include "backup/node.h"

/* worker_run_all starts one thread per worker connection, one that serves the
 * holder's queue with the holder's connection, and joins them. The first failure raises
 * node->cancel, with itself as the cause, so that all nodes stop; err holds this node's own. */
bool worker_run_all(BackupNode *node, Error *err) MUST_CHECK;

#endif

/*
 * fleet/restore_run.h - one restore of a set, to as many nodes as it has.
 */
#ifndef PGARK_FLEET_RESTORE_RUN_H
#define PGARK_FLEET_RESTORE_RUN_H

#include "fleet/supervise.h"
#include "restore/node.h"

typedef struct RestoreResult
{
    Manifest *manifest;
    RestoreNode
        *nodes; /* counts, labels, what failed and what was left out; connections are closed */
    size_t node_count;
    int64_t elapsed_ms;
} RestoreResult;

/* restore_run restores a whole set. Everything that can be known is checked on all nodes (map,
 * targets, archives, chunk files) before anything is changed on any. The first failure stops all
 * nodes, but for those that --on-error=continue notes in the nodes' outcomes; the error then says
 * what the user has to do before another try. Result below ctx. */
bool restore_run(void *ctx, const RestoreRequest *request, Supervisor *supervisor,
                 ProgressMode mode, RestoreResult *result, Error *err) MUST_CHECK;

#endif

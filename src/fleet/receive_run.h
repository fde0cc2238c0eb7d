/*
 * fleet/receive_run.h - WAL of all nodes of a fleet, received into a repository until somebody ends it.
 */
#ifndef PGARK_FLEET_RECEIVE_RUN_H
#define PGARK_FLEET_RECEIVE_RUN_H

#include "fleet/supervise.h"
#include "fleet/topology.h"
#include "io/compress.h"

typedef struct ReceiveRequest
{
    const char *repo;
    /* A permanent physical slot of that name is made on each node where there is none; but not where WAL is read out of
     * files (wal_files in engine.h). */
    const char *slot;
    Compress compress;
    bool no_loop;  /* a lost connection is the end */
    bool skip_gap; /* WAL that a server has no more is gone: go on behind it */
} ReceiveRequest;

typedef struct ReceiveResult
{
    uint64_t segments; /* finished by this run, of all nodes */
    uint64_t bytes;
    uint64_t stored;
} ReceiveResult;

/* receive_run receives, from where each node's WAL in the repository ends - or where its slot begins - on: complete
 * segments, proven and compressed, the one at hand as it comes. Follows servers through restarts, lost connections and
 * new timelines. A node that fails is told, and tried again every minute; the others go on while there are any, but
 * for what is wrong when it begins, and with no_loop. ERR_CANCELLED is the end that is asked for; ERR_NOT_FOUND: a server has
 * removed WAL that is not in the repository; ERR_LOCK: somebody else receives that server's. */
bool receive_run(void *ctx, const Fleet *fleet, const ReceiveRequest *request,
                 Supervisor *supervisor, ReceiveResult *ret, Error *err) MUST_CHECK;

#endif

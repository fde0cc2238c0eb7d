/*
 * fleet/cut.h - the one logical instant that all nodes' snapshots show.
 */
#ifndef PGARK_FLEET_CUT_H
#define PGARK_FLEET_CUT_H

#include "fleet/engine.h"

/* cut_check refuses, before anything is locked, what cannot succeed: a standby in a fleet whose cut
 * has to be proven, or behind a barrier. ERR_CUT. All nodes are connected. */
bool cut_check(const BackupNode *nodes, size_t count, CutMode mode, Error *err) MUST_CHECK;

/* engine: of the fleet, NULL: none. cut_take gives every node a snapshot (exported by its scout, id in snapshot_id, text in
 * record.snapshot), proven by the method that mode asks for and the number of nodes allows; record
 * says how. All nodes are connected and locked. ERR_CUT: not within the time; the message says what
 * was in the way. May be called again for another try after node_confirm. */
bool cut_take(BackupNode *nodes, size_t count, CutMode mode, int64_t timeout_ms,
              const FleetEngine *engine, const Cancel *cancel, CutRecord *record, Error *err)
    MUST_CHECK;

/* A restore point to be made. */
typedef struct CutPoint
{
    const char *name;
    CutMode mode;
    int64_t timeout_ms;
    const FleetEngine *engine; /* or NULL */
    uint64_t *lsns;            /* is filled: for each node, where its record ends */
    bool *begun; /* is set before the first node is asked: from then on it may be in WAL; or NULL */
} CutPoint;

/* cut_restore_point makes restore points on all nodes, of one instant (argued in cut.c, 4): behind a barrier, but with
 * one node or CUT_NONE. WAL is on each server's disk up to the end of its record then. Only the nodes' probes are
 * needed, and what is to be locked. ERR_CUT: not within the time. */
bool cut_restore_point(BackupNode *nodes, size_t count, const CutPoint *point, const Cancel *cancel,
                       CutRecord *record, Error *err) MUST_CHECK;

#endif

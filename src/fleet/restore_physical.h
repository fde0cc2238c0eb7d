/*
 * fleet/restore_physical.h - one restore of a physical set: data directories on this host.
 */
#ifndef PGARK_FLEET_RESTORE_PHYSICAL_H
#define PGARK_FLEET_RESTORE_PHYSICAL_H

#include "fleet/supervise.h"
#include "physical/restore.h"
#include "restore/request.h"

/* Where nodes of a cluster will be that were elsewhere: --host-map. */
typedef struct RestoreHosts
{
    const NameMap *map;
    size_t count;
} RestoreHosts;

/* restore_physical finds the set, which must be a physical one (ERR_USAGE), and restores what the request names
 * (physical/restore.h); with hosts, of a set of Citus, the nodes get to know each other's new addresses
 * (fleet/citus_nodes.h). Result below ctx. */
bool restore_physical(void *ctx, const PhysicalRestoreRequest *request, RestoreHosts hosts,
                      Supervisor *supervisor, ProgressMode mode, PhysicalRestoreResult *ret,
                      Error *err) MUST_CHECK;

#endif

/*
 * fleet/restore_physical_parts.h - what a restore of a physical set has in common with and without agents.
 */
#ifndef PGARK_FLEET_RESTORE_PHYSICAL_PARTS_H
#define PGARK_FLEET_RESTORE_PHYSICAL_PARTS_H

#include "fleet/citus_nodes.h"
#include "fleet/greenplum_nodes.h"
#include "fleet/restore_physical.h"

typedef struct PhysicalRun
{
    void *ctx;
    const FleetRestore *restore;
    Supervisor *supervisor;
    ProgressMode mode;
    PhysicalRestoreResult *result;
    Cancel *cancel;
    Repo *repo;
    char *dir;         /* of the set */
    StorageLock *lock; /* shared: keeps expire away */
    CitusNodes nodes;
    GreenplumNodes greenplum;
    size_t tables; /* of a cluster's nodes, that were found and changed */
} PhysicalRun;

/* restore_physical_open finds the set and reads its manifest, which is the result's, too. run->lock is to be given back in
 * any case. */
bool restore_physical_open(PhysicalRun *run, Error *err) MUST_CHECK;

/* restore_physical_hosts prepares the request of directories on this host for new addresses of nodes, where they are
 * wanted, and in any case where a Greenplum coordinator is among them: what is needed for it is looked for before anything
 * is written. */
bool restore_physical_hosts(PhysicalRun *run, PhysicalRestoreRequest *request, Error *err)
    MUST_CHECK;

/* restore_physical_by_agents restores a set that is open, some or all nodes of it by agents. */
bool restore_physical_by_agents(PhysicalRun *run, Error *err) MUST_CHECK;

#endif

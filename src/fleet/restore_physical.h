/*
 * fleet/restore_physical.h - one restore of a physical set: data directories on this host, and on others by agents.
 */
#ifndef PGARK_FLEET_RESTORE_PHYSICAL_H
#define PGARK_FLEET_RESTORE_PHYSICAL_H

#include "agent/process.h"
#include "fleet/supervise.h"
#include "physical/restore.h"
#include "restore/request.h"

/* Where nodes of a cluster will be that were elsewhere: --host-map. */
typedef struct RestoreHosts
{
    const NameMap *map;
    size_t count;
} RestoreHosts;

/* A server on the host on which a node's directory is to be made, by an agent: --agent-map. */
typedef struct RestoreAgent
{
    int content;
    PgConnSpec spec;
} RestoreAgent;

/* In the database of that name where none is named. */
#define RESTORE_AGENT_DATABASE "postgres"

typedef struct RestoreAgents
{
    const RestoreAgent *items;
    size_t count; /* 0: all directories are here */
    /* The restore's options, as agents are told them, but for directories and the target. */
    const char *const *arguments;
    size_t argument_count;
} RestoreAgents;

typedef struct FleetRestore
{
    PhysicalRestoreRequest files; /* directories of all nodes, wherever they are */
    RestoreHosts hosts;
    RestoreAgents agents;
} FleetRestore;

/* restore_physical finds the set, which must be a physical one (ERR_USAGE), and restores what the request names
 * (physical/restore.h); with hosts, of a set of Citus, the nodes get to know each other's new addresses
 * (fleet/citus_nodes.h); the coordinator of a Greenplum cluster is told in any case where its nodes are
 * (fleet/greenplum_nodes.h). Result below ctx.
 *
 * Nodes that have an agent are restored by it: one for all nodes of a server, which sees to them as is done here. The set,
 * the manifest that all must see, and the target are found here. All are at each stage together: nothing is written
 * anywhere before everything is checked everywhere, no server can start before all nodes have all else, and nobody is
 * done before all are. The first failure ends all, and what was written is removed everywhere. ERR_USAGE: a node has an
 * agent and no directory, a path is relative, or agents cannot be started there. */
bool restore_physical(void *ctx, const FleetRestore *restore, Supervisor *supervisor,
                      ProgressMode mode, PhysicalRestoreResult *ret, Error *err) MUST_CHECK;

/* restore_physical_node is the work of AGENT_RESTORE_PHYSICAL: the directories of restore, whose agents are not looked
 * at. The job has more: sha256, of the set's manifest. Result: nodes (content, directory, files, bytes of each),
 * tables. */
bool restore_physical_node(AgentProcess *p, const FleetRestore *restore, json_t **ret_result,
                           Error *err) MUST_CHECK;

#endif

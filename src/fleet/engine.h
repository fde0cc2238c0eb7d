/*
 * fleet/engine.h - what differs between fleets that have a coordinator.
 *
 * Such a fleet has one catalogue, the coordinator's, whose tables have their rows in relations of
 * all nodes. An engine knows by the server's own catalogues which nodes there are, which relations
 * these are, what a half committed transaction looks like, and what holds commits back for a moment.
 * Fleets of one server, or of shards that only their application relates, have none: NULL.
 * Nothing outside of src/fleet asks which engine it is.
 */
#ifndef PGARK_FLEET_ENGINE_H
#define PGARK_FLEET_ENGINE_H

#include "backup/node.h"
#include "fleet/check.h"
#include "fleet/topology.h"
#include "restore/cluster.h"

/* What an engine found out about the tables that a backup is of; all below one context. */
typedef struct EngineMap
{
    NodeScope *scopes;                 /* one per node, in the nodes' order */
    DistributionRecord *distributions; /* of all spread tables, by oid */
    size_t distribution_count;
    DistributedSchemaRecord *schemas;
    size_t schema_count;
    DistributedFunctionRecord *functions;
    size_t function_count;
} EngineMap;

/* What the cut has to know (fleet/cut.h). */
typedef struct EngineCut
{
    /* The coordinator is where everybody writes: what it locks is locked on all nodes, and no transaction
     * is ever prepared on it. */
    bool through_coordinator;

    /* LIKE pattern of the gids of its own two-phase commits that settle judges; NULL: fleet/cut.c
     * judges all itself, and settle, recover and barrier are NULL. */
    const char *own_gids;

    /* prepared: per node, by lines, the gids of its own that were prepared at the instant which the
     * scouts' snapshots show. *ret_whole: none of them is committed on one node in these snapshots
     * and not on another; else obstacle says which. */
    bool (*settle)(const BackupNode *nodes, size_t count, char *const *prepared, bool *ret_whole,
                   char *obstacle, size_t obstacle_size, Error *err);

    /* Finishes two-phase commits that a crash has left, through the probes, where the role may. */
    void (*recover)(const BackupNode *nodes, size_t count);

    /* The statement that locks, below ctx, by which no two-phase commit of its own can be between
     * its first and its last step while all nodes' probes have it; NULL: this node needs none. */
    const char *(*barrier)(void *ctx, const BackupNode *node);

    /* The statement, below ctx, by which the coordinator makes a restore point on all nodes; its rows are content id
     * and place of each. NULL: each node is told to make its own. */
    const char *(*restore_point)(void *ctx, PgConn *coordinator, const char *name, Error *err);
} EngineCut;

typedef void (*EngineFinding)(void *arg, int content, const char *what, CheckLevel level,
                              const char *text);

typedef struct FleetEngine
{
    const char *topology; /* in the manifest */

    /* Is the database that conn is connected to a coordinator's? *ret_found then, and fleet->nodes are
     * the coordinator, content id -1, and the others from 0 on. ERR_USAGE: another node of such a
     * fleet, a version that is too old, a node that is not in use. */
    bool (*discover)(void *ctx, Fleet *fleet, PgConn *conn, const FleetRequest *request,
                     bool *ret_found, Error *err);

    /* After node_connect: are these nodes what the coordinator takes them for, of one version? */
    bool (*check)(BackupNode *nodes, size_t count, Error *err);

    /* Reads through conn, which is to the coordinator, nodes[0], what lies where. */
    EngineMap *(*map)(void *ctx, const BackupNode *nodes, size_t count, PgConn *conn, Error *err);

    /* Adds to a node's warnings what it holds and no set does; node_list has run. */
    bool (*left_out)(BackupNode *node, Error *err);

    /* Are these nodes such that base backups of them can be taken and restored? ERR_USAGE, with a hint; NULL: so they
     * are, as far as the cluster is concerned. */
    bool (*check_physical)(const BackupNode *nodes, size_t count, Error *err);

    /* WAL of its nodes is read out of their files (pg/wal_files.h): nothing keeps it there but the servers' own settings. */
    bool wal_files;

    /* Findings of pgark check, by calls of add. All nodes are connected (probes only). */
    bool (*inspect)(const BackupNode *nodes, EngineFinding add, void *arg, Error *err);

    EngineCut cut;

    /* For restores of its sets, and with --distribute of others. */
    const RestoreCluster *restore;
} FleetEngine;

/* engine_discover looks, through a connection of its own, whether the fleet's one node is the
 * coordinator of a fleet; if so, fleet becomes that. Does nothing where several nodes were named or the
 * topology was. Blocks. */
bool engine_discover(void *ctx, Fleet *fleet, const FleetRequest *request, Error *err) MUST_CHECK;

/* engine_of gives the engine of a set's topology; NULL: it has none. */
const FleetEngine *engine_of(const char *topology);

/* engine_scope_at_first is what a node is asked for until the coordinator's catalogue has been read: of
 * the coordinator, the first, all, of the others nothing. Without an engine all, NULL. */
const NodeScope *engine_scope_at_first(const FleetEngine *engine, size_t node);

/* engine_map reads, through conn to the coordinator, what lies where, and makes it the nodes' scopes. The
 * result lies below the first node's context, and lives as long as its connections. */
EngineMap *engine_map(const FleetEngine *engine, BackupNode *nodes, size_t count, PgConn *conn,
                      Error *err);

/* engine_refuse proves that no node of a fleet without an engine belongs to a fleet that has one: its
 * rows would be missing. ERR_USAGE. All nodes are connected. */
bool engine_refuse(const BackupNode *nodes, size_t count, Error *err) MUST_CHECK;

/* engine_map_host gives where to connect to in the place of host and port, as --host-map says: "OLD" or
 * "OLD:PORT" to "NEW" or "NEW:PORT". Below ctx. */
void engine_map_host(void *ctx, const NameMap *map, size_t count, const char **host,
                     const char **port);

/* engine_same_hash: rows of the table hash alike in every database. The hash of a built-in type is
 * the same everywhere, an enum's depends on the database. */
bool engine_same_hash(const TableRecord *t, const char *column);

extern const FleetEngine citus_engine;
extern const FleetEngine greenplum_engine;

#endif

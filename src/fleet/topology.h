/*
 * fleet/topology.h - which nodes a fleet has.
 */
#ifndef PGARK_FLEET_TOPOLOGY_H
#define PGARK_FLEET_TOPOLOGY_H

#include "base/cancel.h"
#include "pg/conn.h"
#include "restore/request.h"

/* How the user named the fleet: one of dbname (or nothing: libpq's environment), nodes, file. */
typedef struct FleetRequest
{
    const char *dbname; /* -d */
    const char *host;   /* -h -p -U: with dbname only */
    const char *port;
    const char *user;
    const char *const *nodes; /* --node, content ids in order */
    size_t node_count;
    const char *name;        /* of the fleet that dbname or nodes are, NULL: none was given */
    const char *file;        /* --fleet */
    const NameMap *host_map; /* --host-map: of nodes that a coordinator names */
    size_t host_map_count;
    bool never_prompt;
    bool force_prompt;
} FleetRequest;

/* A database of a node: several FleetNodes have the same content where all databases are wanted. */
typedef struct FleetNode
{
    int content;
    int dbid; /* as the engine numbers it */
    PgConnSpec spec;
} FleetNode;

typedef struct Fleet
{
    const char *topology; /* "single", "shards", or the engine's */
    const struct FleetEngine
        *engine;    /* fleet/engine.h; NULL: the nodes know nothing of each other */
    bool automatic; /* nobody said that it is a single server */
    char *name;     /* from the file, else NULL: made from the first node's identity */
    FleetNode *nodes;
    size_t node_count;
} Fleet;

/* fleet_discover reads the request (and the file) and makes the list of nodes, below ctx. Conninfo
 * strings are checked for syntax here (ERR_USAGE names the node); nothing is connected to. */
Fleet *fleet_discover(void *ctx, const FleetRequest *request, Error *err);

/* fleet_all_databases replaces every node by one for each of its server's databases that can be
 * connected to and is no template, by name. Connects to each server, with the database that the
 * node names. Below ctx. */
bool fleet_all_databases(void *ctx, Fleet *fleet, Error *err) MUST_CHECK;

/* fleet_passwords prompts on the terminal for nodes that want a password and have none (never with
 * never_prompt, always once with force_prompt). */
bool fleet_passwords(void *ctx, Fleet *fleet, const FleetRequest *request, Error *err) MUST_CHECK;

/* fleet_check_conninfo checks one conninfo string; what names it in the message. It must not hold
 * parameters that make two connections differ (replication). */
bool fleet_check_conninfo(const char *conninfo, const char *what, Error *err) MUST_CHECK;

#endif

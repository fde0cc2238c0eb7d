/*
 * fleet/citus_nodes.h - the addresses by which the nodes of a Citus cluster find each other, in data directories that
 * have been restored.
 *
 * Every node that has metadata keeps a table of all nodes with their hosts and ports, in each database of Citus. A
 * restored cluster that started with the old addresses would send its queries, and what it decides on prepared
 * transactions, to the servers that were backed up. So the tables are changed before a server can be started: by
 * statements in single-user mode, with Citus not loaded, which recovers the server first.
 */
#ifndef PGARK_FLEET_CITUS_NODES_H
#define PGARK_FLEET_CITUS_NODES_H

#include "base/cancel.h"
#include "restore/request.h"

typedef struct CitusNodes
{
    const NameMap *host_map; /* "OLD" or "OLD:PORT" to "NEW" or "NEW:PORT" */
    size_t host_map_count;
    const char *program; /* postgres, of the servers' major version */
    bool no_sync;
    const Cancel *cancel;
} CitusNodes;

/* A data directory, and a database that it surely has. */
typedef struct CitusDirectory
{
    const char *path; /* absolute */
    const char *database;
} CitusDirectory;

/* citus_nodes_program finds postgres of that very major version on this host; below ctx. ERR_NOT_FOUND; ERR_PROGRAM: there is one of another
 * version only. */
const char *citus_nodes_program(void *ctx, int major, const Cancel *cancel, Error *err);

/* citus_nodes_rewrite recovers the data directories and changes the addresses in all their databases. An entry of the
 * map that no node has an address for is ERR_USAGE, two nodes with one address as well. *ret_tables: how many tables of nodes
 * there are, in all of them. Blocks. */
bool citus_nodes_rewrite(const CitusNodes *nodes, const CitusDirectory *directories, size_t count,
                         size_t *ret_tables, Error *err) MUST_CHECK;

#endif

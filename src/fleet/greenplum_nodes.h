/*
 * fleet/greenplum_nodes.h - gp_segment_configuration of a Greenplum coordinator that has been restored.
 *
 * It names host, port and data directory of every node, of all mirrors and of the standby coordinator. A coordinator that
 * started with it as it was backed up would send its statements, and its decisions on prepared transactions, to the
 * servers that were backed up, and probe and promote their mirrors. So it is changed before that coordinator can be
 * started by anybody: by statements in single-user mode, which recovers it first. Distributed commits that were not told to
 * all segments at the restore point are not lost by that: in utility mode Greenplum puts them into a file (in
 * pg_utilitymodedtmredo), from which its first start as a coordinator takes them.
 */
#ifndef PGARK_FLEET_GREENPLUM_NODES_H
#define PGARK_FLEET_GREENPLUM_NODES_H

#include "base/cancel.h"
#include "physical/restore.h"
#include "restore/request.h"

typedef struct GreenplumNodes
{
    const NameMap *host_map; /* "OLD" or "OLD:PORT" to "NEW" or "NEW:PORT" */
    size_t host_map_count;
    const char *program;  /* postgres, of Greenplum */
    int dbid;             /* of the coordinator */
    const char *database; /* that it surely has */
    const char *point;    /* the restore point that it recovers to */
    bool no_sync;
    const Cancel *cancel;
} GreenplumNodes;

/* greenplum_nodes_program finds postgres of Greenplum 6 on this host; below ctx. NULL: ERR_NOT_FOUND, ERR_PROGRAM. */
const char *greenplum_nodes_program(void *ctx, const Cancel *cancel, Error *err);

/* greenplum_nodes_rewrite recovers the coordinator, one of the directories, and makes its catalogue say where the
 * cluster is now: directories of the nodes that are among them, hosts and ports by the map; mirrors and standby
 * coordinator, of which nothing was restored, are not there any more. ERR_PROGRAM: it has not come to the restore point,
 * which a server of this version would not mind. ERR_USAGE: an entry of the map that no node has an
 * address for; two nodes with one address. Blocks. */
bool greenplum_nodes_rewrite(const GreenplumNodes *nodes, const PhysicalDirectory *directories,
                             size_t count, Error *err) MUST_CHECK;

#endif

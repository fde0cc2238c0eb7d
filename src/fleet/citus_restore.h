/*
 * fleet/citus_restore.h - restoring into a Citus cluster: citus_restore.c, citus_spread.c,
 * citus_place.c; for operators doc/citus.md.
 *
 * Everything goes through the coordinator, but for the rows of shards that will be as they were: these are
 * loaded where they will be. What pg_dump knows of a distributed table is an ordinary one; it is
 * made as such, distributed while it is empty, filled, and gets its indexes and constraints then.
 */
#ifndef PGARK_FLEET_CITUS_RESTORE_H
#define PGARK_FLEET_CITUS_RESTORE_H

#include "fleet/citus.h"
#include "restore/node.h"

typedef struct CitusServer
{
    PgConnSpec spec;
    int group;
    const char *host; /* as the nodes know it */
    const char *port;
    bool has_shards; /* new ones go there, too */
} CitusServer;

typedef struct CitusTarget
{
    bool cluster;         /* the target is, or will be, one */
    CitusServer *servers; /* the first is the coordinator */
    size_t server_count;
    bool to_be_made; /* by --create, on these servers */
} CitusTarget;

extern const RestoreCluster citus_restore;

/* citus_target_nodes reads the nodes of the cluster whose coordinator conn is connected to, below ctx;
 * *ret_count 0: it is none. spec is how conn was made. */
bool citus_target_nodes(void *ctx, const RestoreRequest *request, PgConn *conn,
                        const PgConnSpec *spec, CitusServer **ret, size_t *ret_count, Error *err)
    MUST_CHECK;

/* citus_target_loaded counts the nodes that new shards go to. */
size_t citus_target_loaded(const CitusTarget *target);

/* citus_spread_tables distributes the tables that this restore has made: as the set says, or as
 * --distribute does. citus_spread_check looks, before anything is changed, whether all can be. */
bool citus_spread_check(RestoreNode *node, Error *err) MUST_CHECK;
bool citus_spread_tables(RestoreNode *node, Error *err) MUST_CHECK;

/* citus_place_parts finds which shards of the source are, with the same limits, shards of the target, and
 * through which nodes the rows of other tables can be sent. */
bool citus_place_parts(RestoreNode *node, Error *err) MUST_CHECK;

/* citus_place_finish makes an ordinary table again of the one that citus_place_parts let all nodes know
 * of, so that it can go with the journal. */
bool citus_place_finish(RestoreNode *node, Error *err) MUST_CHECK;

/* citus_place_sequences: no node gives out a number again that one of the source's has given out. */
bool citus_place_sequences(RestoreNode *node, Error *err) MUST_CHECK;

#endif

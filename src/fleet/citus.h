/*
 * fleet/citus.h - what the parts of the Citus engine share: citus.c, citus_map.c, citus_cut.c.
 *
 * Catalogues as Citus 11.0 to 14.0 has them (src/backend/distributed/sql): pg_dist_node,
 * pg_dist_partition, pg_dist_shard, pg_dist_placement, pg_dist_object, pg_dist_transaction; from 12.0
 * on pg_dist_schema. A node is a group of pg_dist_node; its group id is dbid here, 0 the
 * coordinator's.
 */
#ifndef PGARK_FLEET_CITUS_H
#define PGARK_FLEET_CITUS_H

#include "fleet/engine.h"

/* Relations that are shards, not objects of their own (c: pg_class). */
#define CITUS_HIDE_SHARDS "pg_catalog.relation_is_a_known_shard(c.oid::pg_catalog.regclass)"

EngineMap *citus_map(void *ctx, const BackupNode *nodes, size_t count, PgConn *conn, Error *err);
bool citus_settle(const BackupNode *nodes, size_t count, char *const *prepared, bool *ret_whole,
                  char *obstacle, size_t obstacle_size, Error *err);
void citus_recover(const BackupNode *nodes, size_t count);
bool citus_inspect(const BackupNode *nodes, EngineFinding add, void *arg, Error *err);

bool citus_left_out(BackupNode *node, Error *err);

const char *citus_barrier(void *ctx, const BackupNode *node);

#endif

/*
 * fleet/greenplum.h - what the parts of the Greenplum engine share: greenplum.c, greenplum_map.c,
 * greenplum_check.c, greenplum_physical.c; restores: greenplum_restore.h, greenplum_nodes.h.
 *
 * Greenplum 6 (PostgreSQL 9.4), 7 (12), and Cloudberry (14). Catalogues: gp_segment_configuration (on
 * the coordinator only), gp_distribution_policy, and in 6 pg_partition and pg_partition_rule, whose
 * partitions are no tables of their own for pg_dump. A node's content is that of the catalogue, -1 the
 * coordinator's. Segments take connections in utility mode only, in which a session sees and changes
 * the segment alone.
 */
#ifndef PGARK_FLEET_GREENPLUM_H
#define PGARK_FLEET_GREENPLUM_H

#include "fleet/engine.h"

typedef struct GreenplumSegment
{
    int content;
    int dbid;
    PgConnSpec spec; /* in utility mode */
} GreenplumSegment;

/* greenplum_segments reads the segments of the cluster whose coordinator conn is connected to, by content
 * id, below ctx; spec is how conn was made. ERR_USAGE: conn is in utility mode, or to a segment; a
 * segment is down. */
bool greenplum_segments(void *ctx, PgConn *conn, const PgConnSpec *spec, const NameMap *host_map,
                        size_t host_map_count, GreenplumSegment **ret, size_t *ret_count,
                        Error *err) MUST_CHECK;

/* GREENPLUM_SETUP: statements that a session of ours begins with. GPORCA is of no use to queries of
 * catalogues; what a table is made like is up to its definition alone; statistics come when all rows are
 * in. */
#define GREENPLUM_SETUP                                                                            \
    "SELECT pg_catalog.set_config(s.name, CASE s.name WHEN 'gp_autostats_mode' THEN 'none'"        \
    " WHEN 'optimizer' THEN 'off' ELSE '' END, false) FROM pg_catalog.pg_settings s"               \
    " WHERE s.name IN ('gp_autostats_mode', 'gp_default_storage_options')"                         \
    " OR (s.name = 'optimizer' AND s.setting = 'on' AND NOT EXISTS (SELECT 1 FROM"                 \
    "  pg_catalog.pg_settings o WHERE o.name = 'optimizer_control' AND o.setting = 'off'))"

/* greenplum_partitions: the partitions of conn's server are parts of their tables' definitions, and no
 * tables of their own. */
bool greenplum_partitions(const PgConn *conn);

EngineMap *greenplum_map(void *ctx, const BackupNode *nodes, size_t count, PgConn *conn,
                         Error *err);
bool greenplum_left_out(BackupNode *node, Error *err);

/* Base backups (fleet/greenplum_physical.c): what the cluster needs for them, and their common end. */
bool greenplum_check_physical(const BackupNode *nodes, size_t count, Error *err);
const char *greenplum_restore_point(void *ctx, PgConn *coordinator, const char *name, Error *err);

bool greenplum_inspect(const BackupNode *nodes, EngineFinding add, void *arg, Error *err);

#endif

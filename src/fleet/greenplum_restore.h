/*
 * fleet/greenplum_restore.h - restoring into a Greenplum cluster: greenplum_restore.c, greenplum_place.c;
 * for operators doc/greenplum.md.
 *
 * Definitions go through the coordinator, as the set's own pg_dump wrote them: they say how tables are
 * distributed and partitioned. Rows that will lie on the segment with the number they were read from go
 * there directly, all others through the coordinator.
 */
#ifndef PGARK_FLEET_GREENPLUM_RESTORE_H
#define PGARK_FLEET_GREENPLUM_RESTORE_H

#include "fleet/greenplum.h"
#include "restore/node.h"

typedef struct GreenplumTarget
{
    GreenplumSegment *segments; /* none: the target is no Greenplum */
    size_t segment_count;
    const char **proofs; /* per table of the restore, NULL: none is needed */
} GreenplumTarget;

extern const RestoreCluster greenplum_restore;

/* greenplum_place_reason says why the parts of a table cannot go straight to the segments of a cluster of so
 * many, as far as the set tells; NULL: it names no reason. */
const char *greenplum_place_reason(const RestoreNode *node, const RestoreTable *t, size_t segments);

/* greenplum_place_parts finds, when all tables are made, whose parts can go straight to the segments:
 * those whose policy there is the set's, and whose relations are there. */
bool greenplum_place_parts(RestoreNode *node, Error *err) MUST_CHECK;

/* greenplum_place_prove proves that every row of a table lies on the segment that the server looks for it,
 * by its own hash functions: COPY into a segment does not ask. ERR_CORRUPT. */
bool greenplum_place_prove(RestoreNode *node, PgConn *conn, size_t table, Error *err) MUST_CHECK;

#endif

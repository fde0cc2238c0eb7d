/*
 * restore/route.h - rows that must find their partition anew.
 *
 * A hash partition takes the rows whose key hashes to its remainder. For types of the user's own
 * the hash can differ from database to database: an enum's is that of the oid of its label. Rows of
 * such a partition are loaded through the partitioned table, so that the target puts each where it
 * will look for it.
 */
#ifndef PGARK_RESTORE_ROUTE_H
#define PGARK_RESTORE_ROUTE_H

#include "restore/node.h"

/* route_tables sets RestoreTable.route (quoted) of every table that lies below a hash-partitioned
 * one whose key has a type that is not built in, or an expression: to the topmost such ancestor. With
 * --load-via-partition-root that of every partition, to the root of its tree.
 * The target's definitions must be there. */
bool route_tables(RestoreNode *node, Error *err) MUST_CHECK;

#endif

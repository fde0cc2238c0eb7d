/*
 * restore/refresh.h - materialized views get their rows.
 *
 * A set has no rows of them: they are asked for again, those that were populated. As pg_dump has it, a
 * view comes behind the views that its query reads, directly or through plain views and functions as
 * far as their definitions tell, and one that reads a view without rows cannot be had
 * (buildMatViewRefreshDependencies in pg_dump.c).
 */
#ifndef PGARK_RESTORE_REFRESH_H
#define PGARK_RESTORE_REFRESH_H

#include "restore/node.h"

/* refresh_statements adds an entry of DDL_REFRESH to node->ddl for each populated materialized view of
 * the node, with ANALYZE behind it where that is wanted. What cannot be filled is named in a warning.
 * node->main is used for quoting only. */
bool refresh_statements(RestoreNode *node, Error *err) MUST_CHECK;

#endif

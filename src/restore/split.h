/*
 * restore/split.h - statements that hold a lock for long become several that do not.
 *
 * - A PRIMARY KEY or UNIQUE constraint: its index, then the constraint USING INDEX.
 * - An index and what marks it (CLUSTER, REPLICA IDENTITY): two statements.
 * - A foreign key: NOT VALID, then VALIDATE CONSTRAINT, which lets other checks of both tables run. On
 *   a partitioned table that cannot be said (before 18); there each large partition gets the
 *   constraint first, and the partitioned table's definition then finds it and checks only the rest
 *   (tryAttachPartitionForeignKey in tablecmds.c).
 * Done only where rows are many enough for it to gain more than a statement costs, and where the
 * definition is surely understood; the result is the same in every catalog column that pg_dump reads.
 */
#ifndef PGARK_RESTORE_SPLIT_H
#define PGARK_RESTORE_SPLIT_H

#include "restore/node.h"

/* split_statements changes node->ddl; node->tables have their quoted names. */
void split_statements(RestoreNode *node);

#endif

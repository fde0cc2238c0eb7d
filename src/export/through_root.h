/*
 * export/through_root.h - rows that must find their partition anew.
 *
 * A hash partition takes the rows whose key hashes to its remainder. For types of the user's own
 * the hash can differ from database to database: an enum's is that of the oid of its label. An
 * export does not know its target, so rows of such a partition are loaded through the partitioned
 * table. pg_dump does the same (forcePartitionRootLoad in pg_dump.c, for enums).
 */
#ifndef PGARK_EXPORT_THROUGH_ROOT_H
#define PGARK_EXPORT_THROUGH_ROOT_H

#include "pg/archive_toc.h"
#include "repo/manifest.h"

typedef struct ThroughRoot ThroughRoot;

ThroughRoot *through_root_new(void *ctx, const ArchiveToc *toc);

/* through_root_of gives the topmost hash-partitioned ancestor of the table, whose entry is leaf;
 * NULL: there is none, or all the table's types hash the same everywhere. */
const TocEntry *through_root_of(ThroughRoot *routes, const TocEntry *leaf,
                                const TableRecord *table);

#endif

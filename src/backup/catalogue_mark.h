/*
 * backup/catalogue_mark.h - have definitions changed?
 *
 * For a pg_dump that cannot take the snapshot of the cut (before 9.5): what it has read, in its own
 * snapshot and in functions that look through none, is as of the cut if nothing has changed from the
 * cut until it ended.
 */
#ifndef PGARK_BACKUP_CATALOGUE_MARK_H
#define PGARK_BACKUP_CATALOGUE_MARK_H

#include "pg/archive_toc.h"
#include "pg/query.h"

/* catalogue_mark gives, below ctx, a text that stands for the definitions which the connection's snapshot
 * shows: of two snapshots it is the same only if none was made, changed or dropped between them, but for
 * one that was made and dropped again, and for temporary tables. What VACUUM and ANALYZE note of a table
 * does not count. Only for servers of a version before 10. */
char *catalogue_mark(PgConn *conn, void *ctx, Error *err);

/* catalogue_has tells whether the connection's snapshot shows every object that an archive names by its
 * oid. */
bool catalogue_has(PgConn *conn, const ArchiveToc *toc, bool *ret_has, Error *err) MUST_CHECK;

#endif

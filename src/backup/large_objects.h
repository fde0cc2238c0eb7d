/*
 * backup/large_objects.h - large objects as two relations that are dumped like tables.
 *
 * pg_largeobject and pg_largeobject_metadata, in the form that repo/large_object_tables.h tells. A
 * role that may read pg_largeobject reads it in block ranges; any other reads its objects one after
 * the other, with lo_get.
 *
 * Why what is read is the state of the cut: both catalogs are tables, a large object's rows obey
 * MVCC as all rows do, and every statement here reads them by the imported snapshot. An lo_unlink
 * or lowrite that commits after the cut is not seen, and VACUUM keeps what the snapshot needs.
 *   - Block ranges are read in several transactions. A VACUUM FULL or TRUNCATE between two of them
 *     would put rows elsewhere, so pg_largeobject is locked like any table (the holder's ACCESS
 *     SHARE, from before the snapshot). Lists and fallback are cut by oid, found by an index:
 *     there it does not matter where the rows lie, and no lock is needed.
 *   - lo_open and lo_get for reading use the snapshot of the statement, as the server's
 *     inv_open() does for INV_READ alone.
 *   - The barrier's SHARE lock waits for whoever has written contents, as they keep ROW EXCLUSIVE
 *     on pg_largeobject to their end. lo_creat and lo_unlink give theirs back at once, so of a
 *     transaction that does nothing else on one of its nodes the barrier does not know; the same
 *     holds for every other change of a catalog. Double collect proves an instant for these, too.
 */
#ifndef PGARK_BACKUP_LARGE_OBJECTS_H
#define PGARK_BACKUP_LARGE_OBJECTS_H

#include "backup/catalog.h"

/* large_objects_add appends the two relations to catalog, which is empty still and below ctx, when
 * the connection's snapshot shows any large object and the selection wants them. Blocks.
 * ERR_USAGE names a large object that the connection's role may not read. */
bool large_objects_add(PgConn *conn, void *ctx, const Selection *selection, Catalog *catalog,
                       Error *err) MUST_CHECK;

#endif

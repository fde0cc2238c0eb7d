/*
 * export/large_objects.h - large objects as entries of an archive, and their contents.
 *
 * A set may hold millions of them: they are read again from its list (repo/large_object_tables.h)
 * whenever they are needed, and never kept. Source of what the entries look like: PostgreSQL's
 * pg_dump.c (dumpLO, dumpACL, dumpComment, dumpSecLabel); pg_restore of every version reads this
 * form, also those whose pg_dump writes one entry for many objects.
 */
#ifndef PGARK_EXPORT_LARGE_OBJECTS_H
#define PGARK_EXPORT_LARGE_OBJECTS_H

#include "export/table_data.h"

/* large_objects_count reads the list once and returns how many entries it makes. */
bool large_objects_count(TableData *data, const ExportEntry *list, int *ret_count, Error *err)
    MUST_CHECK;

/* large_objects_each calls back for every entry: for each object BLOB, then its COMMENT, SECURITY
 * LABELs, ACL. Their dump ids go up from first_id. The entry lives as long as the call. */
typedef bool (*LargeObjectEntry)(void *arg, const TocEntry *e, Error *err);
bool large_objects_each(TableData *data, const ExportEntry *list, int first_id,
                        LargeObjectEntry each, void *arg, Error *err) MUST_CHECK;

/* A piece of a large object's contents: size bytes at offset; hex: their 2 * size digits. */
typedef struct LargeObjectPiece
{
    uint32_t oid;
    uint64_t offset;
    const char *hex;
    size_t size;
} LargeObjectPiece;

/* large_objects_pieces calls back for every piece, in any order. ERR_CORRUPT for a row that is
 * none, or lies where no large object can reach. */
typedef bool (*LargeObjectTakePiece)(void *arg, const LargeObjectPiece *piece, Error *err);
bool large_objects_pieces(TableData *data, const ExportEntry *contents, LargeObjectTakePiece take,
                          void *arg, Error *err) MUST_CHECK;

#endif

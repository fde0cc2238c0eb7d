/*
 * repo/large_object_list.h - reads the rows of a set's pg_largeobject_metadata
 * (repo/large_object_tables.h) out of the COPY text of its chunks.
 */
#ifndef PGARK_REPO_LARGE_OBJECT_LIST_H
#define PGARK_REPO_LARGE_OBJECT_LIST_H

#include "base/error.h"
#include "base/mem.h"

/* One large object; NULL as in the columns. Lives as long as the call that hands it over. */
typedef struct LargeObjectRow
{
    uint32_t oid;
    const char *owner;
    const char *acl;
    const char *comment;
    const char *labels;
} LargeObjectRow;

typedef bool (*LargeObjectEach)(void *arg, const LargeObjectRow *row, Error *err);

/* A LargeObjectList is fed with a chunk's logical bytes, cut anywhere, and calls back for every row;
 * it keeps one row in memory. The bytes may be hostile: ERR_CORRUPT for what is no such row (a row
 * longer than LARGE_OBJECT_ROW_MAX, other than five fields, no oid, no owner). Errors of each pass
 * as they are. */
#define LARGE_OBJECT_ROW_MAX ((size_t) 512 * 1024 * 1024)
typedef struct LargeObjectList LargeObjectList;
LargeObjectList *large_object_list_new(void *ctx, LargeObjectEach each, void *arg);

/* large_object_list_put has the form of an IoSinkWrite; arg is the LargeObjectList. */
bool large_object_list_put(void *arg, const void *data, size_t len, Error *err) MUST_CHECK;

/* large_object_list_end: the chunk is over; ERR_CORRUPT inside a row. Ready for the next chunk, also
 * after a failure. */
bool large_object_list_end(LargeObjectList *list, Error *err) MUST_CHECK;

#endif

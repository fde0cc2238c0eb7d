/*
 * repo/large_object_tables.h - the two tables of a set that hold its large objects.
 *
 * They bear the names and oids of the catalogs that they are made from. Their columns:
 *
 *   pg_largeobject_metadata  one row per large object, also of those without contents; always text
 *     oid           its oid
 *     owner         the role's name
 *     acl           aclitem[] as text, roles by name; null: nothing but the owner's own rights
 *     comment       null: none
 *     labels        security labels, a JSON object by provider; null: none
 *   pg_largeobject           pieces of contents, in any order; what lies between them is zeros
 *     loid          the object's oid
 *     offset        of the piece's first byte in the object
 *     data
 */
#ifndef PGARK_REPO_LARGE_OBJECT_TABLES_H
#define PGARK_REPO_LARGE_OBJECT_TABLES_H

#include "repo/manifest.h"

/* Source: pg_largeobject.h and pg_largeobject_metadata.h of the server, CATALOG(...). */
#define LARGE_OBJECT_DATA_OID  2613u
#define LARGE_OBJECT_LIST_OID  2995u
#define LARGE_OBJECT_SCHEMA    "pg_catalog"
#define LARGE_OBJECT_DATA_NAME "pg_largeobject"
#define LARGE_OBJECT_LIST_NAME "pg_largeobject_metadata"

/* No other table of a set can have these oids: those of users begin at 16384. */
static inline bool large_object_is_list(const TableRecord *t)
{
    return t->oid == LARGE_OBJECT_LIST_OID;
}

static inline bool large_object_is_table(const TableRecord *t)
{
    return t->oid == LARGE_OBJECT_LIST_OID || t->oid == LARGE_OBJECT_DATA_OID;
}

#endif

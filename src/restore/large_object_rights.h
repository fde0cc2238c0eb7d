/*
 * restore/large_object_rights.h - GRANT and REVOKE for large objects, as text.
 */
#ifndef PGARK_RESTORE_LARGE_OBJECT_RIGHTS_H
#define PGARK_RESTORE_LARGE_OBJECT_RIGHTS_H

#include "base/error.h"
#include "base/str.h"

typedef struct LargeObjectRights
{
    const char *oids; /* of objects with the same owner and rights: "1,2,3" */
    const char *owner;
    const char *acl;
    bool as_owner; /* the owner is that of the source; else another role owns them, keeps its own
                           rights, and what the owner at the source had is nobody's */
    const char *become; /* what comes before the name of a grantor other than the owner, */
    const char *back;   /* and the statement that ends it */
    const char *end;    /* of every statement: the semicolon, and space */
} LargeObjectRights;

/* large_object_rights appends the statements that turn the rights of new objects, which are their
 * owner's, into the acl, in its order: who passes a right on must have been given it before
 * (buildACLCommands in dumputils.c). Nothing is appended when they are the same. ERR_CORRUPT: it is no
 * acl of a large object. */
bool large_object_rights(Str *sql, const LargeObjectRights *rights, Error *err) MUST_CHECK;

#endif

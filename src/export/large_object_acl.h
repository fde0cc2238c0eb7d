/*
 * export/large_object_acl.h - GRANT and REVOKE for a large object.
 */
#ifndef PGARK_EXPORT_LARGE_OBJECT_ACL_H
#define PGARK_EXPORT_LARGE_OBJECT_ACL_H

#include "base/str.h"
#include "repo/large_object_list.h"

/* large_object_acl appends the statements that turn the rights of a new object, which are its
 * owner's, into row->acl, in the order of the acl: who passes a right on must have been given it
 * before (buildACLCommands in dumputils.c). Nothing is appended when they are the same.
 * ERR_CORRUPT: it is no acl of a large object. */
bool large_object_acl(Str *sql, const LargeObjectRow *row, Error *err) MUST_CHECK;

#endif

/*
 * pg/acl_text.h - reads the text of an aclitem[], as the server writes it:
 * {owner=rw/owner,"\"some role\"=r/owner",=r/owner}
 *
 * Source: "Privileges" in PostgreSQL's documentation; aclitemin(), getid() and putid() in acl.c;
 * array_out() for what surrounds them.
 */
#ifndef PGARK_PG_ACL_TEXT_H
#define PGARK_PG_ACL_TEXT_H

#include "base/error.h"
#include "base/mem.h"

typedef struct AclItem
{
    const char *grantee;    /* "": PUBLIC */
    const char *privileges; /* letters, each with * behind it when it may be passed on */
    const char *grantor;
} AclItem;

/* acl_text_parse reads text into *ret below ctx; "{}" has no items. ERR_CORRUPT: it is none. */
bool acl_text_parse(void *ctx, const char *text, AclItem **ret, size_t *ret_count, Error *err)
    MUST_CHECK;

#endif

/*
 * restore/large_object_groups.h - gathers large objects that are to be treated alike, so that one
 * statement does it for many.
 */
#ifndef PGARK_RESTORE_LARGE_OBJECT_GROUPS_H
#define PGARK_RESTORE_LARGE_OBJECT_GROUPS_H

#include "base/str.h"
#include "repo/large_object_list.h"

typedef struct LargeObjectGroup
{
    char *owner;
    char *acl; /* NULL: none, or not looked at */
    Str *oids; /* "1,2,3" */
} LargeObjectGroup;

typedef struct LargeObjectGroups
{
    LargeObjectGroup *items;
    size_t count;
    size_t capacity;
    size_t objects; /* in all of them */
} LargeObjectGroups;

/* large_object_groups_add puts the row's object into the group of its owner (and of its acl, with
 * by_acl), below ctx. */
void large_object_groups_add(LargeObjectGroups *g, void *ctx, const LargeObjectRow *row,
                             bool by_acl);

/* large_object_groups_full: it is time to do something with them, and to clear. The limits keep
 * statements short, and the search for an object's group, too. */
bool large_object_groups_full(const LargeObjectGroups *g);
void large_object_groups_clear(LargeObjectGroups *g);

#endif

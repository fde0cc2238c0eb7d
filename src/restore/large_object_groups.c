/* restore/large_object_groups.c - the contract is in large_object_groups.h. */
#include "restore/large_object_groups.h"

#define MAX_GROUPS  50
#define MAX_OBJECTS 5000

static bool belongs(const LargeObjectGroup *group, const LargeObjectRow *row, bool by_acl)
{
    return str_equal(group->owner, row->owner) && (!by_acl || str_equal(group->acl, row->acl));
}

void large_object_groups_add(LargeObjectGroups *g, void *ctx, const LargeObjectRow *row,
                             bool by_acl)
{
    size_t i = g->count;
    /* From the end: neighbours mostly are alike. */
    while (i > 0 && !belongs(&g->items[i - 1], row, by_acl))
        i--;
    if (i == 0)
    {
        LargeObjectGroup *made = mem_push(ctx, g->items, g->count, g->capacity, LargeObjectGroup);
        made->owner = mem_strdup(g->items, row->owner);
        made->acl = by_acl ? mem_strdup(g->items, row->acl) : NULL;
        made->oids = str_new(g->items);
        i = g->count;
    }
    LargeObjectGroup *group = &g->items[i - 1];
    str_addf(group->oids, "%s%u", group->oids->len == 0 ? "" : ",", row->oid);
    g->objects++;
}

bool large_object_groups_full(const LargeObjectGroups *g)
{
    return g->count >= MAX_GROUPS || g->objects >= MAX_OBJECTS;
}

void large_object_groups_clear(LargeObjectGroups *g)
{
    mem_free(g->items);
    memset(g, 0, sizeof(*g));
}

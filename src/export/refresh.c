/* export/refresh.c - the contract is in refresh.h. */
#include "export/refresh.h"

struct RefreshOrder
{
    const ArchiveToc *toc;
    int *refresh;    /* dump id of the refresh of the entry at that position, 0: none */
    bool *has_rows;  /* that entry is a materialized view with rows */
    uint32_t *visit; /* the last search that came by */
    uint32_t *stack; /* positions still to be looked at */
    uint32_t visits;
};

RefreshOrder *refresh_order_new(void *ctx, const ArchiveToc *toc)
{
    RefreshOrder *order = mem_new(ctx, RefreshOrder);
    order->toc = toc;
    order->refresh = mem_array(order, int, toc->entry_count);
    order->has_rows = mem_array(order, bool, toc->entry_count);
    order->visit = mem_array(order, uint32_t, toc->entry_count);
    order->stack = mem_array(order, uint32_t, toc->entry_count);
    return order;
}

void refresh_order_has_rows(RefreshOrder *order, const TocEntry *view)
{
    order->has_rows[view - order->toc->entries] = true;
}

static int by_position(const void *a, const void *b)
{
    const TocEntry *x = *(const TocEntry *const *) a;
    const TocEntry *y = *(const TocEntry *const *) b;
    return x < y ? -1 : x > y;
}

void refresh_order_sort(const TocEntry **views, size_t count)
{
    if (count > 1)
        qsort(views, count, sizeof(*views), by_position); /* NOLINT: pointers */
}

/* Puts what e depends on, and was not seen yet, on the stack. */
static size_t push_dependencies(RefreshOrder *order, const TocEntry *e, size_t depth)
{
    for (size_t i = 0; i < e->dependency_count; i++)
    {
        const TocEntry *on = archive_toc_find(order->toc, e->dependencies[i]);
        if (on == NULL || order->visit[on - order->toc->entries] == order->visits)
            continue;
        order->visit[on - order->toc->entries] = order->visits;
        order->stack[depth++] = (uint32_t) (on - order->toc->entries);
    }
    return depth;
}

bool refresh_order_depend(RefreshOrder *order, void *ctx, const TocEntry *view, TocEntry *refresh)
{
    size_t capacity = 0;
    int *ids = NULL;
    size_t count = 0;
    for (size_t i = 0; i < refresh->dependency_count; i++)
        *mem_push(ctx, ids, count, capacity, int) = refresh->dependencies[i];
    order->visits++;
    order->visit[view - order->toc->entries] = order->visits;
    size_t depth = push_dependencies(order, view, 0);
    while (depth > 0)
    {
        uint32_t at = order->stack[--depth];
        if (order->refresh[at] != 0)
            *mem_push(ctx, ids, count, capacity, int) = order->refresh[at];
        else if (strcmp(order->toc->entries[at].desc, "MATERIALIZED VIEW") != 0)
            depth = push_dependencies(order, &order->toc->entries[at], depth);
        else if (!order->has_rows[at])
            return false;
    }
    order->refresh[view - order->toc->entries] = refresh->dump_id;
    refresh->dependencies = ids;
    refresh->dependency_count = count;
    return true;
}

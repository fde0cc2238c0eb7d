/* export/refresh.c - the contract is in refresh.h. */
#include "export/refresh.h"

#include "restore/view_reads.h"

struct RefreshOrder
{
    const ArchiveToc *toc;
    ViewReads *reads;
    int *refresh;   /* dump id of the refresh of the entry at that position, 0: none */
    bool *has_rows; /* that entry is a materialized view with rows */
};

RefreshOrder *refresh_order_new(void *ctx, const ArchiveToc *toc)
{
    RefreshOrder *order = mem_new(ctx, RefreshOrder);
    order->toc = toc;
    order->refresh = mem_array(order, int, toc->entry_count);
    order->has_rows = mem_array(order, bool, toc->entry_count);
    order->reads = view_reads_new(order, toc);
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

/* The refreshes that one of them waits for. */
typedef struct Waits
{
    const RefreshOrder *order;
    void *ctx;
    int *ids;
    size_t count, capacity;
    bool empty; /* a view that it reads has no rows */
} Waits;

/* Another view is not looked behind: its refresh waits for what it reads itself. */
static bool wait_for(void *arg, const TocEntry *e)
{
    Waits *w = arg;
    size_t at = (size_t) (e - w->order->toc->entries);
    int refresh = w->order->refresh[at];
    bool view = strcmp(e->desc, "MATERIALIZED VIEW") == 0;
    if (refresh != 0)
        *mem_push(w->ctx, w->ids, w->count, w->capacity, int) = refresh;
    else if (view && !w->order->has_rows[at])
        w->empty = true;
    return refresh == 0 && !view;
}

bool refresh_order_depend(RefreshOrder *order, void *ctx, const TocEntry *view, TocEntry *refresh)
{
    Waits w = {.order = order, .ctx = ctx};
    for (size_t i = 0; i < refresh->dependency_count; i++)
        *mem_push(ctx, w.ids, w.count, w.capacity, int) = refresh->dependencies[i];
    view_reads_each(order->reads, view, wait_for, &w);
    if (w.empty)
        return false;
    order->refresh[view - order->toc->entries] = refresh->dump_id;
    refresh->dependencies = w.ids;
    refresh->dependency_count = w.count;
    return true;
}

/* restore/refresh.c - materialized views get their rows; the contract is in refresh.h. */
#include "restore/refresh.h"

#include "base/log.h"
#include "base/str.h"
#include "restore/entry.h"
#include "restore/view_reads.h"

/* Tables that are listed with a view: they only serve to guess how long it takes. */
#define MAX_READ 1000

#define NOWHERE SIZE_MAX

typedef struct View View;

struct View
{
    const TableRecord *record;
    const TocEntry *toc; /* NULL: the archive does not have it */
    size_t *reads;       /* other views: indexes into Refresh.views */
    size_t read_count, read_capacity;
    DdlLock *locks;
    size_t lock_count, lock_capacity;
    const View *obstacle; /* a view without rows that it reads */
    bool settled;
    size_t entry; /* its place in the plan */
};

typedef struct Refresh
{
    RestoreNode *node;
    const ArchiveToc *toc;
    void *ctx;
    View *views; /* sorted by oid */
    size_t view_count, view_capacity;
    ViewReads *reads;
    View *view; /* whose reads are looked for */
} Refresh;

static int view_order(const void *a, const void *b)
{
    uint32_t x = ((const View *) a)->record->oid;
    uint32_t y = ((const View *) b)->record->oid;
    return x < y ? -1 : x > y;
}

static View *find_view(const Refresh *r, uint32_t oid)
{
    TableRecord record = {.oid = oid};
    View key = {.record = &record};
    return r->view_count == 0 ? NULL
                              : bsearch(&key, r->views, r->view_count, sizeof(View), view_order);
}

static void list_views(Refresh *r)
{
    const RestoreNode *node = r->node;
    for (size_t i = 0; i < node->manifest->table_count; i++)
    {
        const TableRecord *record = &node->manifest->tables[i];
        if (record->kind != 'm' || !node->filter->data[i] ||
            !manifest_has(node->record, record->content, record->database))
            continue;
        View *view = mem_push(r->ctx, r->views, r->view_count, r->view_capacity, View);
        view->record = record;
        view->entry = NOWHERE;
    }
    if (r->view_count > 1)
        qsort(r->views, r->view_count, sizeof(View), view_order);
    for (size_t i = 0; i < r->toc->entry_count; i++)
    {
        const TocEntry *e = &r->toc->entries[i];
        View *view = entry_is(e, "MATERIALIZED VIEW") ? find_view(r, e->oid) : NULL;
        if (view != NULL)
            view->toc = e;
    }
}

/* ---- what a view reads ---- */

static void add_lock(Refresh *r, View *view, uint32_t oid, LockMode mode)
{
    if (view->lock_count < MAX_READ)
        *mem_push(r->node->ddl, view->locks, view->lock_count, view->lock_capacity,
                  DdlLock) = (DdlLock){.oid = oid, .mode = mode};
}

/* Another view is not looked behind: it waits for what it reads itself. */
static bool note_read(void *arg, const TocEntry *e)
{
    Refresh *r = arg;
    View *view = r->view;
    View *other = entry_is(e, "MATERIALIZED VIEW") ? find_view(r, e->oid) : NULL;
    if (other != NULL && other != view)
        *mem_push(r->ctx, view->reads, view->read_count, view->read_capacity,
                  size_t) = (size_t) (other - r->views);
    if (entry_is(e, "TABLE"))
        add_lock(r, view, e->oid, LOCK_ACCESS_SHARE);
    return other == NULL;
}

static void find_reads(Refresh *r, View *view)
{
    add_lock(r, view, view->record->oid, LOCK_ACCESS_EXCLUSIVE);
    r->view = view;
    if (view->toc != NULL)
        view_reads_each(r->reads, view->toc, note_read, r);
}

/* ---- the statements ---- */

static bool add_entry(Refresh *r, View *view, Error *err)
{
    RestoreNode *node = r->node;
    DdlPlan *plan = node->ddl;
    const TableRecord *record = view->record;
    const char *schema = node_schema(node, record->schema);
    const char *name = pg_quote_table(plan, node->main, schema, record->name, err);
    if (name == NULL)
        return false;
    TocEntry *own = mem_new(plan, TocEntry);
    *own = (TocEntry){.desc = "MATERIALIZED VIEW",
                      .tag = record->name,
                      .schema = record->schema,
                      .oid = record->oid,
                      .section = TOC_SECTION_POST_DATA,
                      .defn = "",
                      .drop_stmt = "",
                      .owner = ""};
    bool analyze = node->request->analyze;
    DdlEntry entry = {
        .toc = view->toc != NULL ? view->toc : own,
        .pass = DDL_REFRESH,
        .work = DDL_WORK_REFRESH,
        .label = mem_printf(plan, "MATERIALIZED VIEW DATA %s.%s", record->schema, record->name),
        .sql = mem_printf(plan, "REFRESH MATERIALIZED VIEW %s;\n%s%s%s", name,
                          analyze ? "ANALYZE " : "", analyze ? name : "", analyze ? ";\n" : ""),
        .locks = view->locks,
        .lock_count = view->lock_count,
        .needs = mem_array(plan, size_t, view->read_count + 1),
    };
    for (size_t i = 0; i < view->read_count; i++)
        if (r->views[view->reads[i]].entry != NOWHERE)
            entry.needs[entry.need_count++] = r->views[view->reads[i]].entry;
    plan->entries = mem_grow(plan, plan->entries, DdlEntry, plan->entry_count + 1);
    view->entry = plan->entry_count;
    plan->entries[plan->entry_count++] = entry;
    return true;
}

static void find_obstacle(Refresh *r, View *view)
{
    for (size_t i = 0; view->obstacle == NULL && i < view->read_count; i++)
    {
        const View *other = &r->views[view->reads[i]];
        if (!other->record->populated || other->obstacle != NULL)
            view->obstacle = other;
    }
    if (view->obstacle == NULL)
        return;
    const TableRecord *record = view->record;
    const TableRecord *other = view->obstacle->record;
    log_warning("materialized view %s.%s is left without rows: it reads %s.%s, which has none",
                record->schema, record->name, other->schema, other->name);
}

/* In an order in which each comes behind what it reads; views that the archive does not tell about
 * come as they were made, one after another. Views cannot read each other in a circle; an archive
 * that says so is wrong, and the depth is limited by every view being settled once. */
static bool settle(Refresh *r, View *view, Error *err)
{
    if (view->settled)
        return true;
    view->settled = true;
    for (size_t i = 0; i < view->read_count; i++)
        if (!settle(r, &r->views[view->reads[i]], err))
            return false;
    if (!view->record->populated)
        return true;
    find_obstacle(r, view);
    return view->obstacle != NULL || add_entry(r, view, err);
}

bool refresh_statements(RestoreNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "refresh");
    const ArchiveToc *toc = node->ddl->toc;
    Refresh r = {.node = node, .toc = toc, .ctx = tmp};
    list_views(&r);
    if (r.view_count == 0)
        return true;
    r.reads = view_reads_new(tmp, toc);
    size_t unknown = NOWHERE;
    for (size_t i = 0; i < r.view_count; i++)
    {
        View *view = &r.views[i];
        find_reads(&r, view);
        if (view->toc != NULL)
            continue;
        if (unknown != NOWHERE)
            *mem_push(tmp, view->reads, view->read_count, view->read_capacity, size_t) = unknown;
        unknown = view->record->populated ? i : unknown;
    }
    for (size_t i = 0; i < r.view_count; i++)
        if (!settle(&r, &r.views[i], err))
            return false;
    return true;
}

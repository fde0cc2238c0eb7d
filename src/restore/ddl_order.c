/* restore/ddl_order.c - who waits for whom, and in which pass; the contract is in ddl_planner.h. */
#include "restore/ddl_planner.h"
#include "restore/entry.h"

/* The pass an entry belongs to by its own kind; dependencies may put it later. */
static DdlPass own_pass(const TocEntry *e)
{
    static const char *const acl[] = {"ACL", "ACL LANGUAGE", "DEFAULT ACL", NULL};
    static const char *const of_one_table[] = {"INDEX", "INDEX ATTACH", "CONSTRAINT", "STATISTICS",
                                               NULL};

    if (entry_is_any(e->desc, acl))
        return DDL_ACL;
    if (entry_is(e, "EVENT TRIGGER") || entry_is_of(e, "EVENT TRIGGER "))
        return DDL_LAST;
    if (e->section != TOC_SECTION_POST_DATA)
        return DDL_PRE_DATA;
    return entry_is_any(e->desc, of_one_table) ? DDL_INDEX : DDL_POST_DATA;
}

static size_t position(const DdlPlanner *p, const TocEntry *e)
{
    return (size_t) (e - p->toc->entries);
}

/* The table whose data an entry has, or NULL: who waits for the data waits for the table. */
static const TocEntry *table_of_data(const DdlPlanner *p, const TocEntry *data)
{
    for (size_t i = 0; i < data->dependency_count; i++)
    {
        const TocEntry *e = archive_toc_find(p->toc, data->dependencies[i]);
        if (e != NULL && entry_is_relation(e))
            return e;
    }
    return NULL;
}

static void resolve_dependencies(DdlPlanner *p, DdlNode *node)
{
    const TocEntry *e = node->toc;

    node->deps = string_pool_take(&p->scratch, e->dependency_count * sizeof(uint32_t));
    for (size_t i = 0; i < e->dependency_count; i++)
    {
        const TocEntry *on = archive_toc_find(p->toc, e->dependencies[i]);
        if (on != NULL && on->section == TOC_SECTION_DATA)
            on = table_of_data(p, on);
        /* what the dump left out cannot be waited for */
        if (on != NULL && on != e)
            node->deps[node->dep_count++] = (uint32_t) position(p, on);
    }
}

void ddl_order_nodes(DdlPlanner *p)
{
    size_t n = p->toc->entry_count;

    p->nodes = mem_array(p, DdlNode, n);
    p->queue = mem_array(p, uint32_t, n);
    for (size_t i = 0; i < n; i++)
    {
        DdlNode *node = &p->nodes[i];
        node->toc = &p->toc->entries[i];
        node->sql = ddl_text_sql(&p->text, node->toc);
        node->pass = own_pass(node->toc);
        node->parent = DDL_NO_PARENT;
        resolve_dependencies(p, node);
    }
}

/* Only entries that are not bound to a place in the list wait for others: those of the post-data
 * section, and the comments and labels, which have no section. */
static bool is_movable(const DdlNode *node)
{
    return node->toc->section != TOC_SECTION_PRE_DATA && node->pass != DDL_ACL;
}

bool ddl_order_waits(const DdlPlanner *p, const DdlNode *node, uint32_t dep)
{
    return is_movable(node) && is_movable(&p->nodes[dep]);
}

/* Positions of the entries that wait for each entry: list[first[i]] to list[first[i + 1]]. */
typedef struct Waiters
{
    size_t *first;
    uint32_t *list;
} Waiters;

static Waiters find_waiters(const DdlPlanner *p, void *ctx)
{
    size_t n = p->toc->entry_count;
    Waiters w = {.first = mem_array(ctx, size_t, n + 2)};

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < p->nodes[i].dep_count; k++)
            if (ddl_order_waits(p, &p->nodes[i], p->nodes[i].deps[k]))
                w.first[p->nodes[i].deps[k] + 2]++;
    for (size_t i = 2; i < n + 2; i++)
        w.first[i] += w.first[i - 1];
    w.list = mem_array(ctx, uint32_t, w.first[n + 1]);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < p->nodes[i].dep_count; k++)
            if (ddl_order_waits(p, &p->nodes[i], p->nodes[i].deps[k]))
                w.list[w.first[p->nodes[i].deps[k] + 1]++] = (uint32_t) i;
    return w;
}

static bool circle_error(DdlPlanner *p, const size_t *missing, Error *err)
{
    for (size_t i = 0; i < p->toc->entry_count; i++)
        if (missing[i] > 0)
            return error_set(err, ERR_CORRUPT,
                             "schema archive: the dependencies of %s form a circle",
                             ddl_text_label(&p->text, p->nodes[i].toc));
    return error_set(err, ERR_INTERNAL, "schema archive: circle without member");
}

/* Goes through the entries in the order of their dependencies: whoever needs an entry of a later
 * pass moves to that pass. A comment on an index so gets the index's pass, an index of a
 * materialized view that itself had to wait for a constraint gets the view's. */
bool ddl_order_settle(DdlPlanner *p, Error *err)
{
    size_t n = p->toc->entry_count;
    AUTO(mem_context_free) MemContext *scratch = mem_context(p, "waiters");
    Waiters w = find_waiters(p, scratch);
    size_t *missing = mem_array(scratch, size_t, n);
    size_t head = 0, tail = 0;

    for (size_t i = 0; i < w.first[n]; i++)
        missing[w.list[i]]++;
    for (size_t i = 0; i < n; i++)
        if (missing[i] == 0)
            p->queue[tail++] = (uint32_t) i;
    while (head < tail)
    {
        uint32_t done = p->queue[head++];
        for (size_t k = w.first[done]; k < w.first[done + 1]; k++)
        {
            DdlNode *node = &p->nodes[w.list[k]];
            if (node->pass < p->nodes[done].pass)
                node->pass = p->nodes[done].pass;
            if (--missing[w.list[k]] == 0)
                p->queue[tail++] = w.list[k];
        }
    }
    return tail == n || circle_error(p, missing, err);
}

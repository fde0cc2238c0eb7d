/* restore/ddl_locks.c - which tables a statement locks, and how; the contract is in ddl_planner.h. */
#include "restore/ddl_planner.h"
#include "restore/entry.h"
#include "restore/sql_text.h"

/* Locking a partitioned table locks its partitions, so they are listed with it; past this many
 * listings in all, memory counts for more. */
#define MAX_PARTITION_LOCKS 10000000

static void add_child(DdlPlanner *p, size_t parent, size_t child)
{
    DdlNode *node = &p->nodes[parent];

    *mem_push(p->nodes, node->partitions, node->partition_count, node->partition_capacity,
              uint32_t) = (uint32_t) child;
    p->nodes[child].parent = (uint32_t) parent;
}

static void add_attached(DdlPlanner *p, size_t parent, size_t child)
{
    DdlPlan *plan = p->plan;

    add_child(p, parent, child);
    DdlPartition *partition = mem_push(plan, plan->partitions, plan->partition_count,
                                       p->partition_capacity, DdlPartition);
    *partition = (DdlPartition){.oid = p->nodes[child].toc->oid,
                                .parent = p->nodes[parent].toc->oid};
}

static int partition_order(const void *a, const void *b)
{
    const DdlPartition *x = a;
    const DdlPartition *y = b;
    return x->oid < y->oid ? -1 : x->oid > y->oid;
}

uint32_t ddl_parent(const DdlPlan *plan, uint32_t oid)
{
    DdlPartition key = {.oid = oid};
    const DdlPartition *found = plan->partition_count == 0
                                    ? NULL
                                    : bsearch(&key, plan->partitions, plan->partition_count,
                                              sizeof(DdlPartition), partition_order);
    return found == NULL ? 0 : found->parent;
}

/* The entry TABLE ATTACH depends on both tables and is named as the partition is. */
static void note_attach(DdlPlanner *p, const DdlNode *attach)
{
    size_t child = SIZE_MAX;

    for (size_t i = 0; i < attach->dep_count; i++)
    {
        const TocEntry *e = p->nodes[attach->deps[i]].toc;
        if (entry_is_relation(e) && strcmp(e->tag, attach->toc->tag) == 0 &&
            str_equal(e->schema, attach->toc->schema))
            child = attach->deps[i];
    }
    for (size_t i = 0; child != SIZE_MAX && i < attach->dep_count; i++)
        if (attach->deps[i] != child && entry_is_relation(p->nodes[attach->deps[i]].toc))
            add_attached(p, attach->deps[i], child);
}

void ddl_locks_partitions(DdlPlanner *p)
{
    for (size_t i = 0; i < p->toc->entry_count; i++)
    {
        const DdlNode *node = &p->nodes[i];
        if (entry_is(node->toc, "TABLE ATTACH"))
            note_attach(p, node);
        /* a table depends on those it inherits from */
        for (size_t k = 0; entry_is(node->toc, "TABLE") && k < node->dep_count; k++)
            if (entry_is(p->nodes[node->deps[k]].toc, "TABLE"))
                add_child(p, node->deps[k], i);
    }
    if (p->plan->partition_count > 1)
        qsort(p->plan->partitions, p->plan->partition_count, sizeof(DdlPartition), partition_order);
}

/* What the statement takes on the tables it is about. Sources: AlterTableGetLockLevel (tablecmds.c),
 * DefineIndex, CreateTrigger, CreateStatistics, get_object_address for comments. What is not known
 * here takes the strongest. */
static LockMode own_mode(const DdlPlanner *p, const TocEntry *e)
{
    static const char *const catalog_only[] = {"STATISTICS", "PUBLICATION TABLE", "COMMENT",
                                               "SECURITY LABEL", NULL};
    static const char *const triggers[] = {"FK CONSTRAINT", "TRIGGER", NULL};

    if (entry_is_any(e->desc, catalog_only))
        return LOCK_SHARE_UPDATE_EXCLUSIVE;
    if (entry_is_any(e->desc, triggers))
        return LOCK_SHARE_ROW_EXCLUSIVE;
    /* An index that is marked for CLUSTER or REPLICA IDENTITY is followed by an ALTER TABLE. */
    if (entry_is(e, "INDEX") && !sql_text_has_alter_table(e->defn, p->text.std_strings))
        return LOCK_SHARE;
    return LOCK_ACCESS_EXCLUSIVE;
}

static size_t add_relations(DdlPlanner *p, const DdlNode *node, size_t count)
{
    for (size_t i = 0; i < node->dep_count; i++)
        if (entry_is_relation(p->nodes[node->deps[i]].toc) && ddl_visit(p, node->deps[i]))
            p->queue[count++] = node->deps[i];
    return count;
}

/* A comment on a constraint, trigger, rule or policy locks the table of that. */
static size_t add_relations_of_object(DdlPlanner *p, const DdlNode *node)
{
    static const char *const list[] = {
        "CONSTRAINT", "CHECK CONSTRAINT", "FK CONSTRAINT", "TRIGGER", "RULE", "POLICY", NULL};
    size_t count = 0;

    for (size_t i = 0; i < node->dep_count; i++)
        if (entry_is_any(p->nodes[node->deps[i]].toc->desc, list))
            count = add_relations(p, &p->nodes[node->deps[i]], count);
    return count;
}

/* What is done to a partitioned table goes on to its partitions. */
static size_t add_partitions(DdlPlanner *p, size_t count)
{
    size_t direct = count;

    for (size_t i = 0; i < count; i++)
    {
        const DdlNode *table = &p->nodes[p->queue[i]];
        for (size_t k = 0; k < table->partition_count; k++)
            if (ddl_visit(p, table->partitions[k]))
                p->queue[count++] = table->partitions[k];
    }
    p->partition_locks += count - direct;
    return count;
}

/* An index that becomes a part of a partitioned one may be the last that was missing there, which
 * the ones above are then told. */
static size_t add_ancestors(DdlPlanner *p, size_t count)
{
    for (size_t i = 0; i < count; i++)
    {
        uint32_t parent = p->nodes[p->queue[i]].parent;
        if (parent != DDL_NO_PARENT && ddl_visit(p, parent))
            p->queue[count++] = parent;
    }
    return count;
}

/* Fills the planner's queue with the tables the node locks and returns their number. With their
 * partitions only where their data is needed, too: an index on a partitioned table is created ON
 * ONLY it. */
static size_t collect_locks(DdlPlanner *p, const DdlNode *node, DdlEntry *entry)
{
    p->visits++;
    if (entry_is_attachment(node->toc))
        return add_relations_of_object(p, node);
    if (node->toc->section != TOC_SECTION_POST_DATA)
        return 0;
    size_t count = add_relations(p, node, 0);
    if (entry_is(node->toc, "INDEX ATTACH"))
        return add_ancestors(p, count);
    if (node->pass != DDL_POST_DATA)
        return count;
    bool listed = p->partition_locks <= MAX_PARTITION_LOCKS;
    entry->all_data = !listed || !entry_is(node->toc, "FK CONSTRAINT");
    return listed ? add_partitions(p, count) : count;
}

void ddl_locks_set(DdlPlanner *p, const DdlNode *node, DdlEntry *entry)
{
    LockMode mode = own_mode(p, node->toc);
    entry->all_data = node->pass == DDL_POST_DATA;
    size_t count = collect_locks(p, node, entry);
    entry->locks = string_pool_take(&p->pool, count * sizeof(DdlLock));
    for (size_t i = 0; i < count; i++)
    {
        uint32_t oid = p->nodes[p->queue[i]].toc->oid;
        if (oid != 0)
            entry->locks[entry->lock_count++] = (DdlLock){.oid = oid, .mode = mode};
    }
}

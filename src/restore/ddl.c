/* restore/ddl.c - the list of statements; the contract is in ddl.h. */
#include "restore/ddl.h"

#include "restore/ddl_planner.h"
#include "restore/entry.h"

static void set_needs(DdlPlanner *p, const DdlNode *node, DdlEntry *entry)
{
    entry->needs = string_pool_take(&p->pool, node->dep_count * sizeof(size_t));
    p->visits++;
    for (size_t i = 0; i < node->dep_count; i++)
    {
        const DdlNode *on = &p->nodes[node->deps[i]];
        if (on->sql != NULL && on->pass != DDL_PRE_DATA &&
            ddl_order_waits(p, node, node->deps[i]) && ddl_visit(p, node->deps[i]))
            entry->needs[entry->need_count++] = on->plan_index;
    }
}

static DdlWork work_of(const TocEntry *e)
{
    static const char *const build[] = {"INDEX", "CONSTRAINT", NULL};
    static const char *const check[] = {"FK CONSTRAINT", "CHECK CONSTRAINT", NULL};

    if (entry_is_any(e->desc, build))
        return DDL_WORK_BUILD;
    return entry_is_any(e->desc, check) ? DDL_WORK_CHECK : DDL_WORK_CATALOG;
}

static void fill_entry(DdlPlanner *p, const DdlNode *node, DdlEntry *entry)
{
    entry->toc = node->toc;
    entry->pass = node->pass;
    entry->work = work_of(node->toc);
    entry->label = ddl_text_label(&p->text, node->toc);
    entry->set_tablespace = ddl_text_tablespace(&p->text, node->toc);
    entry->set_table_am = ddl_text_table_am(&p->text, node->toc);
    entry->sql = node->sql;
    entry->own_transaction = entry_is(node->toc, "SUBSCRIPTION");
    if (node->pass != DDL_INDEX && node->pass != DDL_POST_DATA)
        return;
    ddl_locks_set(p, node, entry);
    set_needs(p, node, entry);
}

static void list_entries(DdlPlanner *p)
{
    DdlPlan *plan = p->plan;
    size_t n = p->toc->entry_count;

    for (int pass = DDL_PRE_DATA; pass <= DDL_LAST; pass++)
        for (size_t i = 0; i < n; i++)
            if (p->nodes[i].sql != NULL && p->nodes[i].pass == (DdlPass) pass)
                p->nodes[i].plan_index = plan->entry_count++;
    plan->entries = mem_array(plan, DdlEntry, plan->entry_count);
    for (size_t i = 0; i < n; i++)
        if (p->nodes[i].sql != NULL)
            fill_entry(p, &p->nodes[i], &plan->entries[p->nodes[i].plan_index]);
}

DdlPlan *ddl_plan(void *ctx, const ArchiveToc *toc, const char *new_database, Error *err)
{
    DdlPlan *plan = mem_new(ctx, DdlPlan);
    DdlPlanner *p = mem_new(plan, DdlPlanner);

    p->toc = toc;
    p->new_database = new_database;
    p->plan = plan;
    p->pool.ctx = plan;
    p->scratch.ctx = p;
    ddl_session_find(p);
    plan->toc = toc;
    plan->std_strings = p->text.std_strings;
    plan->session_setup = ddl_session_setup(p);
    ddl_session_database(p);
    ddl_order_nodes(p);
    if (!ddl_order_settle(p, err))
    {
        mem_free(plan);
        return NULL;
    }
    ddl_locks_partitions(p);
    list_entries(p);
    mem_free(p);
    return plan;
}

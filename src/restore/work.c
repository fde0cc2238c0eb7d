/* restore/work.c - a node's tasks and what each has to wait for; the contract is in work.h. */
#include "restore/work.h"

#include "base/search.h"
#include "restore/cost.h"
#include "restore/estimate.h"

/* Below this size a table is loaded by one worker even when it is the only one: FREEZE and the
 * order of the source's rows are worth more than a second core for a moment. */
#define SHARED_FLOOR ((uint64_t) 64 * 1024 * 1024)

/* By how much the whole must get shorter for a table to be shared. */
#define SHARED_GAIN 1.1

#define NO_TASK SIZE_MAX

/* A table, by the oid it had at the source, and the ANALYZE that reads it. */
typedef struct Analyzed
{
    uint32_t oid;
    size_t task;
} Analyzed;

typedef struct Work
{
    const RestoreNode *node;
    const DdlPlan *ddl;
    Schedule *schedule;
    void *ctx;
    double *follow;                   /* per table: costs of what waits for its data alone */
    size_t *first_load, *load_counts; /* per table: numbers of the tasks that load it, in a row */
    size_t *complete;                 /* per table: the task or mark behind its data, or NO_TASK */
    size_t *entries;                  /* per entry: its task, or NO_TASK */
    size_t all_data;                  /* mark: all data is in */
    size_t settled;                   /* mark: what comes before the privileges is done */
    size_t acl;
    Analyzed *analyzed; /* sorted by oid */
    size_t analyzed_count, analyzed_capacity;
} Work;

static bool is_scheduled(const DdlEntry *entry)
{
    return entry->pass == DDL_INDEX || entry->pass == DDL_POST_DATA || entry->pass == DDL_REFRESH;
}

static size_t table_index(const Work *w, uint32_t oid)
{
    const RestoreTable *table = restore_node_table(w->node, oid);
    return table == NULL ? NO_TASK : (size_t) (table - w->node->tables);
}

/* ---- data ---- */

static double table_cost(const RestoreTable *t)
{
    return cost_load(t->record->rows, t->record->logical);
}

/* What follows each table's data directly, and the sum of everything's cost. */
static double sum_costs(Work *w)
{
    double total = 0;
    for (size_t i = 0; i < w->node->table_count; i++)
        total += table_cost(&w->node->tables[i]);
    for (size_t e = 0; e < w->ddl->entry_count; e++)
    {
        const DdlEntry *entry = &w->ddl->entries[e];
        if (!is_scheduled(entry))
            continue;
        double cost = estimate_entry(w->node, entry).cost;
        total += cost;
        size_t table = entry->lock_count == 1 ? table_index(w, entry->locks[0].oid) : NO_TASK;
        if (table != NO_TASK && entry->pass == DDL_INDEX)
            w->follow[table] += cost;
    }
    return total;
}

/* With one worker on the table the whole cannot be done before that worker is, and then the table's
 * indexes. That is compared with an even share of all work. */
static bool is_shared(const Work *w, size_t i, double total)
{
    const RestoreTable *t = &w->node->tables[i];
    double jobs = w->node->jobs;
    /* Shared, it could be half loaded: then it could not be emptied again, or what failed be passed
     * over. */
    bool whole = w->node->request->append || w->node->request->on_error == ON_ERROR_CONTINUE;
    /* There is nothing to be gained from one transaction where rows go to other servers. */
    if (t->remote && !whole)
        return t->chunk_count > 1;
    if (whole || t->chunk_count < 2 || jobs < 2 || t->record->logical <= SHARED_FLOOR)
        return false;
    return table_cost(t) + w->follow[i] / jobs > SHARED_GAIN * total / jobs;
}

static void add_owned(Work *w, uint32_t i)
{
    const RestoreTable *t = &w->node->tables[i];
    Task task = {.kind = TASK_TABLE, .table = i, .chunk = t->first_chunk};
    w->complete[i] = schedule_add(w->schedule, &task, table_cost(t), table_cost(t));
    w->first_load[i] = w->complete[i];
    w->load_counts[i] = 1;
}

static void add_shared(Work *w, uint32_t i)
{
    const RestoreTable *t = &w->node->tables[i];
    w->complete[i] = schedule_add_mark(w->schedule);
    for (size_t k = 0; k < t->chunk_count; k++)
    {
        size_t chunk = t->first_chunk + k;
        Task task = {.kind = TASK_CHUNK, .table = i, .chunk = chunk};
        double part = (double) w->node->chunks[chunk].logical / (double) (t->record->logical + 1);
        double cost = table_cost(t) * part;
        double together = table_cost(t) / w->node->jobs;
        size_t added = schedule_add(w->schedule, &task, cost, together > cost ? together : cost);
        schedule_after(w->schedule, w->complete[i], added);
        w->first_load[i] = k == 0 ? added : w->first_load[i];
    }
    w->load_counts[i] = t->chunk_count;
}

/* The parts of a table, each where it will be. Their chunks stand one behind the other. */
static void add_placed(Work *w, uint32_t i)
{
    const RestoreTable *t = &w->node->tables[i];
    const ChunkRef *chunks = w->node->chunks;
    w->complete[i] = schedule_add_mark(w->schedule);
    for (size_t k = t->first_chunk; k < t->first_chunk + t->chunk_count;)
    {
        Task task = {.kind = TASK_PART, .table = i, .chunk = k};
        uint64_t bytes = 0;
        uint32_t part = chunks[k].part;
        for (; k < t->first_chunk + t->chunk_count && chunks[k].part == part; k++)
            bytes += chunks[k].logical;
        double cost = table_cost(t) * (double) bytes / (double) (t->record->logical + 1);
        double together = table_cost(t) / w->node->jobs;
        size_t added = schedule_add(w->schedule, &task, cost, together > cost ? together : cost);
        schedule_after(w->schedule, w->complete[i], added);
        w->first_load[i] = w->load_counts[i]++ == 0 ? added : w->first_load[i];
    }
    if (!t->proven)
        return;
    Task proof = {.kind = TASK_PROOF, .table = i};
    double cost = cost_analyze(t->record->rows, t->record->logical);
    size_t added = schedule_add(w->schedule, &proof, cost, cost);
    schedule_after(w->schedule, added, w->complete[i]);
    w->complete[i] = added;
}

/* Every task of a table waits for the tables that its foreign keys refer to: the mark behind the
 * shared one's chunks is not enough. */
static void add_orders(Work *w)
{
    for (size_t i = 0; i < w->node->order_count; i++)
    {
        const TableOrder *o = &w->node->orders[i];
        for (size_t k = 0; k < w->load_counts[o->after]; k++)
            schedule_after(w->schedule, w->first_load[o->after] + k, w->complete[o->before]);
    }
}

static void add_data(Work *w)
{
    const RestoreNode *node = w->node;
    double total = sum_costs(w);
    w->all_data = schedule_add_mark(w->schedule);
    for (uint32_t i = 0; i < node->table_count; i++)
    {
        w->complete[i] = NO_TASK;
        if (node->tables[i].chunk_count == 0)
            continue;
        if (node->tables[i].placed && node->tables[i].route == NULL)
            add_placed(w, i);
        else if (is_shared(w, i, total))
            add_shared(w, i);
        else
            add_owned(w, i);
        schedule_after(w->schedule, w->all_data, w->complete[i]);
    }
    add_orders(w);
}

/* ---- statements ---- */

/* A routed table gets rows from its siblings' chunks, too: it is complete when all data is. */
static bool needs_all_data(const Work *w, const DdlEntry *entry)
{
    bool all = entry->all_data;
    for (size_t i = 0; !all && i < entry->lock_count; i++)
    {
        const RestoreTable *table = restore_node_table(w->node, entry->locks[i].oid);
        all = table != NULL && table->route != NULL;
    }
    return all;
}

static void wait_for_data(Work *w, size_t task, const DdlEntry *entry)
{
    if (needs_all_data(w, entry))
    {
        schedule_after(w->schedule, task, w->all_data);
        return;
    }
    for (size_t i = 0; i < entry->lock_count; i++)
    {
        size_t table = table_index(w, entry->locks[i].oid);
        if (table != NO_TASK && w->complete[table] != NO_TASK)
            schedule_after(w->schedule, task, w->complete[table]);
    }
}

static void add_entry(Work *w, size_t e)
{
    const DdlEntry *entry = &w->ddl->entries[e];
    Estimate estimate = estimate_entry(w->node, entry);
    Task task = {.kind = TASK_DDL,
                 .entry = e,
                 .bytes = estimate.bytes,
                 .wide = entry->work == DDL_WORK_BUILD};
    size_t added = w->entries[e] = schedule_add(w->schedule, &task, estimate.cost, estimate.cost);
    for (size_t i = 0; i < entry->lock_count; i++)
        schedule_lock(w->schedule, added, entry->locks[i].oid, entry->locks[i].mode);
    if (entry->pass == DDL_REFRESH)
    {
        schedule_after(w->schedule, added, w->acl);
        return;
    }
    wait_for_data(w, added, entry);
    schedule_after(w->schedule, w->settled, added);
}

static void add_statements(Work *w)
{
    for (size_t e = 0; e < w->ddl->entry_count; e++)
    {
        w->entries[e] = NO_TASK;
        if (is_scheduled(&w->ddl->entries[e]))
            add_entry(w, e);
    }
    for (size_t e = 0; e < w->ddl->entry_count; e++)
    {
        const DdlEntry *entry = &w->ddl->entries[e];
        for (size_t i = 0; w->entries[e] != NO_TASK && i < entry->need_count; i++)
            if (w->entries[entry->needs[i]] != NO_TASK)
                schedule_after(w->schedule, w->entries[e], w->entries[entry->needs[i]]);
    }
}

/* ---- ANALYZE ---- */

static void note_analyzed(Work *w, uint32_t oid, size_t task)
{
    Analyzed *analyzed = mem_push(w->ctx, w->analyzed, w->analyzed_count, w->analyzed_capacity,
                                  Analyzed);
    *analyzed = (Analyzed){.oid = oid, .task = task};
}

/* Partitioned tables above the leaves are locked by it as well. */
static void lock_analyzed(Work *w, uint32_t oid, size_t task)
{
    /* A chain of parents cannot be longer than there are partitions. */
    for (size_t steps = 0; oid != 0 && steps <= w->ddl->partition_count; steps++)
    {
        note_analyzed(w, oid, task);
        oid = ddl_parent(w->ddl, oid);
    }
}

static void add_analyze(Work *w, const AnalyzeList *list, size_t at)
{
    const AnalyzeTarget *target = &list->targets[at];
    double cost = 0;
    for (size_t i = 0; i < target->count; i++)
    {
        const TableRecord *record = w->node->tables[list->tables[target->first + i]].record;
        cost += cost_analyze(record->rows, record->logical);
    }
    Task task = {.kind = TASK_ANALYZE, .entry = at};
    size_t added = schedule_add(w->schedule, &task, cost, cost);
    for (size_t i = 0; i < target->count; i++)
    {
        uint32_t table = list->tables[target->first + i];
        if (w->node->tables[table].route != NULL)
            schedule_after(w->schedule, added, w->all_data);
        else if (w->complete[table] != NO_TASK)
            schedule_after(w->schedule, added, w->complete[table]);
        lock_analyzed(w, w->node->tables[table].record->oid, added);
    }
    schedule_after(w->schedule, w->settled, added);
}

static int analyzed_order(const void *a, const void *b)
{
    const Analyzed *x = a;
    const Analyzed *y = b;
    if (x->oid != y->oid)
        return x->oid < y->oid ? -1 : 1;
    return x->task < y->task ? -1 : x->task > y->task;
}

/* The siblings' shared parent was noted once for each of them. */
static void settle_analyzed(Work *w)
{
    size_t unique = 0;
    if (w->analyzed_count > 1)
        qsort(w->analyzed, w->analyzed_count, sizeof(Analyzed), analyzed_order);
    for (size_t i = 0; i < w->analyzed_count; i++)
        if (unique == 0 || analyzed_order(&w->analyzed[unique - 1], &w->analyzed[i]) != 0)
            w->analyzed[unique++] = w->analyzed[i];
    w->analyzed_count = unique;
    for (size_t i = 0; i < unique; i++)
        schedule_lock(w->schedule, w->analyzed[i].task, w->analyzed[i].oid,
                      LOCK_SHARE_UPDATE_EXCLUSIVE);
}

static bool analyzed_before(const void *work, size_t i, const void *oid)
{
    return ((const Work *) work)->analyzed[i].oid < *(const uint32_t *) oid;
}

static size_t first_analyzed(const Work *w, uint32_t oid)
{
    return search_first(w, w->analyzed_count, analyzed_before, &oid);
}

static void add_all_analyze(Work *w, const AnalyzeList *list)
{
    for (size_t i = 0; i < list->target_count; i++)
        add_analyze(w, list, i);
    settle_analyzed(w);
    for (size_t e = 0; e < w->ddl->entry_count; e++)
    {
        const DdlEntry *entry = &w->ddl->entries[e];
        for (size_t k = 0; entry->pass == DDL_INDEX && k < entry->lock_count; k++)
        {
            uint32_t oid = entry->locks[k].oid;
            for (size_t i = first_analyzed(w, oid);
                 i < w->analyzed_count && w->analyzed[i].oid == oid; i++)
                schedule_after(w->schedule, w->analyzed[i].task, w->entries[e]);
        }
    }
}

/* ---- the whole ---- */

static size_t add_step(Work *w, TaskKind kind, size_t before)
{
    Task task = {.kind = kind};
    size_t added = schedule_add(w->schedule, &task, COST_STATEMENT, COST_STATEMENT);
    schedule_after(w->schedule, added, before);
    return added;
}

Schedule *work_plan(const RestoreNode *node, const AnalyzeList *analyze, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "work");
    AUTO(schedule_free) Schedule *schedule = schedule_new(node->jobs);
    Work w = {
        .node = node,
        .ddl = node->ddl,
        .schedule = schedule,
        .ctx = tmp,
        .follow = mem_array(tmp, double, node->table_count),
        .complete = mem_array(tmp, size_t, node->table_count),
        .first_load = mem_array(tmp, size_t, node->table_count),
        .load_counts = mem_array(tmp, size_t, node->table_count),
        .entries = mem_array(tmp, size_t, node->ddl->entry_count),
    };
    add_data(&w);
    w.settled = schedule_add_mark(schedule);
    schedule_after(schedule, w.settled, w.all_data);
    w.acl = add_step(&w, TASK_ACL, add_step(&w, TASK_SEQUENCES, w.settled));
    add_statements(&w);
    add_all_analyze(&w, analyze);
    if (!schedule_begin(schedule, err))
        return NULL;
    Schedule *result = schedule;
    schedule = NULL;
    return result;
}

/* restore/schedule.c - what a worker may do next; the contract is in schedule.h. */
#include "restore/schedule.h"

#include <pthread.h>

/* For every key (a table or an entry) the entries that wait for it, as ranges of one array. */
typedef struct Waiting
{
    size_t *first; /* first[k] .. first[k + 1] - 1 */
    size_t *entries;
} Waiting;

typedef struct TableLock
{
    uint32_t oid;
    int shared;
    bool exclusive;
} TableLock;

struct Schedule
{
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    const RestoreNode *node;
    bool stopped;
    Task *data; /* biggest first */
    size_t data_count, data_capacity;
    size_t data_next;
    size_t data_left;   /* not done yet */
    size_t *table_left; /* tasks of each table that are not done */
    size_t *pending;    /* per entry: things it waits for; counts all data as one for POST_DATA */
    Waiting on_table;
    Waiting on_entry;
    size_t *ready; /* entries whose pending is 0, in the order they became so */
    size_t ready_count;
    size_t ddl_count;
    size_t ddl_left;
    TableLock *locks; /* sorted by oid */
    size_t lock_count;
};

/* Below this size a table is loaded by one worker even when it is the only one: FREEZE and the
 * order of the source's rows are worth more than a second core for a moment. */
#define SHARED_FLOOR ((uint64_t) 64 * 1024 * 1024)

static bool scheduled(const DdlEntry *entry)
{
    return entry->pass == DDL_INDEX || entry->pass == DDL_POST_DATA;
}

static int task_order(const void *a, const void *b)
{
    const Task *x = a;
    const Task *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->table != y->table ? (x->table < y->table ? -1 : 1) : x->chunk < y->chunk ? -1 : 1;
}

static void plan_data(Schedule *s)
{
    const RestoreNode *node = s->node;
    uint64_t total = 0;
    for (size_t i = 0; i < node->chunk_count; i++)
        total += node->chunks[i].logical;
    s->table_left = mem_array(s, size_t, node->table_count);
    for (uint32_t i = 0; i < node->table_count; i++)
    {
        const RestoreTable *t = &node->tables[i];
        uint64_t bytes = t->record->logical;
        bool shared = t->chunk_count > 1 && node->request->jobs > 1 && bytes > SHARED_FLOOR &&
                      bytes / 10 * (uint64_t) node->request->jobs > total / 10;
        size_t tasks = t->chunk_count == 0 ? 0 : shared ? t->chunk_count : 1;
        for (size_t k = 0; k < tasks; k++)
        {
            Task *task = mem_push(s, s->data, s->data_count, s->data_capacity, Task);
            task->kind = shared ? TASK_CHUNK : TASK_TABLE;
            task->table = i;
            task->chunk = t->first_chunk + k;
            /* Chunks of a shared table go by the table's size, so that they come first together. */
            task->bytes = bytes;
        }
        s->table_left[i] = tasks;
    }
    s->data_left = s->data_count;
    if (s->data_count > 1)
        qsort(s->data, s->data_count, sizeof(Task), task_order);
}

/* A routed table gets rows from its siblings' chunks, too: it is complete when all data is. */
static bool needs_all_data(const RestoreNode *node, const DdlEntry *entry)
{
    bool all = entry->pass == DDL_POST_DATA;
    for (size_t k = 0; entry->pass == DDL_INDEX && !all && k < entry->table_count; k++)
    {
        const RestoreTable *table = restore_node_table(node, entry->tables[k]);
        all = table != NULL && table->route != NULL;
    }
    return all;
}

static bool waits_for_table(const Schedule *s, const DdlEntry *entry, size_t k, size_t *ret_table)
{
    const RestoreTable *table = restore_node_table(s->node, entry->tables[k]);
    if (entry->pass != DDL_INDEX || table == NULL)
        return false;
    *ret_table = (size_t) (table - s->node->tables);
    return s->table_left[*ret_table] > 0;
}

/* Counts, then fills: entry e waits for the keys that each_key reports. */
static void fill_waiting(Schedule *s, Waiting *waiting, size_t keys, bool by_table)
{
    const DdlPlan *ddl = s->node->ddl;
    size_t total = 0;
    waiting->first = mem_array(s, size_t, keys + 2);
    for (int round = 0; round < 2; round++)
    {
        for (size_t e = 0; e < ddl->entry_count; e++)
        {
            const DdlEntry *entry = &ddl->entries[e];
            size_t count = by_table ? entry->table_count : entry->need_count;
            for (size_t k = 0; scheduled(entry) && k < count; k++)
            {
                size_t key = by_table ? 0 : entry->needs[k];
                if (by_table ? !waits_for_table(s, entry, k, &key) : !scheduled(&ddl->entries[key]))
                    continue;
                if (round == 0)
                {
                    waiting->first[key + 2]++;
                    s->pending[e]++;
                    total++;
                }
                else
                    waiting->entries[waiting->first[key + 1]++] = e;
            }
        }
        if (round == 0)
        {
            /* first[key + 1] is where key's entries begin; filling moves it to where they end,
             * which is where the next one's begin. */
            for (size_t k = 1; k < keys + 2; k++)
                waiting->first[k] += waiting->first[k - 1];
            waiting->entries = mem_array(s, size_t, total);
        }
    }
}

static int oid_order(const void *a, const void *b)
{
    uint32_t x = ((const TableLock *) a)->oid;
    uint32_t y = ((const TableLock *) b)->oid;
    return x < y ? -1 : x > y;
}

static void plan_locks(Schedule *s)
{
    const DdlPlan *ddl = s->node->ddl;
    size_t capacity = 0;
    for (size_t e = 0; e < ddl->entry_count; e++)
    {
        for (size_t k = 0; scheduled(&ddl->entries[e]) && k < ddl->entries[e].table_count; k++)
            mem_push(s, s->locks, s->lock_count, capacity, TableLock)->oid =
                ddl->entries[e].tables[k];
    }
    if (s->lock_count == 0)
        return;
    qsort(s->locks, s->lock_count, sizeof(TableLock), oid_order);
    size_t unique = 1;
    for (size_t i = 1; i < s->lock_count; i++)
    {
        if (s->locks[i].oid != s->locks[unique - 1].oid)
            s->locks[unique++] = s->locks[i];
    }
    s->lock_count = unique;
}

static TableLock *find_lock(Schedule *s, uint32_t oid)
{
    TableLock key = {.oid = oid};
    return bsearch(&key, s->locks, s->lock_count, sizeof(TableLock), oid_order);
}

static void plan_ddl(Schedule *s)
{
    const RestoreNode *node = s->node;
    const DdlPlan *ddl = node->ddl;
    s->pending = mem_array(s, size_t, ddl->entry_count);
    s->ready = mem_array(s, size_t, ddl->entry_count);
    fill_waiting(s, &s->on_table, node->table_count, true);
    fill_waiting(s, &s->on_entry, ddl->entry_count, false);
    for (size_t e = 0; e < ddl->entry_count; e++)
    {
        if (!scheduled(&ddl->entries[e]))
            continue;
        s->ddl_count++;
        if (s->data_left > 0 && needs_all_data(node, &ddl->entries[e]))
            s->pending[e]++;
        if (s->pending[e] == 0)
            s->ready[s->ready_count++] = e;
    }
    s->ddl_left = s->ddl_count;
    plan_locks(s);
}

Schedule *schedule_new(const RestoreNode *node)
{
    Schedule *s = mem_new(NULL, Schedule);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->node = node;
    plan_data(s);
    plan_ddl(s);
    return s;
}

void schedule_free(Schedule *s)
{
    pthread_mutex_destroy(&s->mutex);
    pthread_cond_destroy(&s->changed);
    mem_free(s);
}

static bool lockable(Schedule *s, const DdlEntry *entry)
{
    for (size_t k = 0; k < entry->table_count; k++)
    {
        const TableLock *lock = find_lock(s, entry->tables[k]);
        if (lock->exclusive || (entry->exclusive && lock->shared > 0))
            return false;
    }
    return true;
}

static void set_locks(Schedule *s, const DdlEntry *entry, bool take)
{
    for (size_t k = 0; k < entry->table_count; k++)
    {
        TableLock *lock = find_lock(s, entry->tables[k]);
        if (entry->exclusive)
            lock->exclusive = take;
        else
            lock->shared += take ? 1 : -1;
    }
}

static bool take_ddl(Schedule *s, Task *ret_task)
{
    for (size_t i = 0; i < s->ready_count; i++)
    {
        size_t e = s->ready[i];
        const DdlEntry *entry = &s->node->ddl->entries[e];
        if (!lockable(s, entry))
            continue;
        memmove(&s->ready[i], &s->ready[i + 1], (s->ready_count - i - 1) * sizeof(size_t));
        s->ready_count--;
        set_locks(s, entry, true);
        *ret_task = (Task){.kind = TASK_DDL, .entry = e};
        return true;
    }
    return false;
}

bool schedule_next(Schedule *s, Task *ret_task)
{
    bool found = false;
    pthread_mutex_lock(&s->mutex);
    while (!s->stopped && !found && (s->data_left > 0 || s->ddl_left > 0))
    {
        if (s->data_next < s->data_count)
        {
            *ret_task = s->data[s->data_next++];
            found = true;
        }
        else
            found = take_ddl(s, ret_task);
        if (!found)
            pthread_cond_wait(&s->changed, &s->mutex);
    }
    pthread_mutex_unlock(&s->mutex);
    return found;
}

static void release(Schedule *s, size_t entry)
{
    if (--s->pending[entry] == 0)
        s->ready[s->ready_count++] = entry;
}

static void data_done(Schedule *s, uint32_t table)
{
    const DdlPlan *ddl = s->node->ddl;
    if (--s->table_left[table] == 0)
    {
        for (size_t i = s->on_table.first[table]; i < s->on_table.first[table + 1]; i++)
            release(s, s->on_table.entries[i]);
    }
    if (--s->data_left > 0)
        return;
    for (size_t e = 0; e < ddl->entry_count; e++)
    {
        if (needs_all_data(s->node, &ddl->entries[e]))
            release(s, e);
    }
}

void schedule_done(Schedule *s, const Task *task)
{
    pthread_mutex_lock(&s->mutex);
    if (task->kind != TASK_DDL)
        data_done(s, task->table);
    else
    {
        set_locks(s, &s->node->ddl->entries[task->entry], false);
        for (size_t i = s->on_entry.first[task->entry]; i < s->on_entry.first[task->entry + 1]; i++)
            release(s, s->on_entry.entries[i]);
        s->ddl_left--;
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

void schedule_stop(Schedule *s)
{
    pthread_mutex_lock(&s->mutex);
    s->stopped = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

size_t schedule_size(const Schedule *s)
{
    return s->data_count + s->ddl_count;
}

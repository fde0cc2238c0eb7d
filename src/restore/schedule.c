/* restore/schedule.c - what a worker does next; the contract is in schedule.h. */
#include "restore/schedule.h"

#include <pthread.h>

#include "base/mem.h"

#define NOBODY SIZE_MAX

typedef struct Node
{
    Task task;
    bool mark;
    double cost;
    double path;
    double level;   /* from its begin to the end of everything */
    size_t pending; /* before it, not done yet */
    size_t first_after, after_count;
    size_t first_lock, lock_count;
    size_t next_parked;
} Node;

typedef struct Edge
{
    size_t before;
    size_t after;
} Edge;

typedef struct Claim
{
    size_t task;
    uint32_t oid;
    LockMode mode;
    size_t table; /* index into Schedule.tables */
} Claim;

typedef struct TableLock
{
    unsigned held; /* bits of modes */
    unsigned count[LOCK_MODE_COUNT];
    size_t parked; /* ready tasks that a lock here keeps away: a list, or NOBODY */
} TableLock;

struct Schedule
{
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int workers;
    bool stopped;
    Node *nodes;
    size_t count, capacity;
    size_t size; /* without marks */
    size_t left; /* not done yet, without marks */
    Edge *edges; /* sorted by before */
    size_t edge_count, edge_capacity;
    Claim *claims; /* sorted by task */
    size_t claim_count, claim_capacity;
    TableLock *tables;
    size_t table_count;
    size_t *heap; /* ready tasks, longest way first */
    size_t heap_count;
    int shares_used;
};

Schedule *schedule_new(int workers)
{
    Schedule *s = mem_new(NULL, Schedule);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->workers = workers;
    return s;
}

void schedule_free(Schedule *s)
{
    pthread_mutex_destroy(&s->mutex);
    pthread_cond_destroy(&s->changed);
    mem_free(s);
}

/* ---- the graph ---- */

static Node *add_node(Schedule *s)
{
    Node *node = mem_push(s, s->nodes, s->count, s->capacity, Node);
    node->next_parked = NOBODY;
    return node;
}

size_t schedule_add(Schedule *s, const Task *task, double cost, double path)
{
    Node *node = add_node(s);
    node->task = *task;
    node->task.id = s->count - 1;
    node->cost = cost;
    node->path = path;
    s->size++;
    return s->count - 1;
}

size_t schedule_add_mark(Schedule *s)
{
    add_node(s)->mark = true;
    return s->count - 1;
}

void schedule_after(Schedule *s, size_t task, size_t before)
{
    Edge *edge = mem_push(s, s->edges, s->edge_count, s->edge_capacity, Edge);
    *edge = (Edge){.before = before, .after = task};
}

void schedule_lock(Schedule *s, size_t task, uint32_t oid, LockMode mode)
{
    Claim *claim = mem_push(s, s->claims, s->claim_count, s->claim_capacity, Claim);
    *claim = (Claim){.task = task, .oid = oid, .mode = mode};
}

static int edge_order(const void *a, const void *b)
{
    const Edge *x = a;
    const Edge *y = b;
    if (x->before != y->before)
        return x->before < y->before ? -1 : 1;
    return x->after < y->after ? -1 : x->after > y->after;
}

static int claim_order_by_table(const void *a, const void *b)
{
    const Claim *x = a;
    const Claim *y = b;
    return x->oid < y->oid ? -1 : x->oid > y->oid;
}

static int claim_order_by_task(const void *a, const void *b)
{
    const Claim *x = a;
    const Claim *y = b;
    if (x->task != y->task)
        return x->task < y->task ? -1 : 1;
    return x->table < y->table ? -1 : x->table > y->table;
}

static void index_edges(Schedule *s)
{
    if (s->edge_count > 1)
        qsort(s->edges, s->edge_count, sizeof(Edge), edge_order);
    for (size_t i = s->edge_count; i > 0; i--)
    {
        Node *before = &s->nodes[s->edges[i - 1].before];
        before->first_after = i - 1;
        before->after_count++;
        s->nodes[s->edges[i - 1].after].pending++;
    }
}

static void index_claims(Schedule *s)
{
    if (s->claim_count > 1)
        qsort(s->claims, s->claim_count, sizeof(Claim), claim_order_by_table);
    for (size_t i = 0; i < s->claim_count; i++)
    {
        if (i > 0 && s->claims[i].oid != s->claims[i - 1].oid)
            s->table_count++;
        s->claims[i].table = s->table_count;
    }
    s->table_count += s->claim_count > 0 ? 1 : 0;
    s->tables = mem_array(s, TableLock, s->table_count);
    for (size_t i = 0; i < s->table_count; i++)
        s->tables[i].parked = NOBODY;
    if (s->claim_count > 1)
        qsort(s->claims, s->claim_count, sizeof(Claim), claim_order_by_task);
    for (size_t i = s->claim_count; i > 0; i--)
    {
        Node *node = &s->nodes[s->claims[i - 1].task];
        node->first_lock = i - 1;
        node->lock_count++;
    }
}

/* The way from a task to the end is at least that of the longest that follows it, and all that
 * follow directly need their time on the workers there are. */
static double way_from(const Schedule *s, const Node *node)
{
    double longest = 0;
    double sum = 0;
    for (size_t i = 0; i < node->after_count; i++)
    {
        const Node *after = &s->nodes[s->edges[node->first_after + i].after];
        longest = after->level > longest ? after->level : longest;
        sum += after->cost;
    }
    sum /= s->workers;
    return node->path + (longest > sum ? longest : sum);
}

/* Uses the heap's place to list the tasks in an order in which each comes behind all before it. */
static bool set_levels(Schedule *s)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "levels");
    size_t *pending = mem_array(tmp, size_t, s->count);
    size_t *order = s->heap;
    size_t tail = 0;
    for (size_t i = 0; i < s->count; i++)
    {
        pending[i] = s->nodes[i].pending;
        if (pending[i] == 0)
            order[tail++] = i;
    }
    for (size_t head = 0; head < tail; head++)
    {
        const Node *node = &s->nodes[order[head]];
        for (size_t i = 0; i < node->after_count; i++)
        {
            size_t after = s->edges[node->first_after + i].after;
            if (--pending[after] == 0)
                order[tail++] = after;
        }
    }
    for (size_t i = tail; i > 0; i--)
        s->nodes[order[i - 1]].level = way_from(s, &s->nodes[order[i - 1]]);
    return tail == s->count;
}

/* ---- ready tasks ---- */

static bool goes_before(const Schedule *s, size_t a, size_t b)
{
    const Node *x = &s->nodes[a];
    const Node *y = &s->nodes[b];
    return x->level != y->level ? x->level > y->level : a < b;
}

static void heap_push(Schedule *s, size_t task)
{
    size_t i = s->heap_count++;
    for (; i > 0 && goes_before(s, task, s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = task;
}

static size_t heap_pop(Schedule *s)
{
    size_t top = s->heap[0];
    size_t last = s->heap[--s->heap_count];
    size_t i = 0;
    for (size_t child = 1; child < s->heap_count; child = 2 * i + 1)
    {
        if (child + 1 < s->heap_count && goes_before(s, s->heap[child + 1], s->heap[child]))
            child++;
        if (!goes_before(s, s->heap[child], last))
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = last;
    return top;
}

static void release(Schedule *s, size_t task);

static void release_followers(Schedule *s, const Node *node)
{
    for (size_t i = 0; i < node->after_count; i++)
    {
        size_t after = s->edges[node->first_after + i].after;
        if (--s->nodes[after].pending == 0)
            release(s, after);
    }
}

/* Everything before the task is done. Marks behind marks are few, so this may call itself. */
static void release(Schedule *s, size_t task)
{
    if (s->nodes[task].mark)
        release_followers(s, &s->nodes[task]);
    else
        heap_push(s, task);
}

bool schedule_begin(Schedule *s, Error *err)
{
    s->heap = mem_array(s, size_t, s->count);
    index_edges(s);
    index_claims(s);
    if (!set_levels(s))
        return error_set(err, ERR_INTERNAL, "the tasks of the restore wait for each other");
    s->left = s->size;
    /* Marks that are passed at once release others, so who has nothing before it is found first. */
    for (size_t i = 0; i < s->count; i++)
        if (s->nodes[i].pending == 0 && !s->nodes[i].mark)
            heap_push(s, i);
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "marks");
    size_t *open = mem_array(tmp, size_t, s->count);
    size_t open_count = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->nodes[i].pending == 0 && s->nodes[i].mark)
            open[open_count++] = i;
    for (size_t i = 0; i < open_count; i++)
        release(s, open[i]);
    return true;
}

/* ---- locks ---- */

/* The table whose locks keep the task away, or NOBODY. */
static size_t find_obstacle(const Schedule *s, const Node *node)
{
    for (size_t i = 0; i < node->lock_count; i++)
    {
        const Claim *claim = &s->claims[node->first_lock + i];
        if (lock_mode_conflicts_with(claim->mode, s->tables[claim->table].held))
            return claim->table;
    }
    return NOBODY;
}

static void take_locks(Schedule *s, const Node *node)
{
    for (size_t i = 0; i < node->lock_count; i++)
    {
        const Claim *claim = &s->claims[node->first_lock + i];
        s->tables[claim->table].count[claim->mode]++;
        s->tables[claim->table].held |= 1U << claim->mode;
    }
}

static void drop_locks(Schedule *s, const Node *node)
{
    for (size_t i = 0; i < node->lock_count; i++)
    {
        const Claim *claim = &s->claims[node->first_lock + i];
        TableLock *table = &s->tables[claim->table];
        if (--table->count[claim->mode] == 0)
            table->held &= ~(1U << claim->mode);
        while (table->parked != NOBODY)
        {
            size_t task = table->parked;
            table->parked = s->nodes[task].next_parked;
            heap_push(s, task);
        }
    }
}

/* The first ready task that no lock keeps away; the others wait at the table that does. */
static size_t take_ready(Schedule *s)
{
    while (s->heap_count > 0)
    {
        size_t task = heap_pop(s);
        size_t obstacle = find_obstacle(s, &s->nodes[task]);
        if (obstacle == NOBODY)
            return task;
        s->nodes[task].next_parked = s->tables[obstacle].parked;
        s->tables[obstacle].parked = task;
    }
    return NOBODY;
}

/* ---- giving out ---- */

/* When fewer tasks are ready than workers are free, a wide one may use what would lie idle. */
static int shares_for(const Schedule *s, const Node *node)
{
    int available = s->workers - s->shares_used;
    if (!node->task.wide || available <= 1 || s->heap_count + 1 >= (size_t) available)
        return 1;
    return available / (int) (s->heap_count + 1);
}

bool schedule_next(Schedule *s, Task *ret_task)
{
    size_t task = NOBODY;
    pthread_mutex_lock(&s->mutex);
    while (!s->stopped && s->left > 0 && (task = take_ready(s)) == NOBODY)
        pthread_cond_wait(&s->changed, &s->mutex);
    bool found = task != NOBODY;
    if (found)
    {
        Node *node = &s->nodes[task];
        take_locks(s, node);
        node->task.shares = shares_for(s, node);
        s->shares_used += node->task.shares;
        *ret_task = node->task;
    }
    pthread_mutex_unlock(&s->mutex);
    return found;
}

void schedule_done(Schedule *s, const Task *task)
{
    pthread_mutex_lock(&s->mutex);
    const Node *node = &s->nodes[task->id];
    s->shares_used -= node->task.shares;
    s->left--;
    drop_locks(s, node);
    release_followers(s, node);
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
    return s->size;
}

/* backup/plan.c - chunks and their queue; the contract is in plan.h. */
#include "backup/plan.h"

#include <pthread.h>

#define CHUNKS_PER_JOB 8
#define CHUNKS_WHOLE   4 /* of the full size: so much is kept in one where balance allows */
#define CHUNK_FLOOR    ((uint64_t) 8 * 1024 * 1024)

/* Several chunks per worker let the last ones finish together, however the rows are spread; more
 * than that only makes more files. A size that the user gave is taken as it is. */
static uint64_t chunk_bytes(const BackupRequest *request, uint64_t total)
{
    uint64_t fair = total / ((uint64_t) request->jobs * CHUNKS_PER_JOB);
    if (request->chunk_size_exact)
        return request->chunk_size;
    fair = fair < CHUNK_FLOOR ? CHUNK_FLOOR : fair;
    return fair < request->chunk_size ? fair : request->chunk_size;
}

/* From which size on a table is split. A table read as a whole costs the server less: a sequential
 * scan of a large table goes through a ring of a few buffers, a scan of a block range through all
 * shared buffers, where it pushes out what others need. So a table is only split where one worker
 * alone with it would finish last, and where it is so large that a restore with more workers will
 * want its parts. */
static uint64_t split_bytes(const BackupRequest *request, uint64_t total)
{
    uint64_t share = total / (uint64_t) request->jobs / 4 * 3;
    uint64_t large = request->chunk_size * CHUNKS_WHOLE;
    if (request->chunk_size_exact)
        return request->chunk_size;
    return share < large ? share : large;
}

static void add_chunk(void *ctx, Plan *plan, size_t table, uint32_t number, uint64_t from,
                      uint64_t to, uint64_t bytes)
{
    Chunk *chunk = mem_push(ctx, plan->chunks, plan->count, plan->capacity, Chunk);
    *chunk = (Chunk){
        .table = table, .number = number, .from_block = from, .to_block = to, .bytes = bytes};
}

/* limit: of a chunk, 0: the table stays whole. */
static void cut_table(void *ctx, Plan *plan, const Relation *r, size_t table, uint64_t limit,
                      bool block_ranges)
{
    if (!block_ranges || !r->heap || r->where != NULL || r->blocks < 2 || limit == 0)
    {
        add_chunk(ctx, plan, table, 0, 0, 0, r->bytes);
        return;
    }
    uint64_t parts = (r->bytes + limit - 1) / limit;
    parts = parts > r->blocks ? r->blocks : parts;
    uint64_t from = 0;
    for (uint64_t i = 0; i < parts; i++)
    {
        uint64_t to = r->blocks / parts * (i + 1) + r->blocks % parts * (i + 1) / parts;
        bool last = i + 1 == parts;
        add_chunk(ctx, plan, table, (uint32_t) i, from, last ? 0 : to, r->bytes / parts);
        from = to;
    }
}

/* limit as in cut_table. The cuts are many; as many of them are used as make chunks of that size. */
static void cut_by_oid(void *ctx, Plan *plan, const Relation *r, size_t table, uint64_t limit)
{
    uint64_t parts = limit == 0 ? 1 : (r->bytes + limit - 1) / limit;
    parts = parts > r->cut_count + 1 ? r->cut_count + 1 : parts;
    uint64_t from = 0;
    for (uint64_t i = 0; i < parts; i++)
    {
        bool last = i + 1 == parts;
        uint64_t to = last ? 0 : r->cuts[(r->cut_count + 1) * (i + 1) / parts - 1];
        add_chunk(ctx, plan, table, (uint32_t) i, from, to, r->bytes / parts);
        from = to;
    }
}

/* What blocks of a table have of its bytes. */
static uint64_t share_of(const Relation *r, uint64_t blocks)
{
    return (uint64_t) ((double) r->bytes * (double) blocks / (double) r->blocks);
}

/* What a table that has grown has behind the last beginning: it will have to be stored anyway, so it may as well be
 * cut in such a way that next time less of it has to be. */
static void cut_tail(void *ctx, Plan *plan, const Relation *r, size_t table, uint64_t limit)
{
    uint32_t number = (uint32_t) r->range_count - 1;
    uint64_t from = r->ranges[number];
    uint64_t blocks = r->blocks - from;
    uint64_t parts = (share_of(r, blocks) + limit - 1) / limit;
    parts = parts > blocks ? blocks : parts < 1 ? 1 : parts;
    for (uint64_t i = 0; i < parts; i++)
    {
        uint64_t at = blocks / parts * i + blocks % parts * i / parts;
        uint64_t end = blocks / parts * (i + 1) + blocks % parts * (i + 1) / parts;
        add_chunk(ctx, plan, table, number + (uint32_t) i, from + at,
                  i + 1 == parts ? 0 : from + end, share_of(r, end - at));
    }
}

/* As its chunks were cut when the set was made that they are to be compared with. */
static void cut_as_before(void *ctx, Plan *plan, const Relation *r, size_t table, uint64_t limit)
{
    size_t left = r->grown ? 1 : 0; /* for cut_tail() */
    for (size_t i = 0; i + left < r->range_count; i++)
    {
        uint64_t from = r->ranges[i];
        uint64_t to = i + 1 < r->range_count ? r->ranges[i + 1] : 0;
        uint64_t end = to == 0 ? r->blocks : to;
        uint64_t bytes = r->from != NULL || r->blocks == 0 ? r->bytes / r->range_count
                                                           : share_of(r, end - from);
        add_chunk(ctx, plan, table, (uint32_t) i, from, to, bytes);
    }
    if (r->grown)
        cut_tail(ctx, plan, r, table, limit);
}

static int bigger_first(const void *a, const void *b)
{
    const Chunk *x = a;
    const Chunk *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

void plan_make(void *ctx, const Catalog *catalog, const BackupRequest *request, bool block_ranges,
               Plan *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; i < catalog->count; i++)
        ret->bytes += catalog->items[i].data != DATA_NONE ? catalog->items[i].bytes : 0;
    uint64_t limit = chunk_bytes(request, ret->bytes);
    uint64_t split = split_bytes(request, ret->bytes);
    for (size_t i = 0; i < catalog->count; i++)
    {
        const Relation *r = &catalog->items[i];
        bool large = r->bytes > limit && (r->bytes > split || r->data == DATA_CATALOG);
        if (r->ranges != NULL)
            cut_as_before(ctx, ret, r, i, limit);
        else if (r->from != NULL)
            cut_by_oid(ctx, ret, r, i, large ? limit : 0);
        else if (r->data != DATA_NONE)
            cut_table(ctx, ret, r, i, large ? limit : 0, block_ranges);
    }
    if (ret->count > 1)
        qsort(ret->chunks, ret->count, sizeof(Chunk), bigger_first);
}

/* ---- what is left when some chunks are done ---- */

typedef struct Rest
{
    void *ctx;
    const Relation *r;
    size_t table;
    uint64_t parts; /* the new plan has of this table */
    Plan *plan;     /* what is made */
} Rest;

static uint64_t rest_bytes(const Rest *rest, uint64_t from, uint64_t to)
{
    const Relation *r = rest->r;
    if (r->from != NULL || r->blocks == 0)
        return r->bytes / (rest->parts == 0 ? 1 : rest->parts);
    if (to == 0 || to > r->blocks)
        to = r->blocks;
    return from >= to ? 0
                      : (uint64_t) ((double) r->bytes * (double) (to - from) / (double) r->blocks);
}

static void add_rest(const Rest *rest, uint64_t number, uint64_t from, uint64_t to)
{
    uint64_t bytes = rest_bytes(rest, from, to);
    add_chunk(rest->ctx, rest->plan, rest->table, (uint32_t) number, from, to, bytes);
    rest->plan->bytes += bytes;
}

/* Numbers number .. number+parts-1 for from .. to; without an end when open. */
static void add_evenly(const Rest *rest, uint64_t number, uint64_t parts, uint64_t from,
                       uint64_t to, bool open)
{
    uint64_t length = to - from;
    uint64_t at = from;
    for (uint64_t i = 0; i < parts; i++)
    {
        uint64_t next = from + length / parts * (i + 1) + length % parts * (i + 1) / parts;
        add_rest(rest, number + i, at, open && i + 1 == parts ? 0 : next);
        at = next;
    }
}

/* What lies behind the last finished chunk, in parts of about the size that the new plan has. */
static void add_tail(const Rest *rest, uint64_t number, uint64_t from)
{
    const Relation *r = rest->r;
    uint64_t most = rest->parts == 0 ? 1 : rest->parts;
    if (r->from != NULL)
    {
        size_t first = 0;
        while (first < r->cut_count && r->cuts[first] <= from)
            first++;
        uint64_t cuts = r->cut_count - first;
        uint64_t parts = most > cuts + 1 ? cuts + 1 : most;
        for (uint64_t i = 0; i < parts; i++)
        {
            uint64_t to = i + 1 == parts ? 0 : r->cuts[first + (cuts + 1) * (i + 1) / parts - 1];
            add_rest(rest, number + i, from, to);
            from = to;
        }
        return;
    }
    uint64_t left = r->blocks > from ? r->blocks - from : 1;
    uint64_t each = r->blocks / most == 0 ? 1 : r->blocks / most;
    add_evenly(rest, number, (left + each - 1) / each, from, from + left, true);
}

static void add_what_is_missing(const Rest *rest, const ChunkRecord *done, size_t count)
{
    uint64_t number = 0;
    uint64_t at = 0;
    for (size_t i = 0; i < count; i++)
    {
        add_evenly(rest, number, done[i].chunk - number, at, done[i].from_block, false);
        number = (uint64_t) done[i].chunk + 1;
        at = done[i].to_block;
    }
    if (at != 0)
        add_tail(rest, number, at);
}

static int by_number(const void *a, const void *b)
{
    const Chunk *x = a;
    const Chunk *y = b;
    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* Where the new plan is the old one, its chunks stay as they are but for those that are done, which are
 * marked: chunks of a table, and what is done of it, by number. */
static bool take_out(Chunk *chunks, uint64_t chunk_count, const ChunkRecord *done, size_t count)
{
    for (size_t i = 0; i < count; i++)
    {
        uint32_t n = done[i].chunk;
        if (n >= chunk_count || chunks[n].from_block != done[i].from_block ||
            chunks[n].to_block != done[i].to_block)
            return false;
    }
    for (size_t i = 0; i < count; i++)
        chunks[done[i].chunk].table = SIZE_MAX;
    return true;
}

void plan_without(void *ctx, const Catalog *catalog, const ChunkRecord *done, size_t count,
                  Plan *plan)
{
    Plan made = {.count = 0};
    uint64_t *parts = mem_array(ctx, uint64_t, catalog->count);
    size_t *starts = mem_array(ctx, size_t, catalog->count);
    bool *begun = mem_array(ctx, bool, catalog->count);
    if (plan->count > 1)
        qsort(plan->chunks, plan->count, sizeof(Chunk), by_number);
    for (size_t i = plan->count; i-- > 0;)
    {
        parts[plan->chunks[i].table]++;
        starts[plan->chunks[i].table] = i;
    }
    for (size_t first = 0, table = 0, end; first < count; first = end)
    {
        for (end = first; end < count && done[end].table_oid == done[first].table_oid; end++)
            ;
        while (table < catalog->count && catalog->items[table].oid < done[first].table_oid)
            table++;
        if (table == catalog->count || catalog->items[table].oid != done[first].table_oid)
            continue;
        if (take_out(plan->chunks + starts[table], parts[table], &done[first], end - first))
            continue;
        const Rest rest = {.ctx = ctx,
                           .r = &catalog->items[table],
                           .table = table,
                           .parts = parts[table],
                           .plan = &made};
        begun[table] = true;
        add_what_is_missing(&rest, &done[first], end - first);
    }
    for (size_t i = 0; i < plan->count; i++)
    {
        if (plan->chunks[i].table == SIZE_MAX || begun[plan->chunks[i].table])
            continue;
        *mem_push(ctx, made.chunks, made.count, made.capacity, Chunk) = plan->chunks[i];
        made.bytes += plan->chunks[i].bytes;
    }
    if (made.count > 1)
        qsort(made.chunks, made.count, sizeof(Chunk), bigger_first);
    mem_free(parts);
    mem_free(starts);
    mem_free(begun);
    mem_free(plan->chunks);
    *plan = made;
}

/* ---- the queue ---- */

struct ChunkQueue
{
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* a held chunk came, or a worker went */
    const Plan *plan;
    size_t next;
    int workers;
    bool *table_held;   /* per table: its chunks go to the holder */
    const Chunk **held; /* a ring is not needed: at most plan->count entries */
    size_t held_count;
    size_t held_next;
};

ChunkQueue *chunk_queue_new(const Plan *plan, size_t tables, int workers)
{
    ChunkQueue *queue = mem_new(NULL, ChunkQueue);
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->changed, NULL);
    queue->plan = plan;
    queue->workers = workers;
    queue->table_held = mem_array(queue, bool, tables);
    queue->held = mem_array(queue, const Chunk *, plan->count);
    return queue;
}

void chunk_queue_free(ChunkQueue *queue)
{
    pthread_mutex_destroy(&queue->mutex);
    pthread_cond_destroy(&queue->changed);
    mem_free(queue);
}

static void hold(ChunkQueue *queue, const Chunk *chunk)
{
    queue->table_held[chunk->table] = true;
    queue->held[queue->held_count++] = chunk;
    pthread_cond_signal(&queue->changed);
}

const Chunk *chunk_queue_next(ChunkQueue *queue)
{
    const Chunk *chunk = NULL;
    pthread_mutex_lock(&queue->mutex);
    while (chunk == NULL && queue->next < queue->plan->count)
    {
        const Chunk *candidate = &queue->plan->chunks[queue->next++];
        if (queue->table_held[candidate->table])
            hold(queue, candidate);
        else
            chunk = candidate;
    }
    pthread_mutex_unlock(&queue->mutex);
    return chunk;
}

void chunk_queue_hand_over(ChunkQueue *queue, const Chunk *chunk)
{
    pthread_mutex_lock(&queue->mutex);
    hold(queue, chunk);
    pthread_mutex_unlock(&queue->mutex);
}

void chunk_queue_worker_done(ChunkQueue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->workers--;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
}

const Chunk *chunk_queue_next_held(ChunkQueue *queue)
{
    const Chunk *chunk = NULL;
    pthread_mutex_lock(&queue->mutex);
    while (queue->held_next == queue->held_count && queue->workers > 0)
        pthread_cond_wait(&queue->changed, &queue->mutex);
    if (queue->held_next < queue->held_count)
        chunk = queue->held[queue->held_next++];
    pthread_mutex_unlock(&queue->mutex);
    return chunk;
}

/*
 * test/unit/test_plan.c - chunks cover every block once, and the queue hands each out once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "backup/plan.h"
#include "base/clock.h"

#define MB ((uint64_t) 1024 * 1024)

static Relation table(uint64_t blocks, uint64_t toast)
{
    return (Relation){.kind = 'r',
                      .data = DATA_TABLE,
                      .heap = true,
                      .blocks = blocks,
                      .bytes = blocks * 8192 + toast};
}

static Plan plan_of(void *ctx, Relation *items, size_t count, const BackupRequest *request)
{
    Catalog catalog = {.items = items, .count = count};
    Plan plan;
    for (size_t i = 0; i < count; i++)
        items[i].oid = 20000 + (uint32_t) i;
    plan_make(ctx, &catalog, request, true, &plan);
    return plan;
}

/* Every block of every table is in exactly one chunk, the last of which has no end; numbers have no
 * gaps; bigger ones come first. */
static void check_plan(void *ctx, const Plan *plan, const Relation *items, size_t count)
{
    for (size_t i = 1; i < plan->count; i++)
        assert_true(plan->chunks[i - 1].bytes >= plan->chunks[i].bytes);
    for (size_t t = 0; t < count; t++)
    {
        const Chunk **of = mem_array(ctx, const Chunk *, plan->count);
        size_t n = 0;
        for (size_t i = 0; i < plan->count; i++)
        {
            if (plan->chunks[i].table != t)
                continue;
            assert_in_range(plan->chunks[i].number, 0, plan->count - 1);
            assert_null(of[plan->chunks[i].number]);
            of[plan->chunks[i].number] = &plan->chunks[i];
            n++;
        }
        assert_int_equal(n > 0, items[t].data != DATA_NONE);
        uint64_t at = 0;
        for (size_t i = 0; i < n; i++)
        {
            assert_non_null(of[i]);
            assert_int_equal(of[i]->from_block, at);
            at = of[i]->to_block;
            assert_true(i + 1 == n ? at == 0 : at > of[i]->from_block);
            assert_true(at <= items[t].blocks);
        }
    }
}

static void test_ranges(void **state UNUSED)
{
    static const uint64_t blocks[] = {0, 1, 2, 3, 7, 1000, 32768, 131071, 4294967294};
    static const uint64_t sizes[] = {8192, 3 * 8192, MB, 256 * MB, 1024 * MB};
    for (size_t s = 0; s < LENGTH_OF(sizes); s++)
    {
        BackupRequest request = {.jobs = 3, .chunk_size = sizes[s], .chunk_size_exact = true};
        for (size_t b = 0; b < LENGTH_OF(blocks); b++)
        {
            if (blocks[b] * 8192 / sizes[s] > 200000)
                continue;
            AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
            Relation items[] = {table(blocks[b], 0), table(blocks[b], 5 * MB)};
            Plan plan = plan_of(ctx, items, LENGTH_OF(items), &request);
            check_plan(ctx, &plan, items, LENGTH_OF(items));
            for (size_t i = 0; i < plan.count && sizes[s] > 8192; i++)
                assert_true(plan.chunks[i].bytes <= sizes[s] || items[0].blocks < 2 ||
                            items[plan.chunks[i].table].bytes / items[0].blocks > sizes[s]);
        }
    }
}

static void test_what_is_not_cut(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    BackupRequest request = {.jobs = 2, .chunk_size = MB, .chunk_size_exact = true};
    Relation items[] = {table(1000, 0), table(0, 0), table(1, 900 * MB), table(1000, 0)};
    items[0].heap = false; /* another access method has no block ranges */
    items[3].kind = 'p';   /* nor has a partitioned table anything to copy */
    items[3].data = DATA_NONE;
    Plan plan = plan_of(ctx, items, LENGTH_OF(items), &request);
    check_plan(ctx, &plan, items, LENGTH_OF(items));
    assert_int_equal(plan.count, 3);
    Catalog catalog = {.items = items, .count = 1};
    items[0].heap = true;
    plan_make(ctx, &catalog, &request, false, &plan); /* an old server */
    assert_int_equal(plan.count, 1);
    plan_make(ctx, &(Catalog){.count = 0}, &request, true, &plan);
    assert_int_equal(plan.count, 0);
}

/* Without a size from the user, a table that is nearly all of the database still gives every job
 * several chunks, but no chunk is tiny. */
static void test_balance(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    BackupRequest request = {.jobs = 4, .chunk_size = 256 * MB};
    Relation items[] = {table(120000, 0), table(100, 0)};
    Plan plan = plan_of(ctx, items, LENGTH_OF(items), &request);
    check_plan(ctx, &plan, items, LENGTH_OF(items));
    assert_in_range(plan.count, 4 * 4, 200);
    Relation small[] = {table(1000, 0)};
    plan = plan_of(ctx, small, 1, &request);
    assert_int_equal(plan.count, 1);
}

/* Tables that balance by themselves stay whole; one of more than a worker's share does not, and
 * neither does one that is large by any measure. */
static void test_whole(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    BackupRequest request = {.jobs = 2, .chunk_size = 256 * MB};
    Relation even[] = {table(40000, 0), table(40000, 0), table(20000, 0), table(20000, 0)};
    Plan plan = plan_of(ctx, even, LENGTH_OF(even), &request);
    assert_int_equal(plan.count, LENGTH_OF(even));
    Relation skewed[] = {table(60000, 0), table(20000, 0)};
    plan = plan_of(ctx, skewed, LENGTH_OF(skewed), &request);
    assert_true(plan.count > LENGTH_OF(skewed));
    Relation large[] = {table(140000, 0), table(140000, 0), table(140000, 0), table(140000, 0)};
    plan = plan_of(ctx, large, LENGTH_OF(large), &request);
    assert_true(plan.count > LENGTH_OF(large));
}

/* ---- some chunks are done ---- */

static int by_number(const void *a, const void *b)
{
    const Chunk *x = a;
    const Chunk *y = b;
    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

/* Done chunks as they were, and what the plan says, are each table's chunks without gap or overlap. */
static void check_rest(void *ctx, const ChunkRecord *done, size_t done_count, const Plan *rest,
                       size_t tables)
{
    size_t count = done_count + rest->count;
    Chunk *all = mem_array(ctx, Chunk, count);
    for (size_t i = 0; i < done_count; i++)
        all[i] = (Chunk){.table = done[i].table_oid - 20000,
                         .number = done[i].chunk,
                         .from_block = done[i].from_block,
                         .to_block = done[i].to_block};
    for (size_t i = 0; i < rest->count; i++)
        all[done_count + i] = rest->chunks[i];
    qsort(all, count, sizeof(Chunk), by_number);
    size_t i = 0;
    for (size_t t = 0; t < tables; t++)
    {
        uint64_t at = 0;
        size_t first = i;
        for (; i < count && all[i].table == t; i++)
        {
            assert_int_equal(all[i].number, i - first);
            assert_int_equal(all[i].from_block, at);
            at = all[i].to_block;
            assert_true(at == 0 || at > all[i].from_block);
            assert_true(at != 0 || i + 1 == count || all[i + 1].table != t);
        }
        assert_true(i > first && at == 0);
    }
    assert_int_equal(i, count);
}

/* Of a plan some chunks are done; meanwhile the tables have grown, and the chunks' size may differ. */
/* Where there is something to compare with, its ranges count, whatever this run would have chosen. */
static void test_as_before(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    static const uint64_t three[] = {0, 10, 900};
    static const uint64_t one[] = {0};
    BackupRequest request = {.jobs = 2, .chunk_size = MB, .chunk_size_exact = true};
    Relation items[] = {table(1000, 0), table(1000, 0), table(0, 0), table(1000, 0)};
    items[0].ranges = three;
    items[0].range_count = LENGTH_OF(three);
    items[1].ranges = items[2].ranges = one;
    items[1].range_count = items[2].range_count = 1;
    Plan plan = plan_of(ctx, items, LENGTH_OF(items), &request);
    check_plan(ctx, &plan, items, LENGTH_OF(items));
    size_t counts[LENGTH_OF(items)] = {0};
    for (size_t i = 0; i < plan.count; i++)
    {
        const Chunk *c = &plan.chunks[i];
        counts[c->table]++;
        if (c->table == 0)
            assert_int_equal(c->from_block, three[c->number]);
        if (c->table == 0 && c->number == 1)
            assert_int_equal(c->bytes, (uint64_t) 890 * 8192);
    }
    assert_int_equal(counts[0], 3);
    assert_int_equal(counts[1], 1);
    assert_int_equal(counts[2], 1);
    assert_true(counts[3] > 3);
}

/* The ranges of a table that has grown stay but for the last, which is cut by size. */
static void test_grown(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    static const uint64_t three[] = {0, 10, 900};
    static const uint64_t one[] = {0};
    BackupRequest request = {.jobs = 2, .chunk_size = MB, .chunk_size_exact = true};
    Relation items[] = {table(905, 0), table(1412, 0), table(1000, 0)};
    items[0].ranges = items[1].ranges = three;
    items[0].range_count = items[1].range_count = LENGTH_OF(three);
    items[2].ranges = one;
    items[2].range_count = 1;
    items[0].grown = items[1].grown = items[2].grown = true;
    Plan plan = plan_of(ctx, items, LENGTH_OF(items), &request);
    check_plan(ctx, &plan, items, LENGTH_OF(items));
    size_t counts[LENGTH_OF(items)] = {0};
    uint64_t bytes[LENGTH_OF(items)] = {0};
    for (size_t i = 0; i < plan.count; i++)
    {
        const Chunk *c = &plan.chunks[i];
        counts[c->table]++;
        bytes[c->table] += c->bytes;
        if (c->table < 2 && c->number < LENGTH_OF(three))
            assert_int_equal(c->from_block, three[c->number]);
        if (c->table < 2 && c->number == 1)
            assert_int_equal(c->to_block, 900);
        else
            assert_true(c->bytes <= MB);
    }
    assert_int_equal(counts[0], 3);
    assert_int_equal(counts[1], 2 + 4);
    assert_int_equal(counts[2], 8);
    for (size_t t = 0; t < LENGTH_OF(items); t++)
        assert_in_range(bytes[t], items[t].bytes - 8, items[t].bytes);
}

static void test_without(void **state UNUSED)
{
    static const uint64_t grown[] = {0, 1, 5000};
    for (unsigned seed = 0; seed < 60; seed++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        BackupRequest request = {.jobs = 3, .chunk_size = MB, .chunk_size_exact = true};
        Relation items[] = {table(1000, 0), table(1, 0), table(7, 60 * MB), table(3000, 0),
                            table(0, 0)};
        Plan first = plan_of(ctx, items, LENGTH_OF(items), &request);
        ChunkRecord *done = mem_array(ctx, ChunkRecord, first.count);
        size_t count = 0;
        unsigned random = seed;
        qsort(first.chunks, first.count, sizeof(Chunk), by_number);
        for (size_t i = 0; i < first.count; i++)
        {
            const Chunk *c = &first.chunks[i];
            if ((unsigned) rand_r(&random) % 60 >= seed)
                done[count++] = (ChunkRecord){.table_oid = 20000 + (uint32_t) c->table,
                                              .chunk = c->number,
                                              .from_block = c->from_block,
                                              .to_block = c->to_block};
        }
        Relation later[LENGTH_OF(items)];
        memcpy(later, items, sizeof(items));
        for (size_t i = 0; i < LENGTH_OF(items); i++)
        {
            later[i].blocks += grown[(seed + i) % LENGTH_OF(grown)];
            later[i].bytes = later[i].blocks * 8192;
        }
        request.chunk_size = seed % 2 == 0 ? MB : 3 * MB;
        Plan rest = plan_of(ctx, later, LENGTH_OF(later), &request);
        Catalog catalog = {.items = later, .count = LENGTH_OF(later)};
        plan_without(ctx, &catalog, done, count, &rest);
        check_rest(ctx, done, count, &rest, LENGTH_OF(items));
        for (size_t i = 1; i < rest.count; i++)
            assert_true(rest.chunks[i - 1].bytes >= rest.chunks[i].bytes);
    }
}

/* Chunks of oids, whose cuts have moved since. */
static void test_without_oids(void **state UNUSED)
{
    for (size_t n = 0; n <= 4; n++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        BackupRequest request = {.jobs = 2, .chunk_size = MB, .chunk_size_exact = true};
        uint32_t then[] = {100, 200, 300, 400};
        uint32_t now[] = {110, 190, 250, 300, 320, 400, 500};
        Relation item[] = {table(512, 0)};
        item[0].data = DATA_CATALOG;
        item[0].from = "x l";
        item[0].cuts = then;
        item[0].cut_count = LENGTH_OF(then);
        Plan first = plan_of(ctx, item, 1, &request);
        qsort(first.chunks, first.count, sizeof(Chunk), by_number);
        ChunkRecord done[8];
        size_t count = 0;
        for (size_t i = 0; i < first.count; i++)
        {
            if (i % (n + 1) == 0)
                done[count++] = (ChunkRecord){.table_oid = 20000,
                                              .chunk = first.chunks[i].number,
                                              .from_block = first.chunks[i].from_block,
                                              .to_block = first.chunks[i].to_block};
        }
        item[0].cuts = now;
        item[0].cut_count = LENGTH_OF(now);
        Plan rest = plan_of(ctx, item, 1, &request);
        Catalog catalog = {.items = item, .count = 1};
        plan_without(ctx, &catalog, done, count, &rest);
        check_rest(ctx, done, count, &rest, 1);
    }
}

/* ---- the queue ---- */

#define TABLES  40
#define WORKERS 12

typedef struct Run
{
    ChunkQueue *queue;
    const Plan *plan;
    const bool *busy; /* tables whose lock a worker cannot get */
    atomic_int *by_worker;
    atomic_int *by_holder;
    atomic_int stop_after; /* chunks until a worker gives up; negative: never */
} Run;

static size_t chunk_index(const Run *run, const Chunk *chunk)
{
    return (size_t) (chunk - run->plan->chunks);
}

static void *worker_main(void *arg)
{
    Run *run = arg;
    const Chunk *chunk;
    while ((chunk = chunk_queue_next(run->queue)) != NULL)
    {
        if (run->busy[chunk->table])
            chunk_queue_hand_over(run->queue, chunk);
        else
            atomic_fetch_add(&run->by_worker[chunk_index(run, chunk)], 1);
        if (atomic_load(&run->stop_after) >= 0 && atomic_fetch_sub(&run->stop_after, 1) <= 0)
            break;
    }
    chunk_queue_worker_done(run->queue);
    return NULL;
}

static void *holder_main(void *arg)
{
    Run *run = arg;
    const Chunk *chunk;
    while ((chunk = chunk_queue_next_held(run->queue)) != NULL)
        atomic_fetch_add(&run->by_holder[chunk_index(run, chunk)], 1);
    return NULL;
}

static void run_queue(Run *run, int workers)
{
    pthread_t threads[WORKERS + 1];
    AUTO(chunk_queue_free) ChunkQueue *queue = chunk_queue_new(run->plan, TABLES, workers);
    run->queue = queue;
    assert_int_equal(pthread_create(&threads[workers], NULL, holder_main, run), 0);
    for (int i = 0; i < workers; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, worker_main, run), 0);
    for (int i = 0; i <= workers; i++)
        pthread_join(threads[i], NULL);
}

static Run new_run(void *ctx, Plan *plan, const bool *busy)
{
    BackupRequest request = {.jobs = WORKERS, .chunk_size = 8192, .chunk_size_exact = true};
    Relation *items = mem_array(ctx, Relation, TABLES);
    for (size_t i = 0; i < TABLES; i++)
        items[i] = table(1 + i * 5, 0);
    *plan = plan_of(ctx, items, TABLES, &request);
    return (Run){.plan = plan,
                 .busy = busy,
                 .by_worker = mem_array(ctx, atomic_int, plan->count),
                 .by_holder = mem_array(ctx, atomic_int, plan->count),
                 .stop_after = -1};
}

static void test_queue(void **state UNUSED)
{
    for (int workers = 1; workers <= WORKERS; workers += WORKERS - 1)
    {
        for (size_t every = 1; every <= 4; every++)
        {
            AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
            bool busy[TABLES] = {false};
            Plan plan;
            /* 1: all tables are busy, 4: none */
            for (size_t i = 0; i < TABLES && every < 4; i++)
                busy[i] = i % every == 0;
            Run run = new_run(ctx, &plan, busy);
            run_queue(&run, workers);
            for (size_t i = 0; i < plan.count; i++)
            {
                bool held = busy[plan.chunks[i].table];
                assert_int_equal(run.by_worker[i], held ? 0 : 1);
                assert_int_equal(run.by_holder[i], held ? 1 : 0);
            }
        }
    }
}

/* Workers that leave early (a cancelled run) must not leave the holder waiting. */
static void test_queue_left(void **state UNUSED)
{
    for (int after = 0; after < 60; after += 7)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        bool busy[TABLES] = {[3] = true, [TABLES - 1] = true};
        Plan plan;
        Run run = new_run(ctx, &plan, busy);
        atomic_store(&run.stop_after, after);
        run_queue(&run, WORKERS);
        for (size_t i = 0; i < plan.count; i++)
            assert_true(run.by_worker[i] + run.by_holder[i] <= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_before), cmocka_unit_test(test_grown),
        cmocka_unit_test(test_ranges),    cmocka_unit_test(test_what_is_not_cut),
        cmocka_unit_test(test_balance),   cmocka_unit_test(test_whole),
        cmocka_unit_test(test_without),   cmocka_unit_test(test_without_oids),
        cmocka_unit_test(test_queue),     cmocka_unit_test(test_queue_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

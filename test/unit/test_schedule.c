/*
 * test/unit/test_schedule.c - what a restore's workers may do, checked while many of them do it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "restore/work.h"

#define MB      ((uint64_t) 1024 * 1024)
#define WORKERS 8

/* A node made by hand, and what its workers did. */
typedef struct Scene
{
    RestoreNode node;
    RestoreRequest request;
    DdlPlan ddl;
    size_t table_capacity, entry_capacity;

    Schedule *schedule;
    pthread_mutex_t mutex;             /* guards what follows */
    size_t *loads;                     /* per chunk: how often it was loaded */
    size_t *open;                      /* per table: loads that run or are to come */
    size_t *runs;                      /* per entry */
    bool *done;                        /* per entry */
    unsigned (*held)[LOCK_MODE_COUNT]; /* per table: locks of entries that run */
    size_t loaded;                     /* chunks */
    size_t sequences;                  /* times they were set */
    size_t acl;                        /* times the privileges were given */
    size_t analyzed;
    const char *wrong;
    atomic_int steps_left; /* a worker fails when they are used up; negative: never */
} Scene;

static void scene_free(Scene *s)
{
    pthread_mutex_destroy(&s->mutex);
    mem_free(s);
}
DEFINE_AUTO(Scene, scene_free)

static Scene *new_scene(int jobs)
{
    Scene *s = mem_new(NULL, Scene);
    s->request.jobs = jobs;
    s->node.request = &s->request;
    s->node.ddl = &s->ddl;
    pthread_mutex_init(&s->mutex, NULL);
    atomic_store(&s->steps_left, -1);
    return s;
}

/* Adds a table with this many chunks of these bytes; returns its oid. */
static uint32_t add_table(Scene *s, size_t chunks, uint64_t bytes)
{
    RestoreNode *node = &s->node;
    TableRecord *record = mem_new(s, TableRecord);
    record->oid = 20000 + (uint32_t) node->table_count;
    record->kind = 'r';
    record->logical = bytes * chunks;
    record->rows = record->logical / 100;
    RestoreTable *t = mem_push(s, node->tables, node->table_count, s->table_capacity, RestoreTable);
    t->record = record;
    t->first_chunk = node->chunk_count;
    t->chunk_count = chunks;
    for (size_t i = 0; i < chunks; i++)
    {
        ChunkRef *ref = mem_push(s, node->chunks, node->chunk_count, node->chunk_capacity,
                                 ChunkRef);
        *ref = (ChunkRef){
            .logical = bytes, .number = (uint32_t) i, .table = (uint32_t) node->table_count - 1};
    }
    return record->oid;
}

/* Adds an entry that locks a and b (0: none); returns its index. */
static size_t add_entry(Scene *s, DdlPass pass, uint32_t a, LockMode mode_a, uint32_t b,
                        LockMode mode_b)
{
    DdlEntry *e = mem_push(s, s->ddl.entries, s->ddl.entry_count, s->entry_capacity, DdlEntry);
    e->pass = pass;
    e->all_data = pass == DDL_POST_DATA;
    e->work = pass == DDL_INDEX ? DDL_WORK_BUILD : DDL_WORK_CATALOG;
    e->label = "entry";
    e->sql = "CREATE INDEX i ON t (a)";
    e->locks = mem_array(s, DdlLock, 2);
    if (a != 0)
        e->locks[e->lock_count++] = (DdlLock){a, mode_a};
    if (b != 0)
        e->locks[e->lock_count++] = (DdlLock){b, mode_b};
    return s->ddl.entry_count - 1;
}

static void add_need(Scene *s, size_t entry, size_t need)
{
    DdlEntry *e = &s->ddl.entries[entry];
    e->needs = mem_grow(s, e->needs, size_t, e->need_count + 1);
    e->needs[e->need_count++] = need;
}

static void note(Scene *s, bool good, const char *what)
{
    if (!good && s->wrong == NULL)
        s->wrong = what;
}

static size_t table_at(const Scene *s, uint32_t oid)
{
    size_t t = oid - 20000;
    return t < s->node.table_count ? t : SIZE_MAX;
}

static bool is_scheduled(const DdlEntry *e)
{
    return e->pass == DDL_INDEX || e->pass == DDL_POST_DATA || e->pass == DDL_REFRESH;
}

static void begin_entry(Scene *s, size_t entry)
{
    const DdlEntry *e = &s->ddl.entries[entry];
    note(s, is_scheduled(e), "an entry of another pass");
    note(s, e->pass == DDL_REFRESH ? s->acl == 1 : s->acl == 0, "privileges out of their place");
    note(s, !e->all_data || s->loaded == s->node.chunk_count, "post-data before data");
    s->runs[entry]++;
    for (size_t i = 0; i < e->need_count; i++)
    {
        bool here = is_scheduled(&s->ddl.entries[e->needs[i]]);
        note(s, !here || s->done[e->needs[i]], "an entry before what it needs");
    }
    for (size_t i = 0; i < e->lock_count; i++)
    {
        size_t t = table_at(s, e->locks[i].oid);
        if (t == SIZE_MAX)
            continue;
        note(s, s->open[t] == 0, "an entry before its table's data");
        note(s, s->node.tables[t].route == NULL || s->loaded == s->node.chunk_count,
             "an entry before the data of a routed table's siblings");
        for (int mode = 1; mode < LOCK_MODE_COUNT; mode++)
            note(s,
                 s->held[t][mode] == 0 || !lock_mode_conflicts(e->locks[i].mode, (LockMode) mode),
                 "two entries that lock a table against each other");
    }
    for (size_t i = 0; i < e->lock_count; i++)
        if (table_at(s, e->locks[i].oid) != SIZE_MAX)
            s->held[table_at(s, e->locks[i].oid)][e->locks[i].mode]++;
}

static void end_entry(Scene *s, size_t entry)
{
    const DdlEntry *e = &s->ddl.entries[entry];
    s->done[entry] = true;
    for (size_t i = 0; i < e->lock_count; i++)
        if (table_at(s, e->locks[i].oid) != SIZE_MAX)
            s->held[table_at(s, e->locks[i].oid)][e->locks[i].mode]--;
}

static void load(Scene *s, const Task *task)
{
    const RestoreTable *t = &s->node.tables[task->table];
    if (task->kind == TASK_CHUNK)
        note(s, s->node.chunks[task->chunk].table == task->table, "another table's chunk");
    size_t first = task->kind == TASK_CHUNK ? task->chunk : t->first_chunk;
    size_t count = task->kind == TASK_CHUNK ? 1 : t->chunk_count;
    for (size_t i = first; i < first + count; i++)
        s->loads[i]++;
    s->open[task->table] -= count;
    s->loaded += count;
}

static void end(Scene *s, const Task *task)
{
    switch (task->kind)
    {
    case TASK_TABLE:
    case TASK_CHUNK:
        load(s, task);
        break;
    case TASK_DDL:
        end_entry(s, task->entry);
        break;
    case TASK_SEQUENCES:
        note(s, s->loaded == s->node.chunk_count, "sequences before data");
        s->sequences++;
        break;
    case TASK_ACL:
        note(s, s->sequences == 1, "privileges before the sequences");
        s->acl++;
        break;
    case TASK_ANALYZE:
        s->analyzed++;
        break;
    }
}

static void *worker_main(void *arg)
{
    Scene *s = arg;
    Task task;
    while (schedule_next(s->schedule, &task))
    {
        bool fails = atomic_load(&s->steps_left) >= 0 && atomic_fetch_sub(&s->steps_left, 1) <= 0;
        pthread_mutex_lock(&s->mutex);
        if (task.kind == TASK_DDL)
            begin_entry(s, task.entry);
        pthread_mutex_unlock(&s->mutex);
        if (task.kind == TASK_DDL)
            sched_yield();
        pthread_mutex_lock(&s->mutex);
        end(s, &task);
        pthread_mutex_unlock(&s->mutex);
        schedule_done(s->schedule, &task);
        if (fails)
        {
            schedule_stop(s->schedule);
            break;
        }
    }
    return NULL;
}

static Schedule *plan_scene(Scene *s)
{
    Error err = ERROR_INIT;
    AnalyzeList none = {0};
    Schedule *schedule = work_plan(&s->node, &none, &err);
    assert_non_null(schedule);
    return schedule;
}

static void run_scene(Scene *s)
{
    pthread_t threads[WORKERS];
    s->loads = mem_array(s, size_t, s->node.chunk_count);
    s->open = mem_array(s, size_t, s->node.table_count);
    s->held = mem_check(talloc_zero_size(s, sizeof(*s->held) * (s->node.table_count + 1)));
    s->runs = mem_array(s, size_t, s->ddl.entry_count);
    s->done = mem_array(s, bool, s->ddl.entry_count);
    for (size_t i = 0; i < s->node.table_count; i++)
        s->open[i] = s->node.tables[i].chunk_count;
    AUTO(schedule_free) Schedule *schedule = plan_scene(s);
    s->schedule = schedule;
    for (int i = 0; i < s->request.jobs; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, worker_main, s), 0);
    for (int i = 0; i < s->request.jobs; i++)
        pthread_join(threads[i], NULL);
}

static void check_all_done(Scene *s)
{
    if (s->wrong != NULL)
        fail_msg("%s", s->wrong);
    for (size_t i = 0; i < s->node.chunk_count; i++)
        assert_int_equal(s->loads[i], 1);
    for (size_t i = 0; i < s->ddl.entry_count; i++)
    {
        assert_int_equal(s->runs[i], is_scheduled(&s->ddl.entries[i]) ? 1 : 0);
    }
}

static void test_empty(void **state UNUSED)
{
    AUTO(scene_free) Scene *s = new_scene(3);
    add_entry(s, DDL_PRE_DATA, 0, LOCK_SHARE, 0, LOCK_SHARE);
    add_entry(s, DDL_ACL, 0, LOCK_SHARE, 0, LOCK_SHARE);
    run_scene(s);
    check_all_done(s);
}

/* No rows anywhere: nothing may wait for data that never comes. */
static void test_no_data(void **state UNUSED)
{
    AUTO(scene_free) Scene *s = new_scene(3);
    uint32_t a = add_table(s, 0, 0);
    uint32_t b = add_table(s, 0, 0);
    size_t pk = add_entry(s, DDL_INDEX, a, LOCK_ACCESS_EXCLUSIVE, 0, LOCK_ACCESS_EXCLUSIVE);
    size_t fk = add_entry(s, DDL_POST_DATA, a, LOCK_ACCESS_EXCLUSIVE, b, LOCK_ROW_SHARE);
    add_need(s, fk, pk);
    run_scene(s);
    check_all_done(s);
}

/* What is left when all else is done. */
static void finish(Schedule *schedule)
{
    Task task;
    assert_true(schedule_next(schedule, &task));
    assert_int_equal(task.kind, TASK_SEQUENCES);
    schedule_done(schedule, &task);
    assert_true(schedule_next(schedule, &task));
    assert_int_equal(task.kind, TASK_ACL);
    schedule_done(schedule, &task);
    assert_false(schedule_next(schedule, &task));
}

static void test_one_big_table_is_shared(void **state UNUSED)
{
    AUTO(scene_free) Scene *s = new_scene(4);
    add_table(s, 20, 100 * MB);
    add_table(s, 3, 1 * MB);
    AUTO(schedule_free) Schedule *schedule = plan_scene(s);
    Task task;
    /* The chunks of the big one come first, each for whoever is free; the other has one owner. */
    for (size_t i = 0; i < 20; i++)
    {
        assert_true(schedule_next(schedule, &task));
        assert_int_equal(task.kind, TASK_CHUNK);
        assert_int_equal(task.table, 0);
        schedule_done(schedule, &task);
    }
    assert_true(schedule_next(schedule, &task));
    assert_int_equal(task.kind, TASK_TABLE);
    assert_int_equal(task.table, 1);
    schedule_done(schedule, &task);
    finish(schedule);
    assert_int_equal(schedule_size(schedule), 23);
}

static void test_index_waits_for_last_chunk(void **state UNUSED)
{
    AUTO(scene_free) Scene *s = new_scene(2);
    uint32_t big = add_table(s, 2, 100 * MB);
    add_entry(s, DDL_INDEX, big, LOCK_SHARE, 0, LOCK_SHARE);
    AUTO(schedule_free) Schedule *schedule = plan_scene(s);
    Task first;
    Task second;
    Task index;
    assert_true(schedule_next(schedule, &first));
    assert_true(schedule_next(schedule, &second));
    schedule_done(schedule, &second);
    schedule_done(schedule, &first);
    assert_true(schedule_next(schedule, &index));
    assert_int_equal(index.kind, TASK_DDL);
    schedule_done(schedule, &index);
    finish(schedule);
}

/* Many tables, indexes, constraints between them, chains and diamonds of needs, entries of tables
 * that are not in the set; some tables are shared, some routed, some empty. */
static void fill_scene(Scene *s, unsigned seed)
{
    enum
    {
        TABLES = 30
    };
    uint32_t oids[TABLES];
    size_t keys[TABLES];
    for (size_t i = 0; i < TABLES; i++)
    {
        size_t chunks = (size_t) rand_r(&seed) % 4;
        oids[i] = add_table(s, i == 0 ? 25 : chunks, i == 0 ? 100 * MB : MB);
        if (i % 7 == 6)
            s->node.tables[i].route = mem_strdup(s, "\"s\".\"root\"");
    }
    add_entry(s, DDL_PRE_DATA, oids[0], LOCK_SHARE, 0, LOCK_SHARE);
    for (size_t i = 0; i < TABLES; i++)
    {
        keys[i] = add_entry(s, DDL_INDEX, oids[i], LOCK_ACCESS_EXCLUSIVE, 0, LOCK_ACCESS_EXCLUSIVE);
        add_need(s, keys[i], 0); /* what is not scheduled here is no obstacle */
        for (size_t k = 0; k < 3; k++)
            add_entry(s, DDL_INDEX, oids[i], LOCK_SHARE, 0, LOCK_SHARE);
    }
    for (size_t i = 0; i < 60; i++)
    {
        size_t a = (size_t) rand_r(&seed) % TABLES;
        size_t b = (size_t) rand_r(&seed) % TABLES;
        size_t fk = add_entry(s, DDL_POST_DATA, oids[a], LOCK_ACCESS_EXCLUSIVE, oids[b],
                              LOCK_ROW_SHARE);
        add_need(s, fk, keys[b]);
        if (i > 0)
            add_need(s, fk, fk - 1 - (size_t) rand_r(&seed) % 10 % i);
    }
    size_t parent = add_entry(s, DDL_INDEX, 99999, LOCK_ACCESS_EXCLUSIVE, 0,
                              LOCK_ACCESS_EXCLUSIVE); /* a partitioned table's */
    size_t attach = add_entry(s, DDL_INDEX, 99999, LOCK_ACCESS_EXCLUSIVE, oids[5],
                              LOCK_ACCESS_EXCLUSIVE);
    add_need(s, attach, parent);
    add_need(s, attach, keys[5]);
    add_entry(s, DDL_LAST, 0, LOCK_SHARE, 0, LOCK_SHARE);
}

static void test_many_threads(void **state UNUSED)
{
    for (unsigned seed = 1; seed <= 20; seed++)
    {
        AUTO(scene_free) Scene *s = new_scene(seed % 5 == 0 ? 1 : WORKERS);
        fill_scene(s, seed);
        run_scene(s);
        check_all_done(s);
    }
}

/* Whenever one worker fails, all come back. */
static void test_stop(void **state UNUSED)
{
    for (int after = 0; after < 200; after += 23)
    {
        AUTO(scene_free) Scene *s = new_scene(WORKERS);
        fill_scene(s, 7);
        atomic_store(&s->steps_left, after);
        run_scene(s);
        assert_null(s->wrong);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_no_data),
        cmocka_unit_test(test_one_big_table_is_shared),
        cmocka_unit_test(test_index_waits_for_last_chunk),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

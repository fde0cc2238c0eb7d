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
    AnalyzeList analyze;

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
    int shares;
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
    s->node.jobs = jobs;
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

/* ANALYZE of every table by itself, but of the last three as one. */
static void add_analyze(Scene *s)
{
    size_t tables = s->node.table_count;
    s->analyze.targets = mem_array(s, AnalyzeTarget, tables);
    s->analyze.tables = mem_array(s, uint32_t, tables);
    for (uint32_t i = 0; i < tables; i++)
    {
        s->analyze.tables[i] = i;
        if (i < tables - 2)
            s->analyze.targets[s->analyze.target_count++].first = i;
        s->analyze.targets[s->analyze.target_count - 1].count++;
    }
    s->analyze.table_count = tables;
}

/* What ANALYZE looks at must be complete, and nothing may run that its lock excludes. */
static void begin_analyze(Scene *s, const AnalyzeTarget *target)
{
    for (size_t i = target->first; i < target->first + target->count; i++)
    {
        note(s, s->open[i] == 0, "ANALYZE before the table's data");
        for (int mode = 1; mode < LOCK_MODE_COUNT; mode++)
            note(s,
                 s->held[i][mode] == 0 ||
                     !lock_mode_conflicts(LOCK_SHARE_UPDATE_EXCLUSIVE, (LockMode) mode),
                 "ANALYZE beside what its lock excludes");
        s->held[i][LOCK_SHARE_UPDATE_EXCLUSIVE]++;
        for (size_t e = 0; e < s->ddl.entry_count; e++)
            for (size_t k = 0;
                 s->ddl.entries[e].pass == DDL_INDEX && k < s->ddl.entries[e].lock_count; k++)
                note(s, table_at(s, s->ddl.entries[e].locks[k].oid) != i || s->done[e],
                     "ANALYZE before the table's indexes");
    }
}

static void end_analyze(Scene *s, const AnalyzeTarget *target)
{
    for (size_t i = target->first; i < target->first + target->count; i++)
        s->held[i][LOCK_SHARE_UPDATE_EXCLUSIVE]--;
    s->analyzed++;
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
    case TASK_PART:
        load(s, task);
        break;
    case TASK_PROOF:
        note(s, s->open[task->table] == 0, "a proof before the table is loaded");
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
        end_analyze(s, &s->analyze.targets[task->entry]);
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
        if (task.kind == TASK_ANALYZE)
            begin_analyze(s, &s->analyze.targets[task.entry]);
        s->shares += task.shares;
        note(s, s->shares <= s->request.jobs + WORKERS, "more shares than there are");
        pthread_mutex_unlock(&s->mutex);
        sched_yield();
        pthread_mutex_lock(&s->mutex);
        s->shares -= task.shares;
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
    Schedule *schedule = work_plan(&s->node, &s->analyze, &err);
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
    assert_int_equal(s->analyzed, s->analyze.target_count);
    assert_int_equal(s->acl, 1);
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
    for (size_t i = 0; i < 100; i++)
    {
        LockMode modes[] = {(LockMode) (1 + rand_r(&seed) % LOCK_ACCESS_EXCLUSIVE),
                            (LockMode) (1 + rand_r(&seed) % LOCK_ACCESS_EXCLUSIVE)};
        size_t a = (size_t) rand_r(&seed) % TABLES;
        size_t b = (size_t) rand_r(&seed) % TABLES;
        size_t fk = add_entry(s, DDL_POST_DATA, oids[a], modes[0], oids[b], modes[1]);
        s->ddl.entries[fk].all_data = i % 3 == 0;
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
    size_t view = 0;
    for (size_t i = 0; i < 8; i++)
    {
        size_t next = add_entry(s, DDL_REFRESH, 50000 + (uint32_t) i, LOCK_ACCESS_EXCLUSIVE,
                                oids[i], LOCK_ACCESS_SHARE);
        if (i % 3 != 0)
            add_need(s, next, view);
        view = next;
    }
    add_entry(s, DDL_LAST, 0, LOCK_SHARE, 0, LOCK_SHARE);
    add_analyze(s);
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

/* ---- the graph itself ---- */

static size_t add_plain(Schedule *s, double cost)
{
    Task task = {.kind = TASK_DDL};
    return schedule_add(s, &task, cost, cost);
}

static size_t next_id(Schedule *s)
{
    Task task;
    assert_true(schedule_next(s, &task));
    return task.id;
}

static void give_back(Schedule *s, size_t id)
{
    Task task = {.id = id};
    schedule_done(s, &task);
}

static void test_longest_way_goes_first(void **state UNUSED)
{
    AUTO(schedule_free) Schedule *s = schedule_new(2);
    Error err = ERROR_INIT;
    size_t alone = add_plain(s, 50);
    size_t head = add_plain(s, 10); /* short itself, with much behind it */
    size_t mark = schedule_add_mark(s);
    size_t tail = add_plain(s, 45);
    schedule_after(s, mark, head);
    schedule_after(s, tail, mark);
    size_t fan = add_plain(s, 1); /* with many behind it that take turns */
    for (int i = 0; i < 20; i++)
        schedule_after(s, add_plain(s, 10), fan);
    assert_true(schedule_begin(s, &err));
    assert_int_equal(next_id(s), fan);
    assert_int_equal(next_id(s), head);
    give_back(s, head);
    assert_int_equal(next_id(s), alone);
    give_back(s, fan);
    assert_int_equal(next_id(s), tail);
}

static void test_conflicting_locks_take_turns(void **state UNUSED)
{
    AUTO(schedule_free) Schedule *s = schedule_new(4);
    Error err = ERROR_INIT;
    size_t ids[4];
    static const LockMode modes[] = {LOCK_SHARE, LOCK_ACCESS_EXCLUSIVE, LOCK_SHARE, LOCK_ROW_SHARE};
    for (int i = 0; i < 4; i++)
    {
        ids[i] = add_plain(s, 100 - i);
        schedule_lock(s, ids[i], 7, modes[i]);
    }
    /* checking a table that refers to itself */
    schedule_lock(s, ids[3], 7, LOCK_SHARE_UPDATE_EXCLUSIVE);
    assert_true(schedule_begin(s, &err));
    assert_int_equal(next_id(s), ids[0]);
    assert_int_equal(next_id(s), ids[2]); /* not the exclusive one, though it is longer */
    give_back(s, ids[0]);
    give_back(s, ids[2]);
    assert_int_equal(next_id(s), ids[1]);
    give_back(s, ids[1]);
    assert_int_equal(next_id(s), ids[3]);
    give_back(s, ids[3]);
    Task task;
    assert_false(schedule_next(s, &task));
}

static void test_the_last_ones_get_more(void **state UNUSED)
{
    AUTO(schedule_free) Schedule *s = schedule_new(8);
    Error err = ERROR_INIT;
    Task wide = {.kind = TASK_DDL, .wide = true};
    Task narrow = {.kind = TASK_DDL};
    schedule_add(s, &wide, 30, 30);
    schedule_add(s, &wide, 20, 20);
    schedule_add(s, &narrow, 10, 10);
    assert_true(schedule_begin(s, &err));
    Task task;
    assert_true(schedule_next(s, &task));
    assert_int_equal(task.shares, 2); /* of eight, for three */
    assert_true(schedule_next(s, &task));
    assert_int_equal(task.shares, 3);
    assert_true(schedule_next(s, &task));
    assert_int_equal(task.shares, 1);
}

static void test_a_circle_is_found(void **state UNUSED)
{
    AUTO(schedule_free) Schedule *s = schedule_new(1);
    Error err = ERROR_INIT;
    size_t a = add_plain(s, 1);
    size_t b = add_plain(s, 1);
    schedule_after(s, a, b);
    schedule_after(s, b, a);
    assert_false(schedule_begin(s, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
}

/* The conflict table of the manual, "Table-Level Locks". */
static void test_lock_modes(void **state UNUSED)
{
    static const char *const rows[] = {"       #", "      ##", "    ####", "   #####",
                                       "  ## ###", "  ######", " #######", "########"};
    for (int a = 1; a < LOCK_MODE_COUNT; a++)
        for (int b = 1; b < LOCK_MODE_COUNT; b++)
            assert_int_equal(lock_mode_conflicts((LockMode) a, (LockMode) b),
                             rows[a - 1][b - 1] == '#');
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
        cmocka_unit_test(test_longest_way_goes_first),
        cmocka_unit_test(test_conflicting_locks_take_turns),
        cmocka_unit_test(test_the_last_ones_get_more),
        cmocka_unit_test(test_a_circle_is_found),
        cmocka_unit_test(test_lock_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

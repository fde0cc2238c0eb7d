/*
 * test/unit/test_fold.c - the tables of a fleet with a coordinator, put together from their parts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "repo/fold.h"

#define COORDINATOR 0
#define WORKERS     2

static const char *const two_columns[] = {"id", "t"};
static const char *const two_types[] = {"pg_catalog.int4", "pg_catalog.text"};
static const char *const other_columns[] = {"id", "u"};

static int tear_down(void **state)
{
    mem_free(*state);
    return 0;
}

/* A coordinator, content -1, and two workers. */
static int set_up(void **state)
{
    Manifest *m = mem_new(NULL, Manifest);
    for (int content = -1; content < WORKERS; content++)
    {
        NodeRecord *node = mem_push(m, m->nodes, m->node_count, m->node_capacity, NodeRecord);
        *node = (NodeRecord){.content = content,
                             .database = mem_strdup(m, "app"),
                             .chunks.path = mem_printf(m, "node%d.jsonl", content)};
        if (content == -1)
            node->schema.path = mem_strdup(m, "db/app/node-1/schema.dump");
    }
    *state = m;
    return 0;
}

static TableRecord *add_table(Manifest *m, int content, uint32_t oid, uint64_t chunks)
{
    TableRecord *t = mem_push(m, m->tables, m->table_count, m->table_capacity, TableRecord);
    *t = (TableRecord){.content = content,
                       .database = mem_strdup(m, "app"),
                       .oid = oid,
                       .schema = mem_strdup(m, "public"),
                       .name = mem_printf(m, "t%" PRIu32, oid),
                       .kind = 'r',
                       .chunks = chunks,
                       .rows = 10 * chunks,
                       .logical = 100 * chunks,
                       .stored = 50 * chunks,
                       .worker_us = 7 * (int64_t) chunks};
    m->totals.tables++;
    return t;
}

static void set_columns(Manifest *m, TableRecord *t, const char *const *columns,
                        const char *const *types, size_t count)
{
    t->columns = mem_array(m, char *, count);
    t->types = mem_array(m, char *, count);
    t->column_count = t->type_count = count;
    for (size_t i = 0; i < count; i++)
    {
        t->columns[i] = mem_strdup(m, columns[i]);
        t->types[i] = mem_strdup(m, types[i]);
    }
}

static void add_relation(Manifest *m, int content, uint32_t oid, uint64_t chunks)
{
    set_columns(m, add_table(m, content, oid, chunks), two_columns, two_types, 2);
}

static void add_shard(Manifest *m, int content, uint32_t oid, uint32_t table_oid)
{
    ShardRecord *s = mem_push(m, m->shards, m->shard_count, m->shard_capacity, ShardRecord);
    *s = (ShardRecord){.content = content,
                       .database = mem_strdup(m, "app"),
                       .oid = oid,
                       .table_oid = table_oid,
                       .shard_id = 102000 + (int64_t) m->shard_count};
}

static const TableRecord *find_table(const Manifest *m, int content, uint32_t oid)
{
    for (size_t i = 0; i < m->table_count; i++)
        if (m->tables[i].content == content && m->tables[i].oid == oid)
            return &m->tables[i];
    return NULL;
}

static const Fold *fold(Manifest *m)
{
    Error err = ERROR_INIT;
    const Fold *f = fold_manifest(m, &err);
    if (f == NULL)
        fail_msg("%s", err.message);
    return f;
}

static void refuse(Manifest *m, const char *what)
{
    Error err = ERROR_INIT;
    assert_null(fold_manifest(m, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    if (strstr(err.message, what) == NULL)
        fail_msg("\"%s\" says nothing of \"%s\"", err.message, what);
}

/* A table with four shards on three nodes, a second one with one shard, and one of the coordinator's
 * own. The oids of relations are the same on several nodes, and are not in the order of the shards. */
static void make_fleet(Manifest *m)
{
    add_table(m, -1, 500, 0);
    add_table(m, -1, 600, 0);
    add_table(m, -1, 700, 2);
    add_relation(m, -1, 90, 1);
    add_relation(m, 0, 500, 3);
    add_relation(m, 0, 80, 2);
    add_relation(m, 1, 500, 5);
    add_relation(m, 1, 80, 1);
    add_shard(m, 1, 500, 500);
    add_shard(m, -1, 90, 500);
    add_shard(m, 0, 500, 500);
    add_shard(m, 1, 80, 600);
    add_shard(m, 0, 80, 500);
}

static void test_sums(void **state)
{
    Manifest *m = *state;
    make_fleet(m);
    fold(m);
    const TableRecord *t = find_table(m, -1, 500);
    assert_non_null(t);
    assert_int_equal(t->chunks, 5 + 1 + 3 + 2);
    assert_int_equal(t->rows, 110);
    assert_int_equal(t->logical, 1100);
    assert_int_equal(t->stored, 550);
    assert_int_equal(t->worker_us, 77);
    assert_string_equal(t->name, "t500");
    assert_int_equal(find_table(m, -1, 600)->rows, 10);
    assert_int_equal(find_table(m, -1, 700)->rows, 20);
    assert_int_equal(find_table(m, -1, 700)->column_count, 0);
    assert_int_equal(m->table_count, 3);
    assert_int_equal(m->totals.tables, 3);
    assert_null(find_table(m, 0, 500));
    assert_null(find_table(m, -1, 90));
}

static void test_columns(void **state)
{
    Manifest *m = *state;
    make_fleet(m);
    assert_true(fold(m)->even);
    const TableRecord *t = find_table(m, -1, 500);
    assert_int_equal(t->column_count, 2);
    assert_string_equal(t->columns[1], "t");
    assert_int_equal(t->type_count, 2);
    assert_string_equal(t->types[0], "pg_catalog.int4");
    assert_false(t->binary);
}

/* Chunks are numbered in the order of the shard records, each shard's behind those before. */
static void test_chunk_numbers(void **state)
{
    Manifest *m = *state;
    make_fleet(m);
    const Fold *f = fold(m);
    assert_int_equal(f->count, 5);
    assert_int_equal(fold_find(f, 2, 500)->first_chunk, 0);
    assert_int_equal(fold_find(f, COORDINATOR, 90)->first_chunk, 5);
    assert_int_equal(fold_find(f, 1, 500)->first_chunk, 6);
    assert_int_equal(fold_find(f, 1, 80)->first_chunk, 9);
    assert_int_equal(fold_find(f, 2, 80)->first_chunk, 0);
}

static void test_find(void **state)
{
    Manifest *m = *state;
    make_fleet(m);
    const Fold *f = fold(m);
    for (size_t i = 0; i < f->count; i++)
    {
        const FoldedPart *p = &f->parts[i];
        assert_ptr_equal(fold_find(f, p->node, p->record.oid), p);
        assert_int_equal(m->nodes[p->node].content, p->record.content);
        assert_int_equal(p->shard->oid, p->record.oid);
        assert_int_equal(p->shard->table_oid, p->table_oid);
        assert_true(i == 0 || f->parts[i - 1].node <= p->node);
    }
    assert_int_equal(fold_find(f, 2, 80)->table_oid, 600);
    assert_int_equal(fold_find(f, 2, 80)->record.rows, 10);
    assert_null(fold_find(f, COORDINATOR, 500)); /* the table is no part of itself */
    assert_null(fold_find(f, COORDINATOR, 700));
    assert_null(fold_find(f, 1, 90));
    assert_null(fold_find(f, 3, 80));
    assert_true(fold_is_source(&m->nodes[1]));
    assert_false(fold_is_source(&m->nodes[COORDINATOR]));
}

/* What was given out before stays good. */
static void test_old_records(void **state)
{
    Manifest *m = *state;
    make_fleet(m);
    const TableRecord *old = find_table(m, 1, 500);
    fold(m);
    assert_int_equal(old->oid, 500);
    assert_int_equal(old->content, 1);
}

static void test_uneven(void **state)
{
    for (int how = 0; how < 4; how++)
    {
        Manifest *m = *state;
        add_table(m, -1, 500, 0);
        add_relation(m, 0, 80, 1);
        add_relation(m, 1, 80, 1);
        add_shard(m, 0, 80, 500);
        add_shard(m, 1, 80, 500);
        TableRecord *t = &m->tables[m->table_count - 1];
        if (how == 0)
            t->binary = true;
        else if (how == 1)
            set_columns(m, t, two_columns, two_types, 1);
        else if (how == 2)
            set_columns(m, t, other_columns, two_types, 2);
        else
            set_columns(m, t, two_columns, two_columns, 2);
        assert_false(fold(m)->even);
        assert_string_equal(find_table(m, -1, 500)->columns[1], "t");
        tear_down(state);
        set_up(state);
    }
}

/* A table without columns has rows, and nothing to be uneven in. */
static void test_no_columns(void **state)
{
    Manifest *m = *state;
    add_table(m, -1, 500, 0);
    add_table(m, 0, 80, 1);
    add_table(m, 1, 80, 2);
    add_shard(m, 0, 80, 500);
    add_shard(m, 1, 80, 500);
    assert_true(fold(m)->even);
    assert_int_equal(find_table(m, -1, 500)->rows, 30);
}

/* The first part may have none, where others have. */
static void test_first_without_columns(void **state)
{
    Manifest *m = *state;
    add_table(m, -1, 500, 0);
    add_table(m, 0, 80, 1);
    add_relation(m, 1, 80, 1);
    add_shard(m, 0, 80, 500);
    add_shard(m, 1, 80, 500);
    assert_false(fold(m)->even);
    assert_int_equal(find_table(m, -1, 500)->column_count, 0);
}

static void test_nothing_to_fold(void **state)
{
    Manifest *m = *state;
    add_relation(m, -1, 500, 1);
    add_relation(m, 0, 500, 2);
    const TableRecord *tables = m->tables;
    const Fold *f = fold(m);
    assert_int_equal(f->count, 0);
    assert_true(f->even);
    assert_null(fold_find(f, 0, 500));
    assert_int_equal(m->table_count, 2);
    assert_ptr_equal(m->tables, tables);
}

static void test_no_relation(void **state)
{
    Manifest *m = *state;
    add_table(m, -1, 500, 0);
    add_relation(m, 0, 80, 1);
    add_shard(m, 1, 80, 500); /* the other node has it */
    refuse(m, "shard 102001 has no relation");
}

static void test_no_table(void **state)
{
    Manifest *m = *state;
    add_relation(m, 0, 80, 1);
    add_relation(m, 0, 500, 1); /* a table of that oid, and not the coordinator's */
    add_shard(m, 0, 80, 500);
    refuse(m, "shard 102001 has no table");
}

/* Tables are told apart by database, too: content alone says nothing. */
static void test_other_database(void **state)
{
    Manifest *m = *state;
    add_table(m, -1, 500, 0);
    add_relation(m, 0, 80, 1);
    add_shard(m, 0, 80, 500);
    m->tables[1].database = mem_strdup(m, "other");
    refuse(m, "has no relation");
}

static void test_no_coordinator(void **state)
{
    Manifest *m = *state;
    make_fleet(m);
    m->nodes[COORDINATOR].schema.path = NULL;
    refuse(m, "has no table");
}

static void test_of_itself(void **state)
{
    Manifest *m = *state;
    add_relation(m, -1, 500, 1);
    add_shard(m, -1, 500, 500);
    refuse(m, "has no table");
}

static void test_twice(void **state)
{
    Manifest *m = *state;
    add_table(m, -1, 500, 0);
    add_table(m, -1, 600, 0);
    add_relation(m, 1, 80, 1);
    add_shard(m, 1, 80, 500);
    add_shard(m, 1, 80, 600);
    refuse(m, "two shards are table oid 80 of node 1");
}

/* Whichever of the two records comes first. */
static void test_part_of_a_part(void **state)
{
    for (int how = 0; how < 2; how++)
    {
        Manifest *m = *state;
        add_table(m, -1, 500, 0);
        add_relation(m, -1, 90, 1);
        add_relation(m, 0, 80, 1);
        if (how == 0)
            add_shard(m, -1, 90, 500);
        add_shard(m, 0, 80, 90);
        if (how == 1)
            add_shard(m, -1, 90, 500);
        refuse(m, "table oid 90");
        tear_down(state);
        set_up(state);
    }
}

static void test_too_many_chunks(void **state)
{
    Manifest *m = *state;
    add_table(m, -1, 500, 0);
    add_relation(m, 0, 80, 1);
    add_relation(m, 1, 80, UINT32_MAX);
    add_shard(m, 0, 80, 500);
    add_shard(m, 1, 80, 500);
    refuse(m, "too many chunks");
}

static void test_most_chunks(void **state)
{
    Manifest *m = *state;
    add_table(m, -1, 500, 0);
    add_relation(m, 0, 80, UINT32_MAX - 1);
    add_relation(m, 1, 80, 1);
    add_shard(m, 0, 80, 500);
    add_shard(m, 1, 80, 500);
    const Fold *f = fold(m);
    assert_int_equal(fold_find(f, 2, 80)->first_chunk, UINT32_MAX - 1);
    assert_int_equal(find_table(m, -1, 500)->chunks, UINT32_MAX);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sums),
        TEST(test_columns),
        TEST(test_chunk_numbers),
        TEST(test_find),
        TEST(test_old_records),
        TEST(test_uneven),
        TEST(test_no_columns),
        TEST(test_first_without_columns),
        TEST(test_nothing_to_fold),
        TEST(test_no_relation),
        TEST(test_no_table),
        TEST(test_other_database),
        TEST(test_no_coordinator),
        TEST(test_of_itself),
        TEST(test_twice),
        TEST(test_part_of_a_part),
        TEST(test_too_many_chunks),
        TEST(test_most_chunks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

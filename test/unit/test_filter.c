/* Unit tests of restore/filter and restore/owner: what a selection keeps of an archive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "restore/filter.h"
#include "restore/owner.h"

/* Dump ids are positions + 1; oids are 1000 + dump id. */
#define DEPS(...)                                                                                  \
    .dependencies = (int[])                                                                        \
    {                                                                                              \
        __VA_ARGS__, 0                                                                             \
    }
#define POST .section = TOC_SECTION_POST_DATA
#define NONE .section = TOC_SECTION_NONE
#define IN   .schema

/* clang-format off */
static const TocEntry shop[] = {
    {.desc = "ENCODING", .tag = "ENCODING"},                                                   /* 1 */
    {.desc = "DATABASE", .tag = "shop"},                                                       /* 2 */
    {.desc = "SCHEMA", .tag = "sales"},                                                        /* 3 */
    {.desc = "ACL", .tag = "SCHEMA sales", NONE, DEPS(3)},                                     /* 4 */
    {.desc = "EXTENSION", .tag = "hstore"},                                                    /* 5 */
    {.desc = "TYPE", .tag = "mood", IN = "sales", DEPS(3)},                                    /* 6 */
    {.desc = "FUNCTION", .tag = "f(integer)", IN = "sales", DEPS(3)},                          /* 7 */
    {.desc = "TABLE", .tag = "region", IN = "sales", DEPS(3)},                                 /* 8 */
    {.desc = "TABLE", .tag = "customer", IN = "sales", DEPS(3, 6)},                            /* 9 */
    {.desc = "TABLE", .tag = "orders", IN = "sales", DEPS(3, 7)},                              /* 10 */
    {.desc = "SEQUENCE", .tag = "orders_id_seq", IN = "sales", DEPS(10, 3)},                   /* 11 */
    {.desc = "SEQUENCE OWNED BY", .tag = "orders_id_seq", IN = "sales", DEPS(11)},             /* 12 */
    {.desc = "DEFAULT", .tag = "orders id", IN = "sales", DEPS(10, 11, 10)},                   /* 13 */
    {.desc = "COMMENT", .tag = "COLUMN orders.id", IN = "sales", NONE, DEPS(10)},              /* 14 */
    {.desc = "TABLE", .tag = "part", IN = "sales", DEPS(3)},                                   /* 15 */
    {.desc = "TABLE", .tag = "part_1", IN = "sales", DEPS(15, 3)},                             /* 16 */
    {.desc = "TABLE ATTACH", .tag = "part_1", IN = "sales", DEPS(16, 15)},                     /* 17 */
    {.desc = "VIEW", .tag = "v", IN = "sales", DEPS(10, 3)},                                   /* 18 */
    {.desc = "MATERIALIZED VIEW", .tag = "mv", IN = "public", DEPS(18)},                       /* 19 */
    {.desc = "TABLE", .tag = "log", IN = "public"},                                            /* 20 */
    {.desc = "CONSTRAINT", .tag = "region region_pkey", IN = "sales", POST, DEPS(8)},          /* 21 */
    {.desc = "CONSTRAINT", .tag = "customer customer_pkey", IN = "sales", POST, DEPS(9)},      /* 22 */
    {.desc = "INDEX", .tag = "by_f", IN = "sales", POST, DEPS(7, 10, 10),
     .defn = "CREATE INDEX by_f ON sales.orders USING btree (sales.f(x))"},                    /* 23 */
    {.desc = "COMMENT", .tag = "INDEX by_f", IN = "sales", NONE, DEPS(23)},                    /* 24 */
    {.desc = "TRIGGER", .tag = "orders stamp", IN = "sales", POST, DEPS(10, 7, 10)},           /* 25 */
    {.desc = "POLICY", .tag = "orders own", IN = "sales", POST, DEPS(10, 9, 10)},              /* 26 */
    {.desc = "FK CONSTRAINT", .tag = "orders to_customer", IN = "sales", POST, DEPS(9, 10, 22)}, /* 27 */
    {.desc = "FK CONSTRAINT", .tag = "customer to_region", IN = "sales", POST, DEPS(8, 21, 9)}, /* 28 */
    {.desc = "PUBLICATION", .tag = "pub", POST},                                               /* 29 */
    {.desc = "PUBLICATION TABLE", .tag = "pub orders", IN = "sales", POST, DEPS(29, 10)},      /* 30 */
    {.desc = "ACL", .tag = "SCHEMA public", NONE},                                             /* 31 */
    {.desc = "EVENT TRIGGER", .tag = "watch", POST},                                           /* 32 */
    {.desc = "INDEX", .tag = "of_two", IN = "sales", POST, DEPS(8, 10),
     .defn = "CREATE INDEX of_two ON ONLY sales.orders USING btree (((r.*)::sales.region))"},  /* 33 */
};
/* clang-format on */

#define TEXT(s) ((char[]){s})
#define DB      .database = TEXT("shop")

static TableRecord tables[] = {
    {.oid = 1008, DB, .schema = TEXT("sales"), .name = TEXT("region"), .kind = 'r'},
    {.oid = 1009, DB, .schema = TEXT("sales"), .name = TEXT("customer"), .kind = 'r'},
    {.oid = 1010, DB, .schema = TEXT("sales"), .name = TEXT("orders"), .kind = 'r'},
    {.oid = 1015, DB, .schema = TEXT("sales"), .name = TEXT("part"), .kind = 'p'},
    {.oid = 1016, DB, .schema = TEXT("sales"), .name = TEXT("part_1"), .kind = 'r'},
    {.oid = 1019, DB, .schema = TEXT("public"), .name = TEXT("mv"), .kind = 'm', .populated = true},
    {.oid = 1020, DB, .schema = TEXT("public"), .name = TEXT("log"), .kind = 'r', .unlogged = true},
    {.oid = 5000,
     DB,
     .schema = TEXT("sales"),
     .name = TEXT("settings"),
     .kind = 'r',
     .extension = TEXT("hstore")},
    {.oid = 2613, DB, .schema = TEXT("pg_catalog"), .name = TEXT("pg_largeobject"), .kind = 'r'},
    {.oid = 1010, DB, .schema = TEXT("sales"), .name = TEXT("orders"), .kind = 'r', .content = 1},
};
static SequenceRecord sequences[] = {{DB, .schema = TEXT("sales"), .name = TEXT("orders_id_seq")}};

typedef struct Fixture
{
    ArchiveToc *toc;
    Manifest manifest;
    NodeRecord node;
    Selection *s;
} Fixture;

static int setup(void **state)
{
    Fixture *x = mem_new(NULL, Fixture);
    size_t n = LENGTH_OF(shop);

    x->toc = mem_new(x, ArchiveToc);
    x->toc->entries = mem_array(x, TocEntry, n);
    x->toc->by_dump_id = mem_array(x, uint32_t, n);
    x->toc->entry_count = n;
    for (size_t i = 0; i < n; i++)
    {
        TocEntry *e = &x->toc->entries[i];
        *e = shop[i];
        e->dump_id = (int) i + 1;
        e->oid = 1001 + (uint32_t) i;
        e->section = e->section == 0 ? TOC_SECTION_PRE_DATA : e->section;
        e->defn = e->defn == NULL ? "" : e->defn;
        for (; e->dependencies != NULL && e->dependencies[e->dependency_count] != 0;)
            e->dependency_count++;
        x->toc->by_dump_id[i] = (uint32_t) i;
    }
    x->manifest.tables = tables;
    x->manifest.table_count = LENGTH_OF(tables);
    x->manifest.sequences = sequences;
    x->manifest.sequence_count = LENGTH_OF(sequences);
    x->node.database = mem_strdup(x, "shop");
    x->s = selection_new(x);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    mem_free(*state);
    return 0;
}

static void add(Fixture *x, PatternList *list, PatternKind kind, const char *text)
{
    Error err = ERROR_INIT;
    if (!pattern_add(list, x, kind, text, false, &err))
        fail_msg("%s", err.message);
}

static Filter *make(Fixture *x, bool with_dependencies)
{
    Error err = ERROR_INIT;
    Filter *f = filter_new(x, x->toc, &x->manifest, &x->node, x->s, with_dependencies, &err);
    if (f == NULL)
        fail_msg("%s", err.message);
    return f;
}

/* "3,4,10" */
static const char *kept(Fixture *x, const Filter *f)
{
    Str *s = str_new(x);
    for (size_t i = 0; i < x->toc->entry_count; i++)
        if (f->keep[i])
            str_addf(s, "%s%d", s->len > 0 ? "," : "", x->toc->entries[i].dump_id);
    return s->data;
}

static const char *rows(Fixture *x, const Filter *f)
{
    Str *s = str_new(x);
    for (size_t i = 0; i < x->manifest.table_count; i++)
        if (f->data[i])
            str_addf(s, "%s%s", s->len > 0 ? "," : "", tables[i].name);
    return s->data;
}

static void everything_is_kept_without_a_selection(void **state)
{
    Fixture *x = *state;
    Filter *f = make(x, false);

    assert_true(f->whole);
    assert_int_equal(f->key_count, 0);
    assert_string_equal(rows(x, f), "region,customer,orders,part_1,mv,log,settings,pg_largeobject");
    assert_true(f->sequences[0]);
}

static void a_table_brings_what_is_its_own(void **state)
{
    Fixture *x = *state;
    add(x, &x->s->tables, PATTERN_TABLE, "sales.orders");
    Filter *f = make(x, false);

    assert_string_equal(kept(x, f), "1,2,10,11,12,13,14,23,24,25,26,33");
    assert_string_equal(rows(x, f), "orders");
    assert_true(f->sequences[0]);
    assert_int_equal(f->key_count, 1);
    assert_string_equal(f->keys[0].table->tag, "customer");
    filter_apply(f, x->toc);
    assert_int_equal(f->left_out_count, 1);
    assert_string_equal(f->left_out[0], "sales.orders to_customer");
}

static bool is_customer(void *arg UNUSED, const TocEntry *table)
{
    return strcmp(table->tag, "customer") == 0;
}

static void a_foreign_key_comes_where_the_target_has_the_table(void **state)
{
    Fixture *x = *state;
    add(x, &x->s->tables, PATTERN_TABLE, "sales.(orders|customer)");
    add(x, &x->s->not_tables, PATTERN_TABLE, "sales.customer");
    Filter *f = make(x, false);
    assert_false(f->keep[27 - 1]);
    filter_return_keys(f, x->toc, is_customer, NULL);
    assert_true(f->keep[27 - 1]);
    assert_int_equal(f->key_count, 0);
}

static void two_tables_keep_their_foreign_key(void **state)
{
    Fixture *x = *state;
    add(x, &x->s->tables, PATTERN_TABLE, "sales.(orders|customer)");
    Filter *f = make(x, false);

    assert_string_equal(kept(x, f), "1,2,9,10,11,12,13,14,22,23,24,25,26,27,33");
    assert_int_equal(f->key_count, 1);
    assert_string_equal(f->keys[0].table->tag, "region");
}

static void dependencies_come_with_the_rows_that_are_counted_on(void **state)
{
    Fixture *x = *state;
    add(x, &x->s->tables, PATTERN_TABLE, "sales.orders");
    Filter *f = make(x, true);

    assert_string_equal(kept(x, f), "1,2,3,4,6,7,8,9,10,11,12,13,14,21,22,23,24,25,26,27,28,33");
    assert_string_equal(rows(x, f), "region,customer,orders");
    assert_int_equal(f->key_count, 0);
    assert_true(f->needed[9 - 1]);
    assert_false(f->needed[10 - 1]);
}

static void a_parent_comes_without_rows(void **state)
{
    Fixture *x = *state;
    add(x, &x->s->tables, PATTERN_TABLE, "sales.part_1");
    assert_string_equal(kept(x, make(x, false)), "1,2,16");
    Filter *f = make(x, true);
    assert_string_equal(kept(x, f), "1,2,3,4,15,16,17");
    assert_string_equal(rows(x, f), "part_1");
}

static void a_materialized_view_brings_what_it_reads(void **state)
{
    Fixture *x = *state;
    add(x, &x->s->tables, PATTERN_TABLE, "mv");
    assert_string_equal(rows(x, make(x, false)), "mv");
    assert_string_equal(rows(x, make(x, true)), "region,customer,orders,mv");
    x->s->sections = SELECT_PRE_DATA | SELECT_POST_DATA;
    assert_string_equal(rows(x, make(x, true)), "");
}

static void a_view_brings_definitions_only(void **state)
{
    Fixture *x = *state;
    add(x, &x->s->tables, PATTERN_TABLE, "v");
    assert_string_equal(kept(x, make(x, false)), "1,2,18");
    assert_string_equal(rows(x, make(x, true)), "");
}

static void a_schema_brings_what_lies_in_it(void **state)
{
    Fixture *x = *state;
    add(x, &x->s->schemas, PATTERN_SCHEMA, "public");
    Filter *f = make(x, false);
    assert_string_equal(kept(x, f), "1,2,19,20,31");
    assert_string_equal(rows(x, f), "mv,log");
    x->s->no_unlogged_data = true;
    assert_string_equal(rows(x, make(x, false)), "mv");
}

static void an_excluded_schema_leaves_the_rest(void **state)
{
    Fixture *x = *state;
    add(x, &x->s->not_schemas, PATTERN_SCHEMA, "sales");
    Filter *f = make(x, false);
    assert_string_equal(kept(x, f), "1,2,5,19,20,29,31,32");
    assert_false(f->sequences[0]);
}

static void kinds_can_be_left_out(void **state)
{
    Fixture *x = *state;
    x->s->without = WITHOUT_COMMENTS | WITHOUT_PRIVILEGES | WITHOUT_PUBLICATIONS | WITHOUT_POLICIES;
    Filter *f = make(x, false);
    const int gone[] = {4, 14, 24, 26, 29, 30, 31};
    for (size_t i = 0; i < LENGTH_OF(gone); i++)
        assert_false(f->keep[gone[i] - 1]);
    assert_int_equal(strlen(kept(x, f)),
                     strlen("1,2,3,5,6,7,8,9,10,11,12,13,15,16,17,18,19,20,21,22,"
                            "23,25,27,28,32,33"));
}

static void sections_follow_the_object(void **state)
{
    Fixture *x = *state;
    x->s->sections = SELECT_POST_DATA;
    assert_string_equal(kept(x, make(x, false)), "1,2,21,22,23,24,25,26,27,28,29,30,32,33");
    x->s->sections = SELECT_DATA;
    Filter *f = make(x, false);
    assert_string_equal(kept(x, f), "1,2");
    assert_int_equal(f->key_count, 0);
    assert_string_equal(rows(x, f), "region,customer,orders,part_1,mv,log,settings,pg_largeobject");
    x->s->sections = SELECT_PRE_DATA;
    f = make(x, false);
    assert_string_equal(kept(x, f), "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,31");
    assert_string_equal(rows(x, f), "");
    assert_false(f->sequences[0]);
}

static void single_objects_are_chosen_by_name(void **state)
{
    Fixture *x = *state;
    add(x, &x->s->indexes, PATTERN_NAME, "by_f");
    pattern_add_exact(&x->s->functions, x, NULL, "f(integer)");
    add(x, &x->s->triggers, PATTERN_NAME, "stamp");
    Filter *f = make(x, false);
    assert_string_equal(kept(x, f), "1,2,7,23,24,25");
    assert_string_equal(rows(x, f), "");
    add(x, &x->s->schemas, PATTERN_SCHEMA, "public");
    Error err = ERROR_INIT;
    assert_null(filter_new(x, x->toc, &x->manifest, &x->node, x->s, false, &err));
    assert_int_equal(err.code, ERR_USAGE);
    assert_non_null(strstr(err.message, "--index=by_f matches nothing"));
}

static void a_set_of_rows_has_tables_too(void **state)
{
    Fixture *x = *state;
    x->toc->entry_count = 0;
    add(x, &x->s->tables, PATTERN_TABLE, "sales.orders");
    Filter *f = make(x, false);
    assert_string_equal(rows(x, f), "orders");
    assert_false(f->sequences[0]);
}

static void owners_are_found(void **state)
{
    Fixture *x = *state;
    const int pairs[][2] = {{13, 10}, {14, 10}, {23, 10}, {24, 23}, {25, 10}, {26, 10},
                            {27, 10}, {28, 9},  {33, 10}, {4, 3},   {31, 0},  {12, 11}};
    for (size_t i = 0; i < LENGTH_OF(pairs); i++)
    {
        const TocEntry *owner = owner_find(x->toc, &x->toc->entries[pairs[i][0] - 1]);
        assert_int_equal(owner == NULL ? 0 : owner->dump_id, pairs[i][1]);
    }
}

static void an_applied_filter_leaves_a_smaller_archive(void **state)
{
    Fixture *x = *state;
    add(x, &x->s->tables, PATTERN_TABLE, "sales.orders");
    Filter *f = make(x, true);
    filter_apply(f, x->toc);
    assert_int_equal(x->toc->entry_count, 22);
    assert_string_equal(archive_toc_find(x->toc, 27)->tag, "orders to_customer");
    assert_null(archive_toc_find(x->toc, 20));
    for (size_t i = 0; i < x->toc->entry_count; i++)
        if (x->toc->entries[i].dump_id == 9)
            assert_true(f->needed[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(everything_is_kept_without_a_selection),
        TEST(a_table_brings_what_is_its_own),
        TEST(a_foreign_key_comes_where_the_target_has_the_table),
        TEST(two_tables_keep_their_foreign_key),
        TEST(dependencies_come_with_the_rows_that_are_counted_on),
        TEST(a_parent_comes_without_rows),
        TEST(a_materialized_view_brings_what_it_reads),
        TEST(a_view_brings_definitions_only),
        TEST(a_schema_brings_what_lies_in_it),
        TEST(an_excluded_schema_leaves_the_rest),
        TEST(kinds_can_be_left_out),
        TEST(sections_follow_the_object),
        TEST(single_objects_are_chosen_by_name),
        TEST(a_set_of_rows_has_tables_too),
        TEST(owners_are_found),
        TEST(an_applied_filter_leaves_a_smaller_archive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

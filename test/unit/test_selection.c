/* test/unit/test_selection.c - what options choose of a catalogue, and what pg_dump is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/str.h"
#include "select/selection.h"

static const uint32_t parent_sales[] = {20};
static const uint32_t parent_sub[] = {22};
static const uint32_t parent_gone[] = {999};

static const SelectionItem catalogue[] = {
    {.oid = 10, .kind = 'r', .schema = "public", .name = "t1"},
    {.oid = 11, .kind = 'S', .schema = "public", .name = "t1_seq", .owner_table = 10},
    {.oid = 12, .kind = 'r', .schema = "app", .name = "t1", .hidden = true},
    {.oid = 13,
     .kind = 'S',
     .schema = "app",
     .name = "t1_id",
     .hidden = true,
     .owner_table = 12,
     .identity = true},
    {.oid = 14, .kind = 'v', .schema = "app", .name = "v", .hidden = true},
    {.oid = 15, .kind = 'm', .schema = "app", .name = "mv", .hidden = true},
    {.oid = 16, .kind = 'r', .persistence = 'u', .schema = "app", .name = "u", .hidden = true},
    {.oid = 17, .kind = 'f', .schema = "app", .name = "ft", .hidden = true, .server = "loop"},
    {.oid = 18, .kind = 'S', .schema = "app", .name = "free", .hidden = true},
    {.oid = 20, .kind = 'p', .schema = "public", .name = "sales"},
    {.oid = 21,
     .kind = 'r',
     .schema = "part",
     .name = "sales_1",
     .hidden = true,
     .parents = parent_sales,
     .parent_count = 1},
    {.oid = 22,
     .kind = 'p',
     .schema = "part",
     .name = "sales_2",
     .hidden = true,
     .parents = parent_sales,
     .parent_count = 1},
    {.oid = 23,
     .kind = 'r',
     .schema = "part",
     .name = "sales_2a",
     .hidden = true,
     .parents = parent_sub,
     .parent_count = 1},
    {.oid = 24,
     .kind = 'r',
     .schema = "part",
     .name = "orphan",
     .hidden = true,
     .parents = parent_gone,
     .parent_count = 1},
    {.oid = 30,
     .kind = 'r',
     .schema = "cfg",
     .name = "settings",
     .hidden = true,
     .extension = "ext",
     .config = true},
    {.oid = 31, .kind = 'r', .schema = "cfg", .name = "fixed", .hidden = true, .extension = "ext"},
};

static const char *const schema_names[] = {"public", "app", "part", "cfg", "pg_catalog"};
static const char *const extension_names[] = {"ext", "plpgsql"};
static const SelectionNames schemas = {schema_names, LENGTH_OF(schema_names)};
static const SelectionNames extensions = {extension_names, LENGTH_OF(extension_names)};

typedef struct Fixture
{
    MemContext *ctx;
    Selection *s;
    SelectionItem items[LENGTH_OF(catalogue)];
    Error err;
} Fixture;

static int setup(void **state)
{
    Fixture *f = calloc(1, sizeof(*f));
    f->ctx = mem_context(NULL, "test");
    f->s = selection_new(f->ctx);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;
    mem_free(f->ctx);
    free(f);
    return 0;
}

/* The items backwards: their order must not matter. */
static bool apply(Fixture *f)
{
    for (size_t i = 0; i < LENGTH_OF(catalogue); i++)
        f->items[i] = catalogue[LENGTH_OF(catalogue) - 1 - i];
    return selection_apply(f->s, "shop", f->items, LENGTH_OF(f->items), &schemas, &extensions,
                           &f->err);
}

/* Adds what a filter file of one line says. */
static void filter(Fixture *f, const char *line)
{
    if (!selection_parse_filter(f->s, "test", line, strlen(line), &f->err))
        fail_msg("%s: %s", line, f->err.message);
}

/* "10 11d 12": definitions; d also data, D only data. */
static char *chosen(Fixture *f)
{
    Str *s = str_new(f->ctx);
    for (size_t i = LENGTH_OF(f->items); i-- > 0;)
    {
        const SelectionItem *item = &f->items[i];
        if (item->definition || item->data)
            str_addf(s, "%s%u%s", s->len > 0 ? " " : "", item->oid,
                     !item->data        ? ""
                     : item->definition ? "d"
                                        : "D");
    }
    return s->data;
}

/* lines: filter lines, separated by ";". */
static void check(void **state, const char *lines, const char *expected)
{
    teardown(state);
    setup(state);
    Fixture *f = *state;
    char *copy = mem_strdup(f->ctx, lines);
    for (char *c = copy; *c != '\0'; c++)
        *c = *c == ';' ? '\n' : *c;
    filter(f, copy);
    if (!apply(f))
        fail_msg("%s: %s", lines, f->err.message);
    if (!str_equal(chosen(f), expected))
        fail_msg("%s:\n     got %s\nexpected %s", lines, chosen(f), expected);
}

#define EVERYTHING "10d 11d 12d 13d 14 15d 16d 17 18d 20 21d 22 23d 24d 30D"

static void test_apply(void **state)
{
    check(state, "", EVERYTHING);
    check(state, "include schema app", "12d 13d 14 15d 16d 17 18d");
    check(state, "include schema a*;include schema part;exclude schema app", "21d 22 23d 24d");
    check(state, "exclude schema app", "10d 11d 20 21d 22 23d 24d 30D");
    check(state, "include schema cfg", "30D");
    check(state, "exclude schema cfg", "10d 11d 12d 13d 14 15d 16d 17 18d 20 21d 22 23d 24d");
    /* a name without a schema is what the search_path shows */
    check(state, "include table t1", "10d 11d");
    check(state, "include table *.t1", "10d 11d 12d 13d");
    check(state, "include table app.t1", "12d 13d");
    check(state, "exclude table t1", "11d 12d 13d 14 15d 16d 17 18d 20 21d 22 23d 24d 30D");
    /* an identity's sequence goes with its table, a serial's does not; -T cannot part them */
    check(state, "include table app.t1;exclude table app.t1_id", "12d 13d");
    check(state, "include schema app;exclude table app.t1", "14 15d 16d 17 18d");
    check(state, "include table t1_seq", "11d");
    /* with -t, -n and -N say nothing */
    check(state, "include table app.v;include schema part;exclude schema app", "14");
    check(state, "include table part.*;exclude table *_1", "21d 22 23d 24d");
    check(state, "include table part.*;exclude table part.*_1", "22 23d 24d");
    /* children, of any depth */
    check(state, "include table_and_children sales", "20 21d 22 23d");
    check(state, "include table sales", "20");
    check(state, "include table_and_children part.sales_2", "22 23d");
    check(state, "include schema part;exclude table_and_children part.sales_2", "21d 24d");
    /* rows */
    check(state, "include schema part;exclude table_data_and_children sales", "21 22 23 24d");
    check(state, "include schema part;exclude table_data part.sales_1", "21 22 23d 24d");
    check(state, "include schema app;exclude table_data app.*", "12 13 14 15 16 17 18");
    check(state, "include table app.ft;include foreign_data l*", "17d");
    check(state, "exclude table_data cfg.settings;include schema cfg;include schema app",
          "12d 13d 14 15d 16d 17 18d");
    /* extensions */
    check(state, "include extension ext", EVERYTHING);
    check(state, "include extension plpgsql",
          "10d 11d 12d 13d 14 15d 16d 17 18d 20 21d 22 23d 24d");
    check(state, "exclude extension ext", "10d 11d 12d 13d 14 15d 16d 17 18d 20 21d 22 23d 24d");
    check(state, "include table cfg.settings", "30D");
    check(state, "include extension ext;include schema app", "12d 13d 14 15d 16d 17 18d 30D");
    check(state, "exclude table cfg.settings",
          "10d 11d 12d 13d 14 15d 16d 17 18d 20 21d 22 23d 24d");
}

static void test_sections(void **state)
{
    Fixture *f = *state;
    f->s->sections = SELECT_PRE_DATA | SELECT_POST_DATA;
    assert_true(apply(f));
    assert_string_equal(chosen(f), "10 11 12 13 14 15 16 17 18 20 21 22 23 24");
    f->s->sections = SELECT_DATA;
    assert_true(apply(f));
    assert_string_equal(chosen(f), EVERYTHING);
    f->s->no_unlogged_data = true;
    assert_true(apply(f));
    assert_null(strstr(chosen(f), "16d"));
}

static void test_nothing_matches(void **state)
{
    static const struct
    {
        const char *lines;
        bool strict;
        const char *message;
        const char *hint;
    } refused[] = {
        {"include schema nope", false, "--schema=nope matches nothing in database \"shop\"",
         "quotes"},
        {"include table nope", false, "--table=nope matches nothing", ""},
        {"include table_and_children nope", false, "--table=nope matches nothing", ""},
        {"include extension nope", false, "--extension=nope matches nothing", ""},
        {"include foreign_data nope", false, "--include-foreign-data=nope matches nothing", ""},
        {"include schema pg_catalog", false, "--schema=pg_catalog matches nothing", "System"},
        {"include table pg_catalog.pg_class", false, "matches nothing", "System"},
        {"include table app.t1\ninclude table nope", true, "--table=nope matches nothing", ""},
        {"include schema app\ninclude schema nope", true, "--schema=nope matches nothing", ""},
        {"include extension ext\ninclude extension nope", true, "--extension=nope", ""},
        {"include table other.app.t1", false, "--table=other.app.t1 names another database",
         "shop"},
        {"exclude table other.app.t1", false, "names another database", ""},
        {"exclude table_data other.app.t1", false, "names another database", ""},
        {"include schema other.app", false, "names another database", ""},
        {"exclude schema other.app", false, "names another database", ""},
        {"include schema app\nexclude schema a*", false, "excluded by --exclude-schema", ""},
        {"include table t1\nexclude table *.t1", false, "excluded by --exclude-table", ""},
    };
    for (size_t i = 0; i < LENGTH_OF(refused); i++)
    {
        teardown(state);
        setup(state);
        Fixture *f = *state;
        filter(f, refused[i].lines);
        f->s->strict_names = refused[i].strict;
        assert_false(apply(f));
        assert_int_equal(f->err.code, ERR_USAGE);
        if (strstr(f->err.message, refused[i].message) == NULL ||
            strstr(f->err.hint, refused[i].hint) == NULL)
            fail_msg("%s: %s (%s)", refused[i].lines, f->err.message, f->err.hint);
    }
    check(state, "include table shop.app.v;include table nope", "14");
    check(state, "exclude schema nope;exclude table nope;exclude table_data nope", EVERYTHING);
}

static void test_wants(void **state)
{
    Fixture *f = *state;
    assert_true(selection_is_all(f->s) && selection_includes_all(f->s));
    assert_true(selection_wants_blobs(f->s) && selection_wants_extension(f->s, "ext"));
    assert_false(selection_needs_path(f->s));
    f->s->sections = SELECT_PRE_DATA;
    assert_true(selection_is_all(f->s));
    assert_false(selection_wants_blobs(f->s));
    f->s->sections = SELECT_ALL_SECTIONS;
    filter(f, "exclude extension ext\nexclude table app.x");
    assert_false(selection_is_all(f->s));
    assert_true(selection_includes_all(f->s) && selection_wants_blobs(f->s));
    assert_false(selection_wants_extension(f->s, "ext"));
    assert_true(selection_wants_extension(f->s, "other"));
    assert_false(selection_needs_path(f->s));
    filter(f, "include schema x\nexclude table_data t");
    assert_false(selection_includes_all(f->s) || selection_wants_blobs(f->s));
    assert_false(selection_wants_extension(f->s, "other"));
    assert_true(selection_needs_path(f->s));
    f->s->blobs = BLOBS_YES;
    assert_true(selection_wants_blobs(f->s));
    f->s->blobs = BLOBS_NO;
    assert_false(selection_wants_blobs(f->s));
    filter(f, "include extension o*");
    assert_true(selection_wants_extension(f->s, "other"));
}

static char *joined(Fixture *f, char **items, size_t count)
{
    Str *s = str_new(f->ctx);
    for (size_t i = 0; i < count; i++)
        str_addf(s, "%s%s", i > 0 ? " " : "", items[i]);
    return s->data;
}

static const char *args(Fixture *f, int major)
{
    SelectionArgs list = {NULL, 0, 0};
    error_clear(&f->err);
    if (!selection_pg_dump_args(f->s, f->ctx, major, f->items, LENGTH_OF(f->items), &list, &f->err))
        return f->err.message;
    return joined(f, list.items, list.count);
}

#define NO_SYSTEM "--exclude-table=pg_*.* --exclude-table=information_schema.*"

static void test_args(void **state)
{
    Fixture *f = *state;
    assert_true(apply(f));
    assert_string_equal(args(f, 15), "");
    filter(f, "include table_and_children shop.public.sales\nexclude table shop.part.*_1\n"
              "exclude table_data part.orphan");
    assert_true(apply(f));
    assert_string_equal(args(f, 15), "--exclude-table=part.*_1 --table=\"part\".\"sales_2a\" "
                                     "--table=\"part\".\"sales_2\" --table=\"part\".\"sales_1\" "
                                     "--table=\"public\".\"sales\" " NO_SYSTEM);
    assert_string_equal(args(f, 16),
                        "--exclude-table=part.*_1 --table-and-children=public.sales " NO_SYSTEM);
    teardown(state);
    setup(state);
    f = *state;
    filter(f, "include schema shop.app\nexclude schema \"X\"\ninclude extension ext");
    f->s->without = WITHOUT_COMMENTS | WITHOUT_PRIVILEGES | WITHOUT_PUBLICATIONS |
                    WITHOUT_SECURITY_LABELS | WITHOUT_SUBSCRIPTIONS;
    assert_true(apply(f));
    assert_string_equal(args(f, 14),
                        "--schema=app --exclude-schema=\"X\" --exclude-schema=pg_* "
                        "--exclude-schema=information_schema --extension=ext --no-comments "
                        "--no-publications --no-security-labels --no-subscriptions "
                        "--no-privileges");
    assert_non_null(strstr(args(f, 13), "--extension needs pg_dump 14"));
    filter(f, "exclude extension x");
    assert_non_null(strstr(args(f, 16), "--exclude-extension needs pg_dump 17"));
    assert_non_null(strstr(args(f, 17), "--exclude-extension=x"));
    f->s->without = WITHOUT_POLICIES;
    assert_non_null(strstr(args(f, 17), "--no-policies needs pg_dump 18"));
    assert_non_null(strstr(args(f, 18), "--no-policies"));
    assert_int_equal(f->err.code, ERR_NONE);
}

static void test_args_too_long(void **state)
{
    Fixture *f = *state;
    for (int i = 0; i < 60000; i++)
        pattern_add_exact(&f->s->not_tables, f->s, "a_schema_with_a_long_name_of_some_sort",
                          mem_printf(f->ctx, "a_table_with_a_long_name_of_some_sort_%d", i));
    assert_true(apply(f));
    assert_non_null(strstr(args(f, 18), "too long for pg_dump"));
    assert_int_equal(f->err.code, ERR_USAGE);
}

static void test_describe(void **state)
{
    Fixture *f = *state;
    char **items = NULL;
    size_t count = 0;
    selection_describe(f->s, f->ctx, &items, &count);
    assert_int_equal(count, 0);
    filter(f, "exclude table_data_and_children x\ninclude trigger \"A b\"\ninclude table a\n"
              "include table_and_children b\nexclude table c\nexclude table_and_children d\n"
              "include schema e\nexclude schema f\ninclude extension g\nexclude extension h\n"
              "include foreign_data i\ninclude index j\ninclude function k( integer,text )\n");
    f->s->sections = SELECT_PRE_DATA | SELECT_DATA;
    f->s->blobs = BLOBS_NO;
    f->s->no_unlogged_data = true;
    f->s->without = WITHOUT_POLICIES | WITHOUT_COMMENTS;
    selection_describe(f->s, f->ctx, &items, &count);
    assert_string_equal(
        joined(f, items, count),
        "--section=pre-data --section=data --schema=e --exclude-schema=f --table=a "
        "--table-and-children=b --exclude-table=c --exclude-table-and-children=d "
        "--exclude-table-data-and-children=x --extension=g --exclude-extension=h "
        "--include-foreign-data=i --index=\"j\" --function=\"k(integer, text)\" "
        "--trigger=\"A b\" --no-large-objects --no-unlogged-table-data --no-comments "
        "--no-policies");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_apply, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sections, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_matches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wants, setup, teardown),
        cmocka_unit_test_setup_teardown(test_args, setup, teardown),
        cmocka_unit_test_setup_teardown(test_args_too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_describe, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

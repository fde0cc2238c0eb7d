/* test/unit/test_distribute_file.c - the ini file of --distribute, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/str.h"
#include "config/distribute_file.h"

static int setup(void **state)
{
    *state = mem_context(NULL, "test");
    return 0;
}

static int teardown(void **state)
{
    mem_free(*state);
    return 0;
}

static void test_full(void **state)
{
    static const char text[] = "\xEF\xBB\xBF# how\r\n"
                               "[public.customers]\n"
                               "column = id ; by its hash\n"
                               "shard_count = 64000\n"
                               "[Sales.a.b c]\n"
                               "column=Customer\n"
                               "colocate_with = public.customers\n"
                               "[public.country]\n"
                               "reference = yes\n";
    Error err = ERROR_INIT;
    DistributeFile *file = distribute_file_parse(*state, text, strlen(text), "d.ini", &err);
    if (file == NULL)
        fail_msg("%s", err.message);
    assert_int_equal(file->count, 3);
    assert_string_equal(file->tables[0].schema, "public");
    assert_string_equal(file->tables[0].name, "customers");
    assert_string_equal(file->tables[0].column, "id");
    assert_int_equal(file->tables[0].shard_count, 64000);
    assert_null(file->tables[0].colocate_with);
    assert_string_equal(file->tables[1].schema, "Sales");
    assert_string_equal(file->tables[1].name, "a.b c");
    assert_string_equal(file->tables[1].column, "Customer");
    assert_int_equal(file->tables[1].colocated, 0);
    assert_int_equal(file->tables[1].shard_count, 0);
    assert_true(file->tables[2].reference);
    assert_null(file->tables[2].column);
}

static void test_bad(void **state)
{
    static const struct
    {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "d.ini: there is no section"},
        {"# nothing\n", "d.ini: there is no section"},
        {"column = a\n[public.t]\n", "line 1: a key before the first section"},
        {"[t]\ncolumn = a\n", "line 1: section [t] names no table"},
        {"[.t]\ncolumn = a\n", "section [.t] names no table"},
        {"[public.]\ncolumn = a\n", "section [public.] names no table"},
        {"[public.t]\n", "[public.t], line 1, needs either column or reference"},
        {"[public.t]\ncolumn = a\nreference = yes\n", "needs either column or reference"},
        {"[public.t]\n[public.u]\ncolumn = a\n", "[public.t], line 1, needs either"},
        {"[public.t]\nreference = no\n", "line 2: reference must be yes"},
        {"[public.t]\nreference = yes\nshard_count = 4\n", "a reference table has no shards"},
        {"[a.t]\ncolumn = x\n[b.t]\nreference = yes\ncolocate_with = a.t\n", "has no shards"},
        {"[public.t]\ncolumn =\n", "line 2: no value for key \"column\""},
        {"[public.t]\ncolumns = a\n", "line 2: unknown key \"columns\""},
        {"[public.t]\ncolumn = a\nshard_count = 0\n", "line 3: shard_count must be 1 to 64000"},
        {"[public.t]\ncolumn = a\nshard_count = 64001\n", "shard_count must be"},
        {"[public.t]\ncolumn = a\nshard_count = -1\n", "shard_count must be"},
        {"[public.t]\ncolumn = a\nshard_count = 4x\n", "shard_count must be"},
        {"[public.t]\ncolumn = a\nshard_count = 99999999999999999999\n", "shard_count must be"},
        {"[public.t]\ncolumn = a\n[public.t]\ncolumn = b\n",
         "line 3: section [public.t] again, after line 1"},
        {"[a.t]\ncolumn = x\ncolocate_with = a.t\n", "no table [a.t] with a column stands before"},
        {"[a.t]\ncolumn = x\ncolocate_with = a.u\n[a.u]\ncolumn = x\n", "no table [a.u]"},
        {"[a.t]\nreference = yes\n[a.u]\ncolumn = x\ncolocate_with = a.t\n",
         "no table [a.t] with a column"},
        {"[a.t]\ncolumn = x\n[a.u]\ncolumn = x\ncolocate_with = t\n", "no table [t] with a column"},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        Error err = ERROR_INIT;
        if (distribute_file_parse(*state, cases[i].text, strlen(cases[i].text), "d.ini", &err) !=
            NULL)
            fail_msg("%s: taken", cases[i].text);
        assert_int_equal(err.code, ERR_USAGE);
        if (strstr(err.message, cases[i].message) == NULL)
            fail_msg("%s: \"%s\", not \"%s\"", cases[i].text, err.message, cases[i].message);
    }
}

static void test_no_file(void **state)
{
    Error err = ERROR_INIT;
    assert_null(distribute_file_read(*state, "/nowhere/d.ini", &err));
    assert_non_null(strstr(err.message, "/nowhere/d.ini"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test/unit/test_globals.c - what pg_dumpall --globals-only writes is taken apart into statements.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "restore/globals.h"

static const char sql[] = "--\n-- PostgreSQL database cluster dump; with a semicolon\n--\n\n"
                          "\\restrict abc;def\n\n"
                          "SET client_encoding = 'UTF8';\n"
                          "CREATE ROLE app;\n"
                          "ALTER ROLE app WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:a;b''c';\n"
                          "CREATE ROLE \"We \"\"ird; role\";\n"
                          "-- a comment before an order\n\\unrestrict abc\n"
                          "CREATE TABLESPACE fast OWNER app LOCATION E'/srv/a\\'b;';\n"
                          "COMMENT ON ROLE app IS 'CREATE ROLE nobody;';\n"
                          "GRANT \"We \"\"ird; role\" TO app GRANTED BY postgres;\n"
                          "select binary_upgrade.set_next_preassigned_tablespace_oid(1,'x');\n"
                          "CREATE RESOURCE QUEUE adhoc WITH (active_statements=3);\n"
                          "ALTER ROLE app RESOURCE QUEUE adhoc;\n"
                          "CREATE ROLE unfinished";

static void test_names(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Globals *g = globals_parse(ctx, sql);
    assert_true(globals_has_role(g, "app"));
    assert_true(globals_has_role(g, "We \"ird; role"));
    assert_true(globals_has_role(g, "unfinished"));
    assert_true(globals_has_tablespace(g, "fast"));
    assert_false(globals_has_tablespace(g, "app"));
    assert_false(globals_has_role(g, "fast"));
    assert_false(globals_has_role(g, "nobody"));
    assert_false(globals_has_role(g, "postgres"));
    assert_false(globals_has_role(g, "adhoc"));
    assert_false(globals_has_tablespace(g, "adhoc"));
}

static void test_odd(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    static const char *const texts[] = {
        "",   ";",  ";;;",         "\\",           "\\\n\\x",           "--",
        "/*", "'x", "create role", "create role;", "create tablespace", "alter role \\ a;",
        "\"", "$$"};
    for (size_t i = 0; i < LENGTH_OF(texts); i++)
        assert_false(globals_has_role(globals_parse(ctx, texts[i]), "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_odd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

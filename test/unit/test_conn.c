/*
 * test/unit/test_conn.c - what of a connection is handed on: to child programs, and to more connections.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pg/conn.h"

#define NOWHERE "host=/nonexistent port=7 user=me dbname=app "

static int set_up(void **state)
{
    /* libpq's own defaults. */
    unsetenv("PGOPTIONS");
    unsetenv("PGPASSWORD");
    *state = mem_context(NULL, "test");
    return 0;
}

static int tear_down(void **state)
{
    mem_free(*state);
    return 0;
}

/* One that could not be made knows as much of its parameters as one that was. */
static PgConn connection(const char *conninfo, const char *program_options)
{
    PgConn conn = {.raw = PQconnectdb(conninfo), .program_options = program_options};
    assert_non_null(conn.raw);
    assert_int_equal(PQstatus(conn.raw), CONNECTION_BAD);
    return conn;
}

/* The dsn's value of one key, as libpq reads it; NULL: not there. */
static const char *value_of(void *ctx, const char *dsn, const char *key)
{
    char *message = NULL;
    const char *value = NULL;
    PQconninfoOption *options = PQconninfoParse(dsn, &message);
    if (options == NULL)
        fail_msg("%s: %s", dsn, message);
    for (PQconninfoOption *o = options; o->keyword != NULL; o++)
        if (strcmp(o->keyword, key) == 0 && o->val != NULL)
            value = mem_strdup(ctx, o->val);
    PQconninfoFree(options);
    return value;
}

static void expect_options(void *ctx, const char *conninfo, const char *program_options,
                           const char *want)
{
    const char *password;
    PgConn conn = connection(conninfo, program_options);
    const char *got = value_of(ctx, pg_conn_dsn(ctx, &conn, &password), "options");
    PQfinish(conn.raw);
    if (want == NULL)
        assert_null(got);
    else
        assert_string_equal(got, want);
}

/* A program has the options of the user, and what it cannot set up by itself behind them. */
static void test_program_options(void **state)
{
    void *ctx = *state;
    expect_options(ctx, NOWHERE, NULL, NULL);
    expect_options(ctx, NOWHERE, "-c a.b=off", " -c a.b=off");
    expect_options(ctx, NOWHERE "options='-c x=1'", NULL, "-c x=1 ");
    expect_options(ctx, NOWHERE "options='-c x=1'", "-c a.b=off", "-c x=1 -c a.b=off");
    expect_options(ctx, NOWHERE "options='-c x=a\\\\ \\'b'", "-c y=\\'", "-c x=a\\ 'b -c y=\\'");
}

static void test_dsn(void **state)
{
    void *ctx = *state;
    const char *password;
    PgConn conn = connection(NOWHERE "password='se cret' application_name=x", "-c a=1");
    const char *dsn = pg_conn_dsn(ctx, &conn, &password);
    PQfinish(conn.raw);
    assert_string_equal(password, "se cret");
    assert_null(strstr(dsn, "cret"));
    assert_string_equal(value_of(ctx, dsn, "host"), "/nonexistent");
    assert_string_equal(value_of(ctx, dsn, "port"), "7");
    assert_string_equal(value_of(ctx, dsn, "user"), "me");
    assert_string_equal(value_of(ctx, dsn, "dbname"), "app");
    assert_string_equal(value_of(ctx, dsn, "options"), " -c a=1");
}

/* More connections of the same kind begin in the same way. */
static void test_pin(void **state)
{
    void *ctx = *state;
    const PgConnSpec spec = {.conninfo = "host=a,b dbname=other",
                             .setup = "SET a.b = off",
                             .program_options = "-c a.b=off",
                             .role = "keeper",
                             .password = "p",
                             .row_security = true};
    PgConn conn = connection(NOWHERE, spec.program_options);
    const PgConnSpec *pinned = pg_conn_pin(ctx, &conn, &spec);
    PQfinish(conn.raw);
    assert_string_equal(pinned->setup, "SET a.b = off");
    assert_ptr_not_equal(pinned->setup, spec.setup);
    assert_string_equal(pinned->program_options, "-c a.b=off");
    assert_string_equal(pinned->role, "keeper");
    assert_string_equal(pinned->password, "p");
    assert_true(pinned->row_security);
    assert_string_equal(pinned->host, "/nonexistent");
    assert_null(pinned->hostaddr);
    assert_string_equal(pinned->port, "7");
    assert_string_equal(pinned->database, "app");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_program_options),
        TEST(test_dsn),
        TEST(test_pin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test/unit/test_engine.c - which engine a set needs, and where a coordinator's nodes are from here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet/engine.h"

static void test_engine_of(void **state UNUSED)
{
    assert_ptr_equal(engine_of("citus"), &citus_engine);
    assert_null(engine_of("shards"));
    assert_null(engine_of("single"));
    assert_null(engine_of(""));
}

static void expect_host(const NameMap *map, size_t count, const char *host, const char *port,
                        const char *want_host, const char *want_port)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    engine_map_host(ctx, map, count, &host, &port);
    assert_string_equal(host, want_host);
    assert_string_equal(port, want_port);
}

static void test_host_map(void **state UNUSED)
{
    static const NameMap map[] = {
        {"db1:5432", "localhost:7001"}, {"db1", "other"},
        {"db2", "/tmp/sockets:7002"},   {"db3:1", "here"},
        {"10.0.0.5", "10.1.0.5"},
    };

    expect_host(NULL, 0, "db1", "5432", "db1", "5432");
    expect_host(map, LENGTH_OF(map), "db1", "5432", "localhost", "7001");
    expect_host(map, LENGTH_OF(map), "db1", "5433", "other", "5433"); /* the first that fits */
    expect_host(map, LENGTH_OF(map), "db2", "5432", "/tmp/sockets", "7002");
    expect_host(map, LENGTH_OF(map), "db3", "1", "here", "1");
    expect_host(map, LENGTH_OF(map), "db3", "10", "db3", "10");
    expect_host(map, LENGTH_OF(map), "10.0.0.5", "5432", "10.1.0.5", "5432");
    expect_host(map, LENGTH_OF(map), "10.0.0.50", "5432", "10.0.0.50", "5432");
    expect_host(map, LENGTH_OF(map), "DB1", "5432", "DB1", "5432");
    expect_host(map, LENGTH_OF(map), "other", "5432", "other", "5432"); /* once only */
}

/* An IPv6 address with a port is in brackets; without, its colons are its own. */
static void test_ipv6(void **state UNUSED)
{
    static const NameMap map[] = {
        {"[fd00::5]:5432", "[fd00::6]:7001"},
        {"fd00::7", "fd00::8"},
        {"[fd00::9]", "[fd00::a]"},
        {"db:1", "::1"},
    };

    expect_host(map, LENGTH_OF(map), "fd00::5", "5432", "fd00::6", "7001");
    expect_host(map, LENGTH_OF(map), "fd00::5", "5433", "fd00::5", "5433");
    expect_host(map, LENGTH_OF(map), "fd00::7", "5432", "fd00::8", "5432");
    expect_host(map, LENGTH_OF(map), "fd00::9", "5432", "fd00::a", "5432");
    expect_host(map, LENGTH_OF(map), "db", "1", "::1", "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine_of),
        cmocka_unit_test(test_host_map),
        cmocka_unit_test(test_ipv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

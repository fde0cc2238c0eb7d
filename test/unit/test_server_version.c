/*
 * test/unit/test_server_version.c - which product a server is, by the text of its version().
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "pg/server_version.h"

static void expect(const char *text, ServerProduct product, int major, int minor, int patch)
{
    ServerVersion v = server_version_parse(text);
    print_message("%s\n", text);
    assert_int_equal(v.product, product);
    assert_int_equal(v.major, major);
    assert_int_equal(v.minor, minor);
    assert_int_equal(v.patch, patch);
}

static void test_products(void **state UNUSED)
{
    expect("PostgreSQL 9.4.26 (Greenplum Database 6.24.3 build commit:25d3498) on x86_64-linux",
           SERVER_GREENPLUM, 6, 24, 3);
    expect("PostgreSQL 12.12 (Greenplum Database 7.1.0 build dev) on x86_64", SERVER_GREENPLUM, 7,
           1, 0);
    expect("PostgreSQL 12.12 (Greenplum Database 7.2.0_arenadata5 build x)", SERVER_GREENPLUM, 7, 2,
           0);
    expect("PostgreSQL 12.12 (WarehousePG 7.2.0 build x)", SERVER_GREENPLUM, 7, 2, 0);
    expect("PostgreSQL 14.4 (Cloudberry Database 1.6.0 build x)", SERVER_CLOUDBERRY, 1, 6, 0);
    expect("PostgreSQL 14.4 (Apache Cloudberry 2.1.0-incubating build x)", SERVER_CLOUDBERRY, 2, 1,
           0);
    expect("PostgreSQL 9.4.26 (Greenplum Database 6", SERVER_GREENPLUM, 6, 0, 0);
}

static void test_others(void **state UNUSED)
{
    static const char *const texts[] = {
        "",
        "PostgreSQL",
        "PostgreSQL ",
        "PostgreSQL 15.20 (Debian 15.20-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc",
        "PostgreSQL 18.1 on aarch64",
        "PostgreSQL 15.1 on x (Greenplum Database 6.24.3)",
        "PostgreSQL 15.1 (Greenplum Database )",
        "PostgreSQL 15.1 (Greenplum",
        "PostgreSQL 15.1 (greenplum database 6.1)",
        "EnterpriseDB 15.1 (Greenplum Database 6.1.1)",
    };
    for (size_t i = 0; i < LENGTH_OF(texts); i++)
        expect(texts[i], SERVER_POSTGRESQL, 0, 0, 0);
}

static void test_numbers(void **state UNUSED)
{
    ServerVersion v = server_version_parse(
        "PostgreSQL 9.4 (Greenplum Database 99999999999999999999.1.2 x");
    assert_int_equal(v.product, SERVER_GREENPLUM);
    assert_true(v.major > 9999);
    assert_int_equal(v.minor, 1);
}

static void test_major(void **state UNUSED)
{
    char text[SERVER_VERSION_TEXT_LEN];
    assert_int_equal(server_version_major(150020), 15);
    assert_int_equal(server_version_major(100000), 10);
    assert_int_equal(server_version_major(90426), server_version_major(90400));
    assert_int_not_equal(server_version_major(90426), server_version_major(90600));
    assert_string_equal(server_version_major_text(text, 130004), "13");
    assert_string_equal(server_version_major_text(text, 90426), "9.4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_major),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

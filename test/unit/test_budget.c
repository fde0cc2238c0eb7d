/*
 * test/unit/test_budget.c - memory and processes of statements: shares of a whole, never more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "restore/budget.h"

#define MB ((uint64_t) 1024 * 1024)

static BudgetServer server_of(uint64_t maintenance_mb, uint64_t buffers_mb, int processors)
{
    return (BudgetServer){.maintenance_work_mem = maintenance_mb * MB,
                          .shared_buffers = buffers_mb * MB,
                          .max_parallel_maintenance_workers = 2,
                          .max_parallel_workers = 8,
                          .processors = processors};
}

static uint64_t check_bytes(BudgetServer server, int jobs, uint64_t memory, int shares)
{
    Budget b;
    budget_derive(&b, &server, jobs, memory);
    return budget_check(&b, shares).bytes;
}

static void shares_are_of_the_whole(void **state UNUSED)
{
    BudgetServer server = server_of(64, 128, 0);
    assert_int_equal(check_bytes(server, 4, 1024 * MB, 1), 256 * MB);
    assert_int_equal(check_bytes(server, 4, 1024 * MB, 3), 768 * MB);
    /* never below what the setting may be, nor above */
    assert_int_equal(check_bytes(server, 4, 1, 1), MB);
    assert_int_equal(check_bytes(server, 1, UINT64_MAX / 2, 1) / 1024, INT32_MAX);
}

static void without_a_word_the_server_decides(void **state UNUSED)
{
    assert_int_equal(check_bytes(server_of(64, 128, 0), 4, 0, 1), 64 * MB);
    assert_int_equal(check_bytes(server_of(64, 1024, 0), 4, 0, 1), 256 * MB);
    assert_int_equal(check_bytes(server_of(64, 16384, 0), 4, 0, 1), 1024 * MB);
    assert_int_equal(check_bytes(server_of(4096, 16384, 0), 4, 0, 1), 4096 * MB);
}

static void sorts_take_what_they_need(void **state UNUSED)
{
    Budget b;
    BudgetServer server = server_of(64, 1024, 2);
    budget_derive(&b, &server, 2, 0);
    assert_int_equal(budget_sort(&b, 1, 0).bytes, 8 * MB);
    assert_int_equal(budget_sort(&b, 1, 200 * MB).bytes, 8 * MB);
    uint64_t last = 0;
    for (uint64_t bytes = 1; bytes < UINT64_MAX / 4; bytes *= 3)
    {
        uint64_t now = budget_sort(&b, 1, bytes).bytes;
        assert_true(now >= last && now <= 512 * MB);
        last = now;
    }
    assert_int_equal(last, 512 * MB);
    /* With processes beside it each needs so much that the server takes them. */
    assert_int_equal(budget_sort(&b, 2, 200 * MB).processes, 1);
    assert_int_equal(budget_sort(&b, 2, 200 * MB).bytes, 64 * MB);
}

static int processes(int own, int all, int processors, int jobs, int shares)
{
    Budget b;
    BudgetServer server = server_of(64, 1024, processors);
    server.max_parallel_maintenance_workers = own;
    server.max_parallel_workers = all;
    budget_derive(&b, &server, jobs, 0);
    return budget_sort(&b, shares, 0).processes;
}

static void processes_are_as_many_as_processors(void **state UNUSED)
{
    assert_int_equal(processes(2, 8, 2, 2, 1), 0);
    assert_int_equal(processes(2, 8, 2, 2, 2), 1);
    assert_int_equal(processes(2, 8, 16, 4, 1), 2); /* all of the server's, shared */
    assert_int_equal(processes(2, 8, 16, 4, 4), 8);
    assert_int_equal(processes(2, 64, 16, 4, 4), 15);
    assert_int_equal(processes(2, 8, 2, 8, 1), 0);
    /* another machine */
    assert_int_equal(processes(2, 8, 0, 2, 1), 2);
    assert_int_equal(processes(2, 8, 0, 2, 2), 3);
    assert_int_equal(processes(2, 8, 0, 8, 1), 1);
    /* forbidden, or none to be had */
    assert_int_equal(processes(0, 8, 16, 2, 2), 0);
    assert_int_equal(processes(2, 0, 16, 2, 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_of_the_whole),
        cmocka_unit_test(without_a_word_the_server_decides),
        cmocka_unit_test(sorts_take_what_they_need),
        cmocka_unit_test(processes_are_as_many_as_processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

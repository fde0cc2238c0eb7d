/* test/unit/test_space.c - how much room a set will need. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet/space.h"

#define MB ((uint64_t) 1024 * 1024)

static void test_guess(void **state)
{
    (void) state;
    /* Nothing is known: a twentieth. */
    assert_int_equal(space_guess(0, 0, 0), MB);
    assert_int_equal(space_guess(2000 * MB, 0, 0), 101 * MB);
    /* As the rows of the earlier set did. */
    assert_int_equal(space_guess(2000 * MB, 1000 * MB, 500 * MB), 751 * MB);
    assert_int_equal(space_guess(1200 * MB, 1000 * MB, 500 * MB), 601 * MB);
    assert_int_equal(space_guess(100 * MB, 1000 * MB, 500 * MB), 51 * MB);
    /* A database that has grown a lot: the twentieth again. */
    assert_int_equal(space_guess(200000 * MB, 1000 * MB, 500 * MB), 10001 * MB);
    /* No overflow. */
    assert_true(space_guess(UINT64_MAX / 2, UINT64_MAX / 2, UINT64_MAX / 4) > UINT64_MAX / 50);
}

static void test_incremental(void **state)
{
    (void) state;
    assert_int_equal(space_guess_incremental(500 * MB, false, 0), MB);
    assert_int_equal(space_guess_incremental(500 * MB, true, 10 * MB), 16 * MB);
    assert_int_equal(space_guess_incremental(500 * MB, true, 0), MB);
    assert_int_equal(space_guess_incremental(500 * MB, true, 400 * MB), 500 * MB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_guess),
                                       cmocka_unit_test(test_incremental)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

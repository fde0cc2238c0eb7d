/* test/unit/test_rate.c - a limit on bytes per second, by a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rate.h"

#define S INT64_C(1000000)

static void test_delay(void **state)
{
    (void) state;
    RateLimit *rate = rate_new(NULL, 1000);
    int64_t now = 5 * S;
    /* The first tenth of a second is there at once; then each byte takes its millisecond. */
    assert_int_equal(rate_delay(rate, 100, now), 0);
    assert_int_equal(rate_delay(rate, 500, now), S / 2);
    assert_int_equal(rate_delay(rate, 1, now), S / 2 + 1000);
    /* Who waited as told does not wait for that again. */
    now += S / 2 + 1000;
    assert_int_equal(rate_delay(rate, 1000, now), S);
    /* A pause is not saved up. */
    now += 100 * S;
    assert_int_equal(rate_delay(rate, 1100, now), S);
    mem_free(rate);
}

static void test_extremes(void **state)
{
    (void) state;
    RateLimit *slow = rate_new(NULL, 1);
    assert_int_equal(rate_delay(slow, 3600, 0), 3600 * S - S / 10);
    RateLimit *fast = rate_new(NULL, UINT64_C(1) << 40);
    assert_int_equal(rate_delay(fast, UINT64_C(1) << 42, 0), 4 * S - S / 10);
    for (int i = 0; i < 200000; i++)
        assert_true(rate_delay(fast, 1, 10 * S) <= S / 10);
    assert_true(rate_delay(fast, 1, 10 * S) > 0); /* bytes one by one are not for nothing */
    mem_free(slow);
    mem_free(fast);
}

static void test_cancel(void **state)
{
    (void) state;
    Error err = ERROR_INIT;
    RateLimit *rate = rate_new(NULL, 1);
    Cancel *cancel = cancel_new(&err);
    cancel_raise(cancel, NULL);
    assert_false(rate_take(rate, 1000000, cancel, &err));
    assert_int_equal(err.code, ERR_CANCELLED);
    cancel_free(cancel);
    mem_free(rate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delay),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

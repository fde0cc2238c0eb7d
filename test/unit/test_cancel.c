/*
 * test/unit/test_cancel.c - the cancel flag, and threads that stop each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/parallel.h"

#define THREADS 16

static Cancel *new_cancel(void)
{
    Error err = ERROR_INIT;
    Cancel *cancel = cancel_new(&err);
    assert_non_null(cancel);
    return cancel;
}

static bool readable(const Cancel *cancel)
{
    struct pollfd fd = {.fd = cancel_fd(cancel), .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

static void test_first_cause_stays(void **state UNUSED)
{
    AUTO(cancel_free) Cancel *cancel = new_cancel();
    Error first = ERROR_INIT;
    Error second = ERROR_INIT;
    Error got = ERROR_INIT;
    error_set(&first, ERR_STORAGE, "first");
    error_set(&second, ERR_QUERY, "second");
    assert_false(cancel_is_raised(cancel));
    assert_true(cancel_check(cancel, &got));
    assert_false(readable(cancel));
    assert_false(cancel_cause(cancel, &got));
    cancel_raise(cancel, &first);
    cancel_raise(cancel, &second);
    assert_true(readable(cancel));
    assert_true(readable(cancel));
    assert_true(cancel_cause(cancel, &got));
    assert_string_equal(got.message, "first");
    error_clear(&got);
    assert_false(cancel_check(cancel, &got));
    assert_int_equal(got.code, ERR_CANCELLED);
}

/* A user's cancellation has no cause, and what fails because of it must not become one. */
static void test_no_cause(void **state UNUSED)
{
    AUTO(cancel_free) Cancel *cancel = new_cancel();
    Error later = ERROR_INIT;
    Error got = ERROR_INIT;
    error_set(&later, ERR_QUERY, "a consequence");
    cancel_raise(cancel, NULL);
    cancel_raise(cancel, &later);
    assert_false(cancel_cause(cancel, &got));
}

static void test_null(void **state UNUSED)
{
    Error err = ERROR_INIT;
    assert_false(cancel_is_raised(NULL));
    assert_true(cancel_check(NULL, &err));
    assert_int_equal(cancel_fd(NULL), -1);
}

typedef struct Work
{
    Cancel *cancel;
    size_t failing; /* which one fails by itself; THREADS: none */
    bool all_fail;
    atomic_int ran;
} Work;

/* Waits to be cancelled, as whoever polls a socket does. */
static bool work(void *arg, size_t i, Error *err)
{
    Work *w = arg;
    atomic_fetch_add(&w->ran, 1);
    if (w->all_fail || i == w->failing)
        return error_set(err, ERR_QUERY, "thread %zu", i);
    if (w->failing == THREADS)
        return true;
    struct pollfd fd = {.fd = cancel_fd(w->cancel), .events = POLLIN};
    poll(&fd, 1, 10000);
    return cancel_check(w->cancel, err);
}

static void test_parallel_done(void **state UNUSED)
{
    AUTO(cancel_free) Cancel *cancel = new_cancel();
    Work w = {.cancel = cancel, .failing = THREADS};
    Error err = ERROR_INIT;
    assert_true(parallel_run(THREADS, work, &w, cancel, &err));
    assert_int_equal(atomic_load(&w.ran), THREADS);
    assert_false(cancel_is_raised(cancel));
    assert_true(parallel_run(0, work, &w, cancel, &err));
}

/* One failure ends all the others at once, and is what is reported, wherever it stands. */
static void test_parallel_one_fails(void **state UNUSED)
{
    static const size_t positions[] = {0, THREADS / 2, THREADS - 1};
    for (size_t i = 0; i < LENGTH_OF(positions); i++)
    {
        AUTO(cancel_free) Cancel *cancel = new_cancel();
        Work w = {.cancel = cancel, .failing = positions[i]};
        Error err = ERROR_INIT;
        char expected[32];
        int64_t start = clock_ms();
        snprintf(expected, sizeof(expected), "thread %zu", positions[i]);
        assert_false(parallel_run(THREADS, work, &w, cancel, &err));
        assert_string_equal(err.message, expected);
        assert_true(clock_ms() - start < 5000);
    }
}

static void test_parallel_all_fail(void **state UNUSED)
{
    AUTO(cancel_free) Cancel *cancel = new_cancel();
    Work w = {.cancel = cancel, .all_fail = true};
    Error err = ERROR_INIT;
    Error cause = ERROR_INIT;
    assert_false(parallel_run(THREADS, work, &w, cancel, &err));
    assert_int_equal(err.code, ERR_QUERY);
    assert_true(cancel_cause(cancel, &cause));
}

/* Somebody outside failed first: that is what is reported, not that all here were cancelled. */
static void test_parallel_cause_from_outside(void **state UNUSED)
{
    AUTO(cancel_free) Cancel *cancel = new_cancel();
    Work w = {.cancel = cancel, .failing = THREADS + 1};
    Error cause = ERROR_INIT;
    Error err = ERROR_INIT;
    error_set(&cause, ERR_STORAGE, "elsewhere");
    cancel_raise(cancel, &cause);
    assert_false(parallel_run(THREADS, work, &w, cancel, &err));
    assert_string_equal(err.message, "elsewhere");
    assert_int_equal(err.code, ERR_STORAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_cause_stays),
        cmocka_unit_test(test_no_cause),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_parallel_done),
        cmocka_unit_test(test_parallel_one_fails),
        cmocka_unit_test(test_parallel_all_fail),
        cmocka_unit_test(test_parallel_cause_from_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

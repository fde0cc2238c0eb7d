/*
 * test/unit/test_proc.c - child programs: their output, their ends, and ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/proc.h"
#include "base/str.h"

static bool take(void *arg, const void *data, size_t len, Error *err UNUSED)
{
    str_addn(arg, data, len);
    return true;
}

static bool refuse(void *arg UNUSED, const void *data UNUSED, size_t len UNUSED, Error *err)
{
    return error_set(err, ERR_STORAGE, "no room");
}

static bool run_shell(const char *script, Str *out, const Cancel *cancel, Error *err)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    ProcSpec spec = {
        .argv = argv, .on_stdout = out == NULL ? NULL : take, .arg = out, .cancel = cancel};
    return proc_run(&spec, err);
}

static void test_output(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Str *out = str_new(ctx);
    Error err = ERROR_INIT;
    assert_true(run_shell("head -c 300000 /dev/zero; echo warning >&2", out, NULL, &err));
    assert_int_equal(out->len, 300000);
    assert_true(run_shell("echo to nobody", NULL, NULL, &err));
}

static void test_environment(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Str *out = str_new(ctx);
    Error err = ERROR_INIT;
    const char *const argv[] = {"sh", "-c",
                                "echo $PGARK_A,$PGARK_B; env | grep -c ^PGARK_A=", NULL};
    const char *const env[] = {"PGARK_A=child", NULL};
    setenv("PGARK_A", "ours", 1);
    setenv("PGARK_B", "kept", 1);
    ProcSpec spec = {.argv = argv, .env = env, .on_stdout = take, .arg = out};
    assert_true(proc_run(&spec, &err));
    assert_string_equal(out->data, "child,kept\n1\n");
}

static void test_failures(void **state UNUSED)
{
    Error err = ERROR_INIT;
    assert_false(run_shell("echo one >&2; echo two >&2; exit 3", NULL, NULL, &err));
    assert_int_equal(err.code, ERR_PROGRAM);
    assert_string_equal(err.message, "program \"sh\" failed with exit code 3: one two");
    error_clear(&err);
    assert_false(run_shell("exit 1", NULL, NULL, &err));
    assert_string_equal(err.message, "program \"sh\" failed with exit code 1");
    error_clear(&err);
    assert_false(run_shell("kill -9 $$", NULL, NULL, &err));
    assert_string_equal(err.message, "program \"sh\" was ended by signal 9");
}

/* What went wrong may stand before or behind a long quotation. */
static void test_long_stderr(void **state UNUSED)
{
    Error err = ERROR_INIT;
    assert_false(run_shell("echo begin >&2; for i in 1 2 3 4 5 6 7 8 9; do"
                           " head -c 500 /dev/zero | tr '\\0' x >&2; done; echo end >&2; exit 1",
                           NULL, NULL, &err));
    assert_non_null(strstr(err.message, "code 1: begin x"));
    assert_non_null(strstr(err.message, "x ... x"));
    assert_string_equal(err.message + strlen(err.message) - 4, "xend");
}

static void test_not_found(void **state UNUSED)
{
    Error err = ERROR_INIT;
    const char *const argv[] = {"pgark-no-such-program", NULL};
    ProcSpec spec = {.argv = argv};
    assert_false(proc_run(&spec, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    const char *const directory[] = {"/tmp", NULL};
    spec.argv = directory;
    error_clear(&err);
    assert_false(proc_run(&spec, &err));
    assert_int_equal(err.code, ERR_PROGRAM);
}

static void test_refused_output(void **state UNUSED)
{
    Error err = ERROR_INIT;
    const char *const argv[] = {"sh", "-c", "echo x; sleep 30", NULL};
    ProcSpec spec = {.argv = argv, .on_stdout = refuse};
    int64_t start = clock_ms();
    assert_false(proc_run(&spec, &err));
    assert_string_equal(err.message, "no room");
    assert_true(clock_ms() - start < 10000);
}

static void *raise_later(void *cancel)
{
    clock_sleep_ms(100);
    cancel_raise(cancel, NULL);
    return NULL;
}

static int64_t cancelled_after(const char *script)
{
    Error err = ERROR_INIT;
    AUTO(cancel_free) Cancel *cancel = cancel_new(&err);
    pthread_t thread;
    int64_t start = clock_ms();
    assert_int_equal(pthread_create(&thread, NULL, raise_later, cancel), 0);
    assert_false(run_shell(script, NULL, cancel, &err));
    assert_int_equal(err.code, ERR_CANCELLED);
    pthread_join(thread, NULL);
    return clock_ms() - start;
}

static void test_cancel(void **state UNUSED)
{
    assert_in_range(cancelled_after("exec sleep 30"), 90, 1500);
    /* Children of the child are its group, and go with it. */
    assert_in_range(cancelled_after("sleep 30 | sleep 30"), 90, 1500);
    /* Who closes its outputs is waited for all the same, and not for ever. */
    assert_in_range(cancelled_after("exec >&- 2>&-; exec sleep 30"), 90, 1500);
    /* Who does not listen is killed. */
    assert_in_range(cancelled_after("trap '' TERM; while :; do sleep 0.1; done"), 90, 8000);
}

static void test_timeout(void **state UNUSED)
{
    static const char *const scripts[] = {"exec sleep 30", "exec >&- 2>&-; exec sleep 30"};
    for (size_t i = 0; i < LENGTH_OF(scripts); i++)
    {
        Error err = ERROR_INIT;
        const char *const argv[] = {"sh", "-c", scripts[i], NULL};
        const ProcSpec spec = {.argv = argv, .timeout_ms = 100};
        int64_t start = clock_ms();
        assert_false(proc_run(&spec, &err));
        assert_non_null(strstr(err.message, "did not end within"));
        assert_true(clock_ms() - start < 20000);
    }
    Error err = ERROR_INIT;
    assert_false(run_shell("exec >&- 2>&-; sleep 0.1; exit 3", NULL, NULL, &err));
    assert_non_null(strstr(err.message, "exit code 3"));
}

/* Our own signal mask and ignored signals are not the child's. */
static void test_signals(void **state UNUSED)
{
    Error err = ERROR_INIT;
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    signal(SIGPIPE, SIG_IGN);
    bool ok = run_shell("kill -TERM $$; sleep 5", NULL, NULL, &err);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    assert_false(ok);
    assert_string_equal(err.message, "program \"sh\" was ended by signal 15");
    error_clear(&err);
    assert_false(run_shell("kill -PIPE $$; sleep 5", NULL, NULL, &err));
    assert_string_equal(err.message, "program \"sh\" was ended by signal 13");
    signal(SIGPIPE, SIG_DFL);
}

/* Should we be killed, a child that waits for nothing of ours must not go on. */
static void test_killed(void **state UNUSED)
{
    int fds[2];
    char pid[32] = "";
    assert_int_equal(pipe(fds), 0);
    pid_t runner = fork();
    if (runner == 0)
    {
        Error err = ERROR_INIT;
        char script[64];
        snprintf(script, sizeof(script), "echo $$ >/dev/fd/%d; exec sleep 30", fds[1]);
        bool ok = run_shell(script, NULL, NULL, &err);
        _exit(ok ? 0 : 1);
    }
    close(fds[1]);
    assert_true(read(fds[0], pid, sizeof(pid) - 1) > 0);
    kill(runner, SIGKILL);
    waitpid(runner, NULL, 0);
    /* The pipe's other end is the child's alone now: it is at its end when the child is. */
    int64_t start = clock_ms();
    assert_int_equal(read(fds[0], pid, 1), 0);
    assert_true(clock_ms() - start < 5000);
    close(fds[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output),    cmocka_unit_test(test_environment),
        cmocka_unit_test(test_failures),  cmocka_unit_test(test_long_stderr),
        cmocka_unit_test(test_not_found), cmocka_unit_test(test_refused_output),
        cmocka_unit_test(test_cancel),    cmocka_unit_test(test_signals),
        cmocka_unit_test(test_killed),    cmocka_unit_test(test_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test/unit/test_recovery.c - settings of a restored server: what a shell and a configuration file make of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/proc.h"
#include "base/str.h"
#include "physical/recovery.h"
#include "physical/recovery_target.h"
#include "physical/single_user.h"

static bool gather(void *arg, const void *data, size_t len, Error *err)
{
    (void) err;
    str_addn(arg, data, len);
    return true;
}

/* The words that a shell makes of a command, one a line, once the server has put a name and a path in. */
static char *words_of(void *ctx, const char *command)
{
    Str *filled = str_new(ctx);
    Str *out = str_new(ctx);
    Error err = ERROR_INIT;
    str_add(filled, "printf '%s\\n' ");
    for (const char *p = command; *p != '\0'; p++)
    {
        if (p[0] == '%' && p[1] == 'f')
            str_add(filled, "NAME");
        else if (p[0] == '%' && p[1] == 'p')
            str_add(filled, "pg_wal/RECOVERYXLOG");
        else if (p[0] == '%' && p[1] == '%')
            str_addc(filled, '%');
        else
        {
            assert_true(p[0] != '%');
            str_addc(filled, *p);
            continue;
        }
        p++;
    }
    const char *const argv[] = {"sh", "-c", filled->data, NULL};
    const ProcSpec spec = {.argv = argv, .on_stdout = gather, .arg = out};
    assert_true(proc_run(&spec, &err));
    return out->data;
}

static void test_quoting(void **state)
{
    (void) state;
    static const char *const paths[] = {"/usr/bin/pgark",     "/a b/c'd",
                                        "/$HOME/`id`/\\n/%f", "/\"quoted\"/*?[a]",
                                        "/100%%/&;|<>()#",    "/ \t/'%p'"};
    void *ctx = mem_context(NULL, "test");
    for (size_t i = 0; i < LENGTH_OF(paths); i++)
    {
        Error err = ERROR_INIT;
        const Recovery r = {.program = paths[i],
                            .repo = paths[(i + 1) % LENGTH_OF(paths)],
                            .key = "20260101000000",
                            .content = 3};
        const char *command = recovery_command(ctx, &r, &err);
        assert_non_null(command);
        assert_string_equal(words_of(ctx, command),
                            mem_printf(ctx, "%s\nget-wal\n%s\n%s\n3\nNAME\npg_wal/RECOVERYXLOG\n",
                                       r.program, r.repo, r.key));
    }
    mem_free(ctx);
}

static void test_line_break(void **state)
{
    (void) state;
    Error err = ERROR_INIT;
    void *ctx = mem_context(NULL, "test");
    const Recovery r = {.program = "/bin/pgark", .repo = "/a\nb", .key = "20260101000000"};
    assert_null(recovery_settings(ctx, &r, &err));
    assert_int_equal(err.code, ERR_USAGE);
    mem_free(ctx);
}

/* Values keep quotes and backslashes; of all targets the name is the last one that is assigned. */
static void test_settings(void **state)
{
    (void) state;
    Error err = ERROR_INIT;
    void *ctx = mem_context(NULL, "test");
    Recovery r = {.program = "/p'q",
                  .repo = "/r\\s",
                  .key = "20260101000000",
                  .content = 0,
                  .target_name = "pgark_20260101000000"};
    const char *text = recovery_settings(ctx, &r, &err);
    assert_non_null(strstr(text, "restore_command = '''/p''\\\\''''q'' get-wal ''/r\\\\s'' "
                                 "''20260101000000'' 0 \"%f\" \"%p\"'\n"));
    const char *name = strstr(text, "recovery_target_name = 'pgark_20260101000000'\n");
    assert_non_null(name);
    for (const char *other = text; (other = strstr(other, "recovery_target")) != NULL; other++)
        assert_true(other <= name || strncmp(other, "recovery_target_timeline", 24) == 0 ||
                    strncmp(other, "recovery_target_action", 22) == 0);
    RecoveryFile file;
    assert_true(recovery_file(ctx, &r, &file, &err));
    assert_string_equal(file.name, "recovery.signal");
    assert_string_equal(file.text, "");
    r.standby = true;
    r.target_name = NULL;
    text = recovery_settings(ctx, &r, &err);
    assert_non_null(strstr(text, "recovery_target_name = ''\n"));
    assert_true(recovery_file(ctx, &r, &file, &err));
    assert_string_equal(file.name, "standby.signal");
    mem_free(ctx);
}

/* Of a server of version 9.4 nothing of recovery stands among its settings. */
static void test_file(void **state)
{
    (void) state;
    Error err = ERROR_INIT;
    void *ctx = mem_context(NULL, "test");
    RecoveryFile file;
    Recovery r = {.program = "/p'q",
                  .repo = "/r",
                  .key = "20260101000000",
                  .content = -1,
                  .target_name = "pgark_20260101000000_1",
                  .by_file = true};
    assert_true(recovery_file(ctx, &r, &file, &err));
    assert_string_equal(file.name, "recovery.conf");
    assert_string_equal(file.text, "# for the recovery of set 20260101000000, written by pgark\n"
                                   "restore_command = '''/p''\\\\''''q'' get-wal ''/r'' "
                                   "''20260101000000'' -1 \"%f\" \"%p\"'\n"
                                   "recovery_target_name = 'pgark_20260101000000_1'\n"
                                   "recovery_target_timeline = 'latest'\n"
                                   "pause_at_recovery_target = 'false'\n");
    const char *settings = recovery_settings(ctx, &r, &err);
    assert_null(strstr(settings, " = "));
    r.greenplum_dbid = 4;
    settings = recovery_settings(ctx, &r, &err);
    assert_non_null(strstr(settings, "\nsynchronous_standby_names = ''\n"));
    r.held = true;
    assert_string_equal(recovery_settings(ctx, &r, &err),
                        mem_printf(ctx, "%s" RECOVERY_HOLD, settings));
    r.repo = "/a\nb";
    assert_false(recovery_file(ctx, &r, &file, &err));
    assert_int_equal(err.code, ERR_USAGE);
    mem_free(ctx);
}

static int64_t time_of(const char *text)
{
    Error err = ERROR_INIT;
    int64_t us = -1;
    assert_true(recovery_target_parse_time(text, &us, &err));
    return us;
}

static void test_times(void **state)
{
    (void) state;
    const int64_t at = INT64_C(1795216502) * 1000000; /* 2026-11-20 23:15:02 UTC */
    static const char *const bad[] = {"",
                                      "now",
                                      "2026-11-20",
                                      "2026-11-20 23:15:02",
                                      "2026-11-20 23:15:02.Z",
                                      "2026-11-20 23:15:02+1",
                                      "2026-11-20 23:15:02+01x",
                                      "2026-11-20 23:15:02+01:99",
                                      "2026-11-20 25:15:02Z",
                                      "1960-11-20 23:15:02Z",
                                      "2026-11-20 23:15:02Z'; SELECT 1"};
    assert_int_equal(time_of("2026-11-20 23:15:02Z"), at);
    assert_int_equal(time_of("2026-11-20T23:15:02+00"), at);
    assert_int_equal(time_of("2026-11-21 00:15:02 +01"), at);
    assert_int_equal(time_of("2026-11-21 04:45:02+05:30"), at);
    assert_int_equal(time_of("2026-11-20 19:45:02-0330"), at);
    assert_int_equal(time_of("2026-11-20 23:15:02.5Z"), at + 500000);
    assert_int_equal(time_of("2026-11-20 23:15:02.0000019Z"), at + 1);
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
    {
        Error err = ERROR_INIT;
        int64_t us;
        assert_false(recovery_target_parse_time(bad[i], &us, &err));
        assert_int_equal(err.code, ERR_USAGE);
    }
}

/* ---- single-user mode ---- */

static bool add_row(void *arg, const char *text, Error *err)
{
    str_addf(arg, "%s|", text);
    return strcmp(text, "stop") != 0 || error_set(err, ERR_PROGRAM, "stop");
}

static void test_rows(void **state)
{
    (void) state;
    static const char output[] =
        "\nPostgreSQL stand-alone backend 15.20\nbackend> \t 1: ?column?\t(typeid = 25, len = -1)\n"
        "\t----\n\t 1: ?column? = \"pgark:one 5432\"\t(typeid = 25, len = -1)\n\t----\n"
        "\t 1: n = \"no mark\"\t(typeid)\nbackend> \t 1: x = \"pgark:\"\t(typeid)\nbackend> ";
    void *ctx = mem_context(NULL, "test");
    for (size_t step = 1; step < sizeof(output); step++)
    {
        Error err = ERROR_INIT;
        Str *rows = str_new(ctx);
        SingleUserOutput o = {.on_row = add_row, .arg = rows};
        for (size_t at = 0; at < sizeof(output) - 1; at += step)
            assert_true(single_user_take(
                &o, output + at, step < sizeof(output) - 1 - at ? step : sizeof(output) - 1 - at,
                &err));
        assert_string_equal(rows->data, "one 5432||");
    }
    mem_free(ctx);
}

/* A line that is too long is none, and the next one is again. */
static void test_long_row(void **state)
{
    (void) state;
    void *ctx = mem_context(NULL, "test");
    Error err = ERROR_INIT;
    Str *rows = str_new(ctx);
    SingleUserOutput o = {.on_row = add_row, .arg = rows};
    assert_true(single_user_take(&o, " = \"pgark:long", 14, &err));
    for (int i = 0; i < 10000; i++)
        assert_true(single_user_take(&o, "x", 1, &err));
    assert_true(single_user_take(&o, "\"\n = \"pgark:short\"\n", 19, &err));
    assert_string_equal(rows->data, "short|");
    assert_false(single_user_take(&o, " = \"pgark:stop\"\n", 16, &err));
    assert_int_equal(err.code, ERR_PROGRAM);
    mem_free(ctx);
}

/* The hold is the last line, so that nothing behind it is in force and taking it away takes nothing else. */
static void test_held(void **state)
{
    (void) state;
    void *ctx = mem_context(NULL, "test");
    Error err = ERROR_INIT;
    Recovery r = {.program = "/p", .repo = "/r", .key = "20261120231502", .target_name = "x"};
    const char *without = recovery_settings(ctx, &r, &err);
    assert_null(strstr(without, "not_finished"));
    r.held = true;
    assert_string_equal(recovery_settings(ctx, &r, &err),
                        mem_printf(ctx, "%s" RECOVERY_HOLD, without));
    mem_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quoting),  cmocka_unit_test(test_line_break),
        cmocka_unit_test(test_settings), cmocka_unit_test(test_times),
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_long_row),
        cmocka_unit_test(test_held),     cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

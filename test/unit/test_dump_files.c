/* test_dump_files.c - compat/dump_names.h, dump_dir.h, script_filter.h, dump_job.h, restore_job.h: names, keys, the
 * halves of a script, and what is asked of agents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "compat/dump_dir.h"
#include "compat/dump_job.h"
#include "compat/restore_job.h"
#include "compat/script_filter.h"

#define KEY  "20161103233926"
#define MARK "0123456789abcdef0123456789abcdef"

static void *ctx;

static int set_up(void **state)
{
    (void) state;
    ctx = mem_context(NULL, "test");
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    mem_free(ctx);
    return 0;
}

static void test_names(void **state)
{
    DumpName n;
    (void) state;
    assert_string_equal(dump_name(ctx, DUMP_SCRIPT, NULL, -1, 1, KEY), "gp_dump_-1_1_" KEY);
    assert_string_equal(dump_name(ctx, DUMP_POST_DATA, "x_", 0, 2, KEY),
                        "x_gp_dump_0_2_" KEY "_post_data");
    assert_string_equal(dump_name(ctx, DUMP_STATUS, NULL, 1, 1, KEY), "gp_dump_status_1_1_" KEY);
    assert_string_equal(dump_name(ctx, DUMP_DATABASE, NULL, 1, 1, KEY), "gp_cdatabase_1_1_" KEY);
    assert_string_equal(dump_report_name(ctx, true, NULL, KEY), "gp_restore_" KEY ".rpt");
    assert_true(dump_name_parse("gp_dump_-1_12_" KEY ".gz", NULL, KEY, false, &n));
    assert_int_equal(n.node, -1);
    assert_int_equal(n.dbid, 12);
    assert_true(n.gzip);
    assert_true(dump_name_parse("x_gp_dump_0_2_" KEY "_post_data", "x_", KEY, true, &n));
    assert_false(n.gzip);
    static const char *const others[] = {"gp_dump_-1_1_" KEY "_post_data",
                                         "gp_dump_-1_1_20161103233927",
                                         "gp_dump_status_1_1_" KEY,
                                         "gp_dump_-1_1_" KEY ".gz.tmp",
                                         "gp_dump_" KEY ".rpt",
                                         "x_gp_dump_-1_1_" KEY,
                                         "gp_dump_-2_1_" KEY,
                                         "gp_dump_1_99999999_" KEY,
                                         "gp_dump_--1_1_" KEY,
                                         "gp_dump_1__" KEY,
                                         "gp_dump_1_-1_" KEY,
                                         ""};
    for (size_t i = 0; i < LENGTH_OF(others); i++)
        assert_false(dump_name_parse(others[i], NULL, KEY, false, &n));
}

static void test_keys(void **state)
{
    DumpAgentKey key;
    Error err = ERROR_INIT;
    (void) state;
    assert_true(dump_agent_key_parse(KEY "_0_2_", &key, &err));
    assert_string_equal(key.key, KEY);
    assert_int_equal(key.role, 0);
    assert_int_equal(key.dbid, 2);
    assert_true(dump_agent_key_parse(KEY, &key, &err));
    assert_int_equal(key.role, 1);
    static const char *const wrong[] = {KEY "_",
                                        KEY "_1",
                                        KEY "_1_1",
                                        KEY "_2_1_",
                                        KEY "_-1_1_",
                                        KEY "_1_-1_",
                                        KEY "_x_1_",
                                        KEY "_1_1_x",
                                        KEY "__1_",
                                        "2016",
                                        "20161303233926",
                                        "",
                                        KEY "0",
                                        KEY "_1_1_ ",
                                        "29991103233926_1_1_",
                                        "../../../../etc_1_1_"};
    for (size_t i = 0; i < LENGTH_OF(wrong); i++)
    {
        assert_false(dump_agent_key_parse(wrong[i], &key, &err));
        assert_int_equal(err.code, ERR_USAGE);
        error_clear(&err);
    }
    assert_true(dump_prefix_check(NULL, &err) && dump_prefix_check("nightly_", &err));
    assert_false(dump_prefix_check("../x", &err));
}

static bool keep(void *arg, const void *data, size_t len, Error *err)
{
    (void) err;
    str_addn(arg, data, len);
    return true;
}

/* The half of a script, in pieces of so many bytes; NULL: it has no marks. */
static const char *half_of(const char *script, ScriptHalf half, size_t piece)
{
    Error err = ERROR_INIT;
    Str *out = str_new(ctx);
    size_t len = strlen(script);
    ScriptFilter f = {.half = half, .sink = keep, .arg = out};
    for (size_t i = 0; i < len; i += piece)
        assert_true(script_filter_write(&f, script + i, len - i < piece ? len - i : piece, &err));
    if (script_filter_finish(&f, &err))
        return out->data;
    assert_int_equal(err.code, ERR_USAGE);
    return NULL;
}

static void test_halves(void **state)
{
    static const char script[] = "--\n" EXPORT_MARK_HEAD MARK "\nSET x;\n-- " MARK " definitions\n"
                                 "CREATE TABLE t (a text);\n-- " MARK " rows\nCOPY t FROM stdin;\n"
                                 "-- " MARK "\n -- " MARK " definitions\n-- " MARK " definitionsx\n"
                                 "\\.\n-- " MARK " definitions\nGRANT x;\n-- the end";
    static const size_t pieces[] = {1, 2, 7, 33, 1000};
    (void) state;
    for (size_t i = 0; i < LENGTH_OF(pieces); i++)
    {
        assert_string_equal(half_of(script, SCRIPT_DEFINITIONS, pieces[i]),
                            "--\n" EXPORT_MARK_HEAD MARK "\nSET x;\nCREATE TABLE t (a text);\n"
                            "GRANT x;\n-- the end");
        assert_string_equal(half_of(script, SCRIPT_ROWS, pieces[i]),
                            "--\n" EXPORT_MARK_HEAD MARK "\nSET x;\nCOPY t FROM stdin;\n"
                            "-- " MARK "\n -- " MARK " definitions\n-- " MARK
                            " definitionsx\n\\.\n");
        assert_non_null(half_of("SELECT 1;\n", SCRIPT_WHOLE, pieces[i]));
        assert_null(half_of("SELECT 1;\n", SCRIPT_ROWS, pieces[i]));
        /* Who comes later cannot say that the marks are others. */
        assert_null(half_of(EXPORT_MARK_HEAD "0123\n", SCRIPT_ROWS, pieces[i]));
        assert_null(
            half_of(EXPORT_MARK_HEAD "X123456789abcdef0123456789abcdef\n", SCRIPT_ROWS, pieces[i]));
    }
}

/* Lines of any length pass. */
static void test_long_lines(void **state)
{
    (void) state;
    Str *script = str_new(ctx);
    str_add(script, EXPORT_MARK_HEAD MARK "\n");
    for (int i = 0; i < 100000; i++)
        str_add(script, "0123456789");
    str_add(script, "\nx\n");
    assert_string_equal(half_of(script->data, SCRIPT_WHOLE, 4096), script->data);
    assert_string_equal(half_of(script->data, SCRIPT_ROWS, 100), script->data);
}

static void test_upward(void **state)
{
    static const char *const upward[] = {".", "..", "./a", "a/.", "a/../b", "/..", "/a/./b"};
    static const char *const others[] = {"", "/", "a", "/a/b", "a..b", "...", "/.a/b.", "a//b"};
    (void) state;
    for (size_t i = 0; i < LENGTH_OF(upward); i++)
        assert_true(dump_dir_is_upward(upward[i]));
    for (size_t i = 0; i < LENGTH_OF(others); i++)
        assert_false(dump_dir_is_upward(others[i]));
}

static json_t *backup_json(void)
{
    Error err = ERROR_INIT;
    char text[] = "7";
    const AgentBackupJob job = {.home = "00112233445566778899aabbccddeeff",
                                .fleet = "f",
                                .snapshot = {.database = text,
                                             .system_identifier = text,
                                             .server_started = text,
                                             .snapshot = text,
                                             .snapshot_id = text,
                                             .pid = 7,
                                             .transaction = text}};
    json_t *backup = agent_backup_job_write(&job, &err);
    assert_non_null(backup);
    return backup;
}

static void test_dump_job(void **state)
{
    Error err = ERROR_INIT;
    DumpNodeJob got;
    const DumpNodeJob job = {
        .files = {.dir = "db_dumps/a \"b\"", .prefix = "x", .number = -1, .dbid = 1, .gzip = true},
        .topology = "citus",
        .wanted = true,
        .form = {.rows = ROWS_INSERTS, .clean = true, .disable_triggers = true},
        .definitions = {.records = "r", .schema = "s"}};
    (void) state;
    json_t *more = dump_job_json(&job, backup_json(), &err);
    assert_non_null(more);
    assert_true(dump_job_parse(ctx, more, &got, &err));
    assert_string_equal(got.files.dir, job.files.dir);
    assert_string_equal(got.files.prefix, "x");
    assert_int_equal(got.files.number, -1);
    assert_true(got.files.gzip && got.wanted && got.form.clean && got.form.if_exists);
    assert_true(got.form.disable_triggers && !got.form.no_owner);
    assert_int_equal(got.form.rows, ROWS_INSERTS);
    assert_string_equal(got.definitions.schema, "s");
    assert_int_equal(got.backup.snapshot.pid, 7);
    json_object_set_new(more, "shell", json_string("rm"));
    assert_false(dump_job_parse(ctx, more, &got, &err));
    json_decref(more);
}

/* The field of the files, and what it is changed to. */
static void test_bad_dump_jobs(void **state)
{
    static const struct
    {
        const char *field;
        const char *value;
    } cases[] = {{"dir", "5"},      {"prefix", "\"a/b\""},   {"prefix", "\"; rm\""},
                 {"number", "-2"},  {"number", "\"0\""},     {"dbid", "-1"},
                 {"dbid", "1e300"}, {"dbid", "99999999999"}, {"gzip", "\"gzip -9\""},
                 {"more", "1"}};
    (void) state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        Error err = ERROR_INIT;
        DumpNodeFiles got;
        const DumpNodeFiles files = {.dir = "/d", .number = 0, .dbid = 2};
        json_t *object = dump_files_json(&files);
        assert_true(dump_files_parse(object, &got, &err));
        assert_null(got.prefix);
        json_object_set_new(object, cases[i].field,
                            json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
        assert_false(dump_files_parse(object, &got, &err));
        assert_int_equal(err.code, ERR_USAGE);
        json_decref(object);
    }
}

static void test_restore_job(void **state)
{
    static const struct
    {
        const char *field;
        const char *value;
    } cases[] = {{"number", "-2"},       {"dbid", "-1"},
                 {"port", "65536"},      {"port", "-1"},
                 {"prefix", "\"../a\""}, {"rows", "1"},
                 {"host", "5"},          {"status_dir", "[]"},
                 {"database", "null"},   {"conninfo", "\"sslkey=/etc/x\""}};
    const RestoreNodeJob job = {.dir = "/d",
                                .node = {.number = 1, .dbid = 3, .segment = true},
                                .rows = true,
                                .database = "copy \"x\"",
                                .host = "db0",
                                .port = 5432};
    (void) state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        Error err = ERROR_INIT;
        RestoreNodeJob got;
        json_t *more = restore_job_json(&job, &err);
        assert_true(restore_job_parse(more, &got, &err));
        assert_true(got.node.segment && got.rows && !got.go_on && !got.definitions);
        assert_string_equal(got.database, job.database);
        assert_null(got.status_dir);
        json_object_set_new(more, cases[i].field,
                            json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
        assert_false(restore_job_parse(more, &got, &err));
        assert_int_equal(err.code, ERR_USAGE);
        json_decref(more);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),         cmocka_unit_test(test_keys),
        cmocka_unit_test(test_halves),        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_upward),        cmocka_unit_test(test_dump_job),
        cmocka_unit_test(test_bad_dump_jobs), cmocka_unit_test(test_restore_job),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

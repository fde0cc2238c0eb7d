/* test_gp_jobs.c - compat/dump_job.h, restore_job.h, dump_dir.h: what is asked of agents, and which paths mean something
 * on another host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/dump_dir.h"
#include "compat/dump_job.h"
#include "compat/restore_job.h"

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
    } cases[] = {{"number", "-2"},
                 {"dbid", "-1"},
                 {"port", "65536"},
                 {"port", "-1"},
                 {"prefix", "\"../a\""},
                 {"rows", "1"},
                 {"host", "5"},
                 {"status_dir", "[]"},
                 {"database", "null"},
                 {"identity", "7"},
                 {"tables", "[]"},
                 {"tables", "\"a\""},
                 {"tables", "[[\"s\"]]"},
                 {"tables", "[[\"s\", null]]"},
                 {"tables", "[[\"s\", \"t\"], \"u\"]"},
                 {"conninfo", "\"sslkey=/etc/x\""}};
    LegacyName names[] = {{"s", "*"}, {"s", "t\"u"}};
    const LegacyNames tables = {.items = names, .count = LENGTH_OF(names)};
    const RestoreNodeJob job = {.dir = "/d",
                                .tables = &tables,
                                .node = {.number = 1, .dbid = 3, .segment = true},
                                .rows = true,
                                .database = "copy \"x\"",
                                .host = "db0",
                                .port = 5432,
                                .identity = "1 2"};
    (void) state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        Error err = ERROR_INIT;
        RestoreNodeJob got;
        json_t *more = restore_job_json(&job, &err);
        assert_true(restore_job_parse(ctx, more, &got, &err));
        assert_true(got.node.segment && got.rows && !got.go_on && !got.definitions);
        assert_string_equal(got.database, job.database);
        assert_null(got.status_dir);
        assert_int_equal(got.tables->count, 2);
        assert_string_equal(got.tables->items[1].name, "t\"u");
        json_object_set_new(more, cases[i].field,
                            json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
        assert_false(restore_job_parse(ctx, more, &got, &err));
        assert_int_equal(err.code, ERR_USAGE);
        json_decref(more);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upward),
        cmocka_unit_test(test_dump_job),
        cmocka_unit_test(test_bad_dump_jobs),
        cmocka_unit_test(test_restore_job),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* test_dump_files.c - compat/dump_names.h, compat/script_filter.h, compat/stats_script.h: names, keys, the halves of a
 * script, scripts of statistics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "compat/dump_names.h"
#include "compat/script_filter.h"
#include "compat/stats_script.h"

#define KEY  "20161103233926"
#define MARK "0123456789abcdef0123456789abcdef"
#define END  "--\n" EXPORT_END "\n" EXPORT_END_FRAME "\n"

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
    assert_string_equal(dump_name(ctx, DUMP_STATISTICS, "x_", -1, 1, KEY),
                        "x_gp_statistics_-1_1_" KEY);
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

/* What of a script is wanted, in pieces of so many bytes; NULL: it fails, as code says. */
static const char *part_of(const char *script, ScriptFilter f, size_t piece, ErrorCode code)
{
    Error err = ERROR_INIT;
    Str *out = str_new(ctx);
    size_t len = strlen(script);
    bool ok = true;
    f.ctx = ctx;
    f.sink = keep;
    f.arg = out;
    for (size_t i = 0; ok && i < len; i += piece)
        ok = script_filter_write(&f, script + i, len - i < piece ? len - i : piece, &err);
    if (ok && script_filter_finish(&f, &err))
        return out->data;
    assert_int_equal(err.code, code);
    return NULL;
}

/* NULL: it has no marks, or with them no end. */
static const char *half_of(const char *script, ScriptHalf half, size_t piece)
{
    bool unmarked = script[0] != '\0' && strstr(script, MARK) == NULL;
    return part_of(script, (ScriptFilter){.half = half}, piece, unmarked ? ERR_USAGE : ERR_CORRUPT);
}

static void test_halves(void **state)
{
    static const char script[] = "--\n" EXPORT_MARK_HEAD MARK "\nSET x;\n-- " MARK " definitions\n"
                                 "CREATE TABLE t (a text);\n-- " MARK " rows\nCOPY t FROM stdin;\n"
                                 "-- " MARK "\n -- " MARK " definitions\n-- " MARK " definitionsx\n"
                                 "\\.\n-- " MARK " definitions\nGRANT x;\n" END "-- the end";
    static const size_t pieces[] = {1, 2, 7, 33, 1000};
    (void) state;
    for (size_t i = 0; i < LENGTH_OF(pieces); i++)
    {
        assert_string_equal(half_of(script, SCRIPT_DEFINITIONS, pieces[i]),
                            "--\n" EXPORT_MARK_HEAD MARK "\nSET x;\nCREATE TABLE t (a text);\n"
                            "GRANT x;\n" END "-- the end");
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
    str_add(script, "\nx\n" END);
    assert_string_equal(half_of(script->data, SCRIPT_WHOLE, 4096), script->data);
    assert_string_equal(half_of(script->data, SCRIPT_ROWS, 100), script->data);
}

#define LINE(words) "-- " MARK " " words "\n"

/* Whatever is joined to a relation needs both; of something else nothing comes. */
static void test_tables(void **state)
{
    static const char script[] = "--\n" EXPORT_MARK_HEAD MARK "\n" LINE("has") LINE("has s t")
        LINE("has s u%20%25") "SET x;\n" LINE("definitions")
            LINE("schema s") "CREATE SCHEMA s;\n" LINE("schema r") "CREATE SCHEMA r;\n" LINE("of") "CREATE FUNCTION f;\n" LINE("of s t") "CREATE TABLE t;\n" LINE(
                "all") "SET y;\n" LINE("of s u%20%25") "CREATE TABLE u;\n" LINE("rows")
                LINE("of s u%20%25") "COPY u;\n-- " MARK "\n\n--\n\\.\n" LINE(
                    "of s t") "COPY t;\n\\.\n" LINE("definitions")
                    LINE("of s t s u%20%25") "ADD FOREIGN KEY;\n" END;
    static const size_t pieces[] = {1, 7, 40, 10000};
    LegacyName one[] = {{"s", "u %"}};
    LegacyName all[] = {{"s", "*"}};
    LegacyName more[] = {{"s", "nosuch"}, {"s", "t"}};
    const LegacyNames only = {.items = one, .count = 1};
    const LegacyNames both = {.items = all, .count = 1};
    const LegacyNames wrong = {.items = more, .count = 2};
    (void) state;
    for (size_t i = 0; i < LENGTH_OF(pieces); i++)
    {
        assert_string_equal(
            part_of(script, (ScriptFilter){.tables = &only}, pieces[i], ERR_NONE),
            "--\n" EXPORT_MARK_HEAD MARK
            "\nSET x;\nCREATE SCHEMA IF NOT EXISTS \"s\";\n\nSET y;\nCREATE TABLE u;\n"
            "COPY u;\n-- " MARK "\n\n--\n\\.\n");
        assert_string_equal(part_of(script, (ScriptFilter){.tables = &only, .half = SCRIPT_ROWS},
                                    pieces[i], ERR_NONE),
                            "--\n" EXPORT_MARK_HEAD MARK "\nSET x;\nCOPY u;\n-- " MARK
                            "\n\n--\n\\.\n");
        assert_string_equal(
            part_of(script, (ScriptFilter){.tables = &both, .half = SCRIPT_DEFINITIONS}, pieces[i],
                    ERR_NONE),
            "--\n" EXPORT_MARK_HEAD MARK
            "\nSET x;\nCREATE SCHEMA IF NOT EXISTS \"s\";\n\nCREATE TABLE t;\nSET y;\n"
            "CREATE TABLE u;\nADD FOREIGN KEY;\n" END);
        assert_null(part_of(script, (ScriptFilter){.tables = &wrong}, pieces[i], ERR_NOT_FOUND));
        assert_null(part_of("SELECT 1;\n", (ScriptFilter){.tables = &only}, pieces[i], ERR_USAGE));
        assert_null(part_of("--\n\n", (ScriptFilter){.tables = &only}, pieces[i], ERR_USAGE));
    }
}

/* Of what nobody can take apart, nothing comes. */
static void test_nothing_unmarked(void **state)
{
    Error err = ERROR_INIT;
    Str *out = str_new(ctx);
    ScriptFilter f = {.half = SCRIPT_ROWS, .sink = keep, .arg = out};
    (void) state;
    assert_false(script_filter_write(&f, "-- x\n\nSELECT 1;\n", 16, &err));
    assert_int_equal(err.code, ERR_USAGE);
    assert_null(strstr(out->data, "SELECT"));
}

/* What a name is made of stays in its word. */
static void test_names_in_marks(void **state)
{
    static const char *const names[] = {"a",        "a b",          "%", "%41", "\n",
                                        "-- x\r\n", "\x7f\xc3\xa4", "."};
    Str *line = str_new(ctx);
    Str *name = str_new(ctx);
    (void) state;
    for (size_t i = 0; i < LENGTH_OF(names); i++)
        mark_add_name(line, names[i]);
    assert_null(strpbrk(line->data, "\r\n"));
    const char *at = line->data;
    size_t len = line->len;
    for (size_t i = 0; i < LENGTH_OF(names); i++)
    {
        assert_true(mark_next_name(&at, &len, name));
        assert_string_equal(name->data, names[i]);
    }
    assert_false(mark_next_name(&at, &len, name));
}

/* Where a line ends psql misses nothing; nor do we, of a script that nobody marked. */
static void test_end(void **state)
{
    static const char script[] = EXPORT_MARK_HEAD MARK
        "\n-- " MARK " definitions\nCREATE x;\n-- " MARK " rows\n"
        "COPY x FROM stdin;\n" END "\\.\n-- " MARK " definitions\nGRANT x;\n" END;
    (void) state;
    for (int half = SCRIPT_WHOLE; half <= SCRIPT_ROWS; half++)
    {
        size_t len = strlen(script);
        assert_non_null(half_of(script, (ScriptHalf) half, 7));
        for (const char *end = strstr(script, "GRANT"); end != NULL; end = strchr(end + 1, '\n'))
        {
            len = (size_t) (end - script) + 1;
            if (len < strlen(script))
                assert_null(half_of(mem_strndup(ctx, script, len), (ScriptHalf) half, 7));
        }
        assert_int_equal(len, strlen(script));
    }
    assert_non_null(half_of("SELECT 1;\n" EXPORT_END "\n", SCRIPT_WHOLE, 7));
    assert_null(half_of("", SCRIPT_WHOLE, 7));
}

/* ---- statistics ---- */

static StatsReader reader_of(const char *text, size_t len)
{
    FILE *in = fmemopen((void *) (uintptr_t) text, len, "r");
    assert_non_null(in);
    return stats_script_reader(ctx, in, "s");
}

static void expect_line(StatsReader *r, StatsLineKind kind, const char *text)
{
    Error err = ERROR_INIT;
    StatsLine line;
    if (!stats_script_read(r, &line, &err))
        fail_msg("%s", err.message);
    assert_int_equal(line.kind, kind);
    if (kind == STATS_LINE_TABLE)
        assert_string_equal(mem_printf(ctx, "%s|%s", line.schema, line.table), text);
    else if (text != NULL)
        assert_string_equal(line.text, text);
}

/* Whatever is in names and values: what is written is one line, and is read as it was. */
static void test_statistics(void **state)
{
    static const char *const names[] = {"a", "it's", "line\nend\r\n", "back\\slash\\", "\"q\"",
                                        "'", "\\'"};
    (void) state;
    Str *s = str_new(ctx);
    stats_script_head(s, "of\ndatabase", "UTF8", true);
    for (size_t i = 0; i < LENGTH_OF(names); i++)
    {
        stats_script_begin(s, names[i], names[LENGTH_OF(names) - 1 - i], i % 2 == 0);
        str_add(s, STATS_UPDATE "SET relpages = ");
        stats_script_literal(s, names[i]);
        str_add(s, ";\n");
        stats_script_end(s);
    }
    stats_script_foot(s, LENGTH_OF(names));
    StatsReader r = reader_of(s->data, s->len);
    expect_line(&r, STATS_LINE_ENCODING, "UTF8");
    for (size_t i = 0; i < LENGTH_OF(names); i++)
    {
        expect_line(&r, STATS_LINE_TABLE,
                    mem_printf(ctx, "%s|%s", names[i], names[LENGTH_OF(names) - 1 - i]));
        expect_line(&r, STATS_LINE_STATEMENT, NULL);
        expect_line(&r, STATS_LINE_DONE, NULL);
    }
    expect_line(&r, STATS_LINE_END, NULL);
    fclose(r.in);
    str_clear(s);
    stats_script_table(s, "a\nb", "c\"d");
    assert_string_equal(s->data, "U&\"a\\000ab\".\"c\"\"d\"");
}

static void bad_statistics(const char *text, const char *message)
{
    Error err = ERROR_INIT;
    StatsLine line = {.kind = STATS_LINE_DONE};
    StatsReader r = reader_of(text, strlen(text));
    while (line.kind != STATS_LINE_END && stats_script_read(&r, &line, &err))
        ;
    fclose(r.in);
    if (strstr(err.message, message) == NULL)
        fail_msg("%s: \"%s\", not \"%s\"", text, err.message, message);
    assert_int_equal(err.code, ERR_CORRUPT);
}

#define A_TABLE "-- Schema: 'a', Table: 'b'\n"
#define THE_END "-- End of the statistics of 1 tables\n"

static void test_bad_statistics(void **state)
{
    (void) state;
    bad_statistics("\n", "s, line 1: the script ends before its end");
    bad_statistics(A_TABLE "BEGIN;\nCOMMIT;\n", "line 3: the script ends before its end");
    bad_statistics(A_TABLE THE_END, "line 2: it is no end of this script");
    bad_statistics(A_TABLE "COMMIT;\n-- End of the statistics of 2 tables\n",
                   "line 3: it is no end");
    bad_statistics(A_TABLE "COMMIT;\n" THE_END "\nBEGIN;\n", "stands behind the end");
    bad_statistics(A_TABLE A_TABLE, "line 2: the table before has no end");
    bad_statistics("-- Schema: 'a, Table: b\n", "line 1: it names no table");
    bad_statistics("-- Schema: '', Table: 'b'\n", "it names no table");
    bad_statistics("-- Schema: E'a\\", "it names no table");
    bad_statistics("SET client_encoding = UTF8;\n", "it names no encoding");
    bad_statistics(STATS_DELETE "WHERE true;\n", "line 1: it is none of a script of statistics");
    bad_statistics(A_TABLE "DELETE FROM shop.orders;\n", "line 2: it is none of a script");
    bad_statistics(A_TABLE STATS_INSERT "VALUES (", "it is none of a script");
    bad_statistics(A_TABLE "COMMIT;\nCOMMIT;\n", "line 3: it is none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),          cmocka_unit_test(test_keys),
        cmocka_unit_test(test_halves),         cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_tables),         cmocka_unit_test(test_nothing_unmarked),
        cmocka_unit_test(test_names_in_marks), cmocka_unit_test(test_end),
        cmocka_unit_test(test_statistics),     cmocka_unit_test(test_bad_statistics),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

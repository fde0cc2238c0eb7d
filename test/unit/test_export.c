/*
 * test/unit/test_export.c - what an export makes of COPY text, of names and of outputs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <unistd.h>

#include "base/str.h"
#include "export/copy_escape.h"
#include "export/insert_text.h"
#include "export/output.h"
#include "restore/large_object_rights.h"
#include "restore/sql_text.h"

static bool gather(void *arg, const void *data, size_t len, Error *err UNUSED)
{
    str_addn(arg, data, len);
    return true;
}

static bool insert(const char *copy, size_t step, int rows, Str *out, Error *err)
{
    char *columns[] = {mem_strdup(out, "a"), mem_strdup(out, "b")};
    char *types[] = {mem_strdup(out, "int4"), mem_strdup(out, "text")};
    TableRecord table = {
        .name = columns[0], .columns = columns, .column_count = 2, .types = types, .type_count = 2};
    ExportEntry e = {.table = &table, .into = "\"t\"", .column_list = "\"a\", \"b\""};
    ExportRequest request = {.rows = ROWS_INSERTS, .rows_per_insert = rows};
    AUTO(insert_text_free) InsertText *t = insert_text_new(&e, &request, gather, out);
    size_t len = strlen(copy);
    for (size_t i = 0; i < len; i += step)
    {
        if (!insert_text_write(t, copy + i, len - i < step ? len - i : step, err))
            return false;
    }
    return insert_text_finish(t, err);
}

static void test_insert(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    static const char copy[] = "1\tit's\n\\N\t\\\\N\\t\\\\\n-3\t\\N\nNaN\t\n";
    for (size_t step = 1; step < sizeof(copy); step++)
    {
        Error err = ERROR_INIT;
        Str *out = str_new(ctx);
        assert_true(insert(copy, step, 1, out, &err));
        assert_string_equal(out->data,
                            "INSERT INTO \"t\" (\"a\", \"b\") VALUES (1, 'it''s');\n"
                            "INSERT INTO \"t\" (\"a\", \"b\") VALUES (NULL, E'\\\\N\t\\\\');\n"
                            "INSERT INTO \"t\" (\"a\", \"b\") VALUES (-3, NULL);\n"
                            "INSERT INTO \"t\" (\"a\", \"b\") VALUES ('NaN', '');\n");
    }
    Error err = ERROR_INIT;
    Str *out = str_new(ctx);
    assert_true(insert("1\ta\n2\tb\n3\tc\n", 100, 2, out, &err));
    assert_string_equal(out->data,
                        "INSERT INTO \"t\" (\"a\", \"b\") VALUES\n\t(1, 'a'),\n\t(2, 'b');\n"
                        "INSERT INTO \"t\" (\"a\", \"b\") VALUES\n\t(3, 'c');\n");
}

static void test_insert_columns(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Error few = ERROR_INIT;
    Error many = ERROR_INIT;
    assert_false(insert("1\n", 10, 1, str_new(ctx), &few));
    assert_int_equal(few.code, ERR_CORRUPT);
    assert_false(insert("1\t2\t3\n", 10, 1, str_new(ctx), &many));
    assert_int_equal(many.code, ERR_CORRUPT);
}

static void test_escape(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Str *out = str_new(ctx);
    copy_escape(out, "a\b\f\n\r\t\v\\z", 9);
    assert_string_equal(out->data, "a\\b\\f\\n\\r\\t\\v\\\\z");
    str_clear(out);
    sql_text_add_literal(out, "it's \\");
    assert_string_equal(out->data, "E'it''s \\\\'");
    str_clear(out);
    sql_text_add_literal(out, "it's");
    assert_string_equal(out->data, "'it''s'");
}

static bool add_rights(Str *out, const char *acl, Error *err)
{
    LargeObjectRights rights = {.oids = "7",
                                .owner = "o",
                                .acl = acl,
                                .as_owner = true,
                                .become = "SET SESSION AUTHORIZATION ",
                                .back = "RESET SESSION AUTHORIZATION",
                                .end = ";\n"};
    return large_object_rights(out, &rights, err);
}

static void expect_acl(const char *acl, const char *sql)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Error err = ERROR_INIT;
    Str *out = str_new(ctx);
    assert_true(add_rights(out, acl, &err));
    assert_string_equal(out->data, sql);
}

static void test_acl(void **state UNUSED)
{
    expect_acl("{o=rw/o}", "");
    expect_acl("{o=rw/o,=r/o}", "GRANT SELECT ON LARGE OBJECT 7 TO PUBLIC;\n");
    expect_acl("{o=r/o}", "REVOKE ALL ON LARGE OBJECT 7 FROM \"o\";\n"
                          "GRANT SELECT ON LARGE OBJECT 7 TO \"o\";\n");
    expect_acl("{o=rw/o,\"\\\"a b\\\"=r*w/o\"}",
               "GRANT UPDATE ON LARGE OBJECT 7 TO \"a b\";\n"
               "GRANT SELECT ON LARGE OBJECT 7 TO \"a b\" WITH GRANT OPTION;\n");
    expect_acl("{o=rw/o,p=r*/o,q=r/p}",
               "GRANT SELECT ON LARGE OBJECT 7 TO \"p\" WITH GRANT OPTION;\n"
               "SET SESSION AUTHORIZATION \"p\";\nGRANT SELECT ON LARGE OBJECT 7 TO \"q\";\n"
               "RESET SESSION AUTHORIZATION;\n");
    expect_acl("{}", "REVOKE ALL ON LARGE OBJECT 7 FROM \"o\";\n");
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Error err = ERROR_INIT;
    assert_false(add_rights(str_new(ctx), "{o=x/o}", &err));
    assert_int_equal(err.code, ERR_CORRUPT);
}

/* ---- outputs ---- */

static size_t entries_of(const char *path)
{
    DIR *d = opendir(path);
    size_t count = 0;
    assert_non_null(d);
    while (readdir(d) != NULL)
        count++;
    closedir(d);
    return count - 2;
}

static void test_outputs(void **state UNUSED)
{
    char root[] = "/tmp/test_export_XXXXXX";
    char path[64];
    char file[80];
    Compress none = {.method = COMPRESS_NONE};
    Error err = ERROR_INIT;
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof(path), "%s/out", root);

    Output *o = output_open(path, none, true, &err);
    assert_non_null(o);
    assert_true(output_text(o, "text", &err));
    output_free(o); /* not committed */
    assert_int_equal(entries_of(root), 0);

    o = output_open(path, none, true, &err);
    assert_true(output_text(o, "text", &err) && output_commit(o, &err));
    output_free(o);
    assert_int_equal(entries_of(root), 1);
    assert_null(output_open(path, none, true, &err));
    assert_int_equal(err.code, ERR_EXISTS);
    error_clear(&err);
    assert_null(output_dir_open(path, true, &err));
    assert_int_equal(err.code, ERR_EXISTS);
    error_clear(&err);
    assert_int_equal(unlink(path), 0);

    OutputDir *dir = output_dir_open(path, true, &err);
    o = output_dir_file(dir, "a", none, &err);
    assert_true(output_text(o, "text", &err) && output_commit(o, &err));
    output_free(o);
    output_dir_free(dir);
    assert_int_equal(entries_of(root), 0);

    dir = output_dir_open(path, false, &err);
    o = output_dir_file(dir, "a", none, &err);
    assert_true(output_text(o, "text", &err) && output_commit(o, &err));
    output_free(o);
    assert_true(output_dir_commit(dir, &err));
    output_dir_free(dir);
    assert_int_equal(entries_of(path), 1);
    snprintf(file, sizeof(file), "%s/a", path);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(root), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_insert),  cmocka_unit_test(test_insert_columns),
        cmocka_unit_test(test_escape),  cmocka_unit_test(test_acl),
        cmocka_unit_test(test_outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

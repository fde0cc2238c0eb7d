/* test/unit/test_selection_file.c - filter files and lists of names, well and badly formed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/str.h"
#include "select/selection.h"

static char *described(void *ctx, const Selection *s)
{
    char **items = NULL;
    size_t count = 0;
    selection_describe(s, ctx, &items, &count);
    Str *text = str_new(ctx);
    for (size_t i = 0; i < count; i++)
        str_addf(text, "%s%s", i > 0 ? " " : "", items[i]);
    return text->data;
}

typedef struct Case
{
    const char *text;
    const char *expected; /* description, or a part of the error */
} Case;

static const Case filters[] = {
    {"", ""},
    {"\n\r\n  \t\n# a comment\n   # another\n", ""},
    {"include table a", "--table=a"},
    {"include table a\r\nexclude table b\r\n", "--table=a --exclude-table=b"},
    {"\xEF\xBB\xBFinclude table a", "--table=a"},
    {"  INCLUDE\tTable\v a  # why", "--table=a"},
    {"include table a#b", "--table=a"},
    {"include table \"a#b\"", "--table=\"a#b\""},
    {"include table \"a\"\"b\" # x", "--table=\"a\"\"b\""},
    {"include table \"a\\nb\\\\c\"", "--table=\"a\nb\\c\""},
    {"include table \"a\nb\r\n\"", "--table=\"a\nb\n\""},
    {"include table a . b", "--table=a.b"},
    {"include table \"A b\" . c", "--table=\"A b\".c"},
    {"include table a  b", "--table=a b"},
    {"include function f( integer ,text )", "--function=\"f(integer, text)\""},
    {"include function f(double   precision)", "--function=\"f(double precision)\""},
    {"include function f ( )", "--function=\"f()\""},
    {"include index \"My Index\"", "--index=\"My Index\""},
    {"include index My_Index", "--index=\"My_Index\""},
    {"include table_and_children a\nexclude table_data b\nexclude table_data_and_children c",
     "--table-and-children=a --exclude-table-data=b --exclude-table-data-and-children=c"},
    {"include schema s\nexclude schema t\ninclude extension e\nexclude extension f",
     "--schema=s --exclude-schema=t --extension=e --exclude-extension=f"},
    {"include foreign_data s", "--include-foreign-data=s"},
    {"include table a\"b\"c", "--table=a\"b\"c"},
};

static const Case bad_filters[] = {
    {"table a", "f, line 1: a line must begin with \"include\" or \"exclude\""},
    {"\n\nincludes table a", "f, line 3: a line must begin"},
    {"include", "line 1: the type of the object is missing"},
    {"include  # table", "the type of the object is missing"},
    {"include tables a", "unknown type of objects \"tables\""},
    {"include database a", "unknown type of objects \"database\""},
    {"include table", "the pattern is missing"},
    {"include table  # a", "the pattern is missing"},
    {"include table_data a", "\"table_data\" cannot be included"},
    {"exclude foreign_data a", "\"foreign_data\" cannot be excluded"},
    {"exclude index a", "\"index\" cannot be excluded"},
    {"exclude function a", "\"function\" cannot be excluded"},
    {"exclude trigger a", "\"trigger\" cannot be excluded"},
    {"include table \"a", "line 1: a quote is not closed"},
    {"include table \"a\n\nb", "line 3: a quote is not closed"},
    {"include table \"a\\t\"", "a backslash in quotes must be followed by n or \\"},
    {"include table \"a\\", "a backslash in quotes"},
    {"include table a.b.c.d", "line 1: pattern \"a.b.c.d\": too many dots"},
    {"include extension a.b", "too many dots"},
    {"include table (", "not a regular expression"},
    {"include table \"\"\"", "a quote is not closed"},
};

static void test_filters(void **state)
{
    (void) state;
    for (size_t i = 0; i < LENGTH_OF(filters); i++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        Selection *s = selection_new(ctx);
        Error err = ERROR_INIT;
        if (!selection_parse_filter(s, "f", filters[i].text, strlen(filters[i].text), &err))
            fail_msg("%s: %s", filters[i].text, err.message);
        assert_string_equal(described(ctx, s), filters[i].expected);
    }
}

static void test_bad_filters(void **state)
{
    (void) state;
    for (size_t i = 0; i < LENGTH_OF(bad_filters); i++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        Error err = ERROR_INIT;
        const char *text = bad_filters[i].text;
        assert_false(selection_parse_filter(selection_new(ctx), "f", text, strlen(text), &err));
        assert_int_equal(err.code, ERR_USAGE);
        if (strstr(err.message, bad_filters[i].expected) == NULL)
            fail_msg("%s: %s", text, err.message);
    }
}

static const Case lists[] = {
    {"", ""},
    {"a.b", "--table=\"a\".\"b\""},
    {"a.b\r\n\r\n# x.y\r\n  c.d \t\r\n", "--table=\"a\".\"b\" --table=\"c\".\"d\""},
    {"\xEF\xBB\xBF"
     "a.B",
     "--table=\"a\".\"B\""},
    {"a.b.c", "--table=\"a\".\"b.c\""},
    {"\"a.b\".c", "--table=\"a.b\".\"c\""},
    {"\"a\"\"b\".\" c \"", "--table=\"a\"\"b\".\" c \""},
    {"a.b*", "--table=\"a\".\"b*\""},
    {"a.b c", "--table=\"a\".\"b c\""},
    {"a b.#c", "--table=\"a b\".\"#c\""},
    {"a,b.c:d", "--table=\"a,b\".\"c:d\""},
    {"a.\"b\n\nc\"\n\"x\r\ny\".z\n", "--table=\"a\".\"b\n\nc\" --table=\"x\ny\".\"z\""},
};

static const Case bad_lists[] = {
    {"a", "l, line 1: expected \"schema.table\""},
    {"a.b\n.c", "l, line 2: a name is missing"},
    {"a.", "a name is missing"},
    {"\"a.b", "a quote is not closed"},
    {"a.b\n\"a.b\nc.d\n", "l, line 3: a quote is not closed"},
    {"\"\".b", "an empty name"},
    {"\"a\"b.c", "expected \"schema.table\""},
    {"a.\"b\"c", "text behind the name"},
    {"\"a\"", "expected \"schema.table\""},
};

static void test_lists(void **state)
{
    (void) state;
    for (size_t i = 0; i < LENGTH_OF(lists); i++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        Selection *s = selection_new(ctx);
        Error err = ERROR_INIT;
        const char *text = lists[i].text;
        if (!selection_parse_list(&s->tables, s, PATTERN_TABLE, "l", text, strlen(text), &err))
            fail_msg("%s: %s", text, err.message);
        assert_string_equal(described(ctx, s), lists[i].expected);
    }
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Selection *s = selection_new(ctx);
    Error err = ERROR_INIT;
    static const char names[] = "App\n a.b\n\"c d\"\n#x\n";
    assert_true(
        selection_parse_list(&s->schemas, s, PATTERN_SCHEMA, "l", names, strlen(names), &err));
    assert_string_equal(described(ctx, s), "--schema=\"App\" --schema=\"a.b\" --schema=\"c d\"");
    assert_true(pattern_list_matches(&s->schemas, NULL, "a.b"));
    assert_false(pattern_list_matches(&s->schemas, NULL, "app"));
}

static void test_bad_lists(void **state)
{
    (void) state;
    for (size_t i = 0; i < LENGTH_OF(bad_lists); i++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        Selection *s = selection_new(ctx);
        Error err = ERROR_INIT;
        const char *text = bad_lists[i].text;
        assert_false(
            selection_parse_list(&s->tables, s, PATTERN_TABLE, "l", text, strlen(text), &err));
        assert_int_equal(err.code, ERR_USAGE);
        if (strstr(err.message, bad_lists[i].expected) == NULL)
            fail_msg("%s: %s", text, err.message);
    }
}

/* A line of 1 MB is read, and refused as a pattern only; one byte more is no line any more. */
static void test_long_lines(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    char *text = mem_array(ctx, char, SELECTION_LINE_MAX + 2);
    memset(text, 'x', SELECTION_LINE_MAX + 1);
    memcpy(text, "a.", 2);
    Selection *s = selection_new(ctx);
    Error err = ERROR_INIT;
    assert_true(
        selection_parse_list(&s->tables, s, PATTERN_TABLE, "l", text, SELECTION_LINE_MAX, &err));
    assert_false(selection_parse_list(&s->tables, s, PATTERN_TABLE, "l", text,
                                      SELECTION_LINE_MAX + 1, &err));
    assert_non_null(strstr(err.message, "line 1: longer than 1048576 bytes"));
    memset(text, '#', SELECTION_LINE_MAX);
    error_clear(&err);
    assert_true(selection_parse_filter(s, "f", text, SELECTION_LINE_MAX, &err));
    memcpy(text, "include table ", 14);
    memset(text + 14, 'x', SELECTION_LINE_MAX - 14);
    assert_false(selection_parse_filter(s, "f", text, SELECTION_LINE_MAX, &err));
    assert_non_null(strstr(err.message, "longer than 8192 bytes"));
    /* a quoted name over many lines ends somewhere, too */
    error_clear(&err);
    memset(text, '\n', SELECTION_LINE_MAX);
    memcpy(text, "include table \"", 15);
    assert_false(selection_parse_filter(s, "f", text, SELECTION_LINE_MAX, &err));
    assert_non_null(strstr(err.message, "a quoted name of more than 8192 bytes"));
}

static void test_zero_bytes(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Selection *s = selection_new(ctx);
    Error err = ERROR_INIT;
    assert_false(selection_parse_filter(s, "f", "\ninclude table a\0b", 18, &err));
    assert_string_equal(err.message, "f, line 2: a zero byte: not a text file");
    error_clear(&err);
    assert_false(selection_parse_list(&s->tables, s, PATTERN_TABLE, "l", "a.\0", 3, &err));
    assert_string_equal(err.message, "l, line 1: a zero byte: not a text file");
}

static void test_files(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Selection *s = selection_new(ctx);
    Error err = ERROR_INIT;
    char path[] = "/tmp/pgark-test-filter-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "include table a\n", 16), 16);
    close(fd);
    assert_true(selection_file_filter(s, path, &err));
    assert_string_equal(described(ctx, s), "--table=a");
    assert_false(selection_file_list(&s->tables, s, PATTERN_TABLE, path, &err));
    assert_non_null(strstr(err.message, path));
    error_clear(&err);
    /* one byte more than a file may have, without as many on the disk */
    assert_int_equal(truncate(path, (off_t) SELECTION_FILE_MAX + 1), 0);
    assert_false(selection_file_filter(s, path, &err));
    assert_non_null(strstr(err.message, "larger than 64 MiB"));
    unlink(path);
    error_clear(&err);
    assert_false(selection_file_filter(s, path, &err));
    assert_non_null(strstr(err.message, "cannot open"));
    error_clear(&err);
    assert_false(selection_file_filter(s, "/tmp", &err));
    assert_non_null(strstr(err.message, "cannot read \"/tmp\""));
    assert_int_equal(err.code, ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),    cmocka_unit_test(test_bad_filters),
        cmocka_unit_test(test_lists),      cmocka_unit_test(test_bad_lists),
        cmocka_unit_test(test_long_lines), cmocka_unit_test(test_zero_bytes),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

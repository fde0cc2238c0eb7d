/* test/unit/test_pattern.c - name patterns: psql's documented rules, quoting, encodings, mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "select/pattern.h"

typedef struct Case
{
    PatternKind kind;
    const char *pattern;
    const char *schema; /* NULL: not looked at */
    const char *name;
    bool matches;
} Case;

#define N PATTERN_NAME
#define S PATTERN_SCHEMA
#define T PATTERN_TABLE

static const Case cases[] = {
    /* the examples of "Patterns" in psql's documentation */
    {N, "FOO", NULL, "foo", true},
    {N, "FOO", NULL, "FOO", false},
    {N, "\"FOO\"", NULL, "FOO", true},
    {N, "\"FOO\"", NULL, "foo", false},
    {N, "\"FOO\"\"BAR\"", NULL, "FOO\"BAR", true},
    {N, "FOO\"FOO\"BAR", NULL, "fooFOObar", true},
    {N, "int*", NULL, "int", true},
    {N, "int*", NULL, "integer", true},
    {N, "int*", NULL, "point", false},
    {T, "foo*.*bar*", "foobar", "my_bars", true},
    {T, "foo*.*bar*", "foo", "bar", true},
    {T, "foo*.*bar*", "afoo", "bar", false},
    {T, "foo*.*bar*", "foo", "ba", false},
    {T, "*.*", "a", "b", true},
    /* anchored, one character, dollar signs, dots within quotes */
    {N, "oo", NULL, "foo", false},
    {N, "fo", NULL, "foo", false},
    {N, "f?o", NULL, "foo", true},
    {N, "f?o", NULL, "fo", false},
    {N, "f?o", NULL, "f\noo", false},
    {N, "f?", NULL, "f\n", true},
    {N, "f*", NULL, "f\n\n", true},
    {N, "f", NULL, "f\n", false},
    {N, "f*", NULL, "xf", false},
    {N, "a$b", NULL, "a$b", true},
    {N, "a$", NULL, "a", false},
    {N, "\"a$\"", NULL, "a$", true},
    {T, "\"a.b\".c", "a.b", "c", true},
    {T, "\"a.b\"", "x", "a.b", true},
    {T, "a.\"b.c\"", "a", "b.c", true},
    {T, "t", "any", "t", true},
    {T, "a.t", NULL, "t", true},
    {T, "a.t", "b", "t", false},
    {T, "A.T", "a", "t", true},
    {T, "\"A\".t", "A", "t", true},
    {T, "db.a.t", "a", "t", true},
    {S, "db.a", NULL, "a", true},
    {S, "a", NULL, "a", true},
    {S, "db.a", NULL, "db", false},
    /* regular expressions outside of quotes, and none within */
    {N, "a|b", NULL, "a", true},
    {N, "a|b", NULL, "b", true},
    {N, "a|b", NULL, "c", false},
    {N, "(foo|bar)_[0-9]+", NULL, "bar_17", true},
    {N, "(foo|bar)_[0-9]+", NULL, "bar_", false},
    {N, "[^a]x", NULL, "bx", true},
    {N, "[^a]x", NULL, "ax", false},
    {N, "a{2}", NULL, "aa", true},
    {N, "a\\db", NULL, "a7b", true},
    {N, "\\*", NULL, "\\x", false},
    {N, "\"a|b\"", NULL, "a|b", true},
    {N, "\"a|b\"", NULL, "a", false},
    {N, "\"*\"", NULL, "*", true},
    {N, "\"*\"", NULL, "x", false},
    {N, "\"?\"", NULL, "x", false},
    {N, "\"[a]\"", NULL, "[a]", true},
    {N, "\"a+(b){c}^\\\"", NULL, "a+(b){c}^\\", true},
    {N, "\"\\d\"*", NULL, "\\d1", true},
    {N, "int[]", NULL, "int[]", true},
    {N, "\"a b\"", NULL, "a b", true},
    {N, "a b", NULL, "a b", true},
    {N, "#a", NULL, "#a", true},
    /* characters, not bytes; folding is for ASCII */
    {N, "gr?n", NULL, "gr\xc3\xbcn", true},
    {N, "gr??n", NULL, "gr\xc3\xbcn", false},
    {N, "gr\xc3\xbcn", NULL, "gr\xc3\xbcn", true},
    {N, "\xc3\x9c*", NULL, "\xc3\x9c", true},
    {N, "\xc3\x9c*", NULL, "\xc3\xbc", false},
    {N, "[\xc3\xa4-\xc3\xbc]", NULL, "\xc3\xb6", true},
    /* bytes that are no UTF-8, in the name or in both */
    {N, "gr?n", NULL, "gr\xfcn", true},
    {N, "gr*", NULL, "gr\xfc", true},
    {N, "gr\xfcn", NULL, "gr\xfcn", true},
    {N, "gr\xfc*", NULL, "gr\xfcn", true},
    {N, "gr\xfc*", NULL, "gr\xc3\xbcn", false},
    {N, "*", NULL, "\xff\xfe", true},
    /* parts that are empty match no name */
    {T, ".t", "a", "t", false},
    {T, "a.", "a", "t", false},
    {N, "\"\"", NULL, "a", false},
};

static void test_matching(void **state)
{
    (void) state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        const Case *c = &cases[i];
        PatternList list = {.count = 0};
        Error err = ERROR_INIT;
        if (!pattern_add(&list, ctx, c->kind, c->pattern, false, &err))
            fail_msg("%s: %s", c->pattern, err.message);
        if (pattern_matches(list.items[0], c->schema, c->name) != c->matches ||
            pattern_list_matches(&list, c->schema, c->name) != c->matches)
            fail_msg("%s against %s.%s", c->pattern, c->schema, c->name);
    }
}

static const struct
{
    PatternKind kind;
    const char *pattern;
    const char *message;
} mistakes[] = {
    {N, "", "pattern \"\": nothing can match it"},
    {N, "a.b", "pattern \"a.b\": too many dots"},
    {S, "a.b.c", "too many dots"},
    {T, "a.b.c.d", "too many dots"},
    {T, "a.b.c.d.e.f", "too many dots"},
    {N, "\"a", "pattern \"\"a\": a quote is not closed"},
    {N, "a\"\"\"b", "a quote is not closed"},
    {N, "a(b", "not a regular expression: missing closing parenthesis"},
    {N, "a)", "not a regular expression"},
    {N, "+a", "not a regular expression"},
    {N, "[a", "not a regular expression"},
    {N, "a\\", "not a regular expression"},
    {N, "\\C", "not a regular expression"},
};

static void test_mistakes(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    PatternList list = {.count = 0};
    for (size_t i = 0; i < LENGTH_OF(mistakes); i++)
    {
        Error err = ERROR_INIT;
        assert_false(pattern_add(&list, ctx, mistakes[i].kind, mistakes[i].pattern, false, &err));
        assert_int_equal(err.code, ERR_USAGE);
        if (strstr(err.message, mistakes[i].message) == NULL)
            fail_msg("%s: %s", mistakes[i].pattern, err.message);
        assert_int_equal(list.count, 0);
    }
    char *text = mem_array(ctx, char, PATTERN_BYTES_MAX + 2);
    memset(text, 'a', PATTERN_BYTES_MAX);
    Error err = ERROR_INIT;
    assert_true(pattern_add(&list, ctx, N, text, false, &err));
    text[PATTERN_BYTES_MAX] = 'a';
    assert_false(pattern_add(&list, ctx, N, text, false, &err));
    assert_non_null(strstr(err.message, "longer than 8192 bytes"));
    assert_int_equal(list.count, 1);
}

/* Where backtracking would need more steps than there is time for. */
static void test_explosion(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    PatternList list = {.count = 0};
    Error err = ERROR_INIT;
    static const char name[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
    assert_true(pattern_add(&list, ctx, N, "(a+)+c|(a|aa)+b", false, &err));
    assert_true(pattern_matches(list.items[0], NULL, name));
    list.count = 0;
    assert_true(pattern_add(&list, ctx, N, "(a+)+c", false, &err));
    assert_false(pattern_matches(list.items[0], NULL, name));
}

static void test_looks(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    PatternList list = {.count = 0};
    Error err = ERROR_INIT;
    assert_true(pattern_add(&list, ctx, T, "\"Db.1\".a*.B", true, &err));
    assert_true(pattern_add(&list, ctx, S, "db.a", false, &err));
    assert_true(pattern_add(&list, ctx, T, "t*", false, &err));
    const Pattern *p = list.items[0];
    assert_string_equal(pattern_text(p), "\"Db.1\".a*.B");
    assert_string_equal(pattern_database(p), "Db.1");
    assert_string_equal(pattern_local(p), "a*.B");
    assert_string_equal(pattern_literal(p), "b");
    assert_true(pattern_children(p));
    assert_true(pattern_has_schema(p));
    assert_true(pattern_matches_schema(p, "abc"));
    assert_false(pattern_matches_schema(p, "b"));
    p = list.items[1];
    assert_string_equal(pattern_database(p), "db");
    assert_string_equal(pattern_local(p), "a");
    assert_false(pattern_has_schema(p));
    p = list.items[2];
    assert_null(pattern_database(p));
    assert_string_equal(pattern_local(p), "t*");
    assert_null(pattern_literal(p));
    assert_false(pattern_has_schema(p));
    assert_false(pattern_matches_schema(p, "t"));
}

/* What is exact matches itself only, and so does its text when it is read as a pattern. */
static void test_exact(void **state)
{
    (void) state;
    static const char *const names[] = {"a",    "A.b", "a\"b", "\"", "a*", "$",   "\\",
                                        "a\nb", " a",  "[]",   "(a", ".",  "\xff"};
    for (size_t i = 0; i < LENGTH_OF(names); i++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        PatternList list = {.count = 0};
        Error err = ERROR_INIT;
        pattern_add_exact(&list, ctx, names[i], "t.1");
        pattern_add_exact(&list, ctx, NULL, names[i]);
        assert_true(pattern_add(&list, ctx, T, pattern_text(list.items[0]), false, &err));
        assert_true(pattern_add(&list, ctx, N, pattern_text(list.items[1]), false, &err));
        for (size_t other = 0; other < LENGTH_OF(names); other++)
        {
            for (size_t p = 0; p < 4; p++)
            {
                bool schema = p % 2 == 0;
                bool matches = pattern_matches(list.items[p], schema ? names[other] : NULL,
                                               schema ? "t.1" : names[other]);
                assert_int_equal(matches, i == other);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),  cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_explosion), cmocka_unit_test(test_looks),
        cmocka_unit_test(test_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

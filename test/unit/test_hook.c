/* test/unit/test_hook.c - the words of a program and its arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/hook.h"

#define WORDS_MAX 6

static void test_words(void **state)
{
    (void) state;
    static const struct
    {
        const char *text;
        const char *words[WORDS_MAX];
    } cases[] = {
        {"a", {"a"}},
        {" \t a  b\n", {"a", "b"}},
        {"'a b' \"c d\"", {"a b", "c d"}},
        {"a'b'\"c\"d", {"abcd"}},
        {"a '' \"\"", {"a", "", ""}},
        {"'\\' \"\\\\ \\\" \\x\" \\'", {"\\", "\\ \" \\x", "'"}},
        {"a\\ b\\\\ c\\", {"a b\\", "c\\"}},
        {"$HOME `id` *;|&> #", {"$HOME", "`id`", "*;|&>", "#"}},
        {"'\n'", {"\n"}},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        Error err = ERROR_INIT;
        Hook *hook = hook_parse(NULL, "before", cases[i].text, &err);
        assert_non_null(hook);
        for (size_t w = 0; w < WORDS_MAX; w++)
        {
            const char *want = cases[i].words[w];
            if (want == NULL)
            {
                assert_null(hook->argv[w]);
                break;
            }
            assert_non_null(hook->argv[w]);
            assert_string_equal(hook->argv[w], want);
        }
        mem_free(hook);
    }
}

static void test_refused(void **state)
{
    (void) state;
    static const char *const bad[] = {"", "  ", "'a", "a \"b", "a \"b\\", "''", "\"\\\""};
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
    {
        Error err = ERROR_INIT;
        assert_null(hook_parse(NULL, "before", bad[i], &err));
        assert_int_equal(err.code, ERR_USAGE);
        assert_non_null(strstr(err.message, "--before"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_legacy_options.c - compat/legacy_options.h: command lines of the classic tools. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/legacy_options.h"

enum
{
    SCHEMA = 1,
    TABLE,
    DIR,
    GZIP,
    VERBOSE,
    GLOBALS,
    MODE,
    LAST,
};

static const LegacyOption table[] = {
    {.id = SCHEMA,
     .name = "schema",
     .letter = 'n',
     .type = LEGACY_LIST,
     .arg = "PATTERN",
     .help = "only schemas"},
    {.id = TABLE,
     .name = "table",
     .letter = 't',
     .type = LEGACY_LIST,
     .arg = "PATTERN",
     .help = "only tables"},
    {.id = TABLE, .name = "relation", .type = LEGACY_LIST},
    {.id = DIR, .name = "gp-d", .type = LEGACY_VALUE, .arg = "DIR", .help = "where the files go"},
    {.id = GZIP, .name = "gp-c", .type = LEGACY_FLAG, .help = "compress"},
    {.id = VERBOSE, .name = "verbose", .letter = 'v', .type = LEGACY_FLAG, .help = "say more"},
    {.id = GLOBALS,
     .letter = 'G',
     .type = LEGACY_OPTIONAL,
     .words = "include|only",
     .arg = "MODE",
     .help = "roles"},
    {.id = MODE,
     .letter = 'X',
     .type = LEGACY_VALUE,
     .words = "one|two",
     .arg = "WORD",
     .help = "a word"},
    {.id = LAST, .name = "port", .letter = 'p', .type = LEGACY_LAST, .arg = "PORT", .help = "port"},
    {.name = "ignore-version",
     .letter = 'i',
     .type = LEGACY_IGNORED,
     .help = "versions are looked at"},
    {.letter = 'y', .type = LEGACY_IGNORED_VALUE, .help = "there is one report"},
    {.name = "ddboost",
     .type = LEGACY_REFUSED,
     .help = "there is none",
     .hint = "Use a directory."},
    {.name = NULL},
};

static const LegacyExclusion excluded[] = {
    {.ids = {SCHEMA, TABLE}, .hint = "Choose."},
    {.first_only = true, .ids = {MODE, GLOBALS, GZIP}},
    {.ids = {0}},
};

static const LegacyProgram program = {
    .name = "gp_try",
    .synopsis = "[OPTION]... DBNAME",
    .about = "Tries.",
    .options = table,
    .excluded = excluded,
    .max_arguments = 1,
};

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

#define WORDS_MAX 16

/* The words of text, separated by one blank. */
static LegacyOptions *parse(const char *text, Error *err)
{
    static bool done;
    char **argv = mem_array(ctx, char *, WORDS_MAX);
    int argc = 0;
    argv[argc++] = mem_strdup(ctx, "gp_try");
    for (char *word = mem_strdup(ctx, text); word != NULL && argc < WORDS_MAX;)
    {
        char *blank = strchr(word, ' ');
        if (blank != NULL)
            *blank = '\0';
        argv[argc++] = word;
        word = blank == NULL ? NULL : blank + 1;
    }
    error_clear(err);
    return legacy_options_parse(ctx, &program, argc, argv, &done, err);
}

static LegacyOptions *good(const char *text)
{
    Error err = ERROR_INIT;
    LegacyOptions *o = parse(text, &err);
    assert_string_equal(err.message, "");
    assert_non_null(o);
    return o;
}

static void bad(const char *text, const char *message, const char *hint)
{
    Error err = ERROR_INIT;
    assert_null(parse(text, &err));
    assert_int_equal(err.code, ERR_USAGE);
    assert_string_equal(err.message, message);
    assert_string_equal(err.hint, hint);
}

static void test_values(void **state)
{
    size_t n;
    (void) state;
    LegacyOptions *o = good("--gp-d=/a -vp 1 --port 2 -na --schema b db");
    assert_string_equal(legacy_options_string(o, DIR), "/a");
    assert_string_equal(legacy_options_string(o, LAST), "2");
    assert_true(legacy_options_given(o, VERBOSE));
    assert_false(legacy_options_given(o, GZIP));
    assert_null(legacy_options_string(o, VERBOSE));
    const char *const *schemas = legacy_options_list(o, SCHEMA, &n);
    assert_int_equal(n, 2);
    assert_string_equal(schemas[0], "a");
    assert_string_equal(schemas[1], "b");
    const char *const *arguments = legacy_options_arguments(o, &n);
    assert_int_equal(n, 1);
    assert_string_equal(arguments[0], "db");
    o = good("-- -v");
    assert_false(legacy_options_given(o, VERBOSE));
    assert_string_equal(legacy_options_arguments(o, &n)[0], "-v");
    o = good("-t -v");
    assert_string_equal(legacy_options_string(o, TABLE), "-v");
    o = good("--gp-d= -iy x");
    assert_string_equal(legacy_options_string(o, DIR), "");
}

static void test_names(void **state)
{
    (void) state;
    LegacyOptions *o = good("--rel=a --verb -tb");
    size_t n;
    (void) legacy_options_list(o, TABLE, &n);
    assert_int_equal(n, 2);
    assert_true(legacy_options_given(o, VERBOSE));
    assert_string_equal(legacy_options_called(o, TABLE), "-t");
    assert_string_equal(legacy_options_called(o, DIR), "--gp-d");
    assert_string_equal(legacy_options_called(o, MODE), "-X");
    bad("--ver", "--ver may be --verbose or --version", "Write it in full.");
    bad("--gp", "--gp may be --gp-d or --gp-c", "Write it in full.");
    bad("--shema=a", "gp_try has no option --shema", "Did you mean --schema?");
    bad("--what-is-this", "gp_try has no option --what-is-this",
        "\"gp_try --help\" lists its options.");
    bad("-vz", "gp_try has no option -z", "\"gp_try --help\" lists its options.");
    bad("--=x", "gp_try has no option --", "\"gp_try --help\" lists its options.");
    bad("-v\x80", "gp_try has no such option", "\"gp_try --help\" lists its options.");
}

static void test_words(void **state)
{
    (void) state;
    LegacyOptions *o = good("-G only -v");
    assert_string_equal(legacy_options_string(o, GLOBALS), "only");
    o = good("-G db");
    assert_true(legacy_options_given(o, GLOBALS));
    assert_null(legacy_options_string(o, GLOBALS));
    assert_true(legacy_options_given(good("-Gv"), VERBOSE));
    assert_string_equal(legacy_options_string(good("-Xtwo"), MODE), "two");
    bad("-X three", "-X: \"three\" is no value of it", "It takes one of one|two.");
    bad("-X tw", "-X: \"tw\" is no value of it", "It takes one of one|two.");
}

static void test_mistakes(void **state)
{
    (void) state;
    bad("--ddboost", "--ddboost is not taken: there is none", "Use a directory.");
    bad("--ddboost=x", "--ddboost is not taken: there is none", "Use a directory.");
    bad("--gp-c=gzip", "--gp-c takes no value", "");
    bad("--gp-d=/a --gp-d=/b", "--gp-d is given more than once", "");
    bad("-v -t", "-t needs a value", "\"gp_try --help\" lists its options.");
    bad("a b", "gp_try takes no argument \"b\"", "\"gp_try --help\" lists its options.");
    bad("-n a -t b", "-n and -t exclude each other", "Choose.");
    bad("-X one --gp-c", "-X and --gp-c exclude each other", "");
    (void) good("-G --gp-c");
}

static void test_numbers(void **state)
{
    Error err = ERROR_INIT;
    int64_t n = -1;
    (void) state;
    assert_true(legacy_options_int(good("-v"), LAST, 1, 65535, &n, &err));
    assert_int_equal(n, -1);
    assert_true(legacy_options_int(good("-p 5432"), LAST, 1, 65535, &n, &err));
    assert_int_equal(n, 5432);
    static const char *const wrong[] = {"-p 0",  "-p 65536", "-p 5x",
                                        "-p x5", "-p 0x10",  "-p -1",
                                        "-p 1-", "-p +7",    "-p 99999999999999999999"};
    for (size_t i = 0; i < LENGTH_OF(wrong); i++)
    {
        assert_false(legacy_options_int(good(wrong[i]), LAST, 1, 65535, &n, &err));
        assert_int_equal(err.code, ERR_USAGE);
        error_clear(&err);
    }
    assert_false(legacy_options_int(good("--port="), LAST, 1, 65535, &n, &err));
}

static void test_line(void **state)
{
    char *argv[] = {(char[]){"/x/gp_try"}, (char[]){"-t"},
                    (char[]){"a b"},       (char[]){"--gp-d="},
                    (char[]){"-ty'z\n"},   (char[]){"-n"},
                    (char[]){""},          (char[]){"host=a password = 'secret'"}};
    bool done;
    Error err = ERROR_INIT;
    (void) state;
    /* -t and -n exclude each other: the line is for reports, of failures, too. */
    static const LegacyProgram loose = {
        .name = "gp_try", .options = table, .max_arguments = 1, .about = "", .synopsis = ""};
    LegacyOptions *o = legacy_options_parse(ctx, &loose, (int) LENGTH_OF(argv), argv, &done, &err);
    assert_non_null(o);
    assert_string_equal(legacy_options_line(o, ctx),
                        "gp_try -t 'a b' --gp-d= '-ty'\\''z?' -n '' ***");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_names),
        cmocka_unit_test(test_words),   cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_line),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

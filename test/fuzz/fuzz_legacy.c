/*
 * test/fuzz/fuzz_legacy.c - what the classic tools read: command lines (a word in each line), names of files and
 * keys, jobs of agents, and scripts that are halved by their marks, which must not depend on the pieces that they come in.
 */
#include "base/str.h"
#include "compat/dump_job.h"
#include "compat/legacy_options.h"
#include "compat/restore_job.h"
#include "compat/script_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WORDS_MAX 64

static const LegacyOption options[] = {
    {.id = 1, .name = "schema", .letter = 'n', .type = LEGACY_LIST, .arg = "P", .help = "a"},
    {.id = 2, .name = "gp-d", .type = LEGACY_VALUE, .arg = "DIR", .help = "a"},
    {.id = 3, .name = "gp-c", .type = LEGACY_OPTIONAL, .arg = "M", .help = "a"},
    {.id = 4, .letter = 'G', .type = LEGACY_OPTIONAL, .words = "include|only", .help = "a"},
    {.id = 5, .letter = 'X', .type = LEGACY_LIST, .words = "one|two", .arg = "W", .help = "a"},
    {.id = 6, .name = "verbose", .letter = 'v', .type = LEGACY_FLAG, .help = "a"},
    {.id = 7, .name = "port", .letter = 'p', .type = LEGACY_LAST, .arg = "N", .help = "a"},
    {.name = "ddboost", .type = LEGACY_REFUSED, .help = "b", .hint = "c"},
    {.name = NULL},
};
static const LegacyExclusion excluded[] = {
    {.ids = {1, 2}}, {.first_only = true, .ids = {6, 7, 4}}, {.ids = {0}}};
static const LegacyProgram program = {.name = "gp_try",
                                      .synopsis = "",
                                      .about = "",
                                      .options = options,
                                      .excluded = excluded,
                                      .max_arguments = 2};

static bool is_errand(const char *word)
{
    return strpbrk(word, "?V") != NULL || strncmp(word, "--h", 3) == 0 ||
           strncmp(word, "--vers", 6) == 0;
}

static void check_values(const LegacyOptions *o)
{
    size_t count;
    int64_t number = 0;
    Error err = ERROR_INIT;
    for (int id = 1; id <= 7; id++)
    {
        const char *const *values = legacy_options_list(o, id, &count);
        if (count > 0 && (!legacy_options_given(o, id) || values[count - 1] == NULL))
            abort();
        if (id == 2 && count > 1)
            abort();
        if (legacy_options_called(o, id)[0] != '-')
            abort();
    }
    if (legacy_options_given(o, 1) && legacy_options_given(o, 2))
        abort();
    if (!legacy_options_int(o, 7, 1, 65535, &number, &err) && err.code != ERR_USAGE)
        abort();
    (void) legacy_options_arguments(o, &count);
    if (count > 2)
        abort();
}

static void check_options(void *ctx, char *text)
{
    char *argv[WORDS_MAX] = {(char[]){"gp_try"}};
    int argc = 1;
    bool done = false;
    Error err = ERROR_INIT;
    for (char *word = text; word != NULL && argc < WORDS_MAX; argc++)
    {
        char *end = strchr(word, '\n');
        if (end != NULL)
            *end = '\0';
        argv[argc] = word;
        if (is_errand(word))
            return; /* it prints */
        word = end == NULL ? NULL : end + 1;
    }
    const LegacyOptions *o = legacy_options_parse(ctx, &program, argc, argv, &done, &err);
    if ((o == NULL) != error_is_set(&err) || (o == NULL && err.code != ERR_USAGE))
        abort();
    if (o == NULL)
        return;
    check_values(o);
    if (strchr(legacy_options_line(o, ctx), '\n') != NULL)
        abort();
}

static void check_names(const char *text)
{
    DumpAgentKey key;
    DumpName name;
    Error err = ERROR_INIT;
    if (dump_agent_key_parse(text, &key, &err) &&
        (strlen(key.key) != SET_KEY_LEN - 1 || key.role < 0 || key.role > 1))
        abort();
    for (int half = 0; half < 2; half++)
    {
        if (dump_name_parse(text, NULL, "20161103233926", half == 1, &name) &&
            (name.node < -1 || name.dbid < 0 || strchr(text, '/') != NULL))
            abort();
    }
}

static void check_jobs(void *ctx, const char *text, size_t size)
{
    json_t *job = json_loadb(text, size, 0, NULL);
    DumpNodeJob dump;
    DumpNodeFiles files;
    RestoreNodeJob restore;
    for (int i = 0; job != NULL && i < 3; i++)
    {
        Error err = ERROR_INIT;
        bool ok = i == 0   ? dump_job_parse(ctx, job, &dump, &err)
                  : i == 1 ? dump_files_parse(job, &files, &err)
                           : restore_job_parse(ctx, job, &restore, &err);
        if (ok == error_is_set(&err) || (!ok && err.code != ERR_USAGE))
            abort();
    }
    json_decref(job);
}

static bool keep(void *arg, const void *data, size_t len, Error *err)
{
    (void) err;
    str_addn(arg, data, len);
    return true;
}

/* Without a mark only the whole can be had, and what is there of the script is read to its end otherwise. */
static bool is_sound(const ScriptFilter *f, size_t size, const Error *err)
{
    if (f->mark[0] == '\0' && size > 0)
        return err->code == ERR_USAGE && (f->half != SCRIPT_WHOLE || f->tables != NULL);
    return err->code == ERR_CORRUPT || (err->code == ERR_NOT_FOUND && f->tables != NULL);
}

static Str *filtered(void *ctx, const uint8_t *data, size_t size, ScriptHalf half,
                     const LegacyNames *tables, size_t piece)
{
    Error err = ERROR_INIT;
    Str *out = str_new(ctx);
    ScriptFilter f = {.half = half, .tables = tables, .ctx = ctx, .sink = keep, .arg = out};
    bool ok = true;
    for (size_t i = 0; ok && i < size; i += piece)
        ok = script_filter_write(&f, data + i, size - i < piece ? size - i : piece, &err);
    ok = ok && script_filter_finish(&f, &err);
    if (ok == error_is_set(&err) || (!ok && !is_sound(&f, size, &err)))
        abort();
    return ok ? out : NULL;
}

static void check_filter(void *ctx, const uint8_t *data, size_t size)
{
    LegacyName names[] = {{"s", "*"}, {"t", "u v"}};
    const LegacyNames tables = {.items = names, .count = LENGTH_OF(names)};
    for (int i = 0; i < 6; i++)
    {
        ScriptHalf half = (ScriptHalf) (i / 2);
        const LegacyNames *wanted = i % 2 == 0 ? NULL : &tables;
        const Str *whole = filtered(ctx, data, size, half, wanted, size + 1);
        const Str *pieces = filtered(ctx, data, size, half, wanted, 7);
        if ((whole == NULL) != (pieces == NULL))
            abort();
        if (whole != NULL &&
            (whole->len != pieces->len || memcmp(whole->data, pieces->data, whole->len) != 0 ||
             (wanted == NULL && whole->len > size)))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "fuzz");
    if (size == 0)
        return 0;
    char *text = mem_strndup(ctx, (const char *) data + 1, size - 1);
    if (data[0] % 3 == 0)
        check_options(ctx, text);
    else if (data[0] % 3 == 1 && text[0] == '{')
        check_jobs(ctx, text, strlen(text));
    else if (data[0] % 3 == 1)
        check_names(text);
    else
        check_filter(ctx, data + 1, size - 1);
    return 0;
}

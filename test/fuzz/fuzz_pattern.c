/* test/fuzz/fuzz_pattern.c - any bytes as a pattern and as the names it is to match: three lines. */
#include "select/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next line of the input, "" behind the last. */
static char *take_line(void *ctx, const char **next, const char *end)
{
    size_t left = (size_t) (end - *next);
    const char *newline = left == 0 ? NULL : memchr(*next, '\n', left);
    size_t len = newline == NULL ? left : (size_t) (newline - *next);
    char *line = mem_strndup(ctx, *next, len);
    *next = newline == NULL ? end : newline + 1;
    return line;
}

static void check(void *ctx, PatternKind kind, const char *text, const char *schema,
                  const char *name)
{
    PatternList list = {.count = 0};
    Error err = ERROR_INIT;
    bool done = pattern_add(&list, ctx, kind, text, false, &err);
    if (done == error_is_set(&err) || list.count != (done ? 1 : 0))
        abort();
    if (!done)
        return;
    const Pattern *p = list.items[0];
    bool matches = pattern_matches(p, schema, name);
    if (matches && !pattern_matches(p, NULL, name))
        abort();
    if (pattern_literal(p) != NULL && !pattern_matches(p, NULL, pattern_literal(p)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "fuzz");
    const char *next = (const char *) data;
    const char *end = next + size;
    const char *text = take_line(ctx, &next, end);
    const char *schema = take_line(ctx, &next, end);
    const char *name = take_line(ctx, &next, end);
    check(ctx, PATTERN_NAME, text, NULL, name);
    check(ctx, PATTERN_SCHEMA, text, NULL, name);
    check(ctx, PATTERN_TABLE, text, schema, name);
    /* Whatever a name holds, quoted it is itself and nothing else. */
    PatternList list = {.count = 0};
    Error err = ERROR_INIT;
    const char *quoted = pattern_quote(ctx, schema, name);
    if (strlen(quoted) > PATTERN_BYTES_MAX)
        return 0;
    if (!pattern_add(&list, ctx, PATTERN_TABLE, quoted, false, &err) ||
        !pattern_matches(list.items[0], schema, name) ||
        pattern_matches(list.items[0], schema, mem_printf(ctx, "%sx", name)))
        abort();
    return 0;
}

/* test/fuzz/fuzz_selection.c - any bytes as a filter file and as a list of names. */
#include "select/selection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read can be said as options again, and these mean the same. */
static void check_list(void *ctx, const PatternList *list, PatternKind kind)
{
    for (size_t i = 0; i < list->count; i++)
    {
        PatternList again = {.count = 0};
        Error err = ERROR_INIT;
        const Pattern *p = list->items[i];
        const char *text = pattern_text(p);
        if (strlen(text) > PATTERN_BYTES_MAX)
            continue;
        if (!pattern_add(&again, ctx, kind, text, pattern_children(p), &err))
            abort();
        const char *literal = pattern_literal(p);
        if (literal != NULL &&
            (!pattern_matches(p, NULL, literal) || !pattern_matches(again.items[0], NULL, literal)))
            abort();
    }
}

static void parse_filter(void *ctx, const char *text, size_t len)
{
    Error err = ERROR_INIT;
    Selection *s = selection_new(ctx);
    bool done = selection_parse_filter(s, "fuzz", text, len, &err);
    if (done == error_is_set(&err))
        abort();
    check_list(ctx, &s->tables, PATTERN_TABLE);
    check_list(ctx, &s->schemas, PATTERN_SCHEMA);
    check_list(ctx, &s->functions, PATTERN_NAME);
    char **items = NULL;
    size_t count = 0;
    selection_describe(s, ctx, &items, &count);
}

static void parse_list(void *ctx, PatternKind kind, const char *text, size_t len)
{
    Error err = ERROR_INIT;
    PatternList list = {.count = 0};
    bool done = selection_parse_list(&list, ctx, kind, "fuzz", text, len, &err);
    if (done == error_is_set(&err))
        abort();
    check_list(ctx, &list, kind);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "fuzz");
    const char *text = (const char *) data;
    parse_filter(ctx, text, size);
    parse_list(ctx, PATTERN_TABLE, text, size);
    parse_list(ctx, PATTERN_SCHEMA, text, size);
    return 0;
}

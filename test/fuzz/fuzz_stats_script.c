/*
 * test/fuzz/fuzz_stats_script.c - any bytes as a script of statistics; and any two strings as names in one, which are read
 * as they were written.
 */
#include "compat/stats_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_names(void *ctx, const char *text)
{
    Error err = ERROR_INIT;
    StatsLine line;
    Str *s = str_new(ctx);
    if (text[0] == '\0')
        return;
    stats_script_begin(s, text, text, true);
    FILE *in = fmemopen(s->data, s->len, "r");
    StatsReader r = stats_script_reader(ctx, in, "fuzz");
    if (!stats_script_read(&r, &line, &err) || line.kind != STATS_LINE_TABLE ||
        strcmp(line.schema, text) != 0 || strcmp(line.table, text) != 0)
        abort();
    fclose(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "fuzz");
    Error err = ERROR_INIT;
    StatsLine line = {.kind = STATS_LINE_DONE};
    char *text = mem_array(ctx, char, size + 1);
    memcpy(text, data, size);
    FILE *in = fmemopen(text, size + 1, "r");
    StatsReader r = stats_script_reader(ctx, in, "fuzz");
    while (line.kind != STATS_LINE_END && stats_script_read(&r, &line, &err))
    {
        bool table = line.kind == STATS_LINE_TABLE;
        if (table != (line.schema != NULL && line.table != NULL))
            abort();
    }
    if (error_is_set(&err) == (line.kind == STATS_LINE_END))
        abort();
    fclose(in);
    check_names(ctx, text);
    return 0;
}

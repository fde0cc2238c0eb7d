/* select/selection_list.c - files of exact names; the contract is in selection.h. */
#include "select/selection.h"
#include "select/text_lines.h"

#define BLANKS " \t\v\f\r"

/* A name at *at: in double quotes, or up to stop (0: the end). Leaves *at behind it. */
static bool read_name(const char **at, char stop, Str *name, Error *err)
{
    const char *c = *at;
    str_clear(name);
    if (*c != '"')
    {
        size_t len = stop == '\0' ? strlen(c) : strcspn(c, (char[]){stop, '\0'});
        str_addn(name, c, len);
        *at = c + len;
        return name->len > 0 || error_set(err, ERR_USAGE, "a name is missing");
    }
    for (c++; *c != '\0'; c++)
    {
        if (*c == '"' && c[1] != '"')
        {
            *at = c + 1;
            return name->len > 0 || error_set(err, ERR_USAGE, "an empty name");
        }
        str_addc(name, *c);
        if (*c == '"')
            c++;
    }
    return error_set(err, ERR_USAGE, "a quote is not closed");
}

static bool read_table(const char *text, Str *schema, Str *table, Error *err)
{
    if (!read_name(&text, '.', schema, err))
        return false;
    if (*text != '.')
        return error_set(err, ERR_USAGE, "expected \"schema.table\"");
    text++;
    /* Old lists have names with dots unquoted; only the first dot can separate then. */
    if (!read_name(&text, '\0', table, err))
        return false;
    return *text == '\0' || error_set(err, ERR_USAGE, "text behind the name");
}

static bool read_schema(const char *text, Str *schema, Error *err)
{
    if (!read_name(&text, '\0', schema, err))
        return false;
    return *text == '\0' || error_set(err, ERR_USAGE, "text behind the name");
}

bool selection_parse_list(PatternList *list, void *ctx, PatternKind kind, const char *name,
                          const char *text, size_t len, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "list");
    Str *line = str_new(tmp);
    Str *schema = str_new(tmp);
    Str *table = str_new(tmp);
    TextLines lines = text_lines_new(name, text, len, SELECTION_LINE_MAX);
    for (;;)
    {
        bool end = false;
        if (!text_lines_read(&lines, line, &end, err))
            return text_lines_fail(&lines, err);
        if (end)
            return true;
        while (line->len > 0 && strchr(BLANKS, line->data[line->len - 1]) != NULL)
            line->data[--line->len] = '\0';
        const char *start = line->data + strspn(line->data, BLANKS);
        if (*start == '\0' || *start == '#')
            continue;
        bool table_line = kind == PATTERN_TABLE;
        bool done = table_line ? read_table(start, schema, table, err)
                               : read_schema(start, schema, err);
        if (!done)
            return text_lines_fail(&lines, err);
        pattern_add_exact(list, ctx, table_line ? schema->data : NULL,
                          table_line ? table->data : schema->data);
    }
}

bool selection_file_list(PatternList *list, void *ctx, PatternKind kind, const char *path,
                         Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "list");
    size_t len = 0;
    const char *text = text_lines_load(tmp, path, SELECTION_FILE_MAX, &len, err);
    return text != NULL && selection_parse_list(list, ctx, kind, path, text, len, err);
}

/* select/selection_list.c - files of exact names; the contract is in selection.h. */
#include "select/selection.h"
#include "select/text_lines.h"

#define BLANKS     " \t\v\f\r"
#define QUOTED_MAX 2048 /* bytes of names that go over several lines */
#define NOT_CLOSED "a quote is not closed"

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
    *at = c;
    return error_set(err, ERR_USAGE, NOT_CLOSED);
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

bool selection_add_name(PatternList *list, void *ctx, PatternKind kind, const char *text,
                        const char **ret_schema, const char **ret_name, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "name");
    Str *schema = str_new(tmp);
    Str *name = str_new(tmp);
    bool table = kind == PATTERN_TABLE;
    if (!(table ? read_table(text, schema, name, err) : read_schema(text, name, err)))
        return false;
    pattern_add_exact(list, ctx, table ? schema->data : NULL, name->data);
    if (ret_schema != NULL)
        *ret_schema = table ? mem_strdup(ctx, schema->data) : NULL;
    if (ret_name != NULL)
        *ret_name = mem_strdup(ctx, name->data);
    return true;
}

/* Adds the name that begins in line. One that ends in another has the lines between, too. */
static bool take_line(PatternList *list, void *ctx, PatternKind kind, TextLines *lines, Str *line,
                      Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "line");
    Str *more = str_new(tmp);
    for (;;)
    {
        bool end = false;
        Error why = ERROR_INIT;
        size_t len = line->len;
        while (len > 0 && strchr(BLANKS, line->data[len - 1]) != NULL)
            len--;
        const char *text = mem_strndup(tmp, line->data, len);
        text += strspn(text, BLANKS);
        if (*text == '\0' || *text == '#' ||
            selection_add_name(list, ctx, kind, text, NULL, NULL, &why))
            return true;
        if (strcmp(why.message, NOT_CLOSED) == 0 && line->len < QUOTED_MAX)
        {
            if (!text_lines_read(lines, more, &end, err))
                return false;
            str_addc(line, '\n');
            str_addn(line, more->data, more->len);
            if (!end)
                continue;
        }
        if (err != NULL)
            *err = why;
        return false;
    }
}

bool selection_parse_list(PatternList *list, void *ctx, PatternKind kind, const char *name,
                          const char *text, size_t len, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "list");
    Str *line = str_new(tmp);
    TextLines lines = text_lines_new(name, text, len, SELECTION_LINE_MAX);
    for (;;)
    {
        bool end = false;
        if (!text_lines_read(&lines, line, &end, err))
            return text_lines_fail(&lines, err);
        if (end)
            return true;
        if (!take_line(list, ctx, kind, &lines, line, err))
            return text_lines_fail(&lines, err);
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

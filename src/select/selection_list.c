/* select/selection_list.c - files of exact names; the contract is in selection.h. */
#include "select/selection.h"
#include "select/text_lines.h"

#define BLANKS     " \t\v\f\r"
#define QUOTED_MAX 2048 /* bytes of names that go over several lines */

/* A name at *at: in double quotes, or up to stop (0: the end). Leaves *at behind it. *ret_open becomes
 * true where only the end of a quote is missing. */
static bool read_name(const char **at, char stop, Str *name, bool *ret_open, Error *err)
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
    *ret_open = true;
    return error_set(err, ERR_USAGE, "a quote is not closed");
}

static bool read_table(const char **text, Str *schema, Str *table, bool *ret_open, Error *err)
{
    if (!read_name(text, '.', schema, ret_open, err))
        return false;
    if (**text != '.')
        return error_set(err, ERR_USAGE, "expected \"schema.table\"");
    ++*text;
    /* Old lists have names with dots unquoted; only the first dot can separate then. */
    return read_name(text, '\0', table, ret_open, err);
}

/* The names of text; *ret_open: only the end of a quote is missing. */
static bool read_names(PatternKind kind, const char *text, Str *schema, Str *name, bool *ret_open,
                       Error *err)
{
    *ret_open = false;
    bool ok = kind == PATTERN_TABLE ? read_table(&text, schema, name, ret_open, err)
                                    : read_name(&text, '\0', name, ret_open, err);
    return ok && (*text == '\0' || error_set(err, ERR_USAGE, "text behind the name"));
}

bool selection_add_name(PatternList *list, void *ctx, PatternKind kind, const char *text,
                        const char **ret_schema, const char **ret_name, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "name");
    Str *schema = str_new(tmp);
    Str *name = str_new(tmp);
    bool table = kind == PATTERN_TABLE;
    bool open;
    if (!read_names(kind, text, schema, name, &open, err))
        return false;
    pattern_add_exact(list, ctx, table ? schema->data : NULL, name->data);
    if (ret_schema != NULL)
        *ret_schema = table ? mem_strdup(ctx, schema->data) : NULL;
    if (ret_name != NULL)
        *ret_name = mem_strdup(ctx, name->data);
    return true;
}

/* What is read into, for all lines of a list. */
typedef struct Names
{
    Str *line;
    Str *more;
    Str *schema;
    Str *name;
} Names;

/* The names that begin in n->line; a quote may go over several lines. */
static bool take_line(PatternList *list, void *ctx, PatternKind kind, TextLines *lines, Names *n,
                      Error *err)
{
    Str *line = n->line;
    for (;;)
    {
        bool end = false;
        bool open;
        Error why = ERROR_INIT;
        size_t len = line->len;
        while (len > 0 && strchr(BLANKS, line->data[len - 1]) != NULL)
            len--;
        str_clear(n->more);
        str_addn(n->more, line->data, len);
        const char *text = n->more->data + strspn(n->more->data, BLANKS);
        if (*text == '\0' || *text == '#')
            return true;
        if (read_names(kind, text, n->schema, n->name, &open, &why))
        {
            pattern_add_exact(list, ctx, kind == PATTERN_TABLE ? n->schema->data : NULL,
                              n->name->data);
            return true;
        }
        if (open && line->len < QUOTED_MAX)
        {
            if (!text_lines_read(lines, n->more, &end, err))
                return false;
            str_addc(line, '\n');
            str_addn(line, n->more->data, n->more->len);
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
    Names names = {str_new(tmp), str_new(tmp), str_new(tmp), str_new(tmp)};
    TextLines lines = text_lines_new(name, text, len, SELECTION_LINE_MAX);
    for (;;)
    {
        bool end = false;
        if (!text_lines_read(&lines, names.line, &end, err))
            return text_lines_fail(&lines, err);
        if (end)
            return true;
        if (!take_line(list, ctx, kind, &lines, &names, err))
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

/* select/selection_filter.c - filter files; the contract is in selection.h. */
#include <strings.h>

#include "select/selection.h"
#include "select/text_lines.h"

#define BLANKS    " \t\v\f\r\n"
#define SHOWN_MAX 80

/* What an object type stands for: the lists that include and exclude fill, as offsets into
 * Selection; 0 (where the first list is no filter's) says that the type cannot be had so. */
typedef struct FilterType
{
    const char *name;
    size_t include;
    size_t exclude;
    PatternKind kind;
    bool children;
    bool exact;
} FilterType;

#define LIST(member) (offsetof(Selection, member) + 1)

static const FilterType types[] = {
    {"extension", LIST(extensions), LIST(not_extensions), PATTERN_NAME, false, false},
    {"foreign_data", LIST(foreign_data), 0, PATTERN_NAME, false, false},
    {"function", LIST(functions), 0, PATTERN_NAME, false, true},
    {"index", LIST(indexes), 0, PATTERN_NAME, false, true},
    {"schema", LIST(schemas), LIST(not_schemas), PATTERN_SCHEMA, false, false},
    {"table", LIST(tables), LIST(not_tables), PATTERN_TABLE, false, false},
    {"table_and_children", LIST(tables), LIST(not_tables), PATTERN_TABLE, true, false},
    {"table_data", 0, LIST(not_data), PATTERN_TABLE, false, false},
    {"table_data_and_children", 0, LIST(not_data), PATTERN_TABLE, true, false},
    {"trigger", LIST(triggers), 0, PATTERN_NAME, false, true},
};

typedef struct Filter
{
    Selection *s;
    TextLines lines;
    Str *line;
    const char *at; /* in line */
    Str *pattern;
    Error *err;
} Filter;

/* ---- words ---- */

static size_t take_word(Filter *f, const char **ret_word)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    f->at += strspn(f->at, BLANKS);
    *ret_word = f->at;
    size_t len = strspn(f->at, letters);
    f->at += len;
    return len;
}

static bool is_word(const char *word, size_t len, const char *expected)
{
    return strlen(expected) == len && strncasecmp(word, expected, len) == 0;
}

static bool take_command(Filter *f, bool *ret_include)
{
    const char *word = NULL;
    size_t len = take_word(f, &word);
    *ret_include = is_word(word, len, "include");
    if (*ret_include || is_word(word, len, "exclude"))
        return true;
    return error_set(f->err, ERR_USAGE, "a line must begin with \"include\" or \"exclude\"");
}

static bool unknown_type(const Filter *f, const char *word, size_t len)
{
    char shown[SHOWN_MAX];
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "types");
    Str *names = str_new(tmp);
    for (size_t i = 0; i < LENGTH_OF(types); i++)
        str_addf(names, "%s%s", i > 0 ? ", " : "", types[i].name);
    if (len == 0)
        error_set(f->err, ERR_USAGE, "the type of the object is missing");
    else
        error_set(f->err, ERR_USAGE, "unknown type of objects \"%s\"",
                  str_one_line(shown, sizeof(shown), mem_strndup(tmp, word, len)));
    return error_hint(f->err, "Types are: %s.", names->data);
}

static const FilterType *take_type(Filter *f, bool include)
{
    const char *word = NULL;
    size_t len = take_word(f, &word);
    for (size_t i = 0; i < LENGTH_OF(types); i++)
    {
        if (!is_word(word, len, types[i].name))
            continue;
        if ((include ? types[i].include : types[i].exclude) != 0)
            return &types[i];
        error_set(f->err, ERR_USAGE, "\"%s\" cannot be %s", types[i].name,
                  include ? "included" : "excluded");
        return NULL;
    }
    unknown_type(f, word, len);
    return NULL;
}

/* ---- patterns ---- */

/* A line may end within quotes: the newline is part of the name then. */
static bool next_quoted_line(Filter *f)
{
    bool end = false;
    if (!text_lines_read(&f->lines, f->line, &end, f->err))
        return false;
    if (end)
        return error_set(f->err, ERR_USAGE, "a quote is not closed");
    str_addc(f->pattern, '\n');
    f->at = f->line->data;
    if (f->pattern->len <= PATTERN_BYTES_MAX)
        return true;
    return error_set(f->err, ERR_USAGE, "a quoted name of more than %d bytes", PATTERN_BYTES_MAX);
}

static bool take_escape(Filter *f)
{
    char c = f->at[1];
    if (c != 'n' && c != '\\')
        return error_set(f->err, ERR_USAGE, "a backslash in quotes must be followed by n or \\");
    str_addc(f->pattern, c == 'n' ? '\n' : '\\');
    f->at += 2;
    return true;
}

/* The quotes stay: what a pattern has in them is taken literally. */
static bool take_quoted(Filter *f)
{
    str_addc(f->pattern, *f->at++);
    for (;;)
    {
        if (*f->at == '\0')
        {
            if (!next_quoted_line(f))
                return false;
        }
        else if (*f->at == '\\')
        {
            if (!take_escape(f))
                return false;
        }
        else if (*f->at != '"')
            str_addc(f->pattern, *f->at++);
        else if (f->at[1] == '"')
        {
            str_add(f->pattern, "\"\"");
            f->at += 2;
        }
        else
            break;
    }
    str_addc(f->pattern, *f->at++);
    return true;
}

/* Blanks around dots and parentheses do not count, after a comma there is one, and several are one:
 * so a function's arguments come out as an archive names them. */
static bool take_pattern(Filter *f)
{
    static const char tight[] = ".(),";
    bool space = false;
    str_clear(f->pattern);
    f->at += strspn(f->at, BLANKS);
    while (*f->at != '\0' && *f->at != '#')
    {
        char last = f->pattern->len > 0 ? f->pattern->data[f->pattern->len - 1] : '.';
        bool glued = strchr(". (", last) != NULL || strchr(tight, *f->at) != NULL;
        if (space && !glued)
            str_addc(f->pattern, ' ');
        if (*f->at == '"')
        {
            if (!take_quoted(f))
                return false;
        }
        else
        {
            str_addc(f->pattern, *f->at);
            if (*f->at++ == ',')
                str_addc(f->pattern, ' ');
        }
        size_t blanks = strspn(f->at, BLANKS);
        space = blanks > 0;
        f->at += blanks;
    }
    if (f->pattern->len > 0)
        return true;
    return error_set(f->err, ERR_USAGE, "the pattern is missing");
}

/* ---- lines ---- */

/* A name that is in quotes as a whole is meant without them. */
static const char *without_quotes(void *ctx, const char *text)
{
    size_t len = strlen(text);
    if (len < 2 || text[0] != '"' || text[len - 1] != '"')
        return text;
    Str *name = str_new(ctx);
    for (size_t i = 1; i < len - 1; i++)
    {
        if (text[i] == '"' && (i + 2 >= len || text[++i] != '"'))
            return text;
        str_addc(name, text[i]);
    }
    return name->data;
}

static bool add(Filter *f, const FilterType *type, bool include)
{
    size_t offset = (include ? type->include : type->exclude) - 1;
    PatternList *list = (PatternList *) (void *) ((char *) f->s + offset);
    if (!type->exact)
        return pattern_add(list, f->s, type->kind, f->pattern->data, type->children, f->err);
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "name");
    pattern_add_exact(list, f->s, NULL, without_quotes(tmp, f->pattern->data));
    return true;
}

static bool take_line(Filter *f)
{
    f->at = f->line->data + strspn(f->line->data, BLANKS);
    if (*f->at == '\0' || *f->at == '#')
        return true;
    bool include = false;
    if (!take_command(f, &include))
        return false;
    const FilterType *type = take_type(f, include);
    return type != NULL && take_pattern(f) && add(f, type, include);
}

bool selection_parse_filter(Selection *s, const char *name, const char *text, size_t len,
                            Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "filter");
    Filter f = {.s = s,
                .lines = text_lines_new(name, text, len, SELECTION_LINE_MAX),
                .line = str_new(tmp),
                .pattern = str_new(tmp),
                .err = err};
    for (;;)
    {
        bool end = false;
        if (!text_lines_read(&f.lines, f.line, &end, err))
            return text_lines_fail(&f.lines, err);
        if (end)
            return true;
        if (!take_line(&f))
            return text_lines_fail(&f.lines, err);
    }
}

bool selection_file_filter(Selection *s, const char *path, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "filter");
    size_t len = 0;
    const char *text = text_lines_load(tmp, path, SELECTION_FILE_MAX, &len, err);
    return text != NULL && selection_parse_filter(s, path, text, len, err);
}

/* select/pattern.c - name patterns; the contract is in pattern.h. */
#include "select/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/str.h"

#define PARTS_MAX 3
#define SHOWN_MAX 160

/* Far more steps than any sensible pattern needs for a name. */
#define STEPS_MAX 100000

/* One name of a pattern. literal is set where it holds nothing special: most patterns are plain
 * names, and lists of them may be long. Otherwise the expression is compiled twice: a name from a
 * database without an encoding is a string of bytes that the first of the two cannot read. */
typedef struct PatternPart
{
    bool any;
    char *literal;
    pcre2_code *utf;
    pcre2_code *bytes;
} PatternPart;

struct Pattern
{
    char *text;
    const char *local; /* in text, behind the database's part */
    char *database;
    pcre2_match_context *limits; /* NULL where nothing is compiled */
    PatternPart schema;
    PatternPart name;
    bool has_schema;
    bool children;
};

/* A part while it is read: as an expression, and as the name that it is if nothing is special. */
typedef struct PartText
{
    Str *regex;
    Str *plain;
    bool special;
} PartText;

static int pattern_free_code(Pattern *p)
{
    pcre2_match_context_free(p->limits);
    pcre2_code_free(p->schema.utf);
    pcre2_code_free(p->schema.bytes);
    pcre2_code_free(p->name.utf);
    pcre2_code_free(p->name.bytes);
    return 0;
}

static Pattern *pattern_new(PatternList *list, void *ctx, const char *text)
{
    Pattern *p = mem_new(ctx, Pattern);
    p->text = mem_strdup(p, text);
    p->local = p->text;
    p->schema.any = true;
    talloc_set_destructor(p, pattern_free_code);
    *mem_push(ctx, list->items, list->count, list->capacity, Pattern *) = p;
    return p;
}

/* ---- reading ---- */

static bool is_special(char c)
{
    return c != '\0' && strchr("|*+?()[]{}.^$\\", c) != NULL;
}

static void add_plain(PartText *part, char c)
{
    if (is_special(c))
        str_addc(part->regex, '\\');
    str_addc(part->regex, c);
    str_addc(part->plain, c);
}

/* Outside of quotes: psql's own signs, or else text of a regular expression. "[]" is an array's
 * type and no set of characters. */
static void add_unquoted(PartText *part, const char *c)
{
    bool upper = *c >= 'A' && *c <= 'Z';
    if (*c == '*')
        str_add(part->regex, ".*");
    else if (*c == '?')
        str_addc(part->regex, '.');
    else if (*c == '[' && c[1] == ']')
        str_add(part->regex, "\\[");
    else if (*c != '$' && is_special(*c))
        str_addc(part->regex, *c);
    else
    {
        add_plain(part, upper ? (char) (*c - 'A' + 'a') : *c);
        return;
    }
    str_addc(part->plain, *c);
    part->special = true;
}

/* Splits at the dots; ret_count is how many parts there are, also where there are too many, and
 * ret_second where the second begins. */
static bool read_parts(const char *text, PartText parts[PARTS_MAX], size_t *ret_count,
                       const char **ret_second, Error *err)
{
    bool quoted = false;
    size_t at = 0;
    *ret_second = text;
    for (const char *c = text; *c != '\0'; c++)
    {
        PartText *part = &parts[at < PARTS_MAX ? at : PARTS_MAX - 1];
        if (*c == '"' && quoted && c[1] == '"')
            add_plain(part, *c++);
        else if (*c == '"')
            quoted = !quoted;
        else if (quoted)
            add_plain(part, *c);
        else if (*c == '.')
            *ret_second = at++ == 0 ? c + 1 : *ret_second;
        else
            add_unquoted(part, c);
    }
    *ret_count = at + 1;
    return !quoted || error_set(err, ERR_USAGE, "a quote is not closed");
}

/* ---- compiling ---- */

static pcre2_code *compile(const Str *regex, uint32_t options, int *ret_code)
{
    size_t offset = 0;
    return pcre2_compile((PCRE2_SPTR) regex->data, regex->len,
                         options | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C,
                         ret_code, &offset, NULL);
}

static bool compile_part(Pattern *p, PatternPart *part, const PartText *text, Error *err)
{
    part->any = false;
    if (!text->special)
    {
        part->literal = mem_strdup(p, text->plain->data);
        return true;
    }
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "pattern");
    if (p->limits == NULL)
        p->limits = mem_check(pcre2_match_context_create(NULL));
    pcre2_set_match_limit(p->limits, STEPS_MAX);
    Str *whole = str_new(tmp);
    str_addf(whole, "^(%s)$", text->regex->data);
    int code = 0;
    part->bytes = compile(whole, PCRE2_NEVER_UTF, &code);
    if (part->bytes != NULL)
        part->utf = compile(whole, PCRE2_UTF | PCRE2_UCP, &code);
    /* A pattern that is no UTF-8 fits only names that are none either. */
    if (part->bytes != NULL && (part->utf != NULL || code <= PCRE2_ERROR_UTF8_ERR1))
        return true;
    char why[128] = "";
    pcre2_get_error_message(code, (PCRE2_UCHAR *) why, sizeof(why));
    return error_set(err, ERR_USAGE, "not a regular expression: %s", why);
}

/* The last part is the object's name, the one before it its schema; what is left is a database,
 * whose name is taken literally. */
static bool compile_parts(Pattern *p, PatternKind kind, const PartText *parts, size_t count,
                          Error *err)
{
    size_t allowed = kind == PATTERN_TABLE ? 3 : kind == PATTERN_SCHEMA ? 2 : 1;
    if (count > allowed)
        return error_set(err, ERR_USAGE, "too many dots");
    size_t own = kind == PATTERN_TABLE ? 2 : 1;
    if (count > own)
        p->database = mem_strdup(p, parts[0].plain->data);
    p->has_schema = kind == PATTERN_TABLE && count > 1;
    if (p->has_schema && !compile_part(p, &p->schema, &parts[count - 2], err))
        return false;
    return compile_part(p, &p->name, &parts[count - 1], err);
}

static bool parse(Pattern *p, PatternKind kind, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "pattern");
    PartText parts[PARTS_MAX];
    for (size_t i = 0; i < PARTS_MAX; i++)
        parts[i] = (PartText){.regex = str_new(tmp), .plain = str_new(tmp)};
    size_t count = 0;
    const char *second = NULL;
    if (p->text[0] == '\0')
        return error_set(err, ERR_USAGE, "nothing can match it");
    if (strlen(p->text) > PATTERN_BYTES_MAX)
        return error_set(err, ERR_USAGE, "longer than %d bytes", PATTERN_BYTES_MAX);
    if (!read_parts(p->text, parts, &count, &second, err) ||
        !compile_parts(p, kind, parts, count, err))
        return false;
    if (p->database != NULL)
        p->local = second;
    return true;
}

bool pattern_add(PatternList *list, void *ctx, PatternKind kind, const char *text, bool children,
                 Error *err)
{
    Pattern *p = pattern_new(list, ctx, text);
    p->children = children;
    if (parse(p, kind, err))
        return true;
    char shown[SHOWN_MAX];
    list->count--;
    mem_free(p);
    return error_prefix(err, "pattern \"%s\"", str_one_line(shown, sizeof(shown), text));
}

static void add_quoted(Str *s, const char *name)
{
    str_addc(s, '"');
    for (; *name != '\0'; name++)
    {
        if (*name == '"')
            str_addc(s, '"');
        str_addc(s, *name);
    }
    str_addc(s, '"');
}

char *pattern_quote(void *ctx, const char *schema, const char *name)
{
    Str *s = str_new(ctx);
    if (schema != NULL)
    {
        add_quoted(s, schema);
        str_addc(s, '.');
    }
    add_quoted(s, name);
    return s->data;
}

void pattern_add_exact(PatternList *list, void *ctx, const char *schema, const char *name)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "pattern");
    Pattern *p = pattern_new(list, ctx, pattern_quote(tmp, schema, name));
    p->name.literal = mem_strdup(p, name);
    p->has_schema = schema != NULL;
    p->schema.any = schema == NULL;
    p->schema.literal = mem_strdup(p, schema);
}

/* ---- matching ---- */

/* Where backtracking takes too many steps, the other algorithm of the library, which cannot
 * explode, decides: a pattern must not quietly fail to match. */
static int match_again(const pcre2_code *code, const char *name, size_t len, pcre2_match_data *data)
{
    int workspace[4096];
    return pcre2_dfa_match(code, (PCRE2_SPTR) name, len, 0, 0, data, NULL, workspace,
                           LENGTH_OF(workspace));
}

static int match_code(const Pattern *p, const pcre2_code *code, const char *name)
{
    size_t len = strlen(name);
    pcre2_match_data *data = mem_check(pcre2_match_data_create(1, NULL));
    int result = pcre2_match(code, (PCRE2_SPTR) name, len, 0, 0, data, p->limits);
    if (result == PCRE2_ERROR_MATCHLIMIT || result == PCRE2_ERROR_DEPTHLIMIT ||
        result == PCRE2_ERROR_HEAPLIMIT)
        result = match_again(code, name, len, data);
    pcre2_match_data_free(data);
    return result;
}

static bool part_matches(const Pattern *p, const PatternPart *part, const char *name)
{
    if (part->any)
        return true;
    if (part->literal != NULL)
        return strcmp(part->literal, name) == 0;
    int result = part->utf == NULL ? PCRE2_ERROR_BADDATA : match_code(p, part->utf, name);
    bool not_utf = result == PCRE2_ERROR_BADDATA ||
                   (result <= PCRE2_ERROR_UTF8_ERR1 && result >= PCRE2_ERROR_UTF8_ERR21);
    if (not_utf)
        result = match_code(p, part->bytes, name);
    return result >= 0;
}

bool pattern_matches(const Pattern *p, const char *schema, const char *name)
{
    return part_matches(p, &p->name, name) &&
           (schema == NULL || part_matches(p, &p->schema, schema));
}

bool pattern_matches_schema(const Pattern *p, const char *schema)
{
    return p->has_schema && part_matches(p, &p->schema, schema);
}

bool pattern_list_matches(const PatternList *list, const char *schema, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
    {
        if (pattern_matches(list->items[i], schema, name))
            return true;
    }
    return false;
}

/* ---- looking ---- */

const char *pattern_text(const Pattern *p)
{
    return p->text;
}

const char *pattern_database(const Pattern *p)
{
    return p->database;
}

const char *pattern_local(const Pattern *p)
{
    return p->local;
}

bool pattern_children(const Pattern *p)
{
    return p->children;
}

bool pattern_has_schema(const Pattern *p)
{
    return p->has_schema;
}

const char *pattern_literal(const Pattern *p)
{
    return p->name.literal;
}

const char *pattern_literal_schema(const Pattern *p)
{
    return p->schema.literal;
}

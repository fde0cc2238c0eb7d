/* pg/sql_token.c - the words of an SQL text; the contract is in sql_token.h. */
#include "pg/sql_token.h"

#include <strings.h>

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_part(char c)
{
    return is_word_start(c) || is_digit(c) || c == '$';
}

static const char *skip_block_comment(const char *p)
{
    int depth = 1;

    /* they nest */
    for (p += 2; *p != '\0' && depth > 0;)
    {
        if (p[0] == '/' && p[1] == '*')
        {
            depth++;
            p += 2;
        }
        else if (p[0] == '*' && p[1] == '/')
        {
            depth--;
            p += 2;
        }
        else
            p++;
    }
    return p;
}

static const char *skip_space(const char *p)
{
    for (;;)
    {
        p += strspn(p, " \t\r\n\f\v");
        if (p[0] == '-' && p[1] == '-')
            p += strcspn(p, "\r\n");
        else if (p[0] == '/' && p[1] == '*')
            p = skip_block_comment(p);
        else
            return p;
    }
}

/* From the opening quote to behind the closing one, which a doubled quote is not. */
static const char *skip_quoted(const char *p, bool backslash)
{
    char quote = *p++;

    while (*p != '\0')
    {
        if ((backslash && p[0] == '\\' && p[1] != '\0') || (p[0] == quote && p[1] == quote))
            p += 2;
        else if (*p++ == quote)
            break;
    }
    return p;
}

/* Behind the closing $tag$, or NULL where p does not open such a string. */
static const char *skip_dollar_quoted(const char *p)
{
    const char *body = p + 1;

    if (is_word_start(*body))
        while (is_word_part(*body) && *body != '$')
            body++;
    if (*body++ != '$')
        return NULL;
    size_t tag = (size_t) (body - p);
    for (const char *q = body; (q = strchr(q, '$')) != NULL; q++)
        if (strncmp(q, p, tag) == 0)
            return q + tag;
    return body + strlen(body);
}

static SqlTokenKind scan_word(const char **end, bool std_strings)
{
    const char *p = *end;
    const char *q = p;

    while (is_word_part(*q))
        q++;
    bool prefix = q - p == 1;
    if (*q == '\'' && prefix && strchr("eEbBxXnN", *p) != NULL)
    {
        *end = skip_quoted(q, *p == 'e' || *p == 'E' || !std_strings);
        return SQL_TOKEN_STRING;
    }
    if (prefix && (*p == 'u' || *p == 'U') && q[0] == '&' && (q[1] == '\'' || q[1] == '"'))
    {
        *end = skip_quoted(q + 1, false);
        return q[1] == '"' ? SQL_TOKEN_QUOTED_NAME : SQL_TOKEN_STRING;
    }
    *end = q;
    return SQL_TOKEN_WORD;
}

/* Returns the kind of the token at p, which is not white space, and sets *end behind it. */
static SqlTokenKind scan_token(const char *p, const char **end, bool std_strings)
{
    *end = p;
    if (is_word_start(*p))
        return scan_word(end, std_strings);
    if (is_digit(*p))
    {
        while (is_word_part(**end) || **end == '.')
            (*end)++;
        return SQL_TOKEN_NUMBER;
    }
    if (*p == '"' || *p == '\'')
    {
        *end = skip_quoted(p, *p == '\'' && !std_strings);
        return *p == '"' ? SQL_TOKEN_QUOTED_NAME : SQL_TOKEN_STRING;
    }
    const char *string = *p == '$' ? skip_dollar_quoted(p) : NULL;
    *end = string == NULL ? p + 1 : string;
    if (string != NULL)
        return SQL_TOKEN_STRING;
    return *p == ';' ? SQL_TOKEN_SEMICOLON : SQL_TOKEN_OTHER;
}

bool sql_token_next(SqlScanner *s, SqlToken *t)
{
    t->start = skip_space(s->pos);
    if (*t->start == '\0')
        return false;
    t->kind = scan_token(t->start, &s->pos, s->std_strings);
    t->len = (size_t) (s->pos - t->start);
    return true;
}

bool sql_token_is(const SqlToken *t, const char *keyword)
{
    return t->kind == SQL_TOKEN_WORD && t->len == strlen(keyword) &&
           strncasecmp(t->start, keyword, t->len) == 0;
}

char *sql_token_name(void *ctx, const SqlToken *t)
{
    bool quoted = t->kind == SQL_TOKEN_QUOTED_NAME;
    char *name = mem_strndup(ctx, t->start + (quoted ? 1 : 0), t->len - (quoted ? 2 : 0));
    char *to = name;

    if (!quoted)
        return name;
    for (const char *from = name; *from != '\0'; from++)
    {
        *to++ = *from;
        if (from[0] == '"' && from[1] == '"')
            from++;
    }
    *to = '\0';
    return name;
}

/* restore/sql_text.c - the contract is in sql_text.h. */
#include "restore/sql_text.h"

#include <strings.h>

typedef enum TokenKind
{
    TOKEN_WORD, /* a keyword or an identifier without quotes */
    TOKEN_QUOTED_NAME,
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_SEMICOLON,
    TOKEN_OTHER, /* one character */
} TokenKind;

typedef struct Token
{
    TokenKind kind;
    const char *start;
    size_t len;
} Token;

typedef struct Scanner
{
    const char *pos;
    bool std_strings;
} Scanner;

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

static TokenKind scan_word(const char **end, bool std_strings)
{
    const char *p = *end;
    const char *q = p;

    while (is_word_part(*q))
        q++;
    bool prefix = q - p == 1;
    if (*q == '\'' && prefix && strchr("eEbBxXnN", *p) != NULL)
    {
        *end = skip_quoted(q, *p == 'e' || *p == 'E' || !std_strings);
        return TOKEN_STRING;
    }
    if (prefix && (*p == 'u' || *p == 'U') && q[0] == '&' && (q[1] == '\'' || q[1] == '"'))
    {
        *end = skip_quoted(q + 1, false);
        return q[1] == '"' ? TOKEN_QUOTED_NAME : TOKEN_STRING;
    }
    *end = q;
    return TOKEN_WORD;
}

/* Returns the kind of the token at p, which is not white space, and sets *end behind it. */
static TokenKind scan_token(const char *p, const char **end, bool std_strings)
{
    *end = p;
    if (is_word_start(*p))
        return scan_word(end, std_strings);
    if (is_digit(*p))
    {
        while (is_word_part(**end) || **end == '.')
            (*end)++;
        return TOKEN_NUMBER;
    }
    if (*p == '"' || *p == '\'')
    {
        *end = skip_quoted(p, *p == '\'' && !std_strings);
        return *p == '"' ? TOKEN_QUOTED_NAME : TOKEN_STRING;
    }
    const char *string = *p == '$' ? skip_dollar_quoted(p) : NULL;
    *end = string == NULL ? p + 1 : string;
    if (string != NULL)
        return TOKEN_STRING;
    return *p == ';' ? TOKEN_SEMICOLON : TOKEN_OTHER;
}

static bool next_token(Scanner *s, Token *t)
{
    t->start = skip_space(s->pos);
    if (*t->start == '\0')
        return false;
    t->kind = scan_token(t->start, &s->pos, s->std_strings);
    t->len = (size_t) (s->pos - t->start);
    return true;
}

static bool is_word(const Token *t, const char *keyword)
{
    return t->kind == TOKEN_WORD && t->len == strlen(keyword) &&
           strncasecmp(t->start, keyword, t->len) == 0;
}

bool sql_text_is_blank(const char *sql)
{
    return *skip_space(sql) == '\0';
}

bool sql_text_is_ended(const char *sql, bool std_strings)
{
    Scanner s = {sql, std_strings};
    Token t = {.kind = TOKEN_OTHER};

    while (next_token(&s, &t))
        ;
    return t.kind == TOKEN_SEMICOLON;
}

bool sql_text_has_alter_table(const char *sql, bool std_strings)
{
    Scanner s = {sql, std_strings};
    Token t, previous = {.kind = TOKEN_OTHER};
    size_t n = 0; /* tokens of the statement so far */

    while (next_token(&s, &t))
    {
        if (n == 1 && is_word(&previous, "alter") && is_word(&t, "table"))
            return true;
        n = t.kind == TOKEN_SEMICOLON ? 0 : n + 1;
        previous = t;
    }
    return false;
}

/* A GRANT's list of privileges is the longest thing before a database's name. */
#define HEAD_LENGTH 64

/* Tells whether a statement that begins with these tokens goes on with a database's name. */
static bool expects_database(const Token *head, size_t n)
{
    if (n < 2 || n == HEAD_LENGTH || !is_word(&head[n - 1], "database"))
        return false;
    if (is_word(&head[0], "create") || (is_word(&head[0], "alter") && n == 2))
        return n == 2;
    if (is_word(&head[0], "alter"))
        return n == 5 && (is_word(&head[1], "role") || is_word(&head[1], "user")) &&
               is_word(&head[3], "in");
    if (!is_word(&head[n - 2], "on"))
        return false;
    if (is_word(&head[0], "comment"))
        return n == 3;
    if (is_word(&head[0], "security"))
        return n == 4 || (n == 6 && is_word(&head[2], "for"));
    if (!is_word(&head[0], "grant") && !is_word(&head[0], "revoke"))
        return false;
    for (size_t i = 1; i < n - 2; i++)
        if (is_word(&head[i], "on"))
            return false;
    return true;
}

char *sql_text_rename_database(void *ctx, const char *sql, bool std_strings, const char *new_name)
{
    Scanner s = {sql, std_strings};
    Str *out = str_new(ctx);
    const char *copied = sql; /* the text before this is in out */
    Token head[HEAD_LENGTH], t;
    size_t n = 0;

    while (next_token(&s, &t))
    {
        bool name = t.kind == TOKEN_WORD || t.kind == TOKEN_QUOTED_NAME;
        if (name && expects_database(head, n))
        {
            str_addn(out, copied, (size_t) (t.start - copied));
            sql_text_add_name(out, new_name);
            copied = t.start + t.len;
        }
        if (t.kind == TOKEN_SEMICOLON)
            n = 0;
        else if (n < HEAD_LENGTH)
            head[n++] = t;
    }
    str_add(out, copied);
    return out->data;
}

/* The name a token stands for, below ctx. */
static char *token_name(void *ctx, const Token *t)
{
    bool quoted = t->kind == TOKEN_QUOTED_NAME;
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

/* Tells whether the two tokens before a name say that it is a role's. */
static bool expects_role(const Token *before, const Token *last)
{
    return is_word(last, "to") || is_word(last, "from") ||
           (is_word(last, "role") && is_word(before, "for")) ||
           (is_word(last, "authorization") && is_word(before, "session"));
}

void sql_text_each_role(const char *sql, bool std_strings, SqlTextEachRole each, void *arg)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "roles");
    Scanner s = {sql, std_strings};
    Token before = {.kind = TOKEN_OTHER, .start = ""};
    Token last = before, t;
    int depth = 0;
    bool in_list = false; /* the last name was a role's, and more may follow behind commas */

    while (next_token(&s, &t))
    {
        bool name = t.kind == TOKEN_WORD || (t.kind == TOKEN_QUOTED_NAME && t.len > 2);
        bool comma = t.kind == TOKEN_OTHER && *t.start == ',';
        bool more = in_list && last.kind == TOKEN_OTHER && *last.start == ',';
        if (t.kind == TOKEN_OTHER && *t.start == '(')
            depth++;
        if (t.kind == TOKEN_OTHER && *t.start == ')')
            depth--;
        bool role = name && depth == 0 && (more || expects_role(&before, &last));
        if (role && !is_word(&t, "public"))
            each(arg, token_name(tmp, &t));
        in_list = role || (in_list && comma);
        before = last;
        last = t;
    }
}

void sql_text_add_name(Str *s, const char *name)
{
    str_addc(s, '"');
    for (const char *quote; (quote = strchr(name, '"')) != NULL; name = quote + 1)
    {
        str_addn(s, name, (size_t) (quote - name));
        str_add(s, "\"\"");
    }
    str_add(s, name);
    str_addc(s, '"');
}

void sql_text_add_qualified(Str *s, const char *schema, const char *name)
{
    if (schema != NULL && *schema != '\0')
    {
        sql_text_add_name(s, schema);
        str_addc(s, '.');
    }
    sql_text_add_name(s, name);
}

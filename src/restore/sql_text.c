/* restore/sql_text.c - the contract is in sql_text.h. */
#include "restore/sql_text.h"

#include "pg/sql_token.h"

bool sql_text_is_blank(const char *sql)
{
    SqlScanner s = {sql, true};
    SqlToken t;

    return !sql_token_next(&s, &t);
}

bool sql_text_is_ended(const char *sql, bool std_strings)
{
    SqlScanner s = {sql, std_strings};
    SqlToken t = {.kind = SQL_TOKEN_OTHER};

    while (sql_token_next(&s, &t))
        ;
    return t.kind == SQL_TOKEN_SEMICOLON;
}

bool sql_text_has_alter_table(const char *sql, bool std_strings)
{
    SqlScanner s = {sql, std_strings};
    SqlToken t, previous = {.kind = SQL_TOKEN_OTHER};
    size_t n = 0; /* tokens of the statement so far */

    while (sql_token_next(&s, &t))
    {
        if (n == 1 && sql_token_is(&previous, "alter") && sql_token_is(&t, "table"))
            return true;
        n = t.kind == SQL_TOKEN_SEMICOLON ? 0 : n + 1;
        previous = t;
    }
    return false;
}

/* A GRANT's list of privileges is the longest thing before a database's name. */
#define HEAD_LENGTH 64

/* Tells whether a statement that begins with these tokens goes on with a database's name. */
static bool expects_database(const SqlToken *head, size_t n)
{
    if (n < 2 || n == HEAD_LENGTH || !sql_token_is(&head[n - 1], "database"))
        return false;
    if (sql_token_is(&head[0], "create") || (sql_token_is(&head[0], "alter") && n == 2))
        return n == 2;
    if (sql_token_is(&head[0], "alter"))
        return n == 5 && (sql_token_is(&head[1], "role") || sql_token_is(&head[1], "user")) &&
               sql_token_is(&head[3], "in");
    if (!sql_token_is(&head[n - 2], "on"))
        return false;
    if (sql_token_is(&head[0], "comment"))
        return n == 3;
    if (sql_token_is(&head[0], "security"))
        return n == 4 || (n == 6 && sql_token_is(&head[2], "for"));
    if (!sql_token_is(&head[0], "grant") && !sql_token_is(&head[0], "revoke"))
        return false;
    for (size_t i = 1; i < n - 2; i++)
        if (sql_token_is(&head[i], "on"))
            return false;
    return true;
}

char *sql_text_rename_database(void *ctx, const char *sql, bool std_strings, const char *new_name)
{
    SqlScanner s = {sql, std_strings};
    Str *out = str_new(ctx);
    const char *copied = sql; /* the text before this is in out */
    SqlToken head[HEAD_LENGTH], t;
    size_t n = 0;

    while (sql_token_next(&s, &t))
    {
        bool name = t.kind == SQL_TOKEN_WORD || t.kind == SQL_TOKEN_QUOTED_NAME;
        if (name && expects_database(head, n))
        {
            str_addn(out, copied, (size_t) (t.start - copied));
            sql_text_add_name(out, new_name);
            copied = t.start + t.len;
        }
        if (t.kind == SQL_TOKEN_SEMICOLON)
            n = 0;
        else if (n < HEAD_LENGTH)
            head[n++] = t;
    }
    str_add(out, copied);
    return out->data;
}

/* Tells whether the two tokens before a name say that it is a role's. */
static bool expects_role(const SqlToken *before, const SqlToken *last)
{
    return sql_token_is(last, "to") || sql_token_is(last, "from") ||
           (sql_token_is(last, "role") && sql_token_is(before, "for")) ||
           (sql_token_is(last, "authorization") && sql_token_is(before, "session"));
}

void sql_text_each_role(const char *sql, bool std_strings, SqlTextEachRole each, void *arg)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "roles");
    SqlScanner s = {sql, std_strings};
    SqlToken before = {.kind = SQL_TOKEN_OTHER, .start = ""};
    SqlToken last = before, t;
    int depth = 0;
    bool in_list = false; /* the last name was a role's, and more may follow behind commas */

    while (sql_token_next(&s, &t))
    {
        bool name = t.kind == SQL_TOKEN_WORD || (t.kind == SQL_TOKEN_QUOTED_NAME && t.len > 2);
        bool comma = t.kind == SQL_TOKEN_OTHER && *t.start == ',';
        bool more = in_list && last.kind == SQL_TOKEN_OTHER && *last.start == ',';
        if (t.kind == SQL_TOKEN_OTHER && *t.start == '(')
            depth++;
        if (t.kind == SQL_TOKEN_OTHER && *t.start == ')')
            depth--;
        bool role = name && depth == 0 && (more || expects_role(&before, &last));
        if (role && !sql_token_is(&t, "public"))
            each(arg, sql_token_name(tmp, &t));
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

void sql_text_add_literal(Str *s, const char *text)
{
    str_add(s, strchr(text, '\\') != NULL ? "E'" : "'");
    for (size_t n; *text != '\0'; text += n)
    {
        n = strcspn(text, "'\\");
        str_addn(s, text, n);
        if (text[n] == '\0')
            continue;
        str_addc(s, text[n]);
        str_addc(s, text[n]);
        n++;
    }
    str_addc(s, '\'');
}

/* restore/constraint_text.c - definitions of keys, taken apart; the contract is in
 * constraint_text.h. */
#include "restore/constraint_text.h"

#include "pg/sql_token.h"

/* Reads on while the text is as expected; good goes down for ever when it is not. */
typedef struct Reader
{
    SqlScanner scanner;
    SqlToken token;     /* the next one; at the end one of no length */
    const char *behind; /* of the one before */
    bool good;
    void *ctx;
} Reader;

static void step(Reader *r)
{
    r->behind = r->token.start + r->token.len;
    if (!sql_token_next(&r->scanner, &r->token))
        r->token = (SqlToken){.kind = SQL_TOKEN_OTHER, .start = r->scanner.pos};
}

static Reader begin(void *ctx, const char *sql, bool std_strings)
{
    Reader r = {.scanner = {sql, std_strings}, .token = {.start = sql}, .good = true, .ctx = ctx};
    step(&r);
    return r;
}

static bool take_word(Reader *r, const char *word)
{
    if (!r->good || !sql_token_is(&r->token, word))
        return false;
    step(r);
    return true;
}

static bool take_char(Reader *r, char c)
{
    if (!r->good || r->token.kind == SQL_TOKEN_STRING || r->token.len != 1 || *r->token.start != c)
        return false;
    step(r);
    return true;
}

static void need(Reader *r, bool taken)
{
    r->good = r->good && taken;
}

static bool is_name(const SqlToken *t)
{
    /* U&"..." would have to be decoded. */
    return t->kind == SQL_TOKEN_WORD ||
           (t->kind == SQL_TOKEN_QUOTED_NAME && *t->start == '"' && t->len > 2);
}

static const char *need_name(Reader *r)
{
    if (!r->good || !is_name(&r->token))
    {
        r->good = false;
        return "";
    }
    const char *name = sql_token_name(r->ctx, &r->token);
    step(r);
    return name;
}

static TableName need_table(Reader *r)
{
    TableName table = {.name = need_name(r)};
    if (take_char(r, '.'))
    {
        table.schema = table.name;
        table.name = need_name(r);
    }
    return table;
}

/* ( name, name ... ) */
static void need_names(Reader *r)
{
    need(r, take_char(r, '('));
    do
        need_name(r);
    while (take_char(r, ','));
    need(r, take_char(r, ')'));
}

/* ( anything, with parentheses in pairs ) */
static void need_group(Reader *r)
{
    int depth = 0;
    do
    {
        if (take_char(r, '('))
            depth++;
        else if (take_char(r, ')'))
            depth--;
        else if (r->token.len == 0 || r->token.kind == SQL_TOKEN_SEMICOLON)
            r->good = false;
        else
            step(r);
    } while (r->good && depth > 0);
}

static const char *copy(const Reader *r, const char *from, const char *to)
{
    return mem_strndup(r->ctx, from, (size_t) (to - from));
}

/* ALTER TABLE [ONLY] table ADD CONSTRAINT name */
typedef struct Head
{
    bool only;
    TableName table;
    const char *table_text;
    const char *name;
    const char *name_text;
} Head;

static Head need_head(Reader *r)
{
    Head h = {0};
    need(r, take_word(r, "alter"));
    need(r, take_word(r, "table"));
    h.only = take_word(r, "only");
    const char *at = r->token.start;
    h.table = need_table(r);
    h.table_text = copy(r, at, r->behind);
    need(r, take_word(r, "add"));
    need(r, take_word(r, "constraint"));
    at = r->token.start;
    h.name = need_name(r);
    h.name_text = copy(r, at, r->behind);
    return h;
}

/* [DEFERRABLE] [INITIALLY DEFERRED], as text */
static const char *take_timing(Reader *r)
{
    const char *at = r->token.start;
    const char *end = at;
    if (take_word(r, "deferrable"))
        end = r->behind;
    if (take_word(r, "initially"))
    {
        need(r, take_word(r, "deferred") || take_word(r, "immediate"));
        end = r->behind;
    }
    return copy(r, at, end);
}

/* The text of an optional clause that a word begins and a group ends, or "". */
static const char *take_clause(Reader *r, const char *word)
{
    const char *at = r->token.start;
    if (!take_word(r, word))
        return "";
    need_group(r);
    return copy(r, at, r->behind);
}

bool constraint_text_key(void *ctx, const char *sql, bool std_strings, KeyText *ret)
{
    Reader r = begin(ctx, sql, std_strings);
    Head h = need_head(&r);
    bool primary = take_word(&r, "primary");
    need(&r, take_word(&r, primary ? "key" : "unique"));
    bool nulls = take_word(&r, "nulls");
    if (nulls)
    {
        need(&r, take_word(&r, "not"));
        need(&r, take_word(&r, "distinct"));
    }
    const char *at = r.token.start;
    need_names(&r);
    const char *columns = copy(&r, at, r.behind);
    const char *include = take_clause(&r, "include");
    const char *with = take_clause(&r, "with");
    const char *timing = take_timing(&r);
    need(&r, r.token.kind == SQL_TOKEN_SEMICOLON);
    if (!r.good)
        return false;
    ret->primary = primary;
    ret->index = mem_printf(ctx, "CREATE UNIQUE INDEX %s ON %s USING btree %s %s%s %s;\n",
                            h.name_text, h.table_text, columns, include,
                            nulls ? " NULLS NOT DISTINCT" : "", with);
    ret->constraint = mem_printf(
        ctx, "ALTER TABLE %s%s\n    ADD CONSTRAINT %s %s USING INDEX %s %s%s",
        h.only ? "ONLY " : "", h.table_text, h.name_text, primary ? "PRIMARY KEY" : "UNIQUE",
        h.name_text, timing, r.token.start);
    return true;
}

/* What may stand behind the columns: MATCH, ON UPDATE, ON DELETE, and when it is checked. NOT VALID and
 * NOT ENFORCED are not among it. */
static void take_actions(Reader *r)
{
    static const char *const words[] = {"match", "full",    "on",        "update",   "delete",
                                        "set",   "cascade", "restrict",  "null",     "default",
                                        "no",    "action",  "initially", "deferred", "deferrable"};
    bool found = true;
    while (r->good && found)
    {
        found = false;
        for (size_t i = 0; !found && i < LENGTH_OF(words); i++)
            found = take_word(r, words[i]);
        /* ON DELETE SET NULL (columns) */
        if (!found && r->token.len == 1 && *r->token.start == '(')
        {
            need_names(r);
            found = true;
        }
    }
}

bool constraint_text_foreign_key(void *ctx, const char *sql, bool std_strings, ForeignKeyText *ret)
{
    Reader r = begin(ctx, sql, std_strings);
    Head h = need_head(&r);
    const char *at = r.token.start;
    need(&r, take_word(&r, "foreign"));
    need(&r, take_word(&r, "key"));
    need_names(&r);
    need(&r, take_word(&r, "references"));
    TableName referenced = need_table(&r);
    need_names(&r);
    take_actions(&r);
    const char *end = r.behind;
    need(&r, r.token.kind == SQL_TOKEN_SEMICOLON);
    step(&r);
    need(&r, r.token.len == 0);
    if (!r.good)
        return false;
    *ret = (ForeignKeyText){.table = h.table_text,
                            .constraint = h.name_text,
                            .definition = copy(&r, at, end),
                            .only = h.only,
                            .referencing = h.table,
                            .referenced = referenced,
                            .name = h.name};
    return true;
}

const char *constraint_text_index(void *ctx, const char *sql, bool std_strings,
                                  const char **ret_first)
{
    Reader r = begin(ctx, sql, std_strings);
    need(&r, take_word(&r, "create"));
    take_word(&r, "unique");
    need(&r, take_word(&r, "index"));
    while (r.good && r.token.len > 0 && r.token.kind != SQL_TOKEN_SEMICOLON)
        step(&r);
    step(&r);
    if (!r.good || r.token.len == 0)
        return NULL;
    *ret_first = copy(&r, sql, r.behind);
    return mem_strdup(ctx, r.token.start);
}

bool constraint_text_names(const char *sql, bool std_strings, const char *name)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "names");
    Reader r = begin(tmp, sql, std_strings);
    while (r.token.len > 0)
    {
        if (!take_word(&r, "constraint"))
            step(&r);
        else if (is_name(&r.token) && strcmp(sql_token_name(tmp, &r.token), name) == 0)
            return true;
    }
    return false;
}

bool constraint_text_inherits(const char *sql, bool std_strings)
{
    SqlScanner scanner = {sql, std_strings};
    SqlToken token;
    while (sql_token_next(&scanner, &token))
    {
        if (sql_token_is(&token, "inherits"))
            return true;
    }
    return false;
}

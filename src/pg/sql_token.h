/*
 * pg/sql_token.h - cuts an SQL text into its words.
 *
 * Knows comments, every kind of quoting, and where a statement ends; knows nothing of grammar. The
 * rules are those of PostgreSQL's lexer (scan.l): nested comments, E'' and U&'' strings, $tag$
 * strings, doubled quotes. Any text is accepted; what is not closed ends with the text.
 */
#ifndef PGARK_PG_SQL_TOKEN_H
#define PGARK_PG_SQL_TOKEN_H

#include "base/mem.h"

typedef enum SqlTokenKind
{
    SQL_TOKEN_WORD, /* a keyword or an identifier without quotes */
    SQL_TOKEN_QUOTED_NAME,
    SQL_TOKEN_STRING,
    SQL_TOKEN_NUMBER,
    SQL_TOKEN_SEMICOLON,
    SQL_TOKEN_OTHER, /* one character */
} SqlTokenKind;

typedef struct SqlToken
{
    SqlTokenKind kind;
    const char *start; /* in the text, quotes included */
    size_t len;
} SqlToken;

/* Begins as {text, std_strings}; std_strings: a backslash in '...' is an ordinary character. */
typedef struct SqlScanner
{
    const char *pos;
    bool std_strings;
} SqlScanner;

/* sql_token_next gives the next token; false: the text has none left. White space and comments are
 * none. */
bool sql_token_next(SqlScanner *s, SqlToken *t);

/* sql_token_is tells whether the token is that keyword (lower case), without quotes. */
bool sql_token_is(const SqlToken *t, const char *keyword);

/* sql_token_name: the text a name's token has between its quotes, below ctx; U&"" is not decoded, and
 * what has no quotes is not folded. */
char *sql_token_name(void *ctx, const SqlToken *t);

#endif

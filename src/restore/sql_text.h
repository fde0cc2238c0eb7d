/*
 * restore/sql_text.h - just enough lexing of SQL to look into an archive's statements.
 *
 * By the tokens of pg/sql_token.h; knows nothing of grammar.
 */
#ifndef PGARK_RESTORE_SQL_TEXT_H
#define PGARK_RESTORE_SQL_TEXT_H

#include "base/str.h"

/* sql_text_is_blank tells whether sql holds nothing but white space and comments: a server answers
 * such a query with "empty", which is no success. */
bool sql_text_is_blank(const char *sql);

/* sql_text_is_ended tells whether the last statement has its semicolon. std_strings: a backslash
 * in '...' is an ordinary character. */
bool sql_text_is_ended(const char *sql, bool std_strings);

/* sql_text_has_alter_table tells whether one of the statements begins with ALTER TABLE. */
bool sql_text_has_alter_table(const char *sql, bool std_strings);

/* sql_text_rename_database returns a copy of sql below ctx in which every identifier that stands in
 * the place of a database's name (CREATE and ALTER DATABASE, ALTER ROLE ... IN DATABASE, COMMENT,
 * SECURITY LABEL, GRANT and REVOKE ... ON DATABASE) is replaced by new_name, quoted. It is the
 * place that counts, not the old name: a property can then never hit another database. */
char *sql_text_rename_database(void *ctx, const char *sql, bool std_strings, const char *new_name);

/* sql_text_each_role calls each for the name (without quotes) of every role that statements which
 * give or take privileges, and policies, are about: behind TO, FROM, FOR ROLE and SESSION
 * AUTHORIZATION, outside of parentheses. PUBLIC is none. */
typedef void (*SqlTextEachRole)(void *arg, const char *name);
void sql_text_each_role(const char *sql, bool std_strings, SqlTextEachRole each, void *arg);

/* sql_text_add_name appends name as a quoted identifier, sql_text_add_qualified schema.name (schema
 * may be NULL or empty). */
void sql_text_add_name(Str *s, const char *name);
void sql_text_add_qualified(Str *s, const char *schema, const char *name);

/* sql_text_add_literal appends text as a string constant that means the same whatever
 * standard_conforming_strings is. */
void sql_text_add_literal(Str *s, const char *text);

#endif

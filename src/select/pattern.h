/*
 * select/pattern.h - name patterns as psql and pg_dump have them.
 *
 * "*" is any sequence, "?" any character, "." separates schema from name (and database from
 * schema), double quotes take the specials away and keep upper case, all else is folded to lower
 * case and is a regular expression's text ($ stands for itself). Anchored at both ends. Source:
 * "Patterns" in psql's documentation. Matched here, with PCRE2, not by the server: the same code
 * then serves a set, which has no server.
 */
#ifndef PGARK_SELECT_PATTERN_H
#define PGARK_SELECT_PATTERN_H

#include "base/error.h"
#include "base/mem.h"

typedef struct Pattern Pattern;

typedef struct PatternList
{
    Pattern **items;
    size_t count, capacity;
} PatternList;

/* Longer patterns are refused: no name is near it, and compiling takes time and memory. */
#define PATTERN_BYTES_MAX 8192

/* How many parts a pattern may have: a schema or an extension is one name, a table up to three. */
typedef enum PatternKind
{
    PATTERN_NAME,   /* an extension, a server, an index, a role: one part */
    PATTERN_SCHEMA, /* [database.]schema */
    PATTERN_TABLE,  /* [[database.]schema.]table */
} PatternKind;

/* pattern_add parses text and appends it to list below ctx. ERR_USAGE: empty or longer than
 * PATTERN_BYTES_MAX, too many dots, an unterminated quote, a regular expression that does not
 * compile; the message holds the pattern.
 * children: the partitions and children of what matches are meant, too. */
bool pattern_add(PatternList *list, void *ctx, PatternKind kind, const char *text, bool children,
                 Error *err) MUST_CHECK;

/* pattern_add_exact appends a pattern that matches exactly these names (schema NULL: any). */
void pattern_add_exact(PatternList *list, void *ctx, const char *schema, const char *name);

/* pattern_matches: name against the last part, schema, unless NULL, against the one before it, if
 * the pattern has one. UTF-8 names; a name that is no UTF-8 is matched by its bytes. May be called
 * by several threads at once. */
bool pattern_matches(const Pattern *p, const char *schema, const char *name);
bool pattern_matches_schema(const Pattern *p, const char *schema); /* only that part of a table's */
bool pattern_list_matches(const PatternList *list, const char *schema, const char *name);

const char *pattern_text(const Pattern *p);     /* as given; of an exact one: quoted */
const char *pattern_database(const Pattern *p); /* the database's part, NULL: none */
const char *pattern_local(const Pattern *p);    /* text without that part */
bool pattern_children(const Pattern *p);
bool pattern_has_schema(const Pattern *p); /* a table's: it names a schema, too */

/* pattern_literal: the only name the last part matches, NULL when it may match several. */
const char *pattern_literal(const Pattern *p);
const char *pattern_literal_schema(const Pattern *p); /* likewise, of the part before it */

/* pattern_quote gives, below ctx, the pattern that matches exactly these names: "schema"."name"
 * (schema NULL: "name"). */
char *pattern_quote(void *ctx, const char *schema, const char *name);

#endif

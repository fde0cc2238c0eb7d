/*
 * restore/constraint_text.h - definitions of keys and foreign keys, taken apart.
 *
 * Only the form in which pg_dump writes them is understood (dumpConstraint in pg_dump.c,
 * pg_get_constraintdef in ruleutils.c), word by word; of any other text nothing is said, and it must
 * be run as it stands.
 */
#ifndef PGARK_RESTORE_CONSTRAINT_TEXT_H
#define PGARK_RESTORE_CONSTRAINT_TEXT_H

#include "base/mem.h"

/* A table as a definition names it, quotes taken away; schema is NULL where it names none. */
typedef struct TableName
{
    const char *schema;
    const char *name;
} TableName;

/* A PRIMARY KEY or UNIQUE constraint: its index is built first, which other indexes of the table can
 * be at the same time, and becomes the constraint's without being looked at again. The index has all
 * that the definition says of columns, storage and nulls; constraint has the rest, and the statements
 * that follow (CLUSTER, REPLICA IDENTITY). */
typedef struct KeyText
{
    bool primary;
    const char *index;
    const char *constraint;
} KeyText;

/* constraint_text_key: false when sql is anything else. Results are below ctx. */
bool constraint_text_key(void *ctx, const char *sql, bool std_strings, KeyText *ret);

/* A foreign key that is not NOT VALID. table and constraint are as the text has them, with quotes;
 * definition is what follows the constraint's name, without the semicolon. */
typedef struct ForeignKeyText
{
    const char *table;
    const char *constraint;
    const char *definition;
    bool only;
    TableName referencing;
    TableName referenced;
    const char *name; /* of the constraint, without quotes */
} ForeignKeyText;

/* constraint_text_foreign_key: false when sql is anything else, or more. Results are below ctx. */
bool constraint_text_foreign_key(void *ctx, const char *sql, bool std_strings, ForeignKeyText *ret);

/* constraint_text_index: sql is CREATE INDEX and something behind it: *ret_first gets the first
 * statement, below ctx, the result is the rest. NULL: it is not. */
const char *constraint_text_index(void *ctx, const char *sql, bool std_strings,
                                  const char **ret_first);

/* constraint_text_names tells whether sql names a constraint so: CONSTRAINT name. */
bool constraint_text_names(const char *sql, bool std_strings, const char *name);

/* constraint_text_inherits tells whether sql, a CREATE TABLE, has the word INHERITS; it may be a
 * column's name. */
bool constraint_text_inherits(const char *sql, bool std_strings);

#endif

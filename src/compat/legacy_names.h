/*
 * compat/legacy_names.h - names in the options and lists of gpcrondump and gpdbrestore.
 */
#ifndef PGARK_COMPAT_LEGACY_NAMES_H
#define PGARK_COMPAT_LEGACY_NAMES_H

#include "base/str.h"
#include "compat/legacy_options.h"
#include "select/pattern.h"

/* Names as they are, without quotes, no two alike. */
typedef struct LegacyName
{
    const char *schema; /* NULL: the name is no table's */
    const char *name;
} LegacyName;

typedef struct LegacyNames
{
    LegacyName *items;
    size_t count, capacity;
} LegacyNames;

/* legacy_names_option adds the values of an option: "NAME[,NAME...]", each as in a line of --table-file
 * (select/selection.h), so that a name with a comma or a dot can be quoted. kind: PATTERN_SCHEMA or PATTERN_TABLE. Items below
 * ctx. ERR_USAGE names the option. */
bool legacy_names_option(LegacyNames *names, void *ctx, const LegacyOptions *o, int id,
                         PatternKind kind, Error *err) MUST_CHECK;

/* legacy_names_file adds the lines of the file that an option names. ERR_USAGE: it cannot be read, a line is wrong, or it
 * has no name. */
bool legacy_names_file(LegacyNames *names, void *ctx, const LegacyOptions *o, int id,
                       PatternKind kind, Error *err) MUST_CHECK;

/* legacy_names_path is the same of a file of that path. */
bool legacy_names_path(LegacyNames *names, void *ctx, const char *path, PatternKind kind,
                       Error *err) MUST_CHECK;

/* legacy_names_sort brings them into the order of their bytes, and drops duplicates. */
void legacy_names_sort(LegacyNames *names);

/* legacy_names_first is the number of the first of sorted names of tables that is not before key, count: there is none. */
size_t legacy_names_first(const LegacyNames *names, const LegacyName *key);

/* legacy_names_lines writes them as lines that such a file may have, below ctx. */
char *legacy_names_lines(void *ctx, const LegacyNames *names);

/* legacy_names_add_part appends a name as it stands in such a line: in quotes where it would be read otherwise without
 * them. */
void legacy_names_add_part(Str *s, const char *text);

/* legacy_names_array writes the schemas, or the names, as the text of an array of the server, below ctx. */
char *legacy_names_array(void *ctx, const LegacyNames *names, bool schemas);

/* legacy_names_catalog finds a name whose schema (of a table's, otherwise the name itself) is the system's; NULL: there
 * is none. */
const char *legacy_names_catalog(const LegacyNames *names);

#endif

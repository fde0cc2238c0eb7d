/*
 * export/marks.h - lines of a script that say which part of it, and whose, begins.
 *
 * The script's first lines name a mark that nothing else in it can hold, as nobody could have known it. A line
 * "-- MARK WORD [NAME...]" then is one of ours:
 *
 *   has                       in the head, but of a script that has a part of the rows only: what follows is complete
 *   has SCHEMA RELATION       one for each relation: it is in the script
 *   definitions, rows         such a part begins; what is before the first of them, settings, belongs to both
 *   of SCHEMA RELATION ...    what follows is about this relation; with several, joins them, and is nothing without
 *                             any of them; with none, is about something else
 *   schema SCHEMA             what follows makes that schema
 *   all                       what follows is needed whatever is left out: settings
 *
 * In names "%" and two digits stand for a byte that could end a word or a line.
 */
#ifndef PGARK_EXPORT_MARKS_H
#define PGARK_EXPORT_MARKS_H

#include "base/str.h"

#define EXPORT_MARK_LEN         33 /* 32 hex digits and NUL */
#define EXPORT_MARK_HEAD        "-- Parts and tables of this script are marked by "
#define EXPORT_MARK_ROWS        "rows"
#define EXPORT_MARK_DEFINITIONS "definitions"
#define EXPORT_MARK_HAS         "has"
#define EXPORT_MARK_OF          "of"
#define EXPORT_MARK_SCHEMA      "schema"
#define EXPORT_MARK_ALL         "all"

/* mark_add_name appends a blank and a name. */
void mark_add_name(Str *line, const char *name);

/* mark_next_name reads the name at *text, of len bytes left, into name; both move behind it. false: there is none. */
bool mark_next_name(const char **text, size_t *len, Str *name);

#endif

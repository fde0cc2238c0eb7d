/*
 * compat/script_filter.h - a part of a script whose lines say what they are about (export/marks.h): definitions or
 * rows, all or those of some relations.
 *
 * Bytes pass in pieces of any length; only of lines that may be marks the beginning is kept. A script without marks
 * has no parts, which is known at its end at the latest. One that has them was written by us, and its last lines
 * say that it is whole: psql would not notice if statements were missing there.
 */
#ifndef PGARK_COMPAT_SCRIPT_FILTER_H
#define PGARK_COMPAT_SCRIPT_FILTER_H

#include "compat/script_tables.h"
#include "export/plain.h"
#include "io/stage.h"

typedef enum ScriptHalf
{
    SCRIPT_WHOLE,
    SCRIPT_DEFINITIONS,
    SCRIPT_ROWS,
} ScriptHalf;

#define SCRIPT_LINE_KEPT                                                                           \
    4096 /* longer than any mark's line: of eight relations, with names as long as can be */

/* How much of its last lines has come: none, the first of two, both. */
typedef enum ScriptEnd
{
    SCRIPT_END_NONE,
    SCRIPT_END_SAID,
    SCRIPT_END_WHOLE,
} ScriptEnd;

typedef enum ScriptLine
{
    SCRIPT_LINE_BEGINS,
    SCRIPT_LINE_PASSES, /* it is no mark */
    SCRIPT_LINE_IS_KEPT,
} ScriptLine;

typedef struct ScriptFilter
{
    ScriptHalf half;
    const LegacyNames *tables; /* relations that are wanted; NULL: all */
    void *ctx;                 /* of what is kept of them; may be NULL without */
    IoSinkWrite sink;
    void *arg;
    /* Its own, zeros to begin with: */
    char mark[EXPORT_MARK_LEN]; /* "": not seen yet */
    bool skips_half;            /* what comes is of the other half, or */
    bool skips_entry;           /* of other relations */
    bool lists;                 /* it tells what it has */
    bool *met;                  /* of tables, in that list */
    Str *schema, *name;         /* words of a mark */
    ScriptLine line;
    bool begun;
    ScriptEnd end;
    size_t kept;
    char text[SCRIPT_LINE_KEPT];
} ScriptFilter;

/* script_filter_write takes the next piece; it has the form of an IoSinkWrite, arg is the filter. Of a schema that
 * something is wanted of, it makes sure that it is there, whoever owns it. ERR_NOT_FOUND: something that is wanted is not in
 * the script, of which nothing but settings has passed then; a script of rows only does not tell. */
bool script_filter_write(void *arg, const void *data, size_t len, Error *err) MUST_CHECK;

/* script_filter_finish passes on what is left. ERR_USAGE: the script has no marks; ERR_CORRUPT: it has
 * them, and not its end, or it is empty. */
bool script_filter_finish(ScriptFilter *f, Error *err) MUST_CHECK;

#endif

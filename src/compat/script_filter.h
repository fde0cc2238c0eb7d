/*
 * compat/script_filter.h - one half of a script whose parts are marked (export/plain.h): definitions or rows.
 *
 * Bytes pass in pieces of any length; only the beginning of the current line is kept. A script without marks
 * cannot be halved, which is known at its end at the latest. One that has them was written by us, and its last lines
 * say that it is whole: psql would not notice if statements were missing there.
 */
#ifndef PGARK_COMPAT_SCRIPT_FILTER_H
#define PGARK_COMPAT_SCRIPT_FILTER_H

#include "export/plain.h"
#include "io/stage.h"

typedef enum ScriptHalf
{
    SCRIPT_WHOLE,
    SCRIPT_DEFINITIONS,
    SCRIPT_ROWS,
} ScriptHalf;

#define SCRIPT_LINE_KEPT 96 /* longer than any mark's line */

/* How much of its last lines has come: none, the first of two, both. */
typedef enum ScriptEnd
{
    SCRIPT_END_NONE,
    SCRIPT_END_SAID,
    SCRIPT_END_WHOLE,
} ScriptEnd;

typedef struct ScriptFilter
{
    ScriptHalf half;
    IoSinkWrite sink;
    void *arg;
    char mark[EXPORT_MARK_LEN]; /* "": not seen yet */
    bool skips;                 /* what comes is of the other half */
    bool decided;               /* the current line is no mark: its rest passes */
    bool begun;
    ScriptEnd end;
    size_t kept;
    char line[SCRIPT_LINE_KEPT];
} ScriptFilter;

/* script_filter_write takes the next piece; it has the form of an IoSinkWrite, arg is the filter. */
bool script_filter_write(void *arg, const void *data, size_t len, Error *err) MUST_CHECK;

/* script_filter_finish passes on what is left. ERR_USAGE: the script has no marks; ERR_CORRUPT: it has
 * them, and not its end, or it is empty. */
bool script_filter_finish(ScriptFilter *f, Error *err) MUST_CHECK;

#endif

/*
 * select/text_lines.h - a text file of the user, line by line.
 *
 * Lines end with LF or CRLF, a BOM at the start is skipped.
 */
#ifndef PGARK_SELECT_TEXT_LINES_H
#define PGARK_SELECT_TEXT_LINES_H

#include "base/error.h"
#include "base/str.h"

typedef struct TextLines
{
    const char *name; /* what messages call the text */
    const char *next;
    const char *end;
    unsigned line; /* number of the last one read, from 1 */
    size_t line_max;
} TextLines;

/* text_lines_new: over len bytes, which stay where they are; a line has at most line_max bytes. */
TextLines text_lines_new(const char *name, const char *text, size_t len, size_t line_max);

/* text_lines_read reads the next line, without its end, into line; *ret_end: there was none. A NUL
 * or a line that is too long: ERR_USAGE. */
bool text_lines_read(TextLines *t, Str *line, bool *ret_end, Error *err) MUST_CHECK;

/* text_lines_fail puts name and line before the message that is set. Returns false. */
bool text_lines_fail(const TextLines *t, Error *err);

/* text_lines_load reads a whole file, or standard input for "-", of at most max bytes below ctx.
 * NULL and ERR_USAGE otherwise. */
char *text_lines_load(void *ctx, const char *path, size_t max, size_t *ret_len, Error *err);

#endif

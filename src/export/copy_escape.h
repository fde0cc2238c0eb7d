/*
 * export/copy_escape.h - how COPY text writes the characters that mean something to it.
 */
#ifndef PGARK_EXPORT_COPY_ESCAPE_H
#define PGARK_EXPORT_COPY_ESCAPE_H

#include "base/str.h"

/* copy_escape appends n bytes of a value as CopyAttributeOutText in the server's copyto.c does. */
void copy_escape(Str *out, const char *text, size_t n);

#endif

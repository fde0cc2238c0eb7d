/*
 * config/ini_text.h - ini files for this folder: libinih with line numbers and lines of any length.
 *
 * Internal to config. inih itself cuts lines at a compiled-in length (200 bytes in most builds)
 * and tells neither the line nor an empty section; the reader that feeds it makes up for both.
 */
#ifndef PGARK_CONFIG_INI_TEXT_H
#define PGARK_CONFIG_INI_TEXT_H

#include "base/error.h"
#include "base/mem.h"

#define INI_TEXT_MAX ((size_t) 1024 * 1024)

/* One "[section]" line (key and value are NULL) or one "key = value" line. Lives for one call. */
typedef struct IniItem
{
    int line;
    const char *section; /* "" before the first one */
    const char *key;
    const char *value;
} IniItem;

typedef bool (*IniTextEach)(void *arg, const IniItem *item, Error *err);

/* ini_text_parse calls each for every item, in order, until one fails. Control characters, a line
 * that is neither section nor key, text behind a section's ']': ERR_USAGE. Every message is
 * prefixed with name and line. */
bool ini_text_parse(const char *text, size_t len, const char *name, IniTextEach each, void *arg,
                    Error *err) MUST_CHECK;

/* ini_text_read reads a regular file (or pipe) of at most INI_TEXT_MAX bytes below ctx; what names
 * the kind of file in messages ("fleet file"). ERR_USAGE; NULL on failure. */
char *ini_text_read(void *ctx, const char *path, const char *what, size_t *ret_len, Error *err);

#endif

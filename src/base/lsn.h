/*
 * base/lsn.h - places in WAL, in the form that PostgreSQL writes them: two hexadecimal numbers of 32 bits
 * with a slash between them, "16/B374D848" (documentation, "pg_lsn Type").
 */
#ifndef PGARK_BASE_LSN_H
#define PGARK_BASE_LSN_H

#include "base/build.h"

/* lsn_format writes lsn into text, which it returns. */
#define LSN_TEXT_LEN 18
char *lsn_format(char text[LSN_TEXT_LEN], uint64_t lsn);

/* lsn_parse reads one, and nothing behind it; false: it is none. */
bool lsn_parse(const char *text, uint64_t *ret_lsn) MUST_CHECK;

#endif

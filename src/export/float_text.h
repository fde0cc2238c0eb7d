/*
 * export/float_text.h - the shortest decimal text that is read back as the same number.
 *
 * Of the decimals strictly between the two points half way to the neighbours, the one with the
 * fewest digits, and of those the nearest: what PostgreSQL 12 and later print (common/d2s.c,
 * f2s.c), and in their form: exponents from 15 (float4: 6) up and below -4 are written with e.
 */
#ifndef PGARK_EXPORT_FLOAT_TEXT_H
#define PGARK_EXPORT_FLOAT_TEXT_H

#include "base/build.h"

#define FLOAT_TEXT_LEN 32

/* bits: the number's IEEE 754 form. Returns buf. */
char *float_text_8(char buf[FLOAT_TEXT_LEN], uint64_t bits);
char *float_text_4(char buf[FLOAT_TEXT_LEN], uint32_t bits);

#endif

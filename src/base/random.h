/*
 * base/random.h - names that nobody can know before.
 */
#ifndef PGARK_BASE_RANDOM_H
#define PGARK_BASE_RANDOM_H

#include "base/error.h"

#define RANDOM_HEX_MAX 32 /* bytes */

/* random_hex writes so many bytes of the system's random numbers as 2 * bytes hexadecimal digits and a zero into ret.
 * bytes: 1 to RANDOM_HEX_MAX. ERR_INTERNAL: none are to be had. */
bool random_hex(char *ret, size_t bytes, Error *err) MUST_CHECK;

#endif

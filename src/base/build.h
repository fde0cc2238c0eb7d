/*
 * base/build.h - compiler attributes and the list of forbidden functions.
 *
 * Included first by every header of base/, and so by every file of the project.
 */
#ifndef PGARK_BASE_BUILD_H
#define PGARK_BASE_BUILD_H

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_CHECK             __attribute__((warn_unused_result))
#define UNUSED                 __attribute__((unused))

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses here. */
/* AUTO(f) T *x = NULL;  calls f(x) on every way out of the scope. */
#define AUTO(fn) __attribute__((cleanup(fn##_auto)))
#define DEFINE_AUTO(T, fn)                                                                         \
    static inline void UNUSED fn##_auto(T **p)                                                     \
    {                                                                                              \
        if (*p != NULL)                                                                            \
            fn(*p);                                                                                \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Unbounded, locale-bound or shell-bound: never in this project. */
#pragma GCC poison strcpy strcat sprintf vsprintf strncpy strncat gets strtok system popen

#endif

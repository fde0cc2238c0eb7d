/*
 * base/str.h - a growing string below a talloc context.
 */
#ifndef PGARK_BASE_STR_H
#define PGARK_BASE_STR_H

#include "base/mem.h"

typedef struct Str
{
    void *ctx;
    char *data; /* always NUL-terminated */
    size_t len;
    size_t capacity;
} Str;

/* str_new returns an empty Str below ctx; str_clear makes it empty again and keeps the room. */
Str *str_new(void *ctx);
void str_clear(Str *s);

/* str_add, str_addn, str_addc, str_addf append. */
void str_add(Str *s, const char *text);
void str_addn(Str *s, const char *text, size_t n);
void str_addc(Str *s, char c);
void str_addf(Str *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* str_addu and str_addi append a decimal number, str_addu with zeros before it up to digits (at most 20).
 * Many times as fast as str_addf. */
void str_addu(Str *s, uint64_t value, int digits);
void str_addi(Str *s, int64_t value);

/* str_format_bytes writes "427.1 MB" (powers of 1024, kB MB GB TB) into buf and returns buf. */
#define STR_BYTES_LEN 24
char *str_format_bytes(char buf[STR_BYTES_LEN], uint64_t bytes);

/* str_format_duration writes "0.42 s", "3.2 s", "4m12s", "2h03m" for ms milliseconds; returns buf.
 */
char *str_format_duration(char buf[STR_BYTES_LEN], int64_t ms);

/* str_equal compares, NULL equal to NULL only. */
bool str_equal(const char *a, const char *b);

/* str_is_name tells whether text is a plain name: 1 to STR_NAME_MAX letters, digits, _ - or . */
#define STR_NAME_MAX 63
bool str_is_name(const char *text);

/* str_hex writes 2*n lower-case hex digits and a NUL into out. */
void str_hex(char *out, const void *data, size_t n);

/* str_hex_digit gives the value of a lower-case hex digit, -1: it is none. */
int str_hex_digit(char c);

/* str_one_line copies text into buf (size bytes) with control characters as spaces and the
 * end cut at a UTF-8 boundary with "..." when it does not fit; returns buf. For messages. */
char *str_one_line(char *buf, size_t size, const char *text);

/* str_print_wrapped prints text in lines of at most STR_LINE_WIDTH, each from column indent on, where the first
 * one already is, and ends the last. A newline in the text begins a paragraph. */
#define STR_LINE_WIDTH 100
void str_print_wrapped(FILE *out, int indent, const char *text);

#endif

/*
 * config/option_refused.h - options of pg_dump and pg_restore that pgark does not take.
 *
 * Internal to config. Who comes from these programs types them; the parser then says by name why
 * there is no such option and what to do instead.
 */
#ifndef PGARK_CONFIG_OPTION_REFUSED_H
#define PGARK_CONFIG_OPTION_REFUSED_H

#include "base/error.h"
#include "config/command_table.h"

typedef struct OptionRefused
{
    const char *name;    /* NULL: only the letter is refused, the name is taken */
    char short_name;     /* 0: none */
    unsigned commands;   /* where they are refused */
    const char *why;     /* behind "... is not taken: ", no final stop */
    const char *instead; /* a sentence */
} OptionRefused;

/* option_refused_at: the i-th, in the order of the man page, NULL behind the last. */
const OptionRefused *option_refused_at(size_t i);

/* option_refused_by_name and _by_short: NULL when the name (or letter) is not refused there. */
const OptionRefused *option_refused_by_name(const char *name, unsigned commands);
const OptionRefused *option_refused_by_short(char c, unsigned commands);

/* option_refused_error: ERR_USAGE with name, letter and reason; returns false. */
bool option_refused_error(const OptionRefused *refused, Error *err);

#endif

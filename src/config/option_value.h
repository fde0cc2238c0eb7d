/*
 * config/option_value.h - one option's text made a value.
 *
 * Internal to config.
 */
#ifndef PGARK_CONFIG_OPTION_VALUE_H
#define PGARK_CONFIG_OPTION_VALUE_H

#include "config/option_table.h"

/* option_value_check judges text by type, range and words and, for numbers and flags, gives the
 * value. The message begins with origin and repeats the text unless the option is secret. */
bool option_value_check(const OptionSpec *spec, const char *origin, const char *text,
                        int64_t *ret_number, Error *err) MUST_CHECK;

#endif

/*
 * compat/cron_say.h - lines of the log that gpcrondump and gpdbrestore have in common.
 */
#ifndef PGARK_COMPAT_CRON_SAY_H
#define PGARK_COMPAT_CRON_SAY_H

#include "base/build.h"

#define CRON_LINE "---------------------------------------------------"

/* cron_say_value: "LABEL      = VALUE", in the columns of a report. */
void cron_say_value(const char *label, const char *value);

/* cron_say_command: a command line as a shell would take it. */
void cron_say_command(const char *what, void *ctx, char *const *argv, size_t count);

#endif

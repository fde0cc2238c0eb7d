/*
 * config/option_rows.h - the declarations of options, by subject.
 *
 * Internal to config; option_table.c makes one table of them, in this order.
 */
#ifndef PGARK_CONFIG_OPTION_ROWS_H
#define PGARK_CONFIG_OPTION_ROWS_H

#include "config/option_table.h"

typedef struct OptionRows
{
    const OptionSpec *rows;
    size_t count;
} OptionRows;

extern const OptionRows option_rows_run;     /* servers, repository, cut, work, output, general */
extern const OptionRows option_rows_content; /* what is done */
extern const OptionRows option_rows_select;  /* which objects */
extern const OptionRows option_rows_definition; /* how definitions are written */
extern const OptionRows option_rows_physical;   /* base backups */
extern const OptionRows option_rows_basebackup; /* base backups without a repository */

#endif

/*
 * compat/gpdbrestore_options.h - gpdbrestore's command line.
 */
#ifndef PGARK_COMPAT_GPDBRESTORE_OPTIONS_H
#define PGARK_COMPAT_GPDBRESTORE_OPTIONS_H

#include "compat/legacy_options.h"

typedef enum RestoreOption
{
    RESTORE_KEY = 1, /* -t */
    RESTORE_DAY,
    RESTORE_DATABASE, /* -s */
    RESTORE_RECREATE,
    RESTORE_GLOBALS,
    RESTORE_TABLE,
    RESTORE_TABLE_FILE,
    RESTORE_SCHEMA,
    RESTORE_TRUNCATE,
    RESTORE_APPEND,
    RESTORE_REDIRECT,
    RESTORE_CHANGE_SCHEMA,
    RESTORE_NO_PLAN,
    RESTORE_NO_ANALYZE,
    RESTORE_METADATA,
    RESTORE_STATS,
    RESTORE_LIST_TABLES,
    RESTORE_LIST_BACKUP,
    RESTORE_DIRECTORY,
    RESTORE_DATA_DIRECTORY,
    RESTORE_PREFIX,
    RESTORE_REPORT_DIRECTORY,
    RESTORE_NO_PROMPT,
    RESTORE_LOG_DIRECTORY,
    RESTORE_VERBOSE,
    RESTORE_QUIET,
} RestoreOption;

extern const LegacyProgram gpdbrestore_program;

/* gpdbrestore_options_check proves what the table cannot say. ERR_USAGE names the options. */
bool gpdbrestore_options_check(const LegacyOptions *o, Error *err) MUST_CHECK;

#endif

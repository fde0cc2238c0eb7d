/*
 * compat/gpcrondump_options.h - gpcrondump's command line.
 */
#ifndef PGARK_COMPAT_GPCRONDUMP_OPTIONS_H
#define PGARK_COMPAT_GPCRONDUMP_OPTIONS_H

#include "compat/legacy_options.h"

typedef enum CronOption
{
    CRON_DATABASE = 1, /* -x */
    CRON_NO_PROMPT,
    CRON_SCHEMA,
    CRON_SCHEMA_FILE,
    CRON_NOT_SCHEMA,
    CRON_NOT_SCHEMA_FILE,
    CRON_TABLE,
    CRON_TABLE_FILE,
    CRON_NOT_TABLE,
    CRON_NOT_TABLE_FILE,
    CRON_DIRECTORY,
    CRON_DATA_DIRECTORY,
    CRON_INCREMENTAL,
    CRON_KEY,
    CRON_LIST_FILES,
    CRON_PREFIX,
    CRON_LIST_FILTER,
    CRON_CLEAR,
    CRON_CLEAR_ONLY,
    CRON_CLEANUP_DATE,
    CRON_CLEANUP_TOTAL,
    CRON_CLEAN,
    CRON_NO_COMPRESSION,
    CRON_FREE_SPACE,
    CRON_NO_SPACE_CHECK,
    CRON_KEEP_PARTIAL,
    CRON_VACUUM_BEFORE,
    CRON_VACUUM_AFTER,
    CRON_CONFIG_FILES,
    CRON_GLOBALS,
    CRON_HISTORY,
    CRON_NO_HISTORY,
    CRON_SCRIPT,
    CRON_ENCODING,
    CRON_INSERTS,
    CRON_COLUMN_INSERTS,
    CRON_NO_OWNER,
    CRON_SESSION_AUTHORIZATION,
    CRON_NO_PRIVILEGES,
    CRON_RSYNCABLE,
    CRON_EMAIL_FILE,
    CRON_DUMP_STATS,
    CRON_LOG_DIRECTORY,
    CRON_VERBOSE,
    CRON_QUIET,
} CronOption;

extern const LegacyProgram gpcrondump_program;

/* gpcrondump_options_check proves what the table cannot say: options that need others, values, several
 * databases. ERR_USAGE names the options. */
bool gpcrondump_options_check(const LegacyOptions *o, Error *err) MUST_CHECK;

/* gpcrondump_databases: the names in -x, or PGDATABASE, below ctx. ERR_USAGE: none, or one twice. */
bool gpcrondump_databases(void *ctx, const LegacyOptions *o, const char *const **ret,
                          size_t *ret_count, Error *err) MUST_CHECK;

#endif

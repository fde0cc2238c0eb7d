/*
 * report/log_files.h - one log file for each run, in a directory that does not grow for ever.
 */
#ifndef PGARK_REPORT_LOG_FILES_H
#define PGARK_REPORT_LOG_FILES_H

#include "base/error.h"

/* log_files_begin removes the log files of this kind in dir that are older than keep_days - by the time in
 * their name - and opens a new one, pgark-COMMAND-YYYYMMDDHHMMSS-PID.log (UTC), for log_to_file(). Other
 * files are left alone; one that cannot be removed is logged as a warning. NULL with err set (ERR_USAGE)
 * when dir is no directory that can be written to. */
FILE *log_files_begin(const char *dir, const char *command, int keep_days, Error *err);

#endif

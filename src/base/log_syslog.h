/*
 * base/log_syslog.h - lines of the log to syslog.
 *
 * Internal to base: apart from log.c, as <syslog.h> has the names of our levels for numbers of its own.
 */
#ifndef PGARK_BASE_LOG_SYSLOG_H
#define PGARK_BASE_LOG_SYSLOG_H

#include "base/build.h"

/* log_syslog_open: user, daemon, local0 to local7; false for another facility. */
bool log_syslog_open(const char *facility) MUST_CHECK;

/* log_syslog_line: severity 0 debug, 1 info, 2 warning, 3 error. Thread-safe. */
void log_syslog_line(int severity, const char *line);

#endif

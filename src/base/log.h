/*
 * base/log.h - what pgark says while it works: on standard error, and where it is asked to.
 *
 * Thread-safe, one write per line. The only global state besides the cancel flag.
 */
#ifndef PGARK_BASE_LOG_H
#define PGARK_BASE_LOG_H

#include "base/error.h"

typedef enum LogLevel
{
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARNING,
    LOG_ERROR,
} LogLevel;

/* log_setup sets the lowest level that is printed and whether a line is a JSON object.
 * To be called once, before any thread is started. */
void log_setup(LogLevel level, bool json);

/* log_to_file and log_to_syslog: lines go there as well, from the level of info on whatever standard
 * error wants, each with its time and the process's id. file stays open; log_to_syslog knows user, daemon
 * and local0 to local7, and returns false for another facility. To be called before any thread is
 * started. A file that cannot be written any more is warned about once. */
void log_to_file(FILE *file);
bool log_to_syslog(const char *facility) MUST_CHECK;

/* log_redirect: lines that would be printed on standard error are given to sink instead, without a level and
 * an end; a hint is a line of its own. Called under the log's lock: sink must not log. To be called
 * before any thread is started. */
typedef void LogSink(void *arg, LogLevel level, const char *line);
void log_redirect(LogSink *sink, void *arg);

/* log_hooks: before/after are called, under the log's lock, around each line, so that a live
 * display can clear and redraw itself. NULL takes them away. */
void log_hooks(void (*before)(void *arg), void (*after)(void *arg), void *arg);

/* log_lock and log_unlock give a display the terminal while no line is being written. */
void log_lock(void);
void log_unlock(void);

void log_message(LogLevel level, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define log_debug(...)   log_message(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)    log_message(LOG_INFO, __VA_ARGS__)
#define log_warning(...) (log_count_warning(), log_message(LOG_WARNING, __VA_ARGS__))

/* log_record writes to file and syslog only: what is of no use to somebody who is watching. */
void log_record(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* log_error_value prints err: "pgark: error: [node: ]message" and "pgark: hint: ..." below it. */
void log_error_value(const Error *err);

/* log_warnings tells how many warnings were logged: a run with warnings ends with exit code 2. */
void log_count_warning(void);
int log_warnings(void);

#endif

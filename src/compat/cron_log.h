/*
 * compat/cron_log.h - the log of gpcrondump and gpdbrestore, in their layout:
 *
 *   20261129:03:00:01:004711 gpcrondump:db0:postgres-[INFO]:-text
 *
 * All that base/log.h is given goes to DIR/PROGRAM_YYYYMMDD.log, and to standard output.
 */
#ifndef PGARK_COMPAT_CRON_LOG_H
#define PGARK_COMPAT_CRON_LOG_H

#include "base/error.h"
#include "base/log.h"

typedef struct CronLogRequest
{
    const char *program;
    const char *args; /* its command line, each word behind a blank: the first line */
    const char *dir;  /* NULL: ~/gpAdminLogs; made where it is missing */
    bool quiet;       /* nothing on standard output */
    bool verbose;     /* debug messages, too */
} CronLogRequest;

typedef struct CronLog CronLog;

/* cron_log_new takes over the log: what is logged is kept until there is a file, as only the options say where that
 * is. Below ctx. */
CronLog *cron_log_new(void *ctx);

/* cron_log_begin opens the file, and writes what was kept. ERR_USAGE: there can be no file. */
bool cron_log_begin(CronLog *log, const CronLogRequest *request, Error *err) MUST_CHECK;

/* cron_log_end gives the log back. */
void cron_log_end(CronLog *log);

/* cron_log_notice is a warning that says nothing against the run: it is not counted. */
void cron_log_notice(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif

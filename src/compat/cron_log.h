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
    const char *dir; /* NULL: ~/gpAdminLogs; made where it is missing */
    bool quiet;      /* nothing on standard output */
    bool verbose;    /* debug messages, too */
} CronLogRequest;

/* cron_log_begin opens the file and takes over the log, until cron_log_end; from then on the log is as it was.
 * ERR_USAGE: there can be no file. */
bool cron_log_begin(void *ctx, const CronLogRequest *request, Error *err) MUST_CHECK;
void cron_log_end(void);

/* cron_log_notice is a warning that says nothing against the run: it is not counted. */
void cron_log_notice(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif

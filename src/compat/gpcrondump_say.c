/* compat/gpcrondump_say.c - what a dump says of itself; see gpcrondump_parts.h. */
#include <time.h>

#include "base/str.h"
#include "compat/cron_say.h"
#include "compat/gpcrondump_parts.h"

void cron_say_configuration(const CronRun *run)
{
    const CronFilter *f = &run->filter;
    log_info("Configuring for %s-database, %s dump",
             run->cron->database_count > 1 ? "multiple" : "single",
             f->schemas.count > 1                      ? "multiple-schema"
             : f->schemas.count > 0                    ? "single-schema"
             : f->not_schemas.count > 0                ? "exclude-schema"
             : f->tables.count > 0                     ? "include-table"
             : f->not_tables.count > 0                 ? "exclude-table"
             : cron_given(run->cron, CRON_INCREMENTAL) ? "incremental"
                                                       : "full");
}

static const char *clock_text(char buf[16], int64_t us)
{
    time_t seconds = (time_t) (us / 1000000);
    struct tm tm;
    localtime_r(&seconds, &tm);
    strftime(buf, 16, "%H:%M:%S", &tm);
    return buf;
}

static const char *vacuum_text(const CronDump *cron)
{
    bool before = cron_given(cron, CRON_VACUUM_BEFORE);
    bool after = cron_given(cron, CRON_VACUUM_AFTER);
    return before && after ? "pre-dump, post-dump"
           : before        ? "pre-dump"
           : after         ? "post-dump"
                           : "Off";
}

void cron_say_report(const CronRun *run, const char *cleared)
{
    static const char *const ends[] = {"Exit code zero, no warnings generated",
                                       "Exit code one, warnings were generated",
                                       "Exit code two, the dump failed"};
    const CronDump *cron = run->cron;
    char text[16];
    log_info("Dump status report");
    log_info(CRON_LINE);
    cron_say_value("Target database", run->database);
    cron_say_value("Dump subdirectory", mem_strndup(run->ctx, run->key, 8));
    cron_say_value("Dump type",
                   cron_given(cron, CRON_INCREMENTAL) ? "Incremental" : "Full database");
    cron_say_value("Clear old dump directories", cleared == NULL ? "Off" : "On");
    if (cleared != NULL)
        cron_say_value("Backup sets deleted", cleared);
    cron_say_value("Dump start time", clock_text(text, run->started_us));
    cron_say_value("Dump end time", clock_text(text, run->finished_us));
    cron_say_value("Status", run->manifest != NULL ? "COMPLETED" : "FAILED");
    cron_say_value("Dump key", run->key);
    cron_say_value("Dump file compression", cron_given(cron, CRON_NO_COMPRESSION) ? "Off" : "On");
    cron_say_value("Vacuum mode type", vacuum_text(cron));
    log_info("%s", ends[run->exit]);
    log_info(CRON_LINE);
}

/* compat/gpcrondump_say.c - what a dump says of itself; see gpcrondump_parts.h. */
#include <time.h>

#include "base/str.h"
#include "compat/gpcrondump_parts.h"

#define LINE "---------------------------------------------------"

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

void cron_say_command(const CronRun *run, char *const *argv, size_t count)
{
    Str *s = str_new(run->ctx);
    for (size_t i = 0; i < count; i++)
    {
        bool quoted = argv[i][0] == '\0' || strpbrk(argv[i], " \t\r\n'\"\\$`*?#&;|<>()") != NULL;
        str_add(s, i > 0 ? " " : "");
        for (const char *c = argv[i]; !quoted && *c != '\0'; c++)
            str_addc(s, *c);
        if (!quoted)
            continue;
        str_addc(s, '\'');
        for (const char *c = argv[i]; *c != '\0'; c++)
            str_add(s, *c == '\'' ? "'\\''" : (char[]){*c, '\0'});
        str_addc(s, '\'');
    }
    char *line = mem_block(run->ctx, s->len + 1);
    log_info("Dump process command line %s", str_one_line(line, s->len + 1, s->data));
}

static const char *clock_text(char buf[16], int64_t us)
{
    time_t seconds = (time_t) (us / 1000000);
    struct tm tm;
    localtime_r(&seconds, &tm);
    strftime(buf, 16, "%H:%M:%S", &tm);
    return buf;
}

static void say(const char *label, const char *value)
{
    log_info("%-41s= %s", label, value);
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
    log_info(LINE);
    say("Target database", run->database);
    say("Dump subdirectory", mem_strndup(run->ctx, run->key, 8));
    say("Dump type", cron_given(cron, CRON_INCREMENTAL) ? "Incremental" : "Full database");
    say("Clear old dump directories", cleared == NULL ? "Off" : "On");
    if (cleared != NULL)
        say("Backup sets deleted", cleared);
    say("Dump start time", clock_text(text, run->started_us));
    say("Dump end time", clock_text(text, run->finished_us));
    say("Status", run->manifest != NULL ? "COMPLETED" : "FAILED");
    say("Dump key", run->key);
    say("Dump file compression", cron_given(cron, CRON_NO_COMPRESSION) ? "Off" : "On");
    say("Vacuum mode type", vacuum_text(cron));
    log_info("%s", ends[run->exit]);
    log_info(LINE);
}

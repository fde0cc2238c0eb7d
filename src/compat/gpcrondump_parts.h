/*
 * compat/gpcrondump_parts.h - what the parts of gpcrondump share.
 *
 *   gpcrondump.c           the run: what is done in which order, and what is said about it
 *   gpcrondump_request.c   its options as those of pgark backup
 *   gpcrondump_say.c       what is said of a dump
 *   gpcrondump_base.c      what an incremental one builds on
 *   gpcrondump_server.c    questions to the database before the dump
 *   gpcrondump_files.c     the files beside a set
 *   gpcrondump_script.c    a script with INSERT commands
 *   gpcrondump_stats.c     statistics of the planner
 *   gpcrondump_states.c    counters of Greenplum's append-only tables
 *   gpcrondump_history.c   public.gpcrondump_history
 *   gpcrondump_mail.c      mail
 *   gpcrondump_clean.c     -c and -o
 */
#ifndef PGARK_COMPAT_GPCRONDUMP_PARTS_H
#define PGARK_COMPAT_GPCRONDUMP_PARTS_H

#include "cli/cli.h"
#include "compat/cron_place.h"
#include "compat/email_file.h"
#include "compat/gpcrondump_options.h"
#include "compat/legacy_names.h"
#include "pg/conn.h"

/* Exit codes. */
#define CRON_DONE     0
#define CRON_WARNINGS 1
#define CRON_FATAL    2
#define CRON_DECLINED 4 /* the question was answered with no */

/* Which objects a dump has. */
typedef struct CronFilter
{
    LegacyNames schemas, not_schemas;
    LegacyNames tables, not_tables;
} CronFilter;

/* One call of the program. */
typedef struct CronDump
{
    void *ctx;
    const LegacyOptions *o;
    Supervisor *supervisor;
    CronPlace place;
    Repo *repo;
    const char *line;        /* the command line */
    const char *prefix;      /* NULL: none */
    const char *file_prefix; /* PREFIX_ or "" */
    CronFilter filter;
    EmailFile *email; /* NULL: none was given */
    const char *script;
    const char *const *databases;
    size_t database_count;
} CronDump;

/* One database of it. */
typedef struct CronRun
{
    const CronDump *cron;
    void *ctx;
    const char *database;
    const char *conninfo;
    const char *host; /* as it was connected to */
    int port;
    bool greenplum;
    bool states; /* the next three are known */
    const char *ao_state, *co_state, *last_operation;
    bool clears;       /* old days go behind it */
    CronFilter filter; /* that of an incremental dump is its base's */
    char key[SET_KEY_LEN];
    int64_t started_us;
    int64_t finished_us;
    const Manifest *manifest; /* NULL: there is no set */
    Error error;              /* then */
    int exit;                 /* CRON_... */
} CronRun;

static inline bool cron_given(const CronDump *cron, CronOption id)
{
    return legacy_options_given(cron->o, id);
}

/* cron_filter_read reads the options and files that choose objects. */
bool cron_filter_read(void *ctx, const LegacyOptions *o, CronFilter *ret, Error *err) MUST_CHECK;
bool cron_filter_is_empty(const CronFilter *filter);

/* gpcrondump_request.c: the arguments of pgark backup for a run, below its ctx, NULL behind the last; what of the
 * options a restore has to know, for the report. */
char **cron_request(const CronRun *run, size_t *ret_count);
char *cron_passed(const CronRun *run);

/* gpcrondump_say.c: lines of the log. cleared: which days were removed, NULL: none were to be. */
void cron_say_configuration(const CronRun *run);
void cron_say_report(const CronRun *run, const char *cleared);

/* gpcrondump_server.c: connects, notes the server in the run, and looks whether what the filter names is there
 * (what is left out and missing is warned about) and whether the encoding is known. */
bool cron_server_look(CronRun *run, Error *err) MUST_CHECK;

/* gpcrondump_states.c: the contents of the files of states. PostgreSQL has no append-only tables, and of Greenplum those of 6
 * can be read. */
bool cron_states_read(CronRun *run, PgConn *conn, Error *err) MUST_CHECK;

/* gpcrondump_files.c. cron_files_filter writes the list of the tables that were asked for, before the dump;
 * cron_files_write all others, when the set is there. cron_files_failed: report and status of a dump that failed.
 * cron_files_filter_of reads the filter of the set that an incremental dump builds on; cron_files_list writes the lists
 * of --list-backup-files. */
bool cron_files_filter(const CronRun *run, Error *err) MUST_CHECK;
bool cron_files_write(const CronRun *run, Error *err) MUST_CHECK;
void cron_files_failed(const CronRun *run);
bool cron_files_filter_of(CronRun *run, const char *key, Error *err) MUST_CHECK;
bool cron_files_list(const CronDump *cron, Error *err) MUST_CHECK;

/* gpcrondump_script.c: with --inserts, a script with the rows as INSERT commands. */
bool cron_script_write(const CronRun *run, Error *err) MUST_CHECK;

/* gpcrondump_stats.c: with --dump-stats, the statistics of the set's tables, as they are now. */
bool cron_stats_write(const CronRun *run, Error *err) MUST_CHECK;

/* gpcrondump_history.c: a row of the run; the exit code of -R into the rows of all. */
bool cron_history_add(const CronRun *run, Error *err) MUST_CHECK;
bool cron_history_script(const CronRun *run, int code, Error *err) MUST_CHECK;

/* gpcrondump_mail.c: tells of the run, where there are addresses. false: that failed, and was warned about. */
bool cron_mail(const CronRun *run);

/* gpcrondump_clean.c: removes days as -c or -o say. *ret_days, below ctx: which, "none" for none. */
bool cron_clean(const CronDump *cron, char **ret_days, Error *err) MUST_CHECK;

/* gpcrondump_base.c: the key of the newest whole dump with the run's database and prefix, which is what an incremental
 * one will build on. ERR_NOT_FOUND. */
bool cron_base_find(const CronRun *run, char ret_key[SET_KEY_LEN], Error *err) MUST_CHECK;

#endif

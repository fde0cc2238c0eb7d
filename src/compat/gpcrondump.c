/* compat/gpcrondump.c - the run; the contract is in gpcrondump.h. */
#include "compat/gpcrondump.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/proc.h"
#include "base/str.h"
#include "compat/cron_log.h"
#include "compat/cron_say.h"
#include "compat/dump_dir.h"
#include "compat/gpcrondump_parts.h"

#define KEY_TRIES 20 /* seconds that others may have taken meanwhile */

/* ---- one database ---- */

static bool choose_key(CronRun *run, Error *err)
{
    const char *given = legacy_options_string(run->cron->o, CRON_KEY);
    char next[SET_KEY_LEN];
    if (!repo_next_key(run->cron->repo, next, err))
        return false;
    memcpy(run->key, given != NULL ? given : next, SET_KEY_LEN);
    return true;
}

/* What is there under that key belongs to another dump: report and status are that dump's. */
static bool not_ours(CronRun *run, const Error *why, Error *err)
{
    run->key[0] = '\0';
    *err = *why;
    return false;
}

/* A dump that is older than another of its day would be taken for what it is not. */
static bool check_key(CronRun *run, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "key");
    RepoSetInfo *sets;
    Error why = ERROR_INIT;
    size_t count;
    if (!cron_given(run->cron, CRON_KEY))
        return true;
    if (!repo_list_sets(run->cron->repo, tmp, &sets, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
    {
        SetRecord set;
        if (strncmp(sets[i].key, run->key, 8) == 0 && strcmp(sets[i].key, run->key) >= 0 &&
            sets[i].finished &&
            manifest_peek(run->cron->repo->storage, tmp, sets[i].dir, &set, NULL) &&
            str_equal(set.prefix, run->cron->prefix))
        {
            error_set(&why, ERR_EXISTS, "%s %s: there is a dump of the same day with the key %s",
                      legacy_options_called(run->cron->o, CRON_KEY), run->key, sets[i].key);
            return not_ours(run, &why, err);
        }
    }
    return true;
}

static bool make_directory(const CronRun *run, Error *err)
{
    const char *dir = cron_place_day(run->ctx, &run->cron->place, run->key);
    struct stat st;
    bool there = stat(dir, &st) == 0;
    if (!there)
        log_info("Directory %s not found, will try to create", dir);
    if (!dump_dir_make(dir, err) || !repo_check_writable(run->cron->repo, err))
        return false;
    if (!there)
        log_info("Created %s", dir);
    log_info("Checked %s on master", run->cron->place.dir);
    return true;
}

static bool find_base(CronRun *run, Error *err)
{
    char key[SET_KEY_LEN];
    if (!cron_given(run->cron, CRON_INCREMENTAL))
        return true;
    if (!cron_base_find(run, key, err) || !cron_files_filter_of(run, key, err))
        return false;
    log_info("The whole dump that this one goes back to is %s", key);
    return true;
}

static void say_steps(const CronRun *run)
{
    const char *name = cron_place_name(run->ctx, run->cron->file_prefix, run->key, "_table");
    cron_say_configuration(run);
    if (cron_given(run->cron, CRON_NO_SPACE_CHECK))
        log_info("Disk space is not looked at");
    else
        log_info("Validating disk space");
    if (run->filter.tables.count > 0)
        log_info("Creating filter file: %s",
                 cron_place_beside(run->ctx, &run->cron->place, run->key, name));
    if (!cron_given(run->cron, CRON_NO_COMPRESSION))
        log_info("Adding compression parameter");
}

/* The files beside a set are named as this program was called; what an environment or a file of pgark says
 * would name the set otherwise. */
static bool check_prefix(const CronRun *run, const Options *o, Error *err)
{
    const char *prefix = options_string(o, OPT_PREFIX);
    return str_equal(prefix, run->cron->prefix) ||
           error_set(
               err, ERR_USAGE,
               "pgark's environment or configuration file names the prefix \"%s\", which has to be "
               "given by %s",
               prefix, legacy_options_called(run->cron->o, CRON_PREFIX));
}

static bool backup(CronRun *run, Error *err)
{
    size_t count;
    OptionsAction action;
    BackupRequest request = {.repo = NULL};
    BackupResult result = {.manifest = NULL};
    char **argv = cron_request(run, &count);
    cron_say_command("Dump process command line", run->ctx, argv, count);
    log_info("Starting Dump process");
    Options *o = options_parse(run->ctx, (int) count, argv, &action, err);
    if (o == NULL || !check_prefix(run, o, err) ||
        !cmd_backup_request(run->ctx, o, &request, err) ||
        !cmd_backup_run(run->ctx, o, &request, run->cron->supervisor, &result, err))
        return false;
    run->manifest = result.manifest;
    return true;
}

/* Whoever else writes sets there may take the key that was free. */
static bool dump(CronRun *run, Error *err)
{
    for (int i = 0;; i++)
    {
        Error why = ERROR_INIT;
        if (!choose_key(run, err) || !check_key(run, err) || !make_directory(run, err))
            return false;
        say_steps(run);
        if (!cron_files_filter(run, err))
            return false;
        if (backup(run, &why))
            return true;
        if (why.code != ERR_EXISTS)
        {
            *err = why;
            return false;
        }
        unlink(cron_place_beside(
            run->ctx, &run->cron->place, run->key,
            cron_place_name(run->ctx, run->cron->file_prefix, run->key, "_table")));
        if (cron_given(run->cron, CRON_KEY) || i == KEY_TRIES)
            return not_ours(run, &why, err);
    }
}

/* The set counts when it can be read as it was written. */
static bool check_set(CronRun *run, Error *err)
{
    const Repo *repo = run->cron->repo;
    if (manifest_read(repo->storage, run->ctx, repo_set_dir(repo, run->ctx, run->key), true, err) ==
        NULL)
        return false;
    log_info("Timestamp key = %s", run->key);
    if (!cron_files_write(run, err) || !cron_script_write(run, err) || !cron_stats_write(run, err))
        return error_prefix(err, "the set is complete, but not the files beside it");
    log_info("Checked master status file and master dump file.");
    return true;
}

static void record(CronRun *run)
{
    Error err = ERROR_INIT;
    if (cron_given(run->cron, CRON_NO_HISTORY))
        return;
    if (cron_history_add(run, &err))
        log_info("Inserted dump record into public.gpcrondump_history in %s database",
                 run->database);
    else
        log_warning("No record in public.gpcrondump_history in %s database: %s", run->database,
                    err.message);
}

static int exit_of(const CronRun *run, int warnings)
{
    return run->manifest == NULL       ? CRON_FATAL
           : log_warnings() > warnings ? CRON_WARNINGS
                                       : CRON_DONE;
}

static void end_run(CronRun *run, int warnings)
{
    char *cleared = NULL;
    Error err = ERROR_INIT;
    run->finished_us = clock_wall_us();
    run->exit = exit_of(run, warnings);
    if (run->key[0] != '\0' && run->host != NULL)
        record(run);
    if (run->clears && run->manifest != NULL && !cron_clean(run->cron, &cleared, &err))
        log_warning("Old dumps could not be removed: %s", err.message);
    run->exit = exit_of(run, warnings);
    cron_say_report(run,
                    cron_given(run->cron, CRON_CLEAR) ? cleared == NULL ? "none" : cleared : NULL);
    if (!cron_mail(run))
        run->exit = exit_of(run, warnings);
}

static void run_database(CronRun *run)
{
    Error *err = &run->error;
    int warnings = log_warnings();
    run->started_us = clock_wall_us();
    bool done = find_base(run, err) && cron_server_look(run, err) && dump(run, err);
    log_info("Dump process returned exit code %d", done ? 0 : 1);
    done = done && check_set(run, err);
    if (!done)
    {
        log_error_value(err);
        run->manifest = NULL;
        if (run->key[0] != '\0')
            cron_files_failed(run);
    }
    end_run(run, warnings);
}

/* ---- around the databases ---- */

/* A program that is not there is no reason to be without a dump. */
static void find_script(CronDump *cron)
{
    const char *script = legacy_options_string(cron->o, CRON_SCRIPT);
    if (script == NULL)
        return;
    if (access(script, X_OK) == 0)
        cron->script = script;
    else
        log_warning("%s: \"%s\" is no program that can be run, and will not be",
                    legacy_options_called(cron->o, CRON_SCRIPT), script);
}

typedef struct Script
{
    const CronDump *cron;
    const char *const *env;
} Script;

static bool log_output(void *arg UNUSED, const void *data, size_t len, Error *err UNUSED)
{
    log_info("%.*s", (int) (len > 0 && ((const char *) data)[len - 1] == '\n' ? len - 1 : len),
             (const char *) data);
    return true;
}

static bool script_work(void *arg, Error *err)
{
    const Script *s = arg;
    Cancel *cancel = supervise_attempt(s->cron->supervisor, err);
    const char *const argv[] = {s->cron->script, NULL};
    const ProcSpec spec = {.argv = argv, .env = s->env, .on_stdout = log_output, .cancel = cancel};
    return cancel != NULL && proc_run(&spec, err);
}

static void run_script(const CronDump *cron, const CronRun *runs)
{
    Error err = ERROR_INIT;
    Str *keys = str_new(cron->ctx);
    if (cron->script == NULL)
        return;
    for (size_t i = 0; i < cron->database_count; i++)
        str_addf(keys, "%s%s", i > 0 ? " " : "", runs[i].manifest == NULL ? "-" : runs[i].key);
    const char *const env[] = {mem_printf(cron->ctx, "PGARK_KEY=%s", keys->data),
                               mem_printf(cron->ctx, "PGARK_REPO=%s", cron->place.repo), NULL};
    Script script = {.cron = cron, .env = env};
    log_info("Starting post-dump program %s", cron->script);
    if (supervise_run(cron->supervisor, script_work, NULL, &script, &err))
    {
        log_info("The post-dump program ended with exit code 0");
        return;
    }
    log_warning("%s: %s", legacy_options_called(cron->o, CRON_SCRIPT), err.message);
    for (size_t i = 0; i < cron->database_count && !cron_given(cron, CRON_NO_HISTORY); i++)
    {
        Error why = ERROR_INIT;
        if (runs[i].manifest != NULL && !cron_history_script(&runs[i], 1, &why))
            log_warning("public.gpcrondump_history does not say so: %s", why.message);
    }
}

static int dump_all(CronDump *cron)
{
    int code = CRON_DONE;
    int warnings = log_warnings();
    CronRun *runs = mem_array(cron->ctx, CronRun, cron->database_count);
    find_script(cron);
    for (size_t i = 0; i < cron->database_count && !supervise_cancelled(cron->supervisor); i++)
    {
        CronRun *run = &runs[i];
        *run = (CronRun){
            .cron = cron, .ctx = cron->ctx, .database = cron->databases[i], .filter = cron->filter};
        run->conninfo = cron_place_conninfo(cron->ctx, &cron->place, run->database);
        /* Once for all databases: each would take another day with it. */
        run->clears = cron_given(cron, CRON_CLEAR) && i + 1 == cron->database_count &&
                      code < CRON_FATAL;
        run_database(run);
        code = run->exit > code ? run->exit : code;
    }
    if (supervise_cancelled(cron->supervisor))
        return CRON_FATAL;
    if (code < CRON_FATAL)
        run_script(cron, runs);
    return code == CRON_DONE && log_warnings() > warnings ? CRON_WARNINGS : code;
}

/* ---- the call ---- */

static bool ask(const CronDump *cron)
{
    char answer[16] = "";
    if (cron_given(cron, CRON_NO_PROMPT))
        return true;
    for (size_t i = 0; i < cron->database_count; i++)
        printf("Database to be dumped: %s\n", cron->databases[i]);
    printf("Directory: %s\nContinue with the dump Yy|Nn (default=N): ", cron->place.repo_dir);
    fflush(stdout);
    if (fgets(answer, (int) sizeof(answer), stdin) == NULL)
        printf("\n");
    answer[strcspn(answer, "\r\n")] = '\0';
    return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}

static bool list_filter(CronDump *cron, Error *err)
{
    CronRun run = {.cron = cron, .ctx = cron->ctx, .database = cron->databases[0]};
    char key[SET_KEY_LEN];
    if (!cron_base_find(&run, key, err) || !cron_files_filter_of(&run, key, err))
        return false;
    const struct
    {
        const char *what;
        const LegacyNames *names;
    } parts[] = {
        {"Tables", &run.filter.tables},
        {"All but these tables", &run.filter.not_tables},
        {"Schemas", &run.filter.schemas},
        {"All but these schemas", &run.filter.not_schemas},
    };
    if (cron_filter_is_empty(&run.filter))
        log_info("Dump %s has no filter: an incremental dump has all tables", key);
    for (size_t i = 0; i < LENGTH_OF(parts); i++)
    {
        if (parts[i].names->count > 0)
            log_info("%s of dump %s:\n%s", parts[i].what, key,
                     legacy_names_lines(cron->ctx, parts[i].names));
    }
    return true;
}

static bool clean_only(const CronDump *cron, Error *err)
{
    char *days = NULL;
    if (!cron_clean(cron, &days, err))
        return false;
    log_info("Removed the dumps of these days: %s", days);
    return true;
}

/* Of the same server in the same directory. */
static bool lock(CronDump *cron, StorageLock **ret_lock, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "lock");
    const char *host = cron->place.host != NULL ? cron->place.host : getenv("PGHOST");
    const char *port = cron->place.port != NULL ? cron->place.port : getenv("PGPORT");
    const char *name = mem_printf(tmp, "gpcrondump %s %s", host == NULL ? "" : host,
                                  port == NULL ? "" : port);
    const char *owner = mem_printf(tmp, "pid %ld", (long) getpid());
    char *holder = NULL;
    if (!storage_lock(cron->repo->storage, tmp,
                      mem_printf(tmp, "locks/%s.lock", repo_escape(tmp, name)), true, owner,
                      ret_lock, &holder, err))
        return false;
    return *ret_lock != NULL ||
           error_set(err, ERR_LOCK, "another gpcrondump of the same server is running (%s)",
                     holder == NULL || holder[0] == '\0' ? "unknown" : holder);
}

static bool prepare(CronDump *cron, Error *err)
{
    const char *email = legacy_options_string(cron->o, CRON_EMAIL_FILE);
    bool clear_only = cron_given(cron, CRON_CLEAR_ONLY);
    cron->prefix = legacy_options_string(cron->o, CRON_PREFIX);
    cron->file_prefix = cron->prefix == NULL ? "" : mem_printf(cron->ctx, "%s_", cron->prefix);
    if ((!clear_only &&
         !gpcrondump_databases(cron->ctx, cron->o, &cron->databases, &cron->database_count, err)) ||
        !cron_filter_read(cron->ctx, cron->o, &cron->filter, err) ||
        !cron_place_find(cron->ctx, legacy_options_string(cron->o, CRON_DIRECTORY),
                         legacy_options_string(cron->o, CRON_DATA_DIRECTORY), &cron->place, err))
        return false;
    if (email != NULL && (cron->email = email_file_read(cron->ctx, email, err)) == NULL)
        return error_prefix(err, "%s", legacy_options_called(cron->o, CRON_EMAIL_FILE));
    if (!dump_dir_make(cron->place.dir, err))
        return false;
    cron->repo = repo_open_or_make_days(cron->ctx, cron->place.repo, err);
    return cron->repo != NULL;
}

static int run_all(CronDump *cron, Error *err)
{
    AUTO(storage_unlock) StorageLock *held = NULL;
    if (!prepare(cron, err))
        return CRON_FATAL;
    if (cron_given(cron, CRON_LIST_FILES))
        return cron_files_list(cron, err) ? CRON_DONE : CRON_FATAL;
    if (cron_given(cron, CRON_LIST_FILTER))
        return list_filter(cron, err) ? CRON_DONE : CRON_FATAL;
    if (!lock(cron, &held, err))
        return CRON_FATAL;
    if (cron_given(cron, CRON_CLEAR_ONLY))
        return !clean_only(cron, err) ? CRON_FATAL : log_warnings() > 0 ? CRON_WARNINGS : CRON_DONE;
    if (!ask(cron))
    {
        log_info("User canceled");
        return CRON_DECLINED;
    }
    return dump_all(cron);
}

static int logged(CronDump *cron, CronLog *log, Error *err)
{
    cron->line = legacy_options_line(cron->o, cron->ctx);
    const CronLogRequest request = {.program = gpcrondump_program.name,
                                    .args = cron->line + strlen(gpcrondump_program.name),
                                    .dir = legacy_options_string(cron->o, CRON_LOG_DIRECTORY),
                                    .quiet = legacy_options_given(cron->o, CRON_QUIET),
                                    .verbose = legacy_options_given(cron->o, CRON_VERBOSE)};
    if (!gpcrondump_options_check(cron->o, err) || !cron_log_begin(log, &request, err))
        return CRON_FATAL;
    int code = run_all(cron, err);
    if (error_is_set(err))
        log_error_value(err);
    error_clear(err);
    return code;
}

int gpcrondump(void *ctx, int argc, char **argv, Supervisor *supervisor, Error *err)
{
    CronDump cron = {.ctx = ctx, .supervisor = supervisor};
    bool done = false;
    if (argc == 2 && strcmp(argv[1], "-v") == 0)
    {
        printf("%s (pgark) %s\n", gpcrondump_program.name, PGARK_VERSION);
        return CRON_DONE;
    }
    CronLog *log = cron_log_new(ctx);
    cron.o = legacy_options_parse(ctx, &gpcrondump_program, argc, argv, &done, err);
    int code = cron.o == NULL ? CRON_FATAL : CRON_DONE;
    if (cron.o != NULL && !done)
        code = logged(&cron, log, err);
    cron_log_end(log);
    return code;
}

/* compat/gpdbrestore.c - the run; the contract is in gpdbrestore.h. */
#include "compat/gpdbrestore.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/restore_report.h"
#include "compat/cron_log.h"
#include "compat/cron_say.h"
#include "compat/dump_dir.h"
#include "compat/dump_report.h"
#include "compat/gpdbrestore_parts.h"
#include "fleet/restore_run.h"
#include "pg/query.h"
#include "restore/globals.h"

#define MAINTENANCE "postgres"

/* ---- the target ---- */

static bool only(const DbRestore *r, RestoreOption id)
{
    return str_equal(legacy_options_string(r->o, id), "only");
}

static PgConn *open_maintenance(const DbRestore *r, const char *database, Error *err)
{
    const PgConnSpec spec = {.conninfo = cron_place_conninfo(r->ctx, &r->place, database)};
    return pg_conn_open(&spec, NULL, "gpdbrestore", NULL, err);
}

static bool find_target(DbRestore *r, Error *err)
{
    const char *redirect = legacy_options_string(r->o, RESTORE_REDIRECT);
    r->target = redirect != NULL ? redirect : r->source;
    const char *params[] = {r->target};
    AUTO(pg_conn_close) PgConn *conn = open_maintenance(r, MAINTENANCE, err);
    if (conn == NULL)
        return false;
    AUTO(PQclear)
    PGresult *res = pg_query(
        conn, "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1)", 1, params,
        err);
    if (res == NULL)
        return false;
    r->there = pg_cell_bool(res, 0, 0);
    if (!restore_stats_check(r, conn, err))
        return false;
    if (r->there || only(r, RESTORE_GLOBALS))
        return true;
    if (!only(r, RESTORE_STATS) && (redirect != NULL || restore_given(r, RESTORE_RECREATE)))
        return true;
    error_set(err, ERR_NOT_FOUND, "there is no database \"%s\" to restore into", r->target);
    return only(r, RESTORE_STATS) ? false : error_hint(err, "-e makes it.");
}

static bool check_schema(const DbRestore *r, Error *err)
{
    const char *schema = legacy_options_string(r->o, RESTORE_CHANGE_SCHEMA);
    const char *params[] = {schema};
    if (schema == NULL || !r->there || restore_given(r, RESTORE_RECREATE))
        return true;
    AUTO(pg_conn_close) PgConn *conn = open_maintenance(r, r->target, err);
    if (conn == NULL)
        return false;
    AUTO(PQclear)
    PGresult *res = pg_query(
        conn, "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1)", 1, params,
        err);
    return res != NULL &&
           (pg_cell_bool(res, 0, 0) ||
            error_set(err, ERR_NOT_FOUND, "%s: database \"%s\" has no schema \"%s\"",
                      legacy_options_called(r->o, RESTORE_CHANGE_SCHEMA), r->target, schema));
}

/* ---- what is said and left ---- */

static void say_parameters(const DbRestore *r)
{
    const SetRecord *set = &r->manifest->set;
    log_info("Greenplum database restore parameters");
    log_info(CRON_LINE);
    cron_say_value("Restore type", set->base[0] != '\0' ? "Incremental Restore" : "Full Restore");
    cron_say_value("Database name", r->source);
    if (restore_given(r, RESTORE_REDIRECT))
        cron_say_value("Redirected to", r->target);
    cron_say_value("Restore timestamp", r->key);
    cron_say_value("Restore directory", r->place.repo_dir);
    cron_say_value("Drop and recreate database", restore_given(r, RESTORE_RECREATE) ? "On" : "Off");
    cron_say_value("Filtered restore", r->tables.count + r->schemas.count > 0 ? "On" : "Off");
    cron_say_value("Truncate tables", restore_given(r, RESTORE_TRUNCATE) ? "On" : "Off");
    cron_say_value("Restore global objects", restore_given(r, RESTORE_GLOBALS) ? "On" : "Off");
    log_info(CRON_LINE);
}

static const char *report_dir(const DbRestore *r)
{
    const char *dir = legacy_options_string(r->o, RESTORE_REPORT_DIRECTORY);
    return dir != NULL ? dir : cron_place_day(r->ctx, &r->place, r->key);
}

static bool check_report_dir(const DbRestore *r, Error *err)
{
    const char *dir = legacy_options_string(r->o, RESTORE_REPORT_DIRECTORY);
    return dir == NULL || access(dir, W_OK | X_OK) == 0 ||
           error_errno(err, ERR_USAGE, "%s: cannot write into \"%s\"",
                       legacy_options_called(r->o, RESTORE_REPORT_DIRECTORY), dir);
}

static const char *rows_line(const DbRestore *r, const RestoreResult *result)
{
    char bytes[STR_BYTES_LEN];
    uint64_t rows = 0;
    uint64_t logical = 0;
    for (size_t i = 0; i < result->node_count; i++)
    {
        rows += result->nodes[i].rows;
        logical += result->nodes[i].logical;
    }
    return mem_printf(r->ctx, "%" PRIu64 " rows, %s", rows, str_format_bytes(bytes, logical));
}

/* Where nothing can be written, as in a copy that is read only, that is no failure of the restore. */
static void write_report(const DbRestore *r, const RestoreResult *result, const Error *failure)
{
    Error err = ERROR_INIT;
    const char *set_prefix = r->manifest->set.prefix;
    const char *prefix = set_prefix == NULL ? "" : mem_printf(r->ctx, "%s_", set_prefix);
    const char *dir = report_dir(r);
    const char *lines[] = {mem_printf(r->ctx, "dump %s of database %s", r->key, r->source),
                           mem_printf(r->ctx, "into database %s", r->target), rows_line(r, result)};
    Str *s = str_new(r->ctx);
    str_addf(s, "Greenplum Database Restore Report\nTimestamp Key: %s\n", r->key);
    str_addf(s, "gpdbrestore Command Line: %s\nCompression Program: %s\n\nIndividual Results\n",
             r->line, compress_name(r->manifest->set.compress.method));
    str_addf(s, "\tRestore of database \"%s\" from %s/%s: %s%s%s\n\n", r->target, r->place.repo_dir,
             r->set_dir, failure == NULL ? "Succeeded" : "Failed {",
             failure == NULL ? "" : failure->message, failure == NULL ? "" : "}");
    str_addf(s, "gpdbrestore finished %s.\n",
             failure == NULL ? "successfully" : "unsuccessfully with 1 failures");
    if (dump_file_write(dir, dump_report_name(r->ctx, true, prefix, r->key), s->data, &err) &&
        dump_file_write(dir, dump_name(r->ctx, DUMP_RESTORE_STATUS, prefix, -1, 1, r->key),
                        dump_status_text(r->ctx, gpdbrestore_program.name, lines,
                                         failure == NULL ? LENGTH_OF(lines) : 2, failure),
                        &err))
        log_info("Report and status file are in %s", dir);
    else if (restore_given(r, RESTORE_REPORT_DIRECTORY))
        log_warning("%s", err.message);
    else
        log_info("No report of the restore: %s", err.message);
}

/* ---- the restore ---- */

static bool restore_globals_only(const DbRestore *r, Error *err)
{
    const NodeRecord *node = &r->manifest->nodes[0];
    Globals *globals = globals_read(r->ctx, r->repo->storage, r->set_dir, node,
                                    r->manifest->set.compress.method, err);
    AUTO(pg_conn_close)
    PgConn *conn = globals == NULL ? NULL : open_maintenance(r, MAINTENANCE, err);
    if (conn == NULL || !globals_create(globals, conn, err))
        return false;
    log_info("Restored roles and tablespaces");
    return true;
}

static bool run_engine(DbRestore *r, RestoreResult *result, Error *err)
{
    size_t count;
    OptionsAction action;
    RestoreRequest request;
    char **argv = restore_arguments(r, &count);
    cron_say_command("Restore process command line", r->ctx, argv, count);
    Options *o = options_parse(r->ctx, (int) count, argv, &action, err);
    if (o == NULL || !cmd_restore_request(r->ctx, o, &request, err) ||
        !restore_run(r->ctx, &request, r->supervisor, PROGRESS_NONE, result, err))
        return false;
    for (size_t i = 0; i < result->node_count; i++)
    {
        json_t *node = restore_report_node(&result->nodes[i]);
        restore_report_warn(node);
        json_decref(node);
    }
    return true;
}

static bool restore(DbRestore *r, Error *err)
{
    RestoreResult result = {.manifest = NULL};
    if (only(r, RESTORE_GLOBALS))
        return restore_globals_only(r, err);
    if (only(r, RESTORE_STATS))
        return restore_stats(r, err);
    bool ok = run_engine(r, &result, err) &&
              (!restore_given(r, RESTORE_STATS) || restore_stats(r, err));
    /* The engine's command has that option, and this one not. */
    if (!ok && strstr(err->hint, "--resume") != NULL)
        snprintf(err->hint, sizeof(err->hint),
                 "The restore is not complete: the pgark command above, with --resume, goes on.");
    write_report(r, &result, ok ? NULL : err);
    if (ok)
        log_info("Restored %s", rows_line(r, &result));
    return ok;
}

static bool ask(const DbRestore *r)
{
    char answer[16] = "";
    if (restore_given(r, RESTORE_NO_PROMPT))
        return true;
    printf("Continue with the restore Yy|Nn (default=N): ");
    fflush(stdout);
    if (fgets(answer, (int) sizeof(answer), stdin) == NULL)
        printf("\n");
    answer[strcspn(answer, "\r\n")] = '\0';
    return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}

static bool open_place(DbRestore *r, Error *err)
{
    r->prefix = legacy_options_string(r->o, RESTORE_PREFIX);
    if (!cron_place_find(r->ctx, legacy_options_string(r->o, RESTORE_DIRECTORY),
                         legacy_options_string(r->o, RESTORE_DATA_DIRECTORY), &r->place, err))
        return false;
    r->repo = repo_open(r->ctx, r->place.repo, err);
    return r->repo != NULL;
}

static int run_all(DbRestore *r, Error *err)
{
    if (!open_place(r, err) || !restore_filter(r, err) || !check_report_dir(r, err) ||
        !restore_source(r, err))
        return RESTORE_FATAL;
    if (restore_given(r, RESTORE_LIST_TABLES))
    {
        restore_list_tables(r);
        return RESTORE_DONE;
    }
    if (restore_given(r, RESTORE_LIST_BACKUP))
        return restore_list_backup(r, err) ? RESTORE_DONE : RESTORE_FATAL;
    if (!find_target(r, err) || !check_schema(r, err))
        return RESTORE_FATAL;
    say_parameters(r);
    if (!ask(r))
    {
        log_info("User canceled");
        return RESTORE_DECLINED;
    }
    if (!restore(r, err))
        return RESTORE_FATAL;
    return log_warnings() > 0 ? RESTORE_WARNINGS : RESTORE_DONE;
}

static int logged(DbRestore *r, CronLog *log, Error *err)
{
    r->line = legacy_options_line(r->o, r->ctx);
    const CronLogRequest request = {.program = gpdbrestore_program.name,
                                    .args = r->line + strlen(gpdbrestore_program.name),
                                    .dir = legacy_options_string(r->o, RESTORE_LOG_DIRECTORY),
                                    .quiet = legacy_options_given(r->o, RESTORE_QUIET),
                                    .verbose = legacy_options_given(r->o, RESTORE_VERBOSE)};
    if (!gpdbrestore_options_check(r->o, err) || !cron_log_begin(log, &request, err))
        return RESTORE_FATAL;
    int code = run_all(r, err);
    storage_unlock(r->lock);
    if (error_is_set(err))
        log_error_value(err);
    error_clear(err);
    return code;
}

int gpdbrestore(void *ctx, int argc, char **argv, Supervisor *supervisor, Error *err)
{
    DbRestore r = {.ctx = ctx, .supervisor = supervisor};
    bool done = false;
    if (argc == 2 && strcmp(argv[1], "-v") == 0)
    {
        printf("%s (pgark) %s\n", gpdbrestore_program.name, PGARK_VERSION);
        return RESTORE_DONE;
    }
    CronLog *log = cron_log_new(ctx);
    r.o = legacy_options_parse(ctx, &gpdbrestore_program, argc, argv, &done, err);
    int code = r.o == NULL ? RESTORE_FATAL : RESTORE_DONE;
    if (r.o != NULL && !done)
        code = logged(&r, log, err);
    cron_log_end(log);
    return code;
}

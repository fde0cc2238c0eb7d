/* cli/backup_end.c - what the end of a backup sets off; the contract is in backup_end.h. */
#include "cli/backup_end.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/backup_mail.h"
#include "cli/hook.h"
#include "report/history.h"
#include "report/metrics.h"

struct BackupEnd
{
    const Options *o;
    const Fleet *fleet;
    /* Of the first node, as it was named: of a server whose every database is taken, the one to connect
     * to. */
    PgConnSpec first;
    BackupMail *mail; /* NULL: none */
    Hook *before;     /* NULL: none */
    Hook *after;
    Hook *on_failure;
    RunOutcome outcome;
};

static bool take_hook(BackupEnd *end, const Options *o, OptionId id, Hook **ret, Error *err)
{
    const char *text = options_string(o, id);
    *ret = text == NULL ? NULL : hook_parse(end, options_name(id), text, err);
    return text == NULL || *ret != NULL;
}

/* Known before anything is connected to, so that it is the same whether that works or not. */
static const char *fleet_name(void *ctx, const Fleet *fleet)
{
    const PgConnSpec *first = &fleet->nodes[0].spec;
    const char *database = pg_conn_spec_database(ctx, first);
    if (fleet->name != NULL)
        return fleet->name;
    return database[0] != '\0' ? database : pg_conn_default_database(ctx, first);
}

BackupEnd *backup_end_prepare(void *ctx, const Options *o, const Fleet *fleet, Error *err)
{
    const char *metrics = options_string(o, OPT_METRICS_FILE);
    BackupEnd *end = mem_new(ctx, BackupEnd);
    if ((metrics != NULL && !metrics_check(metrics, err)) ||
        !backup_mail_prepare(end, o, &end->mail, err) ||
        !take_hook(end, o, OPT_BEFORE, &end->before, err) ||
        !take_hook(end, o, OPT_AFTER, &end->after, err) ||
        !take_hook(end, o, OPT_ON_FAILURE, &end->on_failure, err))
        return NULL;
    end->o = o;
    end->fleet = fleet;
    end->first = fleet->nodes[0].spec;
    end->outcome = (RunOutcome){.name = fleet_name(end, fleet),
                                .prefix = options_string(o, OPT_PREFIX),
                                .repo = options_string(o, OPT_REPO),
                                .asked = options_describe(o, end),
                                .started_us = clock_wall_us()};
    return end;
}

typedef struct HookRun
{
    const BackupEnd *end;
    const Hook *hook;
    bool ended;
    Supervisor *supervisor;
} HookRun;

static bool hook_work(void *arg, Error *err)
{
    const HookRun *run = arg;
    Cancel *cancel = supervise_attempt(run->supervisor, err);
    return cancel != NULL && hook_run(run->hook, &run->end->outcome, run->ended,
                                      options_int(run->end->o, OPT_HOOK_TIMEOUT), cancel, err);
}

bool backup_end_before(BackupEnd *end, Supervisor *supervisor, Error *err)
{
    HookRun run = {.end = end, .hook = end->before, .supervisor = supervisor};
    return end->before == NULL || supervise_run(supervisor, hook_work, NULL, &run, err);
}

/* Those of what is done in the end are the run's, too. */
static void count_warnings(RunOutcome *o)
{
    o->warnings = log_warnings();
    if (o->end == RUN_DONE)
        o->end = RUN_WARNINGS;
}

/* Under a supervisor of its own: what cancelled the backup does not cancel this, but what comes now does. */
static void run_hook(BackupEnd *end)
{
    RunOutcome *o = &end->outcome;
    Error err = ERROR_INIT;
    HookRun run = {.end = end,
                   .hook = run_has_set(o) ? end->after : end->on_failure,
                   .ended = true,
                   .supervisor = supervise_new(end)};
    if (run.hook == NULL || supervise_run(run.supervisor, hook_work, NULL, &run, &err))
        return;
    if (err.code == ERR_CANCELLED)
        error_prefix(&err, "--%s", run.hook->name);
    log_warning("%s", err.message);
    count_warnings(o);
}

static void send_mail(BackupEnd *end)
{
    RunOutcome *o = &end->outcome;
    Error err = ERROR_INIT;
    if (!backup_mail_wanted(end->mail, o->end) || backup_mail_send(end->mail, o, &err))
        return;
    log_warning("%s", err.message);
    count_warnings(o);
}

/* The cause, and those that it stopped. */
static RunEnd failed_node_end(const Error *err, const char *label)
{
    if (err->code == ERR_CANCELLED)
        return RUN_CANCELLED;
    return err->node[0] == '\0' || label == NULL || strcmp(err->node, label) == 0 ? RUN_FAILED
                                                                                  : RUN_CANCELLED;
}

static void fill_nodes(BackupEnd *end, const BackupResult *result)
{
    RunOutcome *o = &end->outcome;
    const Fleet *fleet = end->fleet;
    o->node_count = fleet->node_count;
    o->nodes = mem_array(end, RunNode, o->node_count);
    for (size_t i = 0; i < o->node_count; i++)
    {
        const BackupNode *node = i < result->node_count ? &result->nodes[i] : NULL;
        RunNode *n = &o->nodes[i];
        n->content = fleet->nodes[i].content;
        n->database = pg_conn_spec_database(end, &fleet->nodes[i].spec);
        n->end = o->error == NULL ? o->end
                                  : failed_node_end(o->error, node == NULL ? NULL : node->label);
        if (o->manifest == NULL || node == NULL)
            continue;
        n->database = o->manifest->nodes[i].database;
        n->rows = node->rows;
        n->stored = node->stored;
    }
}

static bool add_to_repository(const BackupEnd *end, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "history");
    Repo *repo = repo_open(ctx, end->outcome.repo, err);
    return repo != NULL && history_to_repository(repo, &end->outcome, err);
}

static void write_history(const BackupEnd *end)
{
    Error err = ERROR_INIT;
    if (cli_list_has(end->o, OPT_HISTORY, "repository") && !add_to_repository(end, &err))
        log_warning("no line in the history of the repository: %s", err.message);
    error_clear(&err);
    if (cli_list_has(end->o, OPT_HISTORY, "database") &&
        !history_to_database(&end->first, &end->outcome, &err))
        log_warning("no row in pgark.history: %s", err.message);
}

static void write_metrics(const BackupEnd *end)
{
    Error err = ERROR_INIT;
    const char *path = options_string(end->o, OPT_METRICS_FILE);
    if (path != NULL && !metrics_write(path, &end->outcome, &err))
        log_warning("no metrics: %s", err.message);
}

static void record(const RunOutcome *o)
{
    char stored[STR_BYTES_LEN];
    char duration[STR_BYTES_LEN];
    str_format_duration(duration, (o->finished_us - o->started_us) / 1000);
    if (o->manifest == NULL)
        log_record("backup of %s %s after %s", o->name, run_end_word(o->end), duration);
    else
        log_record("backup of %s done after %s: set %s in %s, %" PRIu64 " tables, %" PRIu64
                   " rows, %s stored",
                   o->name, duration, o->manifest->set.key, o->repo, o->manifest->totals.tables,
                   o->manifest->totals.rows, str_format_bytes(stored, o->manifest->totals.stored));
}

void backup_end(BackupEnd *end, const BackupResult *result, const Error *err)
{
    RunOutcome *o = &end->outcome;
    o->finished_us = clock_wall_us();
    o->warnings = log_warnings();
    o->manifest = result->manifest;
    o->error = o->manifest == NULL ? err : NULL;
    o->end = o->manifest != NULL          ? o->warnings > 0 ? RUN_WARNINGS : RUN_DONE
             : err->code == ERR_CANCELLED ? RUN_CANCELLED
                                          : RUN_FAILED;
    fill_nodes(end, result);
    record(o);
    run_hook(end);
    send_mail(end);
    write_history(end);
    write_metrics(end);
}

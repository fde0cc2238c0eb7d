/* compat/gpcrondump_script.c - the script of --inserts; see gpcrondump_parts.h. */
#include "compat/dump_names.h"
#include "compat/gpcrondump_parts.h"
#include "export/export.h"

typedef struct Script
{
    const CronRun *run;
    ExportRequest request;
} Script;

static bool write_script(void *arg, Error *err)
{
    const Script *s = arg;
    const CronDump *cron = s->run->cron;
    ExportResult result;
    Cancel *cancel = supervise_attempt(cron->supervisor, err);
    return cancel != NULL &&
           export_set(cron->repo, repo_set_dir(cron->repo, s->run->ctx, s->run->key), &s->request,
                      cancel, &result, err);
}

bool cron_script_write(const CronRun *run, Error *err)
{
    const CronDump *cron = run->cron;
    bool plain = cron_given(cron, CRON_NO_COMPRESSION);
    const char *name = dump_name(run->ctx, DUMP_SCRIPT, cron->file_prefix, -1, 1, run->key);
    if (!cron_given(cron, CRON_INSERTS) && !cron_given(cron, CRON_COLUMN_INSERTS))
        return true;
    if (!plain)
        name = mem_printf(run->ctx, "%s%s", name, DUMP_GZIP_SUFFIX);
    Script script = {
        .run = run,
        .request = {.format = EXPORT_PLAIN,
                    .file = cron_place_beside(run->ctx, &cron->place, run->key, name),
                    .content = EXPORT_ANY_CONTENT,
                    .jobs = 1,
                    .selection = selection_new(run->ctx),
                    .rows = ROWS_INSERTS,
                    .rows_per_insert = 1,
                    .clean = cron_given(cron, CRON_CLEAN),
                    .if_exists = cron_given(cron, CRON_CLEAN),
                    .no_owner = cron_given(cron, CRON_NO_OWNER),
                    .session_authorization = cron_given(cron, CRON_SESSION_AUTHORIZATION)}};
    if (!compress_parse(plain ? "none" : "gzip", &script.request.compress, err) ||
        !supervise_run(cron->supervisor, write_script, NULL, &script, err))
        return error_prefix(err, "script of %s", legacy_options_called(cron->o, CRON_INSERTS));
    log_info("Wrote the script %s", script.request.file);
    return true;
}

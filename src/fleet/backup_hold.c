/* fleet/backup_hold.c - a backup's keeper; the contract is in backup_run_parts.h.
 *
 * What is left for another run, and what not: a run that is killed leaves all, as it cannot choose.
 * One that fails leaves it where nothing but another try is needed (resume_helps). One that its user
 * ends leaves nothing, nor does one whose request or catalogue was at fault.
 */
#include "base/log.h"
#include "base/str.h"
#include "fleet/backup_run_parts.h"
#include "fleet/resume.h"

/* Without a keeper the run is as good as any; only its death is dearer. */
void backup_hold_start(BackupRun *run)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "keeper");
    Error why = ERROR_INIT;
    HoldFile *file = mem_new(tmp, HoldFile);
    HoldRecord *hold = &file->hold;
    memcpy(hold->key, run->set->key, SET_KEY_LEN);
    hold->fleet = mem_strdup(file, backup_publish_fleet(run, file));
    hold->time_ms = run->request->hold_ms;
    hold->started_us = run->started_us;
    resume_describe(run->request, file, &hold->request, &hold->request_count);
    if (run->base != NULL)
        resume_note_base(file, run->base->key, &hold->request, &hold->request_count);
    file->cut = run->cut;
    const KeeperJob job = {.repo = run->repo,
                           .set = run->set,
                           .nodes = run->nodes,
                           .count = run->count,
                           .cancel = run->cancel,
                           .file = file};
    run->keeper = keeper_start(&job, &why);
    if (run->keeper == NULL && why.code != ERR_CANCELLED)
        log_warning("the snapshots are not held, this run cannot be resumed should it die: %s",
                    why.message);
}

/* Whether somebody may go on with the set of an attempt that failed so, and can: the snapshots live. */
static bool leave_to_others(BackupRun *run, const Error *failure)
{
    char time[STR_BYTES_LEN];
    if (run->left != NULL && !run->adopted)
        return true; /* nothing was touched */
    bool helps = resume_helps(failure, run->left != NULL) && !supervise_cancelled(run->supervisor);
    if (!helps || (run->keeper == NULL && run->left == NULL))
        return false;
    bool held = run->keeper != NULL ? keeper_keep(run->keeper)
                                    : hold_is_alive(run->repo, run->set->dir);
    run->keeper = NULL;
    const HoldFile *left = run->left;
    int64_t time_ms = run->request->hold_ms;
    if (time_ms == 0 && left != NULL)
        time_ms = left->hold.time_ms;
    if (held)
        log_message(LOG_WARNING,
                    "what is stored of set %s stays, with its snapshots, for %s: "
                    "\"pgark backup --resume --key=%s\" goes on with it",
                    run->set->key, str_format_duration(time, time_ms), run->set->key);
    return held;
}

/* Nobody is to go on with the set. */
static void end_keepers(BackupRun *run)
{
    Error why = ERROR_INIT;
    keeper_end(run->keeper);
    run->keeper = NULL;
    if (run->left != NULL && run->adopted && !keeper_stop(run->repo, run->set->dir, &why))
        log_warning("set %s: %s", run->set->key, why.message);
}

bool backup_hold_end(BackupRun *run, const Error *failure)
{
    if (!run->set->committed && leave_to_others(run, failure))
        return true;
    end_keepers(run);
    return false;
}

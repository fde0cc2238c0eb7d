/* fleet/backup_base.c - what an incremental backup is compared with; the contract is in
 * backup_run_parts.h. */
#include "base/log.h"
#include "fleet/backup_run_parts.h"
#include "fleet/resume.h"

/* Newer than all there are: the key of a dry run's set. */
#define KEY_NONE "99999999999999"

static void give_to_nodes(BackupRun *run)
{
    for (size_t i = 0; i < run->count; i++)
        run->nodes[i].base = run->base;
}

/* Chunks that the dead run referred to are in its base, and nowhere else: any other one would do for
 * the rest, but not for them. Without it they are copied again. */
static void open_former(BackupRun *run, const SetRecord *own)
{
    const char *from = resume_base(run->left);
    Error why = ERROR_INIT;
    if (from == NULL || base_open(run->repo, run->ctx, own, from, &run->base, &why))
        return;
    log_warning("the rest of set %s is stored in full: %s", own->key, why.message);
}

/* The newest set need not be one of the servers as they are now: then this one is whole, unless that very set was
 * asked for. */
static bool physical_fits(BackupRun *run, Error *err)
{
    Error why = ERROR_INIT;
    if (run->base == NULL || backup_physical_fits(run, run->base->manifest, &why))
        return true;
    if (run->request->base_required)
    {
        error_set(err, ERR_USAGE, "--incremental-from: set %s %s", run->base->key, why.message);
        return false;
    }
    log_info("set %s %s", run->base->key, why.message);
    base_close(run->base);
    run->base = NULL;
    return true;
}

static bool open_new(BackupRun *run, const SetRecord *own, Error *err)
{
    const BackupRequest *request = run->request;
    if (!base_open(run->repo, run->ctx, own, request->base, &run->base, err) ||
        (request->physical != NULL && !physical_fits(run, err)))
        return false;
    if (run->base != NULL && request->physical != NULL)
        log_info("what has not changed since set %s is left out", run->base->key);
    else if (run->base != NULL)
        log_info("what set %s has unchanged is referred to there", run->base->key);
    else if (request->base_required)
    {
        error_set(err, ERR_NOT_FOUND, "there is no set that this one could be built on");
        return error_hint(err, "Take a full backup first, with the same options.");
    }
    else
        log_info("there is no set that this one could be built on: it will be a full one");
    return true;
}

bool backup_base_open(BackupRun *run, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "base");
    const Selection *selection = run->request->selection;
    SetRecord own;
    if (!run->request->incremental || run->repo == NULL || (selection->sections & SELECT_DATA) == 0)
        return true;
    backup_publish_set(run, tmp, &own);
    if (own.key[0] == '\0')
        memcpy(own.key, KEY_NONE, SET_KEY_LEN);
    if (run->left != NULL)
        open_former(run, &own);
    else if (!open_new(run, &own, err))
        return false;
    if (run->base != NULL)
        memcpy(run->result->base, run->base->key, SET_KEY_LEN);
    give_to_nodes(run);
    return true;
}

void backup_base_close(BackupRun *run)
{
    base_close(run->base);
    run->base = NULL;
    give_to_nodes(run);
}

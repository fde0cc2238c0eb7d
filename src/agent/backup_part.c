/*
 * agent/backup_part.c - the data phase of one node, on its own host (agent_backup in part.h).
 *
 * Why the rows are those of the cut. The coordinator's holder has had ACCESS SHARE on every table from
 * before the snapshot, its scout exports the snapshot that was proven, and both stay until this agent has
 * said that it works. The agent takes over exactly as a run does that goes on with a dead one's set
 * (head of backup/adopt.c): it imports the snapshot, locks the tables, and then sees that the very
 * transaction that had the locks is still there. From then on its own locks keep the tables. So the
 * fleet is as consistent as without agents: which snapshots are taken together, and why they show one
 * instant, is the coordinator's part in both cases.
 */
#include "agent/part.h"
#include "agent/records.h"
#include "backup/config_files.h"
#include "base/str.h"
#include "repo/part.h"

/* A lock that is not to be had at once is one that somebody queues for a stronger one before: he waits
 * for the coordinator, which waits for us. */
#define LOCK_WAIT_MS 2000

typedef struct Part
{
    AgentProcess *p;
    AgentBackupJob job;
    BackupRequest request;
    BackupNode node;
    Repo *repo;
    RepoSet *set; /* NULL: the coordinator's own is written into */
    const char *dir;
} Part;

/* ---- where ---- */

static bool open_place(Part *part, Error *err)
{
    const AgentProcess *p = part->p;
    part->repo = repo_open_at(p->ctx, p->job.repo, p->job.content, true, err);
    if (part->repo == NULL)
        return error_prefix(err, "on the host of the agent");
    part->dir = repo_set_dir(part->repo, p->ctx, p->order.key);
    if (str_equal(part->repo->id, part->job.home))
        return true;
    part->set = repo_set_begin(part->repo, p->ctx, part->job.fleet, p->order.key, err);
    if (part->set != NULL)
        return part_mark(part->repo, part->dir, part->job.home, err);
    if (err->code == ERR_LOCK || err->code == ERR_EXISTS)
        snprintf(err->hint, sizeof(err->hint),
                 "Nodes that share a host need repositories of their own: put %%c into --repo.");
    return false;
}

/* ---- what came of it ---- */

static bool make_result(Part *part, json_t **ret, Error *err)
{
    NodeRecord *record = &part->node.record;
    record->repo = part->set == NULL ? NULL
                                     : mem_strdup(part->p->ctx, storage_uri(part->repo->storage));
    record->repo_id = part->set == NULL ? NULL : part->repo->id;
    const char *records = agent_records_pack(part->p->ctx, &part->node, err);
    if (records == NULL)
        return false;
    *ret = json_pack("{s:I, s:s}", "objects", (json_int_t) atomic_load(&part->node.objects),
                     "records", records);
    return *ret != NULL || error_set(err, ERR_INTERNAL, "the result cannot be written");
}

/* ---- the work ---- */

static bool take_over(BackupNode *node, Error *err)
{
    if (!node_connect(node, false, err) || !node_find_pg_dump(node, err) ||
        (node->with_config && !config_files_read(node, err)))
        return false;
    if (node_adopt(node, err))
        return true;
    if (err->code == ERR_LOCK)
    {
        err->code = ERR_CHANGED;
        err->hint[0] = '\0';
    }
    return false;
}

void agent_node_init(AgentProcess *p, BackupRequest *request, const AgentBackupJob *job,
                     BackupNode *node)
{
    request->lock_wait_ms = LOCK_WAIT_MS;
    progress_workers(p->progress_all, (size_t) request->jobs + 1);
    node_init(node, request, &p->spec, p->job.content, p->progress_all, 0);
    node->dbid = job->dbid;
    node->with_globals = job->globals;
    node->with_config = request->config_files;
    node->scope = job->scope;
    node->held = &job->snapshot;
    node->cancel = p->cancel;
}

bool agent_node_dump(AgentProcess *p, BackupNode *node, Storage *st, const char *dir, Error *err)
{
    if (!take_over(node, err))
        return false;
    agent_monitor_phase(p->monitor, "running");
    if (!node_dump(node, st, dir, err))
        return false;
    agent_monitor_phase(p->monitor, "storing");
    return (node->request->no_sync || node_sync(node, st, dir, err)) &&
           cancel_check(p->cancel, err);
}

static bool run_part(Part *part, json_t **ret, Error *err)
{
    return open_place(part, err) &&
           agent_node_dump(part->p, &part->node, part->repo->storage, part->dir, err) &&
           make_result(part, ret, err);
}

bool agent_backup(AgentProcess *p, const BackupRequest *request, json_t **ret_result, Error *err)
{
    Part *part = mem_new(p->ctx, Part);
    part->p = p;
    part->request = *request;
    if (!agent_backup_job_read(p->ctx, p->job.more, &part->job, err))
        return false;
    agent_node_init(p, &part->request, &part->job, &part->node);
    bool ok = run_part(part, ret_result, err);
    node_close(&part->node);
    if (part->set != NULL)
        part->set->kept = ok;
    repo_set_end(part->set);
    return ok;
}

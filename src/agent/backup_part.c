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
#include "agent/pack.h"
#include "agent/part.h"
#include "backup/config_files.h"
#include "base/str.h"
#include "repo/part.h"
#include "repo/record.h"

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

static bool add_record(Str *lines, ManifestLineType type, const void *record, Error *err)
{
    json_t *object = record_encode(type, record, err);
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (text == NULL)
        return error_set(err, ERR_INTERNAL, "a record cannot be written");
    str_add(lines, text);
    str_addc(lines, '\n');
    free(text);
    return true;
}

static char *pack_records(Part *part, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "records");
    BackupNode *node = &part->node;
    Str *lines = str_new(tmp);
    bool ok = add_record(lines, LINE_NODE, &node->record, err);
    for (size_t i = 0; ok && i < node->catalog.count; i++)
    {
        TableRecord table = node->tables[i];
        table.database = node->record.database;
        ok = add_record(lines, LINE_TABLE, &table, err);
    }
    for (size_t i = 0; ok && i < node->sequence_count; i++)
    {
        SequenceRecord sequence = node->sequences[i];
        sequence.database = node->record.database;
        ok = add_record(lines, LINE_SEQUENCE, &sequence, err);
    }
    return ok ? agent_pack(part->p->ctx, lines->data, lines->len, err) : NULL;
}

static bool make_result(Part *part, json_t **ret, Error *err)
{
    NodeRecord *record = &part->node.record;
    record->repo = part->set == NULL ? NULL
                                     : mem_strdup(part->p->ctx, storage_uri(part->repo->storage));
    record->repo_id = part->set == NULL ? NULL : part->repo->id;
    const char *records = pack_records(part, err);
    if (records == NULL)
        return false;
    *ret = json_pack("{s:I, s:s}", "objects", (json_int_t) atomic_load(&part->node.objects),
                     "records", records);
    return *ret != NULL || error_set(err, ERR_INTERNAL, "the result cannot be written");
}

/* ---- the work ---- */

static bool take_over(Part *part, Error *err)
{
    if (!node_connect(&part->node, false, err) || !node_find_pg_dump(&part->node, err) ||
        (part->node.with_config && !config_files_read(&part->node, err)))
        return false;
    if (node_adopt(&part->node, err))
        return true;
    if (err->code == ERR_LOCK)
    {
        err->code = ERR_CHANGED;
        err->hint[0] = '\0';
    }
    return false;
}

static bool run_part(Part *part, json_t **ret, Error *err)
{
    if (!open_place(part, err) || !take_over(part, err))
        return false;
    agent_monitor_phase(part->p->monitor, "running");
    if (!node_dump(&part->node, part->repo->storage, part->dir, err))
        return false;
    agent_monitor_phase(part->p->monitor, "storing");
    return (part->request.no_sync || node_sync(&part->node, part->repo->storage, part->dir, err)) &&
           cancel_check(part->p->cancel, err) && make_result(part, ret, err);
}

bool agent_backup(AgentProcess *p, const BackupRequest *request, json_t **ret_result, Error *err)
{
    Part *part = mem_new(p->ctx, Part);
    part->p = p;
    part->request = *request;
    part->request.lock_wait_ms = LOCK_WAIT_MS;
    if (!agent_backup_job_read(p->ctx, p->job.more, &part->job, err))
        return false;
    progress_workers(p->progress_all, (size_t) request->jobs + 1);
    node_init(&part->node, &part->request, &p->spec, p->job.content, p->progress_all, 0);
    part->node.dbid = part->job.dbid;
    part->node.with_globals = part->job.globals;
    part->node.with_config = request->config_files;
    part->node.scope = part->job.scope;
    part->node.held = &part->job.snapshot;
    part->node.cancel = p->cancel;
    bool ok = run_part(part, ret_result, err);
    node_close(&part->node);
    if (part->set != NULL)
        part->set->kept = ok;
    repo_set_end(part->set);
    return ok;
}

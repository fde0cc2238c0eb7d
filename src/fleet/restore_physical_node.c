/* fleet/restore_physical_node.c - an agent that restores data directories; the contract is in restore_physical.h. */
#include "base/log.h"
#include "base/str.h"
#include "fleet/agent_call.h"
#include "fleet/restore_physical_parts.h"
#include "repo/whole_object.h"
#include "report/set_report.h"

static bool meet_others(void *arg, PhysicalStage stage, Error *err)
{
    static const struct
    {
        const char *waiting;
        const char *then;
    } phases[] = {[PHYSICAL_CHECKED] = {AGENT_CHECKED, "restoring"},
                  [PHYSICAL_WRITTEN] = {AGENT_WRITTEN, "finishing"},
                  [PHYSICAL_WHOLE] = {AGENT_WHOLE, "done"}};
    AgentProcess *p = arg;
    if (!agent_monitor_wait(p->monitor, phases[stage].waiting, NULL, p->cancel, err))
        return false;
    agent_monitor_phase(p->monitor, phases[stage].then);
    return true;
}

/* What is restored on all hosts is one set, whatever copies of it there are. */
static bool check_same(const PhysicalRun *run, const char *sha256, Error *err)
{
    char found[TAP_HEX_LEN];
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "manifest");
    if (!whole_object_sha256(run->repo->storage, mem_printf(tmp, "%s/manifest.jsonl", run->dir),
                             found, err))
        return false;
    return str_equal(found, sha256) ||
           error_set(err, ERR_CORRUPT,
                     "set %s in repository %s is not the one that the coordinator sees",
                     run->result->manifest->set.key, storage_uri(run->repo->storage));
}

static bool open_set(PhysicalRun *run, AgentProcess *p, Error *err)
{
    json_error_t why;
    const char *sha256;
    if (json_unpack_ex(p->job.more, &why, JSON_STRICT, "{s:s}", "sha256", &sha256) != 0)
        return error_set(err, ERR_USAGE, "the job cannot be understood: %s", why.text);
    run->repo = repo_open_at(p->ctx, p->job.repo, p->job.content, false, err);
    if (run->repo == NULL || !restore_physical_open(run, err))
        return error_prefix(err, "on the host of the agent");
    return check_same(run, sha256, err);
}

static json_t *make_result(const PhysicalRun *run)
{
    json_t *nodes = json_array();
    for (size_t i = 0; i < run->result->node_count; i++)
    {
        const PhysicalRestored *n = &run->result->nodes[i];
        json_array_append_new(nodes,
                              json_pack("{s:i, s:o, s:I, s:I}", "content", n->content, "directory",
                                        set_report_string(n->directory), "files",
                                        (json_int_t) n->files, "bytes", (json_int_t) n->bytes));
    }
    return json_pack("{s:o, s:I}", "nodes", nodes, "tables", (json_int_t) run->tables);
}

bool restore_physical_node(AgentProcess *p, const FleetRestore *restore, json_t **ret_result,
                           Error *err)
{
    PhysicalRestoreResult result = {.manifest = NULL};
    PhysicalRestoreRequest request = restore->files;
    PhysicalRun run = {.ctx = p->ctx, .restore = restore, .result = &result, .cancel = p->cancel};
    agent_monitor_phase(p->monitor, "checking");
    request.meet = meet_others;
    request.meet_arg = p;
    request.one_progress = true;
    bool ok = open_set(&run, p, err) && restore_physical_hosts(&run, &request, err) &&
              physical_restore(p->ctx, run.repo, run.dir, &request, p->cancel, p->progress_all,
                               &result, err);
    storage_unlock(run.lock);
    if (!ok && log_warnings() > 0)
        error_hint(err, "What the agent has written is not all removed.");
    *ret_result = ok ? make_result(&run) : NULL;
    return ok &&
           (*ret_result != NULL || error_set(err, ERR_INTERNAL, "the result cannot be written"));
}

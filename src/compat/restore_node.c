/* compat/restore_node.c - the agent of gp_restore, on the host that has the scripts; restore_agents.h. */
#include "base/str.h"
#include "compat/dump_node.h"
#include "compat/restore_agents.h"
#include "compat/restore_job.h"

/* A segment's rows are those of the coordinator's tables. */
static Fleet *target_of(AgentProcess *p, const RestoreNodeJob *job)
{
    Fleet *fleet = mem_new(p->ctx, Fleet);
    fleet->topology = "single";
    fleet->nodes = mem_array(fleet, FleetNode, 1);
    fleet->node_count = 1;
    PgConnSpec *spec = &fleet->nodes[0].spec;
    *spec = p->spec;
    spec->database = job->database;
    if (job->host == NULL)
        return fleet;
    spec->host = job->host;
    spec->port = mem_printf(fleet, "%d", job->port);
    return fleet;
}

static json_t *tell(const ScriptRestoreResult *result)
{
    json_t *scripts = json_array();
    for (size_t i = 0; i < result->count; i++)
    {
        const RestoredScript *s = &result->scripts[i];
        json_array_append_new(scripts, json_pack("{s:s, s:s, s:s, s:i, s:b}", "path", s->path,
                                                 "database", s->database, "host", s->host, "port",
                                                 s->port, "ok", s->ok));
    }
    if (json_array_size(scripts) == result->count)
        return json_pack("{s:o}", "scripts", scripts);
    json_decref(scripts);
    return NULL;
}

bool restore_node(AgentProcess *p, const Options *o UNUSED, json_t **ret, Error *err)
{
    RestoreNodeJob job;
    ScriptRestoreResult result;
    Error failure = ERROR_INIT;
    if (!restore_job_parse(p->ctx, p->job.more, &job, err))
        return false;
    const char *dir = dump_node_dir(p->ctx, p, job.dir, err);
    const char *status = job.status_dir == NULL ? dir
                                                : dump_node_dir(p->ctx, p, job.status_dir, err);
    if (dir == NULL || status == NULL)
        return false;
    const ScriptRestore r = {.fleet = target_of(p, &job),
                             .dir = dir,
                             .status_dir = status,
                             .prefix = job.prefix,
                             .key = p->order.key,
                             .only = &job.node,
                             .identity = job.identity,
                             .definitions = job.definitions,
                             .rows = job.rows,
                             .post_data = job.post_data,
                             .tables = job.tables,
                             .no_post_data = !job.post_data,
                             .may_have_none = job.post_data,
                             .go_on = job.go_on,
                             .no_report = true,
                             .must_restrict = true,
                             .line = RESTORE_AGENT};
    agent_monitor_phase(p->monitor, "restoring");
    bool ok = restore_scripts(p->ctx, &r, supervise_new(p->ctx), &result, &failure);
    if (!ok && !(job.go_on && failure.code == ERR_QUERY))
    {
        *err = failure;
        return false;
    }
    *ret = tell(&result);
    return *ret != NULL || error_set(err, ERR_INTERNAL, "the result cannot be written");
}

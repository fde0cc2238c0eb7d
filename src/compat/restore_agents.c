/* compat/restore_agents.c - the contract is in restore_agents.h. */
#include "compat/restore_agents.h"

#include "base/str.h"
#include "compat/dump_dir.h"
#include "compat/dump_report.h"
#include "compat/dump_run.h"
#include "compat/restore_job.h"
#include "fleet/agent_tour.h"
#include "pg/query.h"

/* A node's part in a stage, and its lines in the result. */
typedef struct Step
{
    size_t node;
    RestoreStage stage;
    RestoredScript *script;
} Step;

typedef struct Run
{
    void *ctx;
    const ScriptRestore *request;
    Supervisor *supervisor;
    Step *steps;
    size_t count, capacity;
    Cancel *cancel;
} Run;

static bool is_segment(const Run *run, size_t node)
{
    return run->request->fleet->engine != NULL && node > 0;
}

/* Whether there is such a script the node's host knows. */
static bool has_stage(const Run *run, size_t node, RestoreStage stage)
{
    const Fleet *fleet = run->request->fleet;
    return is_segment(run, node) == (stage == RESTORE_SEGMENTS) &&
           restore_wants(run->request, dump_dbid(fleet, fleet->nodes[node].dbid), stage);
}

static void plan(Run *run, ScriptRestoreResult *ret)
{
    const ScriptRestore *r = run->request;
    const Fleet *fleet = r->fleet;
    for (int stage = 0; stage < RESTORE_STAGES; stage++)
    {
        for (size_t i = 0; i < fleet->node_count; i++)
        {
            if (has_stage(run, i, (RestoreStage) stage))
                *mem_push(run->ctx, run->steps, run->count, run->capacity,
                          Step) = (Step){.node = i, .stage = (RestoreStage) stage};
        }
    }
    ret->scripts = mem_array(run->ctx, RestoredScript, run->count);
    ret->count = run->count;
    for (size_t i = 0; i < run->count; i++)
    {
        const FleetNode *node = &fleet->nodes[run->steps[i].node];
        bool single = str_equal(fleet->topology, "single");
        run->steps[i].script = &ret->scripts[i];
        ret->scripts[i] = (RestoredScript){
            .content = single ? -1 : node->content,
            .dbid = dump_dbid(fleet, node->dbid),
            .path = mem_printf(run->ctx, "%s (%s)", r->dir[0] == '\0' ? "." : r->dir,
                               run->steps[i].stage == RESTORE_POST_DATA ? "post_data" : "rows"),
            .database = pg_conn_spec_database(run->ctx, &node->spec),
            .host = node->spec.host == NULL ? "-" : node->spec.host,
            .port = node->spec.port == NULL ? 0 : atoi(node->spec.port)};
    }
}

/* ---- one stage ---- */

static json_t *describe(const Run *run, const Step *step, Error *err)
{
    const ScriptRestore *r = run->request;
    const PgConnSpec *spec =
        &r->fleet->nodes[step->stage == RESTORE_SEGMENTS ? 0 : step->node].spec;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "job");
    RestoreNodeJob job = {.dir = r->dir,
                          .status_dir = r->status_dir,
                          .prefix = r->prefix,
                          .node = {.number = step->script->content,
                                   .dbid = step->script->dbid,
                                   .segment = is_segment(run, step->node)},
                          .definitions = r->definitions && step->stage == RESTORE_FIRST,
                          .rows = r->rows && step->stage == RESTORE_FIRST,
                          .post_data = step->stage == RESTORE_POST_DATA,
                          .go_on = r->go_on,
                          .tables = r->tables};
    AUTO(pg_conn_close)
    PgConn *conn = pg_conn_open(spec, NULL, "pgark gp_restore", run->cancel, err);
    if (conn == NULL)
        return NULL;
    job.database = mem_strdup(tmp, PQdb(conn->raw));
    job.identity = pg_server_identity(conn, tmp, err);
    if (job.identity == NULL)
        return NULL;
    if (step->stage == RESTORE_SEGMENTS)
    {
        job.host = PQhost(conn->raw);
        job.port = atoi(PQport(conn->raw));
    }
    step->script->host = mem_strdup(run->ctx, PQhost(conn->raw));
    step->script->port = atoi(PQport(conn->raw));
    step->script->database = mem_strdup(run->ctx, job.database);
    return restore_job_json(&job, err);
}

static bool take(const Run *run, Step *step, json_t *answer, Error *err)
{
    json_t *scripts = json_object_get(answer, "scripts");
    json_t *first = json_array_get(scripts, 0);
    const char *path = json_string_value(json_object_get(first, "path"));
    step->script->run = true;
    step->script->ok = json_array_size(scripts) == 0 || json_is_true(json_object_get(first, "ok"));
    if (path != NULL)
        step->script->path = mem_strdup(run->ctx, path);
    return json_is_array(scripts) ||
           error_set(err, ERR_INTERNAL, "the agent's result cannot be understood");
}

static bool run_stage(Run *run, RestoreStage stage, Error *err)
{
    AgentTour tour = {.kind = RESTORE_AGENT,
                      .key = run->request->key,
                      .repo = "/",
                      .visits = mem_array(run->ctx, AgentVisit, run->count),
                      .cancel = run->cancel};
    Step **steps = mem_array(run->ctx, Step *, run->count);
    bool ok = true;
    for (size_t i = 0; ok && i < run->count; i++)
    {
        Step *step = &run->steps[i];
        if (step->stage != stage)
            continue;
        AgentVisit *v = &tour.visits[tour.count];
        v->content = run->request->fleet->nodes[step->node].content;
        v->spec = run->request->fleet->nodes[step->node].spec;
        v->spec.database = RESTORE_AGENT_DATABASE;
        v->more = describe(run, step, err);
        ok = v->more != NULL;
        step->script->run = ok;
        steps[tour.count++] = step;
    }
    ok = ok && (tour.count == 0 || agent_tour_run(&tour, err));
    for (size_t i = 0; ok && i < tour.count; i++)
        ok = take(run, steps[i], tour.visits[i].result, err);
    agent_tour_free(&tour);
    return ok;
}

static bool restore_work(void *arg, Error *err)
{
    Run *run = arg;
    run->cancel = supervise_attempt(run->supervisor, err);
    if (run->cancel == NULL)
        return false;
    for (int stage = 0; stage < RESTORE_STAGES; stage++)
    {
        if (!run_stage(run, (RestoreStage) stage, err))
            return false;
    }
    return true;
}

/* ---- is it a dump of such a fleet? ---- */

static bool has_dbid(const Fleet *fleet, int dbid)
{
    bool found = false;
    for (size_t i = 0; i < fleet->node_count; i++)
        found = found || dump_dbid(fleet, fleet->nodes[i].dbid) == dbid;
    return found;
}

/* Scripts of other nodes lie on hosts that nobody would ask: their rows would be missing. The dump's report says
 * which there are, where it is at hand. */
static bool check_nodes(const Run *run, const char *dir, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "report");
    const ScriptRestore *r = run->request;
    const char *text = dump_report_read(tmp, dir, r->prefix, r->key);
    size_t count = 0;
    const ReportedScript *scripts = text == NULL
                                        ? NULL
                                        : dump_report_scripts(tmp, text, r->prefix, r->key, &count);
    for (size_t i = 0; i < count; i++)
    {
        int dbid = scripts[i].parsed.dbid;
        if (has_dbid(r->fleet, dbid))
            continue;
        error_set(err, ERR_USAGE,
                  "the dump has scripts of dbid %d, and no node of the target has it", dbid);
        return error_hint(err, "Bring all files into one directory, and restore with --agent=no.");
    }
    return true;
}

/* ---- all of it ---- */

static const char *report_dir(const ScriptRestore *r)
{
    return r->report_dir != NULL ? r->report_dir : r->dir[0] == '/' ? r->dir : ".";
}

bool restore_agents_run(void *ctx, const ScriptRestore *request, Supervisor *supervisor,
                        ScriptRestoreResult *ret, Error *err)
{
    Run run = {.ctx = ctx, .request = request, .supervisor = supervisor};
    const char *dir = report_dir(request);
    Error failure = ERROR_INIT;
    *ret = (ScriptRestoreResult){.scripts = NULL};
    if (!dump_dir_make(dir, err))
        return error_prefix(err, "the report");
    plan(&run, ret);
    if (!check_nodes(&run, dir, err))
        return false;
    if (run.count == 0)
        return error_set(err, ERR_NOT_FOUND, "no script of key %s is wanted by these options",
                         request->key);
    bool done = supervise_run(supervisor, restore_work, NULL, &run, err) &&
                restore_all_ran_well(ret, err);
    const char *name = dump_report_name(ctx, true, request->prefix, request->key);
    const char *text = restore_report_text(ctx, request, ret, done ? NULL : err);
    if (dump_file_write(dir, name, text, &failure))
        return done;
    if (done)
        *err = failure;
    return false;
}

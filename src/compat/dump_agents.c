/* compat/dump_agents.c - the contract is in dump_agents.h. */
#include "compat/dump_agents.h"

#include <limits.h>

#include "agent/pack.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/str.h"
#include "compat/dump_dir.h"
#include "compat/dump_files.h"
#include "compat/dump_job.h"
#include "compat/dump_report.h"
#include "fleet/agent_tour.h"

#define SCHEMA_MAX ((uint64_t) 256 * 1024 * 1024)

typedef struct Run
{
    void *ctx;
    const DumpRequest *request;
    Supervisor *supervisor;
    DumpResult *result;
    DumpDir *home; /* the place of the run's lock, beside the report */
    void **told; /* by node: what it has told of its files, roots of their own; NULL: nothing yet */
    bool *named; /* by node: scripts may have their names there */
} Run;

/* ---- with them or without ---- */

static bool node_is_usable(const PgConnSpec *spec, const char *database, Error *err)
{
    PgConnSpec there = *spec;
    bool usable = false;
    Error why = ERROR_INIT;
    AUTO(cancel_free) Cancel *cancel = cancel_new(err);
    if (database != NULL)
        there.database = database;
    AUTO(pg_conn_close)
    PgConn *conn = cancel == NULL ? NULL : pg_conn_open(&there, NULL, "pgark agents", cancel, err);
    if (conn == NULL || !agent_call_usable(conn, &usable, &why, err))
        return false;
    if (!usable)
        *err = why;
    return usable;
}

bool dump_agents_usable(const Fleet *fleet, const char *database)
{
    for (size_t i = 0; i < fleet->node_count; i++)
    {
        Error why = ERROR_INIT;
        if (node_is_usable(&fleet->nodes[i].spec, database, &why))
            continue;
        log_info("node %d: %s: no agents are started", fleet->nodes[i].content, why.message);
        return false;
    }
    return true;
}

/* ---- what a node is asked ---- */

static const FleetNode *find_node(const Run *run, int content)
{
    const Fleet *fleet = run->request->fleet;
    for (size_t i = 0; i < fleet->node_count; i++)
    {
        if (fleet->nodes[i].content == content)
            return &fleet->nodes[i];
    }
    return NULL;
}

static DumpNodeFiles files_of(const Run *run, int content)
{
    const DumpRequest *r = run->request;
    const FleetNode *node = find_node(run, content);
    bool single = str_equal(r->fleet->topology, "single");
    return (DumpNodeFiles){.dir = r->dir,
                           .prefix = r->prefix,
                           .number = r->by_role ? r->role
                                     : single   ? -1
                                                : content,
                           .dbid = dump_dbid(r->fleet, node->dbid),
                           .gzip = r->gzip};
}

static bool read_definitions(const BackupAgentView *view, void *ctx, DumpDefinitions *ret,
                             Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "definitions");
    char *archive;
    size_t len;
    const char *path = repo_path_in(tmp, view->set_dir, view->coordinator->record.schema.path);
    if (!storage_read_all(view->storage, tmp, path, SCHEMA_MAX, &archive, &len, err))
        return false;
    ret->records = agent_records_pack(ctx, view->coordinator, err);
    ret->schema = ret->records == NULL ? NULL : agent_pack(ctx, archive, len, err);
    return ret->schema != NULL;
}

static json_t *describe(void *arg, const BackupAgentView *view, json_t *backup, Error *err)
{
    const Run *run = arg;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "job");
    DumpNodeJob job = {.files = files_of(run, view->node->content),
                       .topology = run->request->fleet->topology,
                       .form = run->request->form};
    job.wanted = dump_files_wanted(run->request, job.files.dbid);
    if (!node_has_catalogue(view->node) && !read_definitions(view, tmp, &job.definitions, err))
    {
        json_decref(backup);
        return NULL;
    }
    return dump_job_json(&job, backup, err);
}

static size_t index_of(const Run *run, const BackupNode *node)
{
    size_t i = 0;
    while (run->request->fleet->nodes[i].content != node->content)
        i++;
    return i;
}

/* These are called by nodes' threads, each with its own node. */
static bool take(void *arg, const BackupNode *from, const json_t *answer, Error *err)
{
    Run *run = arg;
    size_t i = index_of(run, from);
    DumpNode *node = &run->result->nodes[i];
    const json_t *script = json_object_get(answer, "script");
    const json_t *post_data = json_object_get(answer, "post_data");
    run->named[i] = true;
    if (!(json_is_null(script) || json_is_string(script)) ||
        !(json_is_null(post_data) || json_is_string(post_data)))
        return error_set(err, ERR_INTERNAL, "the agent does not tell where its scripts are");
    run->told[i] = mem_context(NULL, "files");
    if (node->script != NULL)
        node->script = mem_strdup(run->told[i], json_string_value(script));
    if (node->post_data != NULL)
        node->post_data = mem_strdup(run->told[i], json_string_value(post_data));
    return true;
}

static void left(void *arg, const BackupNode *from)
{
    Run *run = arg;
    run->named[index_of(run, from)] = true;
}

/* ---- the run ---- */

/* Where they are is known better now. */
static void place_nodes(const Run *run, const Manifest *m)
{
    for (size_t i = 0; i < run->result->node_count && i < m->node_count; i++)
    {
        run->result->nodes[i].host = m->nodes[i].host;
        run->result->nodes[i].port = m->nodes[i].port;
        run->result->nodes[i].database = m->nodes[i].database;
    }
}

/* ---- what is left behind ---- */

static bool remove_one(void *arg, size_t i, Error *err UNUSED)
{
    Run *run = arg;
    const FleetNode *node = &run->request->fleet->nodes[i];
    const DumpNodeFiles files = files_of(run, node->content);
    Error why = ERROR_INIT;
    if (!run->named[i])
        return true;
    AgentVisit visit = {
        .content = node->content, .spec = node->spec, .more = dump_files_json(&files)};
    AgentTour tour = {.kind = DUMP_AGENT_REMOVE,
                      .key = run->home->key,
                      .repo = run->home->set_repo,
                      .visits = &visit,
                      .count = 1,
                      .cancel = cancel_new(&why)};
    if (tour.cancel == NULL || !agent_tour_run(&tour, &why))
        log_warning("node %d: its scripts may stay: %s", node->content, why.message);
    cancel_free(tour.cancel);
    agent_tour_free(&tour);
    return true;
}

/* Nodes that had named their scripts before something failed. By flags of their own: that of the run may be up. */
static void take_back(Run *run)
{
    Error err = ERROR_INIT;
    AUTO(cancel_free) Cancel *cancel = cancel_new(&err);
    if (cancel != NULL &&
        !parallel_run(run->request->fleet->node_count, remove_one, run, cancel, &err))
        log_debug("%s", err.message);
}

static void record_failure(Run *run, const Error *failure)
{
    Error err = ERROR_INIT;
    take_back(run);
    if (!dump_report_write(run->ctx, run->request, run->home->path, run->result, failure, &err))
        log_warning("%s", err.message);
}

static bool dump(Run *run, Error *err)
{
    BackupResult backup = {.manifest = NULL};
    const BackupAgentWork work = {
        .kind = DUMP_AGENT, .describe = describe, .take = take, .left = left, .arg = run};
    dump_files_fleet(run->ctx, run->request, run->request->dir, run->result);
    run->told = mem_array(run->ctx, void *, run->result->node_count);
    run->named = mem_array(run->ctx, bool, run->result->node_count);
    if (!dump_files_backup(run->ctx, run->request, run->home->set_repo, run->home->key, &work,
                           run->supervisor, &backup, err))
        return false;
    dump_files_warn(backup.manifest);
    place_nodes(run, backup.manifest);
    return true;
}

/* Beside the report. Agents on this host may be another user's: they have places of their own. */
static DumpDir *open_home(void *ctx, const DumpRequest *r, Error *err)
{
    char whole[PATH_MAX];
    const char *dir = r->report_dir != NULL ? r->report_dir : r->dir[0] == '/' ? r->dir : ".";
    const DumpDirSpec spec = {.path = whole, .prefix = r->prefix, .key = r->key, .mark = "_run"};
    DumpDir *home = NULL;
    if (!dump_dir_make(dir, err))
        error_prefix(err, "the report");
    else if (realpath(dir, whole) == NULL)
        error_errno(err, ERR_STORAGE, "could not find \"%s\"", dir);
    else
        home = dump_dir_open(ctx, &spec, err);
    if (home == NULL && err->code == ERR_STORAGE)
        error_hint(err, "The report is written by gp_dump itself: --gp-r names its directory.");
    return home;
}

bool dump_agents_run(void *ctx, const DumpRequest *request, Supervisor *supervisor, DumpResult *ret,
                     Error *err)
{
    Run run = {.ctx = ctx, .request = request, .supervisor = supervisor, .result = ret};
    *ret = (DumpResult){.nodes = NULL};
    if (!dump_prefix_check(request->prefix, err) ||
        (request->key != NULL && !repo_key_parse(request->key, err)))
        return false;
    run.home = open_home(ctx, request, err);
    if (run.home == NULL)
        return false;
    memcpy(ret->key, run.home->key, sizeof(ret->key));
    bool done = dump(&run, err) && dump_report_write(ctx, request, run.home->path, ret, NULL, err);
    if (!done)
        record_failure(&run, err);
    for (size_t i = 0; i < ret->node_count; i++)
        talloc_steal(ctx, run.told[i]);
    dump_dir_close(run.home);
    return done;
}

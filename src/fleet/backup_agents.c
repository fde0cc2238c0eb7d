/*
 * fleet/backup_agents.c - a backup whose nodes' data phase is done by agents; the contract is in
 * backup_run_parts.h.
 *
 * All until the cut is the same with agents and without: the coordinator's holders have the locks, its
 * scouts the snapshots that are proven. Then every node's agent takes over its snapshot and its locks
 * (head of agent/backup_part.c), and what would have been node_dump runs there. When an agent reports
 * that it runs, the coordinator's own transactions on that node have done their part, and end: nobody
 * shall wait for two.
 */
#include "agent/pack.h"
#include "agent/records.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/str.h"
#include "fleet/agent_call.h"
#include "fleet/backup_run_parts.h"
#include "repo/part.h"

typedef struct AgentNode
{
    AgentCall call;
    struct BackupAgents *agents;
    BackupNode *node;
    void *ctx;   /* of what its answer is: a root of its own, as the threads of all nodes read */
    bool stored; /* its part is there, and in a repository of its own */
} AgentNode;

struct BackupAgents
{
    BackupRun *run;
    AgentCounts counts;
    AgentNode *nodes;
    size_t count;
    int64_t cut_ms;
    AgentBarrier barrier; /* of agents with work of their own */
    const char *manifest; /* packed, when it is to be published */
};

/* ---- with them or without ---- */

static bool wants_agents(const BackupRequest *request)
{
    return request->agents != AGENTS_NO && !request->dry_run;
}

void backup_agents_prepare(BackupRun *run)
{
    for (size_t i = 0; i < run->count; i++)
        run->nodes[i].remote = wants_agents(run->request);
}

static bool stay_local(void *arg, size_t i, Error *err)
{
    return node_stay_local(&((BackupRun *) arg)->nodes[i], err);
}

static bool all_usable(BackupRun *run, bool *ret, Error *err)
{
    *ret = true;
    for (size_t i = 0; *ret && i < run->count; i++)
    {
        Error why = ERROR_INIT;
        if (!agent_call_usable(run->nodes[i].probe, ret, &why, err))
            return error_node(err, run->nodes[i].label);
        if (!*ret)
            log_info("%s: %s: this backup goes without agents", run->nodes[i].label, why.message);
    }
    return true;
}

/* The agent has taken over: the coordinator's own locks and snapshot on this node are no longer needed. */
static void agent_runs(void *arg)
{
    AgentNode *a = arg;
    const BackupAgents *agents = a->agents;
    if (a->call.all_run)
        log_info("%zu agent%s at work, %" PRId64 " ms after the cut", agents->count,
                 agents->count == 1 ? " is" : "s are",
                 agents->counts.running_since_ms - agents->cut_ms);
    pg_rollback(a->node->holder);
    pg_rollback(a->node->scout);
}

static void make_agents(BackupRun *run)
{
    BackupAgents *agents = mem_new(run->ctx, BackupAgents);
    agents->run = run;
    agents->count = agents->barrier.wanted = run->count;
    agents->nodes = mem_array(agents, AgentNode, run->count);
    agent_counts_init(&agents->counts);
    for (size_t i = 0; i < run->count; i++)
    {
        AgentNode *a = &agents->nodes[i];
        BackupNode *node = &run->nodes[i];
        PgConnSpec spec = *node->spec;
        a->agents = agents;
        a->node = node;
        a->ctx = mem_context(NULL, "agent's answer");
        a->call = (AgentCall){.spec = pg_conn_pin(agents, node->probe, &spec),
                              .content = node->content,
                              .cancel = run->cancel,
                              .counts = &agents->counts,
                              .progress = node->progress,
                              .on_running = agent_runs,
                              .arg = a,
                              .barrier = run->request->work == NULL ? NULL : &agents->barrier};
        snprintf(a->call.label, sizeof(a->call.label), "%s", node->label);
    }
    run->agents = agents;
}

static bool open_one(void *arg, size_t i, Error *err)
{
    return agent_call_open(&((BackupAgents *) arg)->nodes[i].call, err);
}

static bool check_place(const BackupRun *run, bool *ret_usable, Error *err)
{
    *ret_usable = repo_place_is_absolute(run->request->repo);
    return run->request->agents == AGENTS_AUTO || agent_call_place(run->request->repo, err);
}

bool backup_agents_open(BackupRun *run, Error *err)
{
    bool usable;
    if (!wants_agents(run->request))
        return true;
    if (!check_place(run, &usable, err))
        return false;
    if (usable && run->request->agents == AGENTS_AUTO && !all_usable(run, &usable, err))
        return false;
    if (!usable)
        return parallel_run(run->count, stay_local, run, run->cancel, err);
    make_agents(run);
    return parallel_run(run->count, open_one, run->agents, run->cancel, err);
}

void backup_agents_event(BackupRun *run, AgentEvent event)
{
    if (run->agents == NULL)
        return;
    if (event == EVENT_SNAPSHOT)
        run->agents->cut_ms = clock_ms();
    for (size_t i = 0; i < run->agents->count; i++)
        agent_call_event(&run->agents->nodes[i].call, event);
}

/* ---- what the agents are asked ---- */

typedef struct Arguments
{
    void *ctx;
    const char **items;
    size_t count;
    size_t capacity;
} Arguments;

static void add(Arguments *a, const char *text)
{
    *mem_push(a->ctx, a->items, a->count, a->capacity, const char *) = text;
}

static void add_flag(Arguments *a, bool set, const char *option)
{
    if (set)
        add(a, option);
}

/* What the request says, as the options that say it. */
static void make_arguments(const BackupRequest *r, Arguments *a)
{
    char **selection;
    size_t count;
    const char *method = compress_name(r->compress.method);
    add(a, mem_printf(a->ctx, "--jobs=%d", r->jobs));
    add(a, r->compress.method == COMPRESS_NONE
               ? "--compress=none"
               : mem_printf(a->ctx, "--compress=%s:%d", method, r->compress.level));
    add(a, mem_printf(a->ctx, "--format=%s", backup_format_name(r->format)));
    if (r->chunk_size_exact)
        add(a, mem_printf(a->ctx, "--chunk-size=%" PRIu64, r->chunk_size));
    if (r->role != NULL)
        add(a, mem_printf(a->ctx, "--role=%s", r->role));
    add_flag(a, r->no_sync, "--no-sync");
    add_flag(a, r->globals, "--globals");
    add_flag(a, r->config_files, "--config-files");
    if (r->rate_limit > 0)
        add(a, mem_printf(a->ctx, "--rate-limit=%" PRIu64, r->rate_limit));
    add_flag(a, r->no_role_passwords, "--no-role-passwords");
    add_flag(a, r->enable_row_security, "--enable-row-security");
    add_flag(a, r->selection->strict_names, "--strict-names");
    selection_describe(r->selection, a->ctx, &selection, &count);
    for (size_t i = 0; i < count; i++)
        add(a, selection[i]);
    for (size_t i = 0; r->dump_args != NULL && r->dump_args[i] != NULL; i++)
        add(a, r->dump_args[i]);
}

/* The transaction that has the locks is the holder's; the snapshot is the scout's. */
static bool describe_snapshot(const BackupNode *node, void *ctx, HoldNodeRecord *ret, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(node->holder,
                             "SELECT l.pid, l.virtualxid FROM pg_catalog.pg_locks l"
                             " WHERE l.pid = pg_catalog.pg_backend_pid()"
                             " AND l.locktype = 'virtualxid'",
                             0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "the backup's own transaction is lost");
    if (PQntuples(res) != 1)
        return error_set(err, ERR_INTERNAL, "the server does not know our transaction");
    *ret = (HoldNodeRecord){.content = node->content,
                            .database = node->record.database,
                            .system_identifier = node->record.system_identifier,
                            .server_started = node->started,
                            .snapshot = node->record.snapshot,
                            .snapshot_id = mem_strdup(ctx, node->snapshot_id),
                            .pid = (int) pg_cell_int(res, 0, 0),
                            .transaction = mem_strdup(ctx, pg_cell(res, 0, 1))};
    return true;
}

static json_t *describe_job(const AgentNode *a, void *ctx, Error *err)
{
    const BackupRun *run = a->agents->run;
    const BackupAgentWork *work = run->request->work;
    AgentBackupJob job = {.dbid = a->node->dbid,
                          .globals = a->node->with_globals,
                          .home = run->repo->id,
                          .fleet = backup_publish_fleet(run, ctx),
                          .scope = a->node->scope};
    json_t *more = describe_snapshot(a->node, ctx, &job.snapshot, err)
                       ? agent_backup_job_write(&job, err)
                       : NULL;
    if (more == NULL || work == NULL)
        return more;
    const BackupAgentView view = {.node = a->node,
                                  .coordinator = run->fleet->engine == NULL ? NULL : run->nodes,
                                  .storage = run->repo->storage,
                                  .set_dir = run->set->dir};
    return work->describe(work->arg, &view, more, err);
}

/* ---- what they answer ---- */

static void take_node(BackupNode *node, const NodeRecord *r)
{
    NodeRecord *ours = &node->record;
    ours->dump_ms = r->dump_ms;
    ours->schema = r->schema;
    ours->chunks = r->chunks;
    ours->globals = r->globals;
    ours->config = r->config;
    ours->repo = r->repo;
    ours->repo_id = r->repo_id;
}

/* Nothing that the coordinator knows by itself is believed. */
static bool take_records(BackupNode *node, const AgentRecords *r, Error *err)
{
    bool same = r->table_count == node->catalog.count;
    if (r->node.content != node->content || !str_equal(r->node.snapshot, node->record.snapshot) ||
        !str_equal(r->node.system_identifier, node->record.system_identifier))
        return error_set(err, ERR_INTERNAL, "the agent's result is of another node");
    for (size_t i = 0; same && i < r->table_count; i++)
        same = r->tables[i].oid == node->catalog.items[i].oid &&
               r->tables[i].content == node->content;
    if (!same)
        return error_set(err, ERR_CHANGED, "the agent stored other tables than were locked");
    for (size_t i = 0; i < r->sequence_count; i++)
    {
        if (r->sequences[i].content != node->content)
            return error_set(err, ERR_INTERNAL, "the agent's result has another node's sequence");
    }
    take_node(node, &r->node);
    node->tables = r->tables;
    node->sequences = r->sequences;
    node->sequence_count = r->sequence_count;
    return true;
}

static bool take_result(AgentNode *a, json_t *result, Error *err)
{
    BackupNode *node = a->node;
    const BackupAgentWork *work = a->agents->run->request->work;
    AgentRecords found;
    json_error_t why;
    json_int_t objects;
    const char *records;
    if (json_unpack_ex(result, &why, work == NULL ? JSON_STRICT : 0, "{s:I, s:s}", "objects",
                       &objects, "records", &records) != 0 ||
        objects < 0)
        return error_set(err, ERR_INTERNAL, "the agent's result cannot be understood: %s",
                         why.text);
    if (!agent_records_read(a->ctx, records, &found, err))
        return error_prefix(err, "the agent's result");
    if (!take_records(node, &found, err) ||
        (work != NULL && !work->take(work->arg, node, result, err)))
        return false;
    atomic_store(&node->objects, (uint64_t) objects);
    atomic_store(&node->progress->finished, true);
    a->stored = node->record.repo_id != NULL;
    return true;
}

/* ---- the data phase ---- */

static bool dump_one(void *arg, size_t i, Error *err)
{
    AgentNode *a = &((BackupAgents *) arg)->nodes[i];
    BackupRun *run = a->agents->run;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "agent job");
    Arguments arguments = {.ctx = tmp};
    json_t *result = NULL;
    const char *kind = run->request->work == NULL ? AGENT_BACKUP : run->request->work->kind;
    make_arguments(run->request, &arguments);
    AgentJob job = {.repo = run->request->repo,
                    .arguments = arguments.items,
                    .argument_count = arguments.count,
                    .more = describe_job(a, tmp, err)};
    bool ok = job.more != NULL && agent_call_run(&a->call, kind, run->set->key, &job, &result, err);
    ok = ok && take_result(a, result, err);
    if (!ok && a->call.released)
        run->request->work->left(run->request->work->arg, a->node);
    json_decref(job.more);
    json_decref(result);
    return ok || error_node(err, a->node->label);
}

/* Where agents are to write a coordinator's tables they need its definitions, those of the cut. Its list of chunks
 * is empty here. */
static bool dump_coordinator(BackupRun *run, Error *err)
{
    BackupNode *node = &run->nodes[0];
    if (run->request->work == NULL || run->fleet->engine == NULL)
        return true;
    return node_find_pg_dump(node, err) &&
           node_dump_schema(node, run->repo->storage, run->set->dir, err) &&
           manifest_writer_commit(node->chunks, &node->record.chunks, err) &&
           node_plan(node, node->scout, err);
}

bool backup_agents_dump(BackupRun *run, Error *err)
{
    return dump_coordinator(run, err) &&
           parallel_run(run->count, dump_one, run->agents, run->cancel, err);
}

/* ---- the end of a set in several repositories ---- */

/* One short agent on a node; its own counts, as the node's state is final. */
static bool ask_agent(const AgentNode *a, const char *kind, json_t *more, const Cancel *cancel,
                      Error *err)
{
    BackupRun *run = a->agents->run;
    AgentCounts counts;
    json_t *result = NULL;
    agent_counts_init(&counts);
    AgentCall call = {
        .spec = a->call.spec, .content = a->call.content, .cancel = cancel, .counts = &counts};
    snprintf(call.label, sizeof(call.label), "%s", a->call.label);
    AgentJob job = {.repo = run->request->repo, .more = more};
    bool ok = agent_call_open(&call, err) &&
              agent_call_run(&call, kind, run->set->key, &job, &result, err);
    agent_call_close(&call);
    agent_counts_free(&counts);
    json_decref(result);
    json_decref(more);
    return ok;
}

static bool publish_one(void *arg, size_t i, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "publish");
    const AgentNode *a = &((BackupAgents *) arg)->nodes[i];
    const BackupRun *run = a->agents->run;
    if (!a->stored)
        return true;
    return ask_agent(a, AGENT_PUBLISH,
                     json_pack("{s:s, s:s, s:s}", "repo_id", a->node->record.repo_id, "fleet",
                               backup_publish_fleet(run, tmp), "manifest", a->agents->manifest),
                     run->cancel, err);
}

bool backup_agents_have_parts(const BackupRun *run)
{
    bool any = false;
    for (size_t i = 0; run->agents != NULL && i < run->agents->count; i++)
        any = any || run->agents->nodes[i].stored;
    return any;
}

bool backup_agents_publish(BackupRun *run, const char *manifest, size_t len, Error *err)
{
    run->agents->manifest = agent_pack(run->agents, manifest, len, err);
    return run->agents->manifest != NULL &&
           parallel_run(run->count, publish_one, run->agents, run->cancel, err);
}

typedef struct Discard
{
    BackupAgents *agents;
    Cancel *cancel;
} Discard;

static bool discard_one(void *arg, size_t i, Error *err UNUSED)
{
    const Discard *d = arg;
    const AgentNode *a = &d->agents->nodes[i];
    Error why = ERROR_INIT;
    if (!a->stored)
        return true;
    json_t *more = json_pack("{s:s, s:s}", "repo_id", a->node->record.repo_id, "home",
                             d->agents->run->repo->id);
    if (!ask_agent(a, AGENT_DISCARD, more, d->cancel, &why))
        log_warning("%s: its part of set %s stays there until pgark expire: %s", a->call.label,
                    d->agents->run->set->key, why.message);
    return true;
}

/* By a flag of its own: that of the run is up. */
static void discard_parts(BackupRun *run)
{
    Error ignored = ERROR_INIT;
    AUTO(cancel_free) Cancel *cancel = cancel_new(&ignored);
    Discard d = {.agents = run->agents, .cancel = cancel};
    if (cancel != NULL && !parallel_run(run->count, discard_one, &d, cancel, &ignored))
        log_debug("%s", ignored.message);
}

void backup_agents_end(BackupRun *run)
{
    if (run->agents == NULL)
        return;
    for (size_t i = 0; i < run->agents->count; i++)
    {
        agent_call_close(&run->agents->nodes[i].call);
        /* The manifest refers to it. */
        talloc_steal(run->ctx, run->agents->nodes[i].ctx);
    }
    if (run->set != NULL && !run->set->committed && backup_agents_have_parts(run))
        discard_parts(run);
    agent_counts_free(&run->agents->counts);
    mem_free(run->agents);
    run->agents = NULL;
}

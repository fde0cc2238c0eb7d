/*
 * fleet/restore_physical_agents.c - a restore of a physical set on several hosts (restore_physical_parts.h).
 *
 * One agent works for all nodes that are made through one server, so that it sees them together as a restore without
 * agents does: which directories lie in each other, how much room all need. Its nodes' first content id is the one by which it
 * is known.
 */
#include "base/log.h"
#include "base/parallel.h"
#include "base/str.h"
#include "fleet/agent_call.h"
#include "fleet/restore_physical_parts.h"
#include "repo/part.h"
#include "repo/whole_object.h"

/* To remove what was written; beyond that an agent is not waited for. */
#define TIDY_MS (10 * 60 * 1000)

#define LABEL_NODES 60 /* bytes */

/* The nodes of one agent. */
typedef struct Group
{
    const PgConnSpec *spec;
    const char *server; /* whose no other is */
    const char *host;
    PhysicalDirectory *directories;
    size_t count, capacity;
    AgentCall call;
    json_t *result;
} Group;

typedef struct Agents
{
    PhysicalRun *run;
    PhysicalRestoreRequest here; /* the nodes without an agent */
    PhysicalRestoreResult here_result;
    Group *groups;
    size_t group_count, group_capacity;
    AgentBarrier barrier;
    AgentCounts counts;
    Progress *progress;
    char sha256[TAP_HEX_LEN]; /* of the manifest */
} Agents;

/* ---- what is known without a server ---- */

static const RestoreAgent *agent_of(const RestoreAgents *agents, int content)
{
    for (size_t i = 0; i < agents->count; i++)
        if (agents->items[i].content == content)
            return &agents->items[i];
    return NULL;
}

static bool check_absolute(const char *what, const char *path, Error *err)
{
    if (path[0] == '/')
        return true;
    error_set(err, ERR_USAGE, "%s: with agents a directory is an absolute path, not \"%s\"", what,
              path);
    return error_hint(err, "The agent makes it on its own host.");
}

static bool check_paths(const FleetRestore *restore, Error *err)
{
    const PhysicalRestoreRequest *files = &restore->files;
    if (!agent_call_place(files->repo, err))
        return false;
    for (size_t i = 0; i < files->tablespace_count; i++)
        if (!check_absolute("--tablespace-map", files->tablespaces[i].to, err))
            return false;
    for (size_t i = 0; i < files->directory_count; i++)
    {
        char what[32];
        const PhysicalDirectory *d = &files->directories[i];
        snprintf(what, sizeof(what), "--map %d", d->content);
        if (agent_of(&restore->agents, d->content) != NULL && !check_absolute(what, d->path, err))
            return false;
    }
    return true;
}

/* Of all nodes together, as a time means a common point of theirs; each agent is told what it means. */
static bool find_target(Agents *a, Error *err)
{
    PhysicalRun *run = a->run;
    const PhysicalRestoreRequest *files = &run->restore->files;
    const Manifest *m = run->result->manifest;
    RecoveryTarget *target = &run->result->target;
    RecoveryWish wish = {.name = files->target_name, .time = files->target_time};
    int *contents = mem_array(run->ctx, int, files->directory_count);
    for (size_t i = 0; i < files->directory_count; i++)
    {
        contents[i] = files->directories[i].content;
        if (physical_restore_record(m, contents[i], err) == NULL)
            return false;
    }
    if (!recovery_target_find(run->ctx, run->repo, m, contents, files->directory_count, wish,
                              target, err))
        return false;
    if (wish.time != NULL && target->name != NULL)
    {
        a->here.target_time = NULL;
        a->here.target_name = target->name;
    }
    return true;
}

/* ---- which server works for which nodes ---- */

/* What no other server has, and no copy of it: where it began to run, too, and when. */
static const char *server_of(void *ctx, PgConn *conn, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(
        conn,
        "SELECT system_identifier, pg_catalog.date_part('epoch',"
        " pg_catalog.pg_postmaster_start_time()), pg_catalog.current_setting('port')"
        " FROM pg_catalog.pg_control_system()",
        0, NULL, err);
    return res == NULL ? NULL
                       : mem_printf(ctx, "%s %s %s", pg_cell(res, 0, 0), pg_cell(res, 0, 1),
                                    pg_cell(res, 0, 2));
}

static Group *group_of(Agents *a, const char *server)
{
    for (size_t i = 0; i < a->group_count; i++)
        if (strcmp(a->groups[i].server, server) == 0)
            return &a->groups[i];
    return NULL;
}

/* One agent reads one repository. */
static bool check_one_place(const Agents *a, int first, int other, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "place");
    const char *pattern = a->run->restore->files.repo;
    const char *x = repo_place(tmp, pattern, first, err);
    const char *y = x == NULL ? NULL : repo_place(tmp, pattern, other, err);
    if (y == NULL || strcmp(x, y) == 0)
        return y != NULL;
    error_set(err, ERR_USAGE,
              "nodes %d and %d have one server in --agent-map, and --repo leads each of them to "
              "another repository",
              first, other);
    return error_hint(err, "Leave %%c out of it; %%h is the name of the host.");
}

static bool add_remote(Agents *a, const RestoreAgent *agent, const PhysicalDirectory *d, Error *err)
{
    void *ctx = a->run->ctx;
    char label[32];
    snprintf(label, sizeof(label), "node %d", agent->content);
    AUTO(pg_conn_close)
    PgConn *conn = pg_conn_open(&agent->spec, label, "pgark agents", a->run->cancel, err);
    const char *server = conn == NULL ? NULL : server_of(ctx, conn, err);
    if (server == NULL)
    {
        error_prefix(err, "--agent-map");
        return error_node(err, label);
    }
    Group *group = group_of(a, server);
    if (group == NULL)
    {
        group = mem_push(ctx, a->groups, a->group_count, a->group_capacity, Group);
        group->spec = pg_conn_pin(ctx, conn, &agent->spec);
        group->server = server;
        group->host = mem_printf(ctx, "%s:%s", PQhost(conn->raw), PQport(conn->raw));
    }
    else if (!check_one_place(a, group->directories[0].content, d->content, err))
        return false;
    *mem_push(ctx, group->directories, group->count, group->capacity, PhysicalDirectory) = *d;
    return true;
}

static bool split_nodes(Agents *a, Error *err)
{
    const FleetRestore *restore = a->run->restore;
    const PhysicalRestoreRequest *files = &restore->files;
    PhysicalDirectory *here = mem_array(a->run->ctx, PhysicalDirectory, files->directory_count);
    size_t count = 0;
    for (size_t i = 0; i < files->directory_count; i++)
    {
        const PhysicalDirectory *d = &files->directories[i];
        const RestoreAgent *agent = agent_of(&restore->agents, d->content);
        if (agent == NULL)
            here[count++] = *d;
        else if (!add_remote(a, agent, d, err))
            return false;
    }
    a->here.directories = here;
    a->here.directory_count = count;
    return true;
}

/* ---- one agent ---- */

/* However many nodes there are, the server is named. */
static void set_label(Group *group)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "label");
    Str *s = str_new(tmp);
    str_add(s, group->count == 1 ? "node " : "nodes ");
    for (size_t i = 0; i < group->count && s->len < LABEL_NODES; i++)
        str_addf(s, "%s%d", i == 0 ? "" : ", ", group->directories[i].content);
    if (s->len >= LABEL_NODES)
        str_add(s, " ...");
    str_addf(s, " (%s)", group->host);
    snprintf(group->call.label, sizeof(group->call.label), "%s", s->data);
}

static const char **make_arguments(const Agents *a, const Group *group, void *ctx,
                                   size_t *ret_count)
{
    const RestoreAgents *agents = &a->run->restore->agents;
    const char **all = mem_array(ctx, const char *, agents->argument_count + group->count + 2);
    size_t count = 0;
    for (; count < agents->argument_count; count++)
        all[count] = agents->arguments[count];
    for (size_t i = 0; i < group->count; i++)
        all[count++] = mem_printf(ctx, "--map=%d=%s", group->directories[i].content,
                                  group->directories[i].path);
    if (a->here.target_name != NULL)
        all[count++] = mem_printf(ctx, "--target-name=%s", a->here.target_name);
    if (a->here.target_time != NULL)
        all[count++] = mem_printf(ctx, "--target-time=%s", a->here.target_time);
    *ret_count = count;
    return all;
}

/* One that could not say itself how it ended (its error has a server's SQLSTATE) has removed nothing, maybe. */
static void tell_left(const Group *group, Error *err)
{
    bool died = err->code == ERR_CONNECT || (err->code == ERR_PROGRAM && err->sqlstate[0] != '\0');
    if (group->call.untidy && group->call.released)
        log_warning("%s: what the agent has written is not all removed", group->call.label);
    if (group->call.released && died)
        error_hint(err, "What it has written may be there still, and has to be removed by hand.");
}

static bool run_agent(Agents *a, Group *group, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "agent");
    AgentJob job = {.repo = a->run->restore->files.repo,
                    .more = json_pack("{s:s}", "sha256", a->sha256)};
    job.arguments = make_arguments(a, group, tmp, &job.argument_count);
    bool ok = agent_call_open(&group->call, err) &&
              agent_call_run(&group->call, AGENT_RESTORE_PHYSICAL,
                             a->run->result->manifest->set.key, &job, &group->result, err);
    if (!ok)
        tell_left(group, err);
    agent_call_close(&group->call);
    json_decref(job.more);
    return ok;
}

/* ---- all ---- */

static bool meet_agents(void *arg, PhysicalStage stage, Error *err)
{
    Agents *a = arg;
    return agent_barrier_meet(&a->barrier, (size_t) stage, a->run->cancel, err);
}

static bool run_one(void *arg, size_t i, Error *err)
{
    Agents *a = arg;
    PhysicalRun *run = a->run;
    if (i < a->group_count)
        return run_agent(a, &a->groups[i], err);
    return physical_restore(run->ctx, run->repo, run->dir, &a->here, run->cancel, a->progress,
                            &a->here_result, err);
}

/* The nodes that are restored here come first in progress, as physical_restore counts them. */
static void prepare_calls(Agents *a)
{
    const size_t here = a->here.directory_count;
    a->here.meet = meet_agents;
    a->here.meet_arg = a;
    a->here_result.manifest = a->run->result->manifest;
    a->barrier.wanted = a->group_count + (here > 0 ? 1 : 0);
    a->progress = progress_new(a->run->ctx, a->run->mode, "restore", here + a->group_count,
                               (size_t) a->here.jobs);
    for (size_t i = 0; i < a->group_count; i++)
    {
        Group *group = &a->groups[i];
        group->call = (AgentCall){.spec = group->spec,
                                  .content = group->directories[0].content,
                                  .cancel = a->run->cancel,
                                  .counts = &a->counts,
                                  .barrier = &a->barrier,
                                  .tidy_ms = TIDY_MS,
                                  .progress = progress_node(a->progress, here + i)};
        set_label(group);
        progress_label(a->progress, here + i, group->call.label);
    }
    progress_phase(a->progress, "agents");
    supervise_progress(a->run->supervisor, a->progress);
}

static bool run_all(Agents *a, Error *err)
{
    agent_counts_init(&a->counts);
    prepare_calls(a);
    bool ok = parallel_run(a->barrier.wanted, run_one, a, a->run->cancel, err);
    agent_counts_free(&a->counts);
    return ok;
}

/* ---- what came of it ---- */

static bool bad_result(const Group *group, const char *why, Error *err)
{
    error_set(err, ERR_INTERNAL, "the agent's result cannot be understood: %s", why);
    return error_node(err, group->call.label);
}

static bool take_node(const Agents *a, const Group *group, size_t i, json_t *object,
                      PhysicalRestored *ret, Error *err)
{
    json_error_t why;
    const char *directory;
    json_int_t files;
    json_int_t bytes;
    if (json_unpack_ex(object, &why, JSON_STRICT, "{s:i, s:s, s:I, s:I}", "content", &ret->content,
                       "directory", &directory, "files", &files, "bytes", &bytes) != 0)
        return bad_result(group, why.text, err);
    if (ret->content != group->directories[i].content)
        return bad_result(group, "it is of another node", err);
    ret->directory = mem_strdup(a->run->ctx, directory);
    ret->host = group->host;
    ret->record = manifest_physical(a->run->result->manifest, ret->content);
    ret->files = (uint64_t) files;
    ret->bytes = (uint64_t) bytes;
    return true;
}

static bool take_group(Agents *a, const Group *group, PhysicalRestored *nodes, size_t *count,
                       Error *err)
{
    json_error_t why;
    json_t *array;
    json_int_t tables;
    if (json_unpack_ex(group->result, &why, JSON_STRICT, "{s:o, s:I}", "nodes", &array, "tables",
                       &tables) != 0)
        return bad_result(group, why.text, err);
    if (json_array_size(array) != group->count)
        return bad_result(group, "it is of other nodes", err);
    for (size_t i = 0; i < group->count; i++)
        if (!take_node(a, group, i, json_array_get(array, i), &nodes[(*count)++], err))
            return false;
    a->run->tables += (size_t) tables;
    return true;
}

/* As they were asked for. */
static bool merge(Agents *a, Error *err)
{
    PhysicalRestoreResult *result = a->run->result;
    const PhysicalRestoreRequest *files = &a->run->restore->files;
    PhysicalRestored *nodes = mem_array(a->run->ctx, PhysicalRestored, files->directory_count);
    size_t count = 0;
    for (; count < a->here_result.node_count; count++)
        nodes[count] = a->here_result.nodes[count];
    for (size_t i = 0; i < a->group_count; i++)
        if (!take_group(a, &a->groups[i], nodes, &count, err))
            return false;
    result->nodes = mem_array(a->run->ctx, PhysicalRestored, count);
    for (size_t i = 0; i < files->directory_count; i++)
        for (size_t k = 0; k < count; k++)
            if (nodes[k].content == files->directories[i].content)
                result->nodes[result->node_count++] = nodes[k];
    return true;
}

bool restore_physical_by_agents(PhysicalRun *run, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "manifest");
    Agents a = {.run = run, .here = run->restore->files};
    const char *manifest = mem_printf(tmp, "%s/manifest.jsonl", run->dir);
    bool ok = check_paths(run->restore, err) && find_target(&a, err) && split_nodes(&a, err) &&
              restore_physical_hosts(run, &a.here, err) &&
              whole_object_sha256(run->repo->storage, manifest, a.sha256, err) &&
              run_all(&a, err) && merge(&a, err);
    for (size_t i = 0; i < a.group_count; i++)
        json_decref(a.groups[i].result);
    return ok;
}

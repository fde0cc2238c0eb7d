/* cli/cmd_restore.c - pgark restore. */
#include "base/str.h"
#include "cli/cli.h"
#include "cli/restore_report.h"
#include "fleet/agent_restore.h"
#include "fleet/restore_run.h"

/* "CONTENT=CONNINFO"; the option parser has checked the form. */
static bool map_targets(void *ctx, const Options *o, RestoreRequest *request, Error *err)
{
    size_t count;
    const char *const *map = options_list(o, OPT_MAP, &count);
    request->targets = mem_array(ctx, RestoreTarget, count);
    request->target_count = count;
    for (size_t i = 0; i < count; i++)
    {
        char *end;
        char what[48];
        request->targets[i].content = (int) strtol(map[i], &end, 10);
        snprintf(what, sizeof(what), "--map %d", request->targets[i].content);
        if (!fleet_check_conninfo(end + 1, what, err))
            return false;
        request->targets[i].spec.conninfo = end + 1;
    }
    return true;
}

static bool one_target(void *ctx, const Options *o, RestoreRequest *request, Error *err)
{
    Fleet *fleet = cli_fleet(ctx, o, err);
    if (fleet == NULL)
        return false;
    request->targets = mem_new(ctx, RestoreTarget);
    request->targets[0].spec = fleet->nodes[0].spec;
    request->target_count = 1;
    request->single_target = true;
    return true;
}

/* What is restored, and how it is changed on its way. */
static bool choose_objects(void *ctx, const Options *o, RestoreRequest *r, Error *err)
{
    NameMap *schemas;
    NameMap *tablespaces;
    r->selection = cli_selection(ctx, o, err);
    if (r->selection == NULL ||
        !cli_name_map(ctx, o, OPT_SCHEMA_MAP, &schemas, &r->schema_map_count, err) ||
        !cli_name_map(ctx, o, OPT_TABLESPACE_MAP, &tablespaces, &r->tablespace_map_count, err))
        return false;
    r->schema_map = schemas;
    r->tablespace_map = tablespaces;
    r->from_database = options_string(o, OPT_FROM_DATABASE);
    r->globals = options_flag(o, OPT_GLOBALS);
    r->with_dependencies = options_flag(o, OPT_WITH_DEPENDENCIES);
    r->no_owner = options_flag(o, OPT_NO_OWNER);
    r->no_tablespaces = options_flag(o, OPT_NO_TABLESPACES);
    r->no_table_am = options_flag(o, OPT_NO_TABLE_ACCESS_METHOD);
    return true;
}

static void choose_ways(const Options *o, RestoreRequest *r)
{
    r->memory = (uint64_t) options_int(o, OPT_MEMORY);
    r->role = options_string(o, OPT_ROLE);
    r->session_authorization = options_flag(o, OPT_USE_SET_SESSION_AUTHORIZATION);
    r->enable_row_security = options_flag(o, OPT_ENABLE_ROW_SECURITY);
    r->clean = options_flag(o, OPT_CLEAN);
    r->if_exists = options_flag(o, OPT_IF_EXISTS);
    r->truncate = options_flag(o, OPT_TRUNCATE);
    r->append = options_flag(o, OPT_APPEND);
    r->keep_existing = options_flag(o, OPT_KEEP_EXISTING);
    r->resume = options_flag(o, OPT_RESUME);
    r->disable_triggers = options_flag(o, OPT_DISABLE_TRIGGERS);
    r->via_root = options_flag(o, OPT_LOAD_VIA_PARTITION_ROOT);
    r->on_error = str_equal(options_string(o, OPT_ON_ERROR), "continue") ? ON_ERROR_CONTINUE
                                                                         : ON_ERROR_STOP;
}

/* Of a target whose tables have their rows on several servers. */
static bool choose_spread(void *ctx, const Options *o, RestoreRequest *r, Error *err)
{
    NameMap *hosts;
    const char *path = options_string(o, OPT_DISTRIBUTE);
    if (!cli_name_map(ctx, o, OPT_HOST_MAP, &hosts, &r->host_map_count, err))
        return false;
    r->host_map = hosts;
    r->shard_count = (int) options_int(o, OPT_SHARD_COUNT);
    r->direct = options_flag(o, OPT_DIRECT)      ? DIRECT_ALWAYS
                : options_flag(o, OPT_NO_DIRECT) ? DIRECT_NEVER
                                                 : DIRECT_AUTO;
    r->distribute = path == NULL ? NULL : distribute_file_read(ctx, path, err);
    return path == NULL || r->distribute != NULL;
}

bool cmd_restore_request(void *ctx, const Options *o, RestoreRequest *request, Error *err)
{
    size_t mapped;
    options_list(o, OPT_MAP, &mapped);
    *request = (RestoreRequest){.repo = options_string(o, OPT_REPO),
                                .key = options_key(o),
                                .prefix = options_string(o, OPT_PREFIX),
                                .jobs = (int) options_int(o, OPT_JOBS),
                                .create = options_flag(o, OPT_CREATE),
                                .analyze = !options_flag(o, OPT_NO_ANALYZE)};
    choose_ways(o, request);
    if (!choose_objects(ctx, o, request, err) || !choose_spread(ctx, o, request, err))
        return false;
    return mapped > 0 ? map_targets(ctx, o, request, err) : one_target(ctx, o, request, err);
}

/* ---- sets whose nodes lie apart ---- */

/* What an agent is told; the selection besides (selection_describe). */
static const OptionId agent_options[] = {
    OPT_JOBS,
    OPT_CREATE,
    OPT_NO_ANALYZE,
    OPT_MEMORY,
    OPT_ROLE,
    OPT_USE_SET_SESSION_AUTHORIZATION,
    OPT_ENABLE_ROW_SECURITY,
    OPT_CLEAN,
    OPT_IF_EXISTS,
    OPT_TRUNCATE,
    OPT_APPEND,
    OPT_KEEP_EXISTING,
    OPT_DISABLE_TRIGGERS,
    OPT_LOAD_VIA_PARTITION_ROOT,
    OPT_ON_ERROR,
    OPT_SCHEMA_MAP,
    OPT_TABLESPACE_MAP,
    OPT_FROM_DATABASE,
    OPT_GLOBALS,
    OPT_WITH_DEPENDENCIES,
    OPT_STRICT_NAMES,
    OPT_NO_OWNER,
    OPT_NO_TABLESPACES,
    OPT_NO_TABLE_ACCESS_METHOD,
};

const OptionId *cmd_restore_agent_options(size_t *ret_count)
{
    *ret_count = LENGTH_OF(agent_options);
    return agent_options;
}

/* What needs all nodes in one process. */
static bool check_apart(const Options *o, Error *err)
{
    static const OptionId others[] = {OPT_RESUME, OPT_DISTRIBUTE, OPT_SHARD_COUNT, OPT_DIRECT,
                                      OPT_NO_DIRECT};
    for (size_t i = 0; i < LENGTH_OF(others); i++)
    {
        if (!options_given(o, others[i]))
            continue;
        error_set(err, ERR_USAGE, "--%s is not for a set whose nodes lie apart",
                  options_name(others[i]));
        return error_hint(err, "Bring the directories of the set together below one.");
    }
    return true;
}

static int restore_apart(void *ctx, const Options *o, const RestoreRequest *request,
                         Supervisor *supervisor, Error *err)
{
    AgentRestoreResult result;
    size_t count;
    size_t chosen;
    char **selection;
    if (!check_apart(o, err))
        return EXIT_ERROR;
    const char **arguments = cli_arguments(ctx, o, agent_options, LENGTH_OF(agent_options), &count);
    selection_describe(request->selection, ctx, &selection, &chosen);
    arguments = mem_grow(ctx, arguments, const char *, count + chosen);
    for (size_t i = 0; i < chosen; i++)
        arguments[count++] = selection[i];
    if (!agent_restore(ctx, request, arguments, count, supervisor, cli_progress(o), &result, err))
        return EXIT_ERROR;
    for (size_t i = 0; i < json_array_size(result.nodes); i++)
        restore_report_warn(json_array_get(result.nodes, i));
    restore_report_print(cli_json(o), &result.manifest->set, result.nodes, result.elapsed_ms);
    return cli_exit();
}

int cmd_restore(void *ctx, const Options *o, Supervisor *supervisor, Error *err)
{
    RestoreRequest request;
    RestoreResult result;
    bool apart;
    if (!cmd_restore_request(ctx, o, &request, err) || !agent_restore_wanted(&request, &apart, err))
        return EXIT_ERROR;
    if (apart)
        return restore_apart(ctx, o, &request, supervisor, err);
    if (!restore_run(ctx, &request, supervisor, cli_progress(o), &result, err))
        return EXIT_ERROR;
    json_t *nodes = json_array();
    for (size_t i = 0; i < result.node_count; i++)
    {
        json_t *node = restore_report_node(&result.nodes[i]);
        restore_report_warn(node);
        json_array_append_new(nodes, node);
    }
    restore_report_print(cli_json(o), &result.manifest->set, nodes, result.elapsed_ms);
    return cli_exit();
}

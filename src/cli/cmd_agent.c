/*
 * cli/cmd_agent.c - pgark agent: the process that the extension starts.
 *
 * A job names options of pgark's own command line; they are parsed as everywhere, but only those that a
 * table here allows. The rest of the work is src/agent's.
 */
#include "agent/part.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/agent_kind.h"
#include "cli/cli.h"
#include "cli/restore_report.h"
#include "fleet/agent_call.h"
#include "fleet/restore_run.h"
#include "repo/part.h"

/* Options that a job may have: what is stored and how, but no program and no file of this host. */
static const OptionId backup_options[] = {
    OPT_JOBS,
    OPT_COMPRESS,
    OPT_FORMAT,
    OPT_CHUNK_SIZE,
    OPT_NO_SYNC,
    OPT_ROLE,
    OPT_ENABLE_ROW_SECURITY,
    OPT_GLOBALS,
    OPT_CONFIG_FILES,
    OPT_RATE_LIMIT,
    OPT_NO_ROLE_PASSWORDS,
    OPT_STRICT_NAMES,
    OPT_NO_TABLESPACES,
    OPT_NO_TABLE_ACCESS_METHOD,
    OPT_NO_TOAST_COMPRESSION,
    OPT_QUOTE_ALL_IDENTIFIERS,
    OPT_DISABLE_DOLLAR_QUOTING,
};

static const OptionId verify_options[] = {OPT_JOBS, OPT_QUICK};

/* What selection_describe writes. */
static const OptionId selection_options[] = {
    OPT_SECTION,
    OPT_LARGE_OBJECTS,
    OPT_NO_LARGE_OBJECTS,
    OPT_SCHEMA,
    OPT_EXCLUDE_SCHEMA,
    OPT_TABLE,
    OPT_EXCLUDE_TABLE,
    OPT_TABLE_AND_CHILDREN,
    OPT_EXCLUDE_TABLE_AND_CHILDREN,
    OPT_EXCLUDE_TABLE_DATA,
    OPT_EXCLUDE_TABLE_DATA_AND_CHILDREN,
    OPT_EXTENSION,
    OPT_EXCLUDE_EXTENSION,
    OPT_INCLUDE_FOREIGN_DATA,
    OPT_INDEX,
    OPT_FUNCTION,
    OPT_TRIGGER,
    OPT_NO_UNLOGGED_TABLE_DATA,
    OPT_NO_COMMENTS,
    OPT_NO_POLICIES,
    OPT_NO_PRIVILEGES,
    OPT_NO_PUBLICATIONS,
    OPT_NO_SECURITY_LABELS,
    OPT_NO_SUBSCRIPTIONS,
};

const OptionId *agent_backup_options(size_t *ret_count)
{
    *ret_count = LENGTH_OF(backup_options);
    return backup_options;
}

static const OptionId *list_verify(size_t *ret_count)
{
    *ret_count = LENGTH_OF(verify_options);
    return verify_options;
}

const OptionId *agent_no_options(size_t *ret_count)
{
    *ret_count = 0;
    return NULL;
}

/* ---- the kinds ---- */

static bool work_backup(AgentProcess *p, const Options *o, json_t **ret, Error *err)
{
    BackupRequest request = {.repo = NULL};
    return cmd_backup_request(p->ctx, o, &request, err) && agent_backup(p, &request, ret, err);
}

static bool work_publish(AgentProcess *p, const Options *o UNUSED, json_t **ret, Error *err)
{
    return agent_publish(p, ret, err);
}

static bool work_discard(AgentProcess *p, const Options *o UNUSED, json_t **ret, Error *err)
{
    return agent_discard(p, ret, err);
}

static bool work_verify(AgentProcess *p, const Options *o, json_t **ret, Error *err)
{
    return agent_verify(p, options_flag(o, OPT_QUICK), (int) options_int(o, OPT_JOBS), ret, err);
}

/* ---- restore ---- */

/* All is checked, nothing is changed yet: the agents of all nodes begin together. */
static bool meet(void *arg, ProgressNode *progress, Cancel *cancel, Error *err)
{
    AgentProcess *p = arg;
    if (!agent_monitor_wait(p->monitor, AGENT_CHECKED, progress, cancel, err))
        return false;
    agent_monitor_phase(p->monitor, "restoring");
    return true;
}

/* A database's name, whatever it is, as a conninfo. */
static const char *name_database(void *ctx, const char *name)
{
    Str *s = str_new(ctx);
    str_add(s, "dbname='");
    for (const char *c = name; *c != '\0'; c++)
    {
        if (*c == '\'' || *c == '\\')
            str_addc(s, '\\');
        str_addc(s, *c);
    }
    str_addc(s, '\'');
    return s->data;
}

static bool work_restore(AgentProcess *p, const Options *o, json_t **ret, Error *err)
{
    RestoreRequest request;
    RestoreResult result;
    json_error_t why;
    const char *repo_id;
    const char *database;
    if (json_unpack_ex(p->job.more, &why, JSON_STRICT, "{s:s, s:s}", "repo_id", &repo_id,
                       "database", &database) != 0)
        return error_set(err, ERR_USAGE, "the job cannot be understood: %s", why.text);
    const Repo *repo = agent_part_open(p, repo_id, err);
    if (repo == NULL || !cmd_restore_request(p->ctx, o, &request, err))
        return false;
    request.repo = repo_place_escape(p->ctx, storage_uri(repo->storage));
    request.targets[0].spec = p->spec;
    request.targets[0].spec.conninfo = name_database(p->ctx, database);
    request.targets[0].spec.database = NULL;
    request.part = p->job.content;
    request.checked = meet;
    request.checked_arg = p;
    if (!restore_run(p->ctx, &request, supervise_new(p->ctx), PROGRESS_NONE, &result, err))
        return false;
    *ret = restore_report_node(&result.nodes[0]);
    return *ret != NULL || error_set(err, ERR_INTERNAL, "the result cannot be written");
}

static bool work_restore_physical(AgentProcess *p, const Options *o, json_t **ret, Error *err)
{
    FleetRestore request;
    return cmd_restore_physical_request(p->ctx, o, &request, err) &&
           restore_physical_node(p, &request, ret, err);
}

static bool work_expire(AgentProcess *p, const Options *o UNUSED, json_t **ret, Error *err)
{
    return agent_expire(p, ret, err);
}

static const AgentKind kinds[] = {
    {AGENT_BACKUP, "backup", false, true, false, false, agent_backup_options, work_backup},
    {AGENT_PUBLISH, NULL, false, false, false, false, agent_no_options, work_publish},
    {AGENT_DISCARD, NULL, false, false, false, false, agent_no_options, work_discard},
    {AGENT_VERIFY, "verify", true, false, false, false, list_verify, work_verify},
    {AGENT_RESTORE, "restore", true, true, true, false, cmd_restore_agent_options, work_restore},
    {AGENT_EXPIRE, NULL, false, false, false, false, agent_no_options, work_expire},
    {AGENT_RESTORE_PHYSICAL, "restore", true, false, false, false,
     cmd_restore_physical_agent_options, work_restore_physical},
};

static const AgentKind *look_up(const AgentKind *all, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
    {
        if (str_equal(all[i].kind, name))
            return &all[i];
    }
    return NULL;
}

static const AgentKind *find_kind(const AgentKinds *more, const char *name)
{
    const AgentKind *kind = look_up(kinds, LENGTH_OF(kinds), name);
    return kind != NULL ? kind : look_up(more->items, more->count, name);
}

/* ---- options ---- */

static bool is_among(const char *argument, const OptionId *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
    {
        const char *name = options_name(ids[i]);
        size_t len = strlen(name);
        if (strncmp(argument, "--", 2) == 0 && strncmp(argument + 2, name, len) == 0 &&
            (argument[2 + len] == '\0' || argument[2 + len] == '='))
            return true;
    }
    return false;
}

static bool check_arguments(const AgentProcess *p, const AgentKind *kind, Error *err)
{
    size_t count;
    char shown[160];
    if (kind->plain)
        return true; /* it has options of its own */
    const OptionId *ids = kind->options(&count);
    for (size_t i = 0; i < p->job.argument_count; i++)
    {
        const char *argument = p->job.arguments[i];
        if (is_among(argument, ids, count) ||
            (kind->selects && is_among(argument, selection_options, LENGTH_OF(selection_options))))
            continue;
        return error_set(err, ERR_USAGE, "an agent of kind \"%s\" takes no option \"%s\"",
                         kind->kind, str_one_line(shown, sizeof(shown), argument));
    }
    return true;
}

/* *ret NULL: the kind has none. */
static bool parse_options(AgentProcess *p, const AgentKind *kind, const Options **ret, Error *err)
{
    int argc = 0;
    OptionsAction action;
    const char **argv = mem_array(p->ctx, const char *, p->job.argument_count + 6);
    *ret = NULL;
    if (!check_arguments(p, kind, err))
        return false;
    if (kind->command == NULL)
        return true;
    argv[argc++] = "pgark";
    argv[argc++] = kind->command;
    if (kind->keyed)
        argv[argc++] = p->order.key;
    argv[argc++] = mem_printf(p->ctx, "--repo=%s", p->job.repo);
    if (str_equal(kind->kind, AGENT_RESTORE))
    {
        argv[argc++] = "--dbname=postgres"; /* where to is in the job */
        argv[argc++] = "--no-password";
    }
    for (size_t i = 0; i < p->job.argument_count; i++)
        argv[argc++] = p->job.arguments[i];
    *ret = options_parse(p->ctx, argc, (char **) (uintptr_t) argv, &action, err);
    return *ret != NULL;
}

/* ---- the process ---- */

static AgentManner manner(const void *arg, const char *name)
{
    const AgentKind *kind = find_kind(arg, name);
    return kind == NULL ? (AgentManner){.plain = false}
                        : (AgentManner){.supervised = kind->supervised, .plain = kind->plain};
}

static bool run(AgentProcess *p, const AgentKinds *more, json_t **ret, Error *err)
{
    const Options *o;
    if (!agent_process_begin(p, manner, more, err))
        return false;
    const AgentKind *kind = find_kind(more, p->order.kind);
    if (kind == NULL)
        return error_set(err, ERR_USAGE, "there is no kind of agent \"%s\"", p->order.kind);
    return parse_options(p, kind, &o, err) && kind->work(p, o, ret, err);
}

int cmd_agent(void *ctx, const AgentKinds *more)
{
    Error err = ERROR_INIT;
    AgentProcess p = {.ctx = ctx};
    json_t *result = NULL;
    supervise_block_signals();
    log_setup(LOG_WARNING, false);
    if (!run(&p, more, &result, &err) && !error_is_set(&err))
        error_set(&err, ERR_INTERNAL, "the agent failed without a reason");
    return agent_process_end(&p, result, &err);
}

/* cli/cmd_restore.c - pgark restore. */
#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"
#include "fleet/restore_run.h"
#include "report/set_report.h"

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

static bool make_request(void *ctx, const Options *o, RestoreRequest *request, Error *err)
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

/* Every failure is a line of the log, so that it is seen where only that is kept, too. */
static void warn_about(const RestoreNode *n)
{
    size_t count;
    const OutcomeFailure *failures = outcome_failures(n->outcome, &count);
    for (size_t w = 0; w < n->record->warning_count; w++)
        log_warning("node %d: %s", n->record->content, n->record->warnings[w]);
    for (size_t i = 0; i < count; i++)
        log_warning("%s: %s %s: %s%s%s%s", n->label, failures[i].object,
                    failures[i].skipped ? "was skipped" : "failed",
                    failures[i].sqlstate[0] == '\0' ? "" : "SQLSTATE ", failures[i].sqlstate,
                    failures[i].sqlstate[0] == '\0' ? "" : ", ", failures[i].message);
}

static void print_before(const RestoreNode *n)
{
    char bytes[STR_BYTES_LEN];
    if (n->resumed)
        printf("            of them there before: %" PRIu64 " rows (%s) and %" PRIu64
               " definitions\n",
               n->before.rows, str_format_bytes(bytes, n->before.logical), n->before.statements);
}

static void print_outcome(const RestoreNode *n)
{
    size_t count;
    size_t skipped = 0;
    const OutcomeFailure *failures = outcome_failures(n->outcome, &count);
    for (size_t i = 0; i < count; i++)
        skipped += failures[i].skipped ? 1 : 0;
    if (count > 0)
        printf("            %zu failed and %zu skipped\n", count - skipped, skipped);
    if (n->filter->left_out_count > 0)
        printf("            %zu foreign keys left out\n", n->filter->left_out_count);
}

static void print_text(const RestoreResult *r)
{
    char bytes[STR_BYTES_LEN];
    char duration[STR_BYTES_LEN];
    char rate[STR_BYTES_LEN];
    uint64_t rows = 0;
    uint64_t logical = 0;
    printf("set         %s of fleet %s\n", r->manifest->set.key, r->manifest->set.fleet);
    for (size_t i = 0; i < r->node_count; i++)
    {
        const RestoreNode *n = &r->nodes[i];
        printf("node %-6d %" PRIu64 " rows (%s) and %" PRIu64 " definitions\n", n->record->content,
               n->rows, str_format_bytes(bytes, n->logical), n->statements);
        print_before(n);
        print_outcome(n);
        rows += n->rows - n->before.rows;
        logical += n->logical - n->before.logical;
    }
    int64_t ms = r->elapsed_ms < 1 ? 1 : r->elapsed_ms;
    printf("restored    %" PRIu64 " rows, %s in %s (%s/s), every chunk verified\n", rows,
           str_format_bytes(bytes, logical), str_format_duration(duration, ms),
           str_format_bytes(rate, logical * 1000 / (uint64_t) ms));
}

static json_t *outcome_json(const RestoreNode *n)
{
    size_t count;
    json_t *list = json_array();
    const OutcomeFailure *failures = outcome_failures(n->outcome, &count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:o, s:b, s:s, s:o}", "object",
                                              set_report_string(failures[i].object), "skipped",
                                              failures[i].skipped, "sqlstate", failures[i].sqlstate,
                                              "message", set_report_string(failures[i].message)));
    return list;
}

static json_t *left_out_json(const RestoreNode *n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n->filter->left_out_count; i++)
        json_array_append_new(list, set_report_string(n->filter->left_out[i]));
    return list;
}

/* What of the node's rows, bytes and definitions another run has restored. */
static json_t *before_json(const RestoreNode *n)
{
    return json_pack("{s:I, s:I, s:I}", "rows", (json_int_t) n->before.rows, "bytes",
                     (json_int_t) n->before.logical, "definitions",
                     (json_int_t) n->before.statements);
}

static void print_json(const RestoreResult *r)
{
    json_t *nodes = json_array();
    for (size_t i = 0; i < r->node_count; i++)
    {
        const RestoreNode *n = &r->nodes[i];
        json_array_append_new(
            nodes, json_pack("{s:i, s:I, s:I, s:I, s:o, s:o, s:o}", "content", n->record->content,
                             "rows", (json_int_t) n->rows, "bytes", (json_int_t) n->logical,
                             "definitions", (json_int_t) n->statements, "before", before_json(n),
                             "failures", outcome_json(n), "left_out", left_out_json(n)));
    }
    set_report_print(stdout, json_pack("{s:s, s:o, s:I, s:o}", "key", r->manifest->set.key, "fleet",
                                       set_report_string(r->manifest->set.fleet), "elapsed_ms",
                                       (json_int_t) r->elapsed_ms, "nodes", nodes));
}

int cmd_restore(void *ctx, const Options *o, Supervisor *supervisor, Error *err)
{
    RestoreRequest request;
    RestoreResult result;
    if (!make_request(ctx, o, &request, err) ||
        !restore_run(ctx, &request, supervisor, cli_progress(o), &result, err))
        return EXIT_ERROR;
    for (size_t i = 0; i < result.node_count; i++)
        warn_about(&result.nodes[i]);
    if (cli_json(o))
        print_json(&result);
    else
        print_text(&result);
    return cli_exit();
}

/* cli/cmd_backup.c - pgark backup. */
#include "base/log.h"
#include "base/str.h"
#include "cli/backup_end.h"
#include "fleet/vacuum.h"
#include "physical/request.h"
#include "physical/tar_stream.h"
#include "report/set_report.h"

/* NULL: rows are wanted. */
static const PhysicalRequest *physical_request(void *ctx, const Options *o)
{
    const char *bad = options_string(o, OPT_BAD_PAGES);
    if (!options_flag(o, OPT_PHYSICAL))
        return NULL;
    PhysicalRequest *r = mem_new(ctx, PhysicalRequest);
    r->fast_checkpoint = str_equal(options_string(o, OPT_CHECKPOINT), "fast");
    r->part_size = (uint64_t) options_int(o, OPT_PART_SIZE) / TAR_BLOCK * TAR_BLOCK;
    r->bad_pages_given = options_given(o, OPT_BAD_PAGES);
    r->bad_pages = str_equal(bad, "warn")     ? BAD_PAGES_WARN
                   : str_equal(bad, "ignore") ? BAD_PAGES_IGNORE
                                              : BAD_PAGES_FAIL;
    return r;
}

bool cmd_backup_request(void *ctx, const Options *o, BackupRequest *r, Error *err)
{
    const char *format = options_string(o, OPT_FORMAT);
    const char *cut = options_string(o, OPT_CUT);
    const char *agents = options_string(o, OPT_AGENT);
    r->repo = options_string(o, OPT_REPO);
    r->physical = physical_request(ctx, o);
    r->agents = str_equal(agents, "yes")    ? AGENTS_YES
                : str_equal(agents, "auto") ? AGENTS_AUTO
                                            : AGENTS_NO;
    r->key = options_string(o, OPT_KEY);
    r->prefix = options_string(o, OPT_PREFIX);
    r->jobs = (int) options_int(o, OPT_JOBS);
    r->format = str_equal(format, "text")     ? FORMAT_TEXT
                : str_equal(format, "binary") ? FORMAT_BINARY
                                              : FORMAT_AUTO;
    r->chunk_size = (uint64_t) options_int(o, OPT_CHUNK_SIZE);
    r->chunk_size_exact = options_given(o, OPT_CHUNK_SIZE);
    r->cut = str_equal(cut, "barrier") ? CUT_BARRIER
             : str_equal(cut, "none")  ? CUT_NONE
                                       : CUT_STRICT;
    r->retries = (int) options_int(o, OPT_RETRIES);
    r->cut_timeout_ms = options_int(o, OPT_CUT_TIMEOUT);
    r->lock_wait_ms = options_int(o, OPT_LOCK_WAIT_TIMEOUT);
    r->pg_dump = options_string(o, OPT_PG_DUMP);
    r->asked = options_describe(o, ctx);
    r->dry_run = options_flag(o, OPT_DRY_RUN);
    r->no_sync = options_flag(o, OPT_NO_SYNC);
    r->base = options_string(o, OPT_INCREMENTAL_FROM);
    r->incremental = r->base != NULL || options_flag(o, OPT_INCREMENTAL);
    r->base_required = r->base != NULL;
    r->no_space_check = options_flag(o, OPT_NO_SPACE_CHECK);
    r->min_free = (int) options_int(o, OPT_MIN_FREE);
    r->keep_partial = options_flag(o, OPT_KEEP_PARTIAL);
    r->rate_limit = options_given(o, OPT_RATE_LIMIT) ? (uint64_t) options_int(o, OPT_RATE_LIMIT)
                                                     : 0;
    r->hold_ms = options_int(o, OPT_HOLD);
    r->resume = options_flag(o, OPT_RESUME);
    r->all_databases = options_flag(o, OPT_ALL_DATABASES);
    r->globals = options_flag(o, OPT_GLOBALS);
    r->config_files = options_flag(o, OPT_CONFIG_FILES);
    r->no_role_passwords = options_flag(o, OPT_NO_ROLE_PASSWORDS);
    r->selection = cli_selection(ctx, o, err);
    r->role = options_string(o, OPT_ROLE);
    r->enable_row_security = options_flag(o, OPT_ENABLE_ROW_SECURITY);
    r->dump_args = cli_dump_args(ctx, o);
    /* These are done by this process alone, or not at all. */
    if (r->agents == AGENTS_AUTO &&
        (r->hold_ms > 0 || r->resume || r->all_databases || r->pg_dump != NULL || r->keep_partial ||
         r->incremental || options_given(o, OPT_NICE) || options_flag(o, OPT_IO_IDLE) ||
         r->physical != NULL))
        r->agents = AGENTS_NO;
    if (r->selection == NULL)
        return false;
    if (r->physical != NULL && !selection_is_all(r->selection))
    {
        error_set(err, ERR_USAGE, "--physical excludes all options that choose objects");
        return error_hint(err, "A base backup is a whole server, as it is.");
    }
    if (r->key != NULL && !repo_key_parse(r->key, err))
        return error_prefix(err, "--key");
    return compress_parse(options_string(o, OPT_COMPRESS), &r->compress, err);
}

static void warn_left_out(const Manifest *m)
{
    for (size_t i = 0; i < m->node_count; i++)
    {
        for (size_t w = 0; w < m->nodes[i].warning_count; w++)
            log_warning("node %d, database \"%s\": %s", m->nodes[i].content, m->nodes[i].database,
                        m->nodes[i].warnings[w]);
    }
}

static size_t node_chunks(const BackupNode *node, size_t table)
{
    size_t count = 0;
    for (size_t i = 0; i < node->plan.count; i++)
        count += node->plan.chunks[i].table == table ? 1 : 0;
    return count;
}

static void print_plan_node(const BackupNode *node, int64_t limit)
{
    char bytes[STR_BYTES_LEN];
    printf("node %-6d %s, database \"%s\", PostgreSQL %s\n", node->content, node->label,
           node->record.database, node->record.server_version);
    printf("  locks     %zu tables in ACCESS SHARE mode\n", node->locked.count);
    printf("  schema    %s (PostgreSQL %d)\n", node->pg_dump.path, node->pg_dump.major);
    printf("  data      %s of tables in %zu chunks, %d jobs\n",
           str_format_bytes(bytes, node->plan.bytes), node->plan.count, node->request->jobs);
    for (size_t w = 0; w < node->record.warning_count; w++)
        printf("  note      %s\n", node->record.warnings[w]);
    uint32_t last = UINT32_MAX;
    int64_t shown = 0;
    /* The plan is by size: the first chunk of a table stands where its table belongs. */
    for (size_t i = 0; i < node->plan.count && (limit == 0 || shown < limit); i++)
    {
        const Chunk *chunk = &node->plan.chunks[i];
        const Relation *r = &node->catalog.items[chunk->table];
        if (chunk->number != 0 || r->oid == last)
            continue;
        char name[160];
        last = r->oid;
        shown++;
        printf("  %-48s %12s %6zu chunk%s  %s\n", str_one_line(name, sizeof(name), r->quoted),
               str_format_bytes(bytes, r->bytes), node_chunks(node, chunk->table),
               node_chunks(node, chunk->table) == 1 ? " " : "s", r->binary ? "binary" : "text");
    }
}

/* The rest is stored for certain. */
static uint64_t comparable_bytes(const BackupResult *result)
{
    uint64_t bytes = 0;
    for (size_t n = 0; n < result->node_count; n++)
    {
        const Catalog *c = &result->nodes[n].catalog;
        for (size_t i = 0; i < c->count; i++)
            bytes += c->items[i].ranges == NULL ? 0 : c->items[i].bytes;
    }
    return bytes;
}

static void print_plan_text(const BackupResult *result, const BackupRequest *request)
{
    char bytes[STR_BYTES_LEN];
    char space[STR_BYTES_LEN];
    printf("dry run: nothing was locked, nothing is stored\n");
    for (size_t i = 0; i < result->node_count; i++)
        print_plan_node(&result->nodes[i], 50);
    if (result->base[0] != '\0')
        printf("base        %s, with which %s of tables can be compared\n", result->base,
               str_format_bytes(bytes, comparable_bytes(result)));
    else if (request->incremental)
        printf("base        none: this set would be a full one\n");
    printf("total       %s of tables on %zu node%s\n", str_format_bytes(bytes, result->bytes),
           result->node_count, result->node_count == 1 ? "" : "s");
    if (result->repo_known)
        printf("repository  %s, %s free\n", request->repo,
               str_format_bytes(space, result->free_bytes));
}

static json_t *plan_node_json(const BackupNode *node)
{
    json_t *tables = json_array();
    size_t *chunks = mem_array(node->ctx, size_t, node->catalog.count);
    for (size_t i = 0; i < node->plan.count; i++)
        chunks[node->plan.chunks[i].table]++;
    for (size_t i = 0; i < node->catalog.count; i++)
    {
        const Relation *r = &node->catalog.items[i];
        if (r->kind == 'r')
            json_array_append_new(
                tables, json_pack("{s:o, s:o, s:I, s:I, s:s}", "schema",
                                  set_report_string(r->schema), "name", set_report_string(r->name),
                                  "bytes", (json_int_t) r->bytes, "chunks", (json_int_t) chunks[i],
                                  "format", r->binary ? "binary" : "text"));
    }
    return json_pack("{s:i, s:o, s:o, s:I, s:I, s:I, s:o}", "content", node->content, "node",
                     set_report_string(node->label), "pg_dump",
                     set_report_string(node->pg_dump.path), "locks",
                     (json_int_t) node->locked.count, "bytes", (json_int_t) node->plan.bytes,
                     "chunks", (json_int_t) node->plan.count, "tables", tables);
}

static void print_plan(const Options *o, const BackupResult *result, const BackupRequest *request)
{
    if (!cli_json(o))
    {
        print_plan_text(result, request);
        return;
    }
    json_t *nodes = json_array();
    for (size_t i = 0; i < result->node_count; i++)
        json_array_append_new(nodes, plan_node_json(&result->nodes[i]));
    json_t *plan = json_pack("{s:b, s:I, s:o}", "dry_run", 1, "bytes", (json_int_t) result->bytes,
                             "nodes", nodes);
    if (request->incremental)
        json_object_set_new(plan, "base",
                            result->base[0] == '\0' ? json_null() : json_string(result->base));
    if (result->base[0] != '\0')
        json_object_set_new(plan, "comparable_bytes",
                            json_integer((json_int_t) comparable_bytes(result)));
    if (result->repo_known)
        json_object_set_new(plan, "free_bytes", json_integer((json_int_t) result->free_bytes));
    set_report_print(stdout, plan);
}

static int plan_only(void *ctx, const Options *o, const BackupRequest *request, const Fleet *fleet,
                     Supervisor *supervisor, Error *err)
{
    BackupResult result;
    bool ok = backup_run(ctx, fleet, request, supervisor, PROGRESS_NONE, &result, err);
    if (ok)
        print_plan(o, &result, request);
    for (size_t i = 0; i < result.node_count; i++)
        node_close(&result.nodes[i]);
    return ok ? cli_exit() : EXIT_ERROR;
}

static bool find_nodes(void *ctx, const Options *o, const BackupRequest *request, Fleet *fleet,
                       Error *err)
{
    return cli_coordinator(ctx, o, fleet, err) &&
           (!request->all_databases || fleet_all_databases(ctx, fleet, err));
}

typedef struct VacuumWork
{
    void *ctx;
    const Fleet *fleet;
    Supervisor *supervisor;
} VacuumWork;

static bool vacuum_work(void *arg, Error *err)
{
    const VacuumWork *w = arg;
    Cancel *cancel = supervise_attempt(w->supervisor, err);
    return cancel != NULL && vacuum_fleet(w->ctx, w->fleet, cancel, err);
}

/* false: cancelled. What else fails is no reason to go without a backup, or to have none. */
static bool vacuum(void *ctx, const Options *o, const char *when, const Fleet *fleet,
                   Supervisor *supervisor, Error *err)
{
    VacuumWork work = {.ctx = ctx, .fleet = fleet, .supervisor = supervisor};
    Error failure = ERROR_INIT;
    if (!cli_list_has(o, OPT_VACUUM, when) ||
        supervise_run(supervisor, vacuum_work, NULL, &work, &failure))
        return true;
    if (failure.code == ERR_CANCELLED)
    {
        *err = failure;
        return false;
    }
    log_warning("--vacuum=%s: %s%s%s", when, failure.node, failure.node[0] == '\0' ? "" : ": ",
                failure.message);
    return true;
}

/* The set is there when a VACUUM behind it is cancelled. */
static void vacuum_after(void *ctx, const Options *o, const Fleet *fleet, Supervisor *supervisor)
{
    Error err = ERROR_INIT;
    if (!vacuum(ctx, o, "after", fleet, supervisor, &err))
        log_warning("--vacuum=after: %s", err.message);
}

bool cmd_backup_run(void *ctx, const Options *o, const BackupRequest *request,
                    Supervisor *supervisor, BackupResult *ret, Error *err)
{
    *ret = (BackupResult){.manifest = NULL};
    Fleet *fleet = cli_fleet(ctx, o, err);
    BackupEnd *end = fleet == NULL ? NULL : backup_end_prepare(ctx, o, fleet, err);
    if (end == NULL)
        return false;
    bool ok = backup_end_before(end, supervisor, err) && find_nodes(ctx, o, request, fleet, err) &&
              vacuum(ctx, o, "before", fleet, supervisor, err) &&
              backup_run(ctx, fleet, request, supervisor, cli_progress(o), ret, err);
    if (ok)
        warn_left_out(ret->manifest);
    if (ok)
        vacuum_after(ctx, o, fleet, supervisor);
    backup_end(end, ret, err);
    return ok;
}

static int dry_run(void *ctx, const Options *o, const BackupRequest *request,
                   Supervisor *supervisor, Error *err)
{
    Fleet *fleet = cli_fleet(ctx, o, err);
    return fleet != NULL && find_nodes(ctx, o, request, fleet, err)
               ? plan_only(ctx, o, request, fleet, supervisor, err)
               : EXIT_ERROR;
}

int cmd_backup(void *ctx, const Options *o, Supervisor *supervisor, Error *err)
{
    BackupRequest request = {.repo = NULL};
    BackupResult result;
    if (!cmd_backup_request(ctx, o, &request, err))
        return EXIT_ERROR;
    if (request.dry_run)
        return dry_run(ctx, o, &request, supervisor, err);
    if (!cmd_backup_run(ctx, o, &request, supervisor, &result, err))
        return EXIT_ERROR;
    if (cli_json(o))
        set_report_print(stdout, set_report_json(result.manifest, -1, NULL));
    else
        set_report_text(stdout, request.repo, result.manifest, -1, NULL);
    return cli_exit();
}

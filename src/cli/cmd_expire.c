/* cli/cmd_expire.c - pgark expire. */
#include "base/str.h"
#include "cli/cli.h"
#include "fleet/agent_sets.h"
#include "repo/part.h"
#include "repo/wal_archive.h"
#include "report/set_report.h"

static ExpireRequest make_request(const Options *o)
{
    return (ExpireRequest){.rule = {.keep = (int) options_int(o, OPT_KEEP),
                                    .keep_daily = (int) options_int(o, OPT_KEEP_DAILY),
                                    .keep_weekly = (int) options_int(o, OPT_KEEP_WEEKLY),
                                    .keep_monthly = (int) options_int(o, OPT_KEEP_MONTHLY),
                                    .older_than_days = (int) options_int(o, OPT_OLDER_THAN)},
                           .prefix = options_string(o, OPT_PREFIX),
                           .dry_run = options_flag(o, OPT_DRY_RUN)};
}

static json_t *sets_json(const ExpireSet *sets, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s}", "key", sets[i].key, "why", sets[i].why));
    return list;
}

typedef struct ExpireRun
{
    void *ctx;
    const Options *o;
    Supervisor *supervisor;
    ExpireRequest request;
    Fleet *fleet; /* whose agents remove parts; NULL: none are named, or none are needed */
    ExpireResult result;
    SweptPart *parts;
    size_t part_count;
    WalExpired wal;
} ExpireRun;

/* Where each node has a repository of its own the nodes are asked for before anything goes; otherwise only when a
 * set has parts that are not here. */
static bool find_nodes(ExpireRun *run, bool wanted, Error *err)
{
    if (!run->request.parts || !wanted || run->fleet != NULL)
        return true;
    run->fleet = cli_source(run->ctx, run->o, err);
    return run->fleet != NULL;
}

static bool expire_work(void *arg, Error *err)
{
    ExpireRun *run = arg;
    const char *pattern = options_string(run->o, OPT_REPO);
    Cancel *cancel = supervise_attempt(run->supervisor, err);
    Repo *repo = cancel == NULL ? NULL : repo_open(run->ctx, pattern, err);
    if (repo == NULL || !find_nodes(run, repo_place_varies(pattern), err) ||
        !retention_expire(repo, run->ctx, &run->request, &run->result, err) ||
        !find_nodes(run, run->result.scattered, err))
        return false;
    const AgentSetsWork work = {
        .fleet = run->fleet, .repo = repo, .pattern = pattern, .cancel = cancel};
    if (!wal_archive_expire(repo, run->request.dry_run, &run->result, &run->wal, err))
        return false;
    return run->fleet == NULL ||
           agent_sets_sweep(&work, run->ctx, &run->result, run->request.dry_run, &run->parts,
                            &run->part_count, err);
}

static void print_text(const ExpireRun *run)
{
    const char *verb = run->request.dry_run ? "would remove" : "removed";
    /* What stays is of interest to who tries a rule out. */
    for (size_t i = run->result.kept_count; run->request.dry_run && i-- > 0;)
        printf("would keep %s (%s)\n", run->result.kept[i].key, run->result.kept[i].why);
    for (size_t i = 0; i < run->result.count; i++)
        printf("%s %s (%s)\n", verb, run->result.removed[i].key, run->result.removed[i].why);
    for (size_t i = 0; i < run->part_count; i++)
        printf("%s %s on node %d (its part)\n", verb, run->parts[i].key, run->parts[i].content);
    char bytes[STR_BYTES_LEN];
    if (run->wal.files > 0)
        printf("%s %" PRIu64 " segments of WAL (%s) that no set needs\n", verb, run->wal.files,
               str_format_bytes(bytes, run->wal.bytes));
    if (run->result.count == 0 && run->part_count == 0 && run->wal.files == 0)
        printf("nothing to remove\n");
}

static void print_json(const ExpireRun *run)
{
    const ExpireResult *r = &run->result;
    json_t *parts = json_array();
    for (size_t i = 0; i < run->part_count; i++)
        json_array_append_new(parts, json_pack("{s:s, s:i}", "key", run->parts[i].key, "node",
                                               run->parts[i].content));
    json_t *all = json_pack("{s:b, s:o, s:o, s:{s:I, s:I}}", "dry_run", (int) run->request.dry_run,
                            "removed", sets_json(r->removed, r->count), "kept",
                            sets_json(r->kept, r->kept_count), "wal", "segments",
                            (json_int_t) run->wal.files, "bytes", (json_int_t) run->wal.bytes);
    if (run->fleet != NULL)
        json_object_set_new(all, "parts", parts);
    else
        json_decref(parts);
    set_report_print(stdout, all);
}

int cmd_expire(void *ctx, const Options *o, Supervisor *supervisor, Error *err)
{
    ExpireRun run = {.ctx = ctx, .o = o, .supervisor = supervisor, .request = make_request(o)};
    run.request.parts = cli_names_servers(o);
    if (!supervise_run(supervisor, expire_work, NULL, &run, err))
        return EXIT_ERROR;
    if (cli_json(o))
        print_json(&run);
    else
        print_text(&run);
    return cli_exit();
}

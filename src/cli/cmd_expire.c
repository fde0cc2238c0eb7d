/* cli/cmd_expire.c - pgark expire. */
#include "cli/cli.h"
#include "repo/retention.h"
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

/* What stays is of interest to who tries a rule out. */
static void print_text(const ExpireResult *r, bool dry_run)
{
    for (size_t i = r->kept_count; dry_run && i-- > 0;)
        printf("would keep %s (%s)\n", r->kept[i].key, r->kept[i].why);
    for (size_t i = 0; i < r->count; i++)
        printf("%s %s (%s)\n", dry_run ? "would remove" : "removed", r->removed[i].key,
               r->removed[i].why);
    if (r->count == 0)
        printf("nothing to remove\n");
}

int cmd_expire(void *ctx, const Options *o, Error *err)
{
    ExpireRequest request = make_request(o);
    ExpireResult result = {.count = 0};
    Repo *repo = repo_open(ctx, options_string(o, OPT_REPO), err);
    if (repo == NULL || !retention_expire(repo, ctx, &request, &result, err))
        return EXIT_ERROR;
    if (cli_json(o))
        set_report_print(stdout, json_pack("{s:b, s:o, s:o}", "dry_run", (int) request.dry_run,
                                           "removed", sets_json(result.removed, result.count),
                                           "kept", sets_json(result.kept, result.kept_count)));
    else
        print_text(&result, request.dry_run);
    return cli_exit();
}

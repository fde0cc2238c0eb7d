/* cli/cmd_expire.c - pgark expire. */
#include "cli/cli.h"
#include "repo/retention.h"
#include "report/set_report.h"

int cmd_expire(void *ctx, const Options *o, Error *err)
{
    ExpireRule rule = {.keep = (int) options_int(o, OPT_KEEP),
                       .older_than_days = (int) options_int(o, OPT_OLDER_THAN),
                       .dry_run = options_flag(o, OPT_DRY_RUN)};
    ExpireResult result = {.count = 0};
    Repo *repo = repo_open(ctx, options_string(o, OPT_REPO), err);
    if (repo == NULL || !retention_expire(repo, ctx, &rule, &result, err))
        return EXIT_ERROR;
    json_t *removed = json_array();
    for (size_t i = 0; i < result.count; i++)
    {
        if (cli_json(o))
            json_array_append_new(removed, json_pack("{s:s, s:s}", "key", result.sets[i].key, "why",
                                                     result.sets[i].why));
        else
            printf("%s %s (%s)\n", rule.dry_run ? "would remove" : "removed", result.sets[i].key,
                   result.sets[i].why);
    }
    if (!cli_json(o))
    {
        if (result.count == 0)
            printf("nothing to remove\n");
        json_decref(removed);
    }
    else
        set_report_print(
            stdout, json_pack("{s:b, s:o}", "dry_run", (int) rule.dry_run, "removed", removed));
    return cli_exit();
}

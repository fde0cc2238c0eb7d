/* cli/cmd_check.c - pgark check. */
#include "cli/cli.h"
#include "fleet/check.h"
#include "report/set_report.h"

static const char *const level_words[] = {"ok", "warning", "failed"};

static void print_text(const CheckResult *r)
{
    for (size_t i = 0; i < r->count; i++)
    {
        const CheckItem *item = &r->items[i];
        char where[24];
        if (item->content == CHECK_REPOSITORY)
            snprintf(where, sizeof(where), "repository");
        else
            snprintf(where, sizeof(where), "node %d", item->content);
        printf("%-10s  %-7s  %-21s  %s\n", where, level_words[item->level], item->what, item->text);
    }
    static const char *const verdicts[] = {"ready", "ready, with warnings", "not ready"};
    printf("%s\n", verdicts[r->worst]);
}

static void print_json(const CheckResult *r)
{
    json_t *items = json_array();
    for (size_t i = 0; i < r->count; i++)
    {
        const CheckItem *item = &r->items[i];
        json_t *node = item->content == CHECK_REPOSITORY ? json_null()
                                                         : json_integer(item->content);
        json_array_append_new(items, json_pack("{s:o, s:s, s:s, s:o}", "node", node, "check",
                                               item->what, "result", level_words[item->level],
                                               "text", set_report_string(item->text)));
    }
    set_report_print(stdout,
                     json_pack("{s:s, s:o}", "result", level_words[r->worst], "checks", items));
}

int cmd_check(void *ctx, const Options *o, Supervisor *supervisor, Error *err)
{
    BackupRequest request = {.repo = options_string(o, OPT_REPO),
                             .jobs = (int) options_int(o, OPT_JOBS),
                             .chunk_size = (uint64_t) 256 * 1024 * 1024,
                             .hold_ms = options_int(o, OPT_HOLD),
                             .selection = selection_new(ctx),
                             .pg_dump = options_string(o, OPT_PG_DUMP)};
    CheckResult result;
    Fleet *fleet = cli_source(ctx, o, err);
    if (fleet == NULL || !check_run(ctx, fleet, &request, supervisor, &result, err))
        return EXIT_ERROR;
    if (cli_json(o))
        print_json(&result);
    else
        print_text(&result);
    static const int codes[] = {EXIT_DONE, EXIT_WARNINGS, EXIT_ERROR};
    return codes[result.worst];
}

/* cli/cmd_list.c - pgark list. */
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"
#include "repo/hold.h"
#include "report/set_report.h"

typedef struct Lister
{
    bool all;
    bool json;
    const char *prefix;
    json_t *sets;
    size_t shown;
} Lister;

/* Until when the snapshots of a dead run are held, NULL: they are not, or nobody knows. */
static const char *held_until(Repo *repo, const RepoSetInfo *set, char buf[CLOCK_ISO_LEN])
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "held");
    Error ignored = ERROR_INIT;
    const HoldFile *file = set->held ? hold_read(repo, tmp, set->dir, &ignored) : NULL;
    return file == NULL || file->hold.until_us == 0 ? NULL : clock_iso(buf, file->hold.until_us);
}

static void unfinished(Repo *repo, Lister *l, const RepoSetInfo *set)
{
    char buf[CLOCK_ISO_LEN];
    if (!l->all)
        return;
    const char *until = held_until(repo, set, buf);
    l->shown++;
    if (l->json)
        json_array_append_new(l->sets, json_pack("{s:s, s:b, s:b, s:b, s:s?}", "key", set->key,
                                                 "finished", 0, "in_progress", (int) set->alive,
                                                 "held", (int) set->held, "held_until", until));
    else if (set->alive || !set->held)
        printf("%s  (%s)\n", set->key, set->alive ? "in progress" : "unfinished");
    else
        printf("%s  (held%s%s, to be resumed)\n", set->key, until == NULL ? "" : " until ",
               until == NULL ? "" : until);
}

/* A set whose manifest cannot be trusted is shown as such: hiding it would be worse. */
static void damaged(Lister *l, const RepoSetInfo *set, const Error *why)
{
    log_warning("set %s: %s", set->key, why->message);
    l->shown++;
    if (l->json)
        json_array_append_new(l->sets,
                              json_pack("{s:s, s:b, s:b, s:o}", "key", set->key, "finished", 1,
                                        "damaged", 1, "problem", set_report_string(why->message)));
    else
        printf("%s  (damaged)\n", set->key);
}

static void list_set(Repo *repo, Lister *l, const RepoSetInfo *set)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "set");
    Error why = ERROR_INIT;
    if (!set->finished)
    {
        unfinished(repo, l, set);
        return;
    }
    Manifest *m = manifest_read(repo->storage, tmp, set->dir, true, &why);
    if (m == NULL)
    {
        damaged(l, set, &why);
        return;
    }
    if (l->prefix != NULL && !str_equal(l->prefix, m->set.prefix))
        return;
    l->shown++;
    if (l->json)
        json_array_append_new(l->sets, set_report_json(m, -1, NULL));
    else
        set_report_line(stdout, set->key, m);
}

int cmd_list(void *ctx, const Options *o, Error *err)
{
    Repo *repo = repo_open(ctx, options_string(o, OPT_REPO), err);
    RepoSetInfo *sets;
    size_t count;
    if (repo == NULL || !repo_list_sets(repo, ctx, &sets, &count, err))
        return EXIT_ERROR;
    Lister l = {.all = options_flag(o, OPT_ALL),
                .json = cli_json(o),
                .prefix = options_string(o, OPT_PREFIX),
                .sets = json_array()};
    for (size_t i = 0; i < count; i++)
        list_set(repo, &l, &sets[i]);
    if (l.json)
        set_report_print(stdout, json_pack("{s:{s:o, s:s, s:i}, s:o}", "repository", "uri",
                                           set_report_string(storage_uri(repo->storage)), "id",
                                           repo->id, "format", REPO_FORMAT, "sets", l.sets));
    else if (l.shown == 0)
        printf("no sets\n");
    if (!l.json)
        json_decref(l.sets);
    return cli_exit();
}

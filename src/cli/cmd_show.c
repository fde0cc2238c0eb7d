/* cli/cmd_show.c - pgark show. */
#include "cli/cli.h"
#include "repo/fold.h"
#include "report/set_report.h"

int cmd_show(void *ctx, const Options *o, Error *err)
{
    const char *uri = options_string(o, OPT_REPO);
    char key[SET_KEY_LEN];
    char *dir;
    AUTO(storage_unlock) StorageLock *lock = NULL;
    SetDetail detail;
    SetChoice choice = {.prefix = options_string(o, OPT_PREFIX)};
    Repo *repo = repo_open(ctx, uri, err);
    if (repo == NULL || !repo_resolve(repo, ctx, options_key(o), &choice, key, &dir, &lock, err))
        return EXIT_ERROR;
    Manifest *m = manifest_read(repo->storage, ctx, dir, false, err);
    if (m == NULL || !set_report_detail(repo, ctx, dir, m, &detail, err) ||
        (!manifest_is_physical(m) && fold_manifest(m, err) == NULL))
    {
        error_prefix(err, "set %s", key);
        return EXIT_ERROR;
    }
    if (cli_json(o))
        set_report_print(stdout, set_report_json(m, options_int(o, OPT_TABLES), &detail));
    else
        set_report_text(stdout, uri, m, options_int(o, OPT_TABLES), &detail);
    return EXIT_DONE;
}

/* compat/gpcrondump_base.c - what an incremental dump builds on; see gpcrondump_parts.h. */
#include "base/str.h"
#include "compat/gpcrondump_parts.h"

static bool is_wanted(const CronRun *run, const Manifest *m)
{
    return str_equal(m->set.prefix, run->cron->prefix) && m->set.base[0] == '\0' &&
           m->node_count > 0 && strcmp(m->nodes[0].database, run->database) == 0;
}

bool cron_base_find(const CronRun *run, char ret_key[SET_KEY_LEN], Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "base");
    Repo *repo = run->cron->repo;
    RepoSetInfo *sets;
    size_t count;
    if (!repo_list_sets(repo, ctx, &sets, &count, err))
        return false;
    while (count-- > 0)
    {
        AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "set");
        Error why = ERROR_INIT;
        const Manifest *m = sets[count].finished
                                ? manifest_read(repo->storage, tmp, sets[count].dir, true, &why)
                                : NULL;
        if (error_is_set(&why))
            log_warning("set %s cannot be read: %s", sets[count].key, why.message);
        if (m == NULL || !is_wanted(run, m))
            continue;
        memcpy(ret_key, sets[count].key, SET_KEY_LEN);
        return true;
    }
    error_set(err, ERR_NOT_FOUND,
              "%s: there is no whole dump of database \"%s\" %s%s%s in %s to build on",
              legacy_options_called(run->cron->o, CRON_INCREMENTAL), run->database,
              run->cron->prefix == NULL ? "without a prefix" : "with the prefix \"",
              run->cron->prefix == NULL ? "" : run->cron->prefix,
              run->cron->prefix == NULL ? "" : "\"", run->cron->place.repo_dir);
    return error_hint(err, "Make one without %s first.",
                      legacy_options_called(run->cron->o, CRON_INCREMENTAL));
}

/* compat/gpcrondump_clean.c - removes old days; see gpcrondump_parts.h. */
#include <ctype.h>

#include "base/clock.h"
#include "base/str.h"
#include "compat/gpcrondump_parts.h"
#include "repo/retention.h"

typedef struct Days
{
    void *ctx;
    char today[SET_KEY_LEN];
    const char **items; /* before today */
    size_t count, capacity;
} Days;

static bool add_day(void *arg, const char *name, const StorageInfo *info, Error *err UNUSED)
{
    Days *d = arg;
    if (info->kind == STORAGE_DIR && strlen(name) == 8 && strspn(name, "0123456789") == 8 &&
        strncmp(name, d->today, 8) < 0)
        *mem_push(d->ctx, d->items, d->count, d->capacity, const char *) = mem_strdup(d->ctx, name);
    return true;
}

static int day_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void choose(const CronDump *cron, const Days *all, LegacyNames *ret)
{
    const char *date = legacy_options_string(cron->o, CRON_CLEANUP_DATE);
    int64_t total = date == NULL ? 1 : 0;
    Error ignored = ERROR_INIT; /* it has been checked */
    bool found = false;
    (void) !legacy_options_int(cron->o, CRON_CLEANUP_TOTAL, 1, INT32_MAX, &total, &ignored);
    if ((size_t) total > all->count)
        log_warning("There are only %zu days with dumps before today, and not %" PRId64
                    ": none is removed",
                    all->count, total);
    for (size_t i = 0; i < all->count; i++)
    {
        bool named = date != NULL && strcmp(all->items[i], date) == 0;
        found = found || named;
        if (named || ((size_t) total <= all->count && i < (size_t) total))
            *mem_push(all->ctx, ret->items, ret->count, ret->capacity,
                      LegacyName) = (LegacyName){.name = all->items[i]};
    }
    if (date != NULL && !found)
        log_warning("There is no day %s with dumps before today", date);
}

/* ---- what other programs have left in a day ---- */

typedef struct Rest
{
    Repo *repo;
    const char *day;
    bool sets; /* some stay */
} Rest;

static bool look(void *arg, const char *name UNUSED, const StorageInfo *info, Error *err UNUSED)
{
    Rest *r = arg;
    r->sets = r->sets || info->kind == STORAGE_DIR;
    return true;
}

/* A file of a dump has "gp_" and a key of the day in its name. */
static bool is_of_dump(const char *name, const char *day)
{
    const char *at = strstr(name, "gp_");
    while (at != NULL && (at = strstr(at, day)) != NULL)
    {
        if (!isdigit((unsigned char) at[-1]) && strspn(at, "0123456789") == SET_KEY_LEN - 1)
            return true;
        at++;
    }
    return false;
}

static bool remove_file(void *arg, const char *name, const StorageInfo *info, Error *err)
{
    const Rest *r = arg;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "file");
    return info->kind != STORAGE_FILE || !is_of_dump(name, r->day) ||
           storage_remove(r->repo->storage, repo_path_in(tmp, r->day, name), err);
}

static bool remove_rest(Repo *repo, const char *day, bool *ret_stays, Error *err)
{
    Rest rest = {.repo = repo, .day = day};
    if (!storage_list(repo->storage, day, look, &rest, err))
        return false;
    *ret_stays = rest.sets;
    return rest.sets || (storage_list(repo->storage, day, remove_file, &rest, err) &&
                         storage_remove_dir(repo->storage, day, err));
}

/* ---- all ---- */

/* The newest dump of each database and prefix stays, and so does what one that stays builds on. */
static bool remove_days(const CronDump *cron, const LegacyNames *days, Error *err)
{
    const char **names = mem_array(cron->ctx, const char *, days->count);
    ExpireResult result;
    for (size_t i = 0; i < days->count; i++)
        names[i] = days->items[i].name;
    const ExpireRequest request = {.rule = {.days = names, .day_count = days->count}};
    if (!retention_expire(cron->repo, cron->ctx, &request, &result, err))
        return false;
    for (size_t i = 0; i < result.count; i++)
        log_info("Removed dump %s (%s)", result.removed[i].key, result.removed[i].why);
    for (size_t i = 0; i < result.kept_count; i++)
    {
        for (size_t d = 0; d < days->count; d++)
        {
            if (strncmp(result.kept[i].key, names[d], 8) == 0)
                log_warning("Dump %s stays: %s", result.kept[i].key, result.kept[i].why);
        }
    }
    return true;
}

bool cron_clean(const CronDump *cron, char **ret_days, Error *err)
{
    Days all = {.ctx = cron->ctx};
    LegacyNames days = {0};
    Str *removed = str_new(cron->ctx);
    repo_key_from_seconds(all.today, clock_wall_us() / 1000000);
    if (!storage_list(cron->repo->storage, "", add_day, &all, err))
        return false;
    if (all.count > 1)
        qsort(all.items, all.count, sizeof(*all.items), day_order); /* NOLINT: pointers */
    choose(cron, &all, &days);
    if (days.count > 0 && !remove_days(cron, &days, err))
        return false;
    for (size_t i = 0; i < days.count; i++)
    {
        bool stays = false;
        if (!remove_rest(cron->repo, days.items[i].name, &stays, err))
            return false;
        if (!stays)
            str_addf(removed, "%s%s", removed->len > 0 ? " " : "", days.items[i].name);
    }
    *ret_days = removed->len > 0 ? removed->data : mem_strdup(cron->ctx, "none");
    return true;
}

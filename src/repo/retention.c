/*
 * repo/retention.c - which sets go, and removing them.
 */
#include "repo/retention.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "repo/hold.h"
#include "repo/part.h"

#define DAY_S 86400
/* A directory without a run.lock is either left over or was made this instant. */
#define GRACE_US ((int64_t) 60 * 1000000)

typedef struct Expiring
{
    Repo *repo;
    void *ctx; /* for the result */
    const ExpireRule *rule;
    ExpireResult *result;
    int64_t now_us;
} Expiring;

/* Fleets seen so far, from the newest set on. */
typedef struct FleetCount
{
    char *fleet;
    int sets;
} FleetCount;

static void note(Expiring *e, const RepoSetInfo *set, const char *why)
{
    struct ExpiredSet *expired = mem_push(e->ctx, e->result->sets, e->result->count,
                                          e->result->capacity, struct ExpiredSet);

    memcpy(expired->key, set->key, SET_KEY_LEN);
    expired->why = why;
}

static char *path_in(void *ctx, const char *dir, const char *name)
{
    return mem_printf(ctx, "%s/%s", dir, name);
}

/* take_set locks a set against readers and its run; false only when the storage fails. */
static bool take_set(Expiring *e, const RepoSetInfo *set, StorageLock **ret_lock, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "take");
    char owner[64], *holder;

    snprintf(owner, sizeof(owner), "pid %ld, which expires it", (long) getpid());
    return storage_lock(e->repo->storage, ctx, path_in(ctx, set->dir, "run.lock"), true, owner,
                        ret_lock, &holder, err);
}

static bool expire_set(Expiring *e, const RepoSetInfo *set, const char *why, Error *err)
{
    AUTO(storage_unlock) StorageLock *lock = NULL;

    if (!e->rule->dry_run)
    {
        if (!take_set(e, set, &lock, err))
            return false;
        if (lock == NULL)
        {
            log_warning("set %s is in use and stays", set->key);
            return true;
        }
        if (!repo_remove_set(e->repo, set->dir, err))
            return false;
    }
    note(e, set, why);
    return true;
}

/* may_be_starting: its run has made the directory and not yet taken its lock. */
static bool may_be_starting(Expiring *e, const RepoSetInfo *set, bool *ret_starting, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "starting");
    StorageInfo lock, dir;

    if (!storage_stat(e->repo->storage, path_in(ctx, set->dir, "run.lock"), &lock, err) ||
        !storage_stat(e->repo->storage, set->dir, &dir, err))
        return false;
    *ret_starting = lock.kind == STORAGE_MISSING && e->now_us - dir.changed_us < GRACE_US;
    return true;
}

static bool expire_unfinished(Expiring *e, const RepoSetInfo *set, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "unfinished");
    AUTO(storage_unlock) StorageLock *lock = NULL;
    StorageInfo manifest;
    bool starting;

    if (set->alive || set->held)
        return true;
    if (!may_be_starting(e, set, &starting, err))
        return false;
    if (starting)
        return true;
    if (!e->rule->dry_run)
    {
        if (!take_set(e, set, &lock, err))
            return false;
        /* No new hold begins but by a run, which would have the lock. */
        if (lock == NULL || hold_is_alive(e->repo, set->dir))
            return true;
        /* Its run may have published it between our look and our lock. */
        if (!storage_stat(e->repo->storage, path_in(ctx, set->dir, "manifest.jsonl"), &manifest,
                          err))
            return false;
        if (manifest.kind != STORAGE_MISSING)
            return true;
        if (!repo_remove_set(e->repo, set->dir, err))
            return false;
    }
    note(e, set, "unfinished");
    return true;
}

/* why_expired applies the rule to the rank-th newest set (0: newest) of a fleet. */
static const char *why_expired(const Expiring *e, const char *key, int rank)
{
    const ExpireRule *rule = e->rule;
    int64_t age_s = e->now_us / 1000000 - repo_key_seconds(key);

    if (rank == 0)
        return NULL;
    if (rule->keep > 0 && rank >= rule->keep)
        return "beyond --keep";
    if (rule->older_than_days > 0 && age_s > (int64_t) rule->older_than_days * DAY_S)
        return "older than --older-than";
    return NULL;
}

static FleetCount *find_fleet(void *ctx, FleetCount **fleets, size_t *count, size_t *capacity,
                              const char *name)
{
    FleetCount *found;

    for (size_t i = 0; i < *count; i++)
    {
        if (strcmp((*fleets)[i].fleet, name) == 0)
            return &(*fleets)[i];
    }
    found = mem_push(ctx, *fleets, *count, *capacity, FleetCount);
    found->fleet = mem_strdup(ctx, name);
    return found;
}

static bool has_parts_elsewhere(const Repo *repo, const Manifest *m)
{
    for (size_t i = 0; i < m->node_count; i++)
    {
        if (m->nodes[i].repo_id != NULL && strcmp(m->nodes[i].repo_id, repo->id) != 0)
            return true;
    }
    return false;
}

static bool expire_finished(Expiring *e, const RepoSetInfo *sets, size_t count, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "finished");
    FleetCount *fleets = NULL;
    size_t fleet_count = 0, fleet_capacity = 0;

    for (size_t i = count; i-- > 0;)
    {
        AUTO(mem_context_free) MemContext *scratch = mem_context(NULL, "set");
        Error why_unread = ERROR_INIT;
        FleetCount *fleet;
        const char *why;
        Manifest *m;

        if (!sets[i].finished)
            continue;
        m = manifest_read(e->repo->storage, scratch, sets[i].dir, true, &why_unread);
        if (m == NULL)
        {
            log_warning("set %s stays, its manifest cannot be read: %s", sets[i].key,
                        why_unread.message);
            continue;
        }
        fleet = find_fleet(ctx, &fleets, &fleet_count, &fleet_capacity, m->set.fleet);
        why = why_expired(e, sets[i].key, fleet->sets++);
        if (why != NULL && !e->rule->parts && has_parts_elsewhere(e->repo, m))
        {
            log_warning("set %s stays: nodes of it have their parts in repositories of their own, "
                        "name the nodes to have them removed there",
                        sets[i].key);
            continue;
        }
        if (why != NULL && !expire_set(e, &sets[i], why, err))
            return false;
    }
    return true;
}

/* leave_parts takes out of the list what belongs to the sets of another repository: there is decided
 * what becomes of it. */
static void leave_parts(Repo *repo, RepoSetInfo *sets, size_t *count)
{
    size_t left = 0;

    for (size_t i = 0; i < *count; i++)
    {
        Error why = ERROR_INIT;
        char home[33];

        if (!part_home(repo, sets[i].dir, home, &why))
            log_warning("set %s stays: %s", sets[i].key, why.message);
        else if (home[0] == '\0')
            sets[left++] = sets[i];
    }
    *count = left;
}

bool retention_expire(Repo *repo, void *ctx, const ExpireRule *rule, ExpireResult *ret, Error *err)
{
    AUTO(mem_context_free) MemContext *scratch = mem_context(NULL, "expire");
    Expiring e = {.repo = repo, .ctx = ctx, .rule = rule, .result = ret};
    RepoSetInfo *sets;
    size_t count;

    *ret = (ExpireResult){0};
    e.now_us = clock_wall_us();
    if (!repo_list_sets(repo, scratch, &sets, &count, err))
        return false;
    leave_parts(repo, sets, &count);
    for (size_t i = 0; i < count; i++)
    {
        if (!sets[i].finished && !expire_unfinished(&e, &sets[i], err))
            return false;
    }
    /* Without a rule there is no need to read any manifest. */
    if (rule->keep <= 0 && rule->older_than_days <= 0)
        return true;
    return expire_finished(&e, sets, count, err);
}

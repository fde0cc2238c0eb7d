/*
 * repo/retention.c - removing sets; the contract is in retention.h.
 */
#include "repo/retention.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "repo/hold.h"
#include "repo/part.h"

/* A directory without a run.lock is either left over or was made this instant. */
#define GRACE_US ((int64_t) 60 * 1000000)

typedef struct Expiring
{
    Repo *repo;
    void *ctx; /* for the result */
    const ExpireRequest *request;
    ExpireResult *result;
    int64_t now_us;
    const RepoSetInfo *known; /* all sets as they were when the rule was applied */
    size_t known_count;
} Expiring;

typedef struct Candidate
{
    const RepoSetInfo *info;
    bool scattered; /* nodes of it have their parts in repositories of their own */
    char **depends_on;
    size_t depends_count;
} Candidate;

/* The finished sets that the rule is applied to. */
typedef struct Candidates
{
    void *ctx;
    RetentionSet *sets;
    size_t count, capacity;
    Candidate *of; /* of each */
    size_t of_count, of_capacity;
    char **groups; /* names, no two alike */
    size_t group_count, group_capacity;
    char **needed; /* keys of sets that others need, which stay without being looked at */
    size_t needed_count, needed_capacity;
    const char *unknown; /* the newest key of a set whose needs nobody knows; NULL: none */
} Candidates;

static void note(Expiring *e, const RepoSetInfo *set, const char *why)
{
    ExpireSet *expired = mem_push(e->ctx, e->result->removed, e->result->count, e->result->capacity,
                                  ExpireSet);

    memcpy(expired->key, set->key, SET_KEY_LEN);
    expired->why = why;
}

/* take_set locks a set against readers and its run; false only when the storage fails. *ret_gone: somebody
 * else has removed it. */
static bool take_set(Expiring *e, const RepoSetInfo *set, StorageLock **ret_lock, bool *ret_gone,
                     Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "take");
    char owner[64], *holder;
    Error why = ERROR_INIT;

    *ret_gone = false;
    snprintf(owner, sizeof(owner), "pid %ld, which expires it", (long) getpid());
    if (storage_lock(e->repo->storage, ctx, repo_path_in(ctx, set->dir, "run.lock"), true, owner,
                     ret_lock, &holder, &why))
        return true;
    *ret_gone = why.code == ERR_NOT_FOUND;
    if (!*ret_gone && err != NULL)
        *err = why;
    return *ret_gone;
}

static bool was_finished(const Expiring *e, const char *key)
{
    for (size_t i = 0; i < e->known_count; i++)
    {
        if (strcmp(e->known[i].key, key) == 0)
            return e->known[i].finished;
    }
    return false;
}

static bool depends_on(const SetRecord *set, const char *key)
{
    for (size_t i = 0; i < set->depends_count; i++)
    {
        if (strcmp(set->depends_on[i], key) == 0)
            return true;
    }
    return false;
}

/* A run that refers to a set has a lock on it until its own is published (repo/base.h). Now that the
 * set is locked against it, there is no such run any more, and what one has published since the rule
 * was applied can be seen. */
static bool is_needed_now(Expiring *e, const RepoSetInfo *set, bool *ret_needed, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "needed");
    RepoSetInfo *sets;
    size_t count;

    *ret_needed = false;
    if (!repo_list_sets(e->repo, ctx, &sets, &count, err))
        return false;
    for (size_t i = 0; i < count && !*ret_needed; i++)
    {
        SetRecord other;

        if (sets[i].finished && !was_finished(e, sets[i].key))
            *ret_needed = !manifest_peek(e->repo->storage, ctx, sets[i].dir, &other, NULL) ||
                          depends_on(&other, set->key);
    }
    return true;
}

/* Somebody else who removes it begins with the manifest, and comes to the lock's file later: that may have been made
 * anew by us. */
static bool look_whether_gone(Expiring *e, const RepoSetInfo *set, bool *ret_gone, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "gone");
    StorageInfo manifest;

    if (!storage_stat(e->repo->storage, repo_path_in(ctx, set->dir, "manifest.jsonl"), &manifest,
                      err))
        return false;
    *ret_gone = manifest.kind == STORAGE_MISSING;
    return true;
}

/* *ret_gone false: it stays after all. */
static bool expire_set(Expiring *e, const RepoSetInfo *set, const char *why, bool *ret_gone,
                       Error *err)
{
    AUTO(storage_unlock) StorageLock *lock = NULL;
    bool needed = false;

    *ret_gone = false;
    if (!e->request->dry_run)
    {
        if (!take_set(e, set, &lock, ret_gone, err) ||
            (lock != NULL && !look_whether_gone(e, set, ret_gone, err)))
            return false;
        if (*ret_gone)
            return true;
        if (lock != NULL && !is_needed_now(e, set, &needed, err))
            return false;
        if (lock == NULL || needed)
        {
            log_warning("set %s is in use and stays", set->key);
            return true;
        }
        if (!repo_remove_set(e->repo, set->dir, err))
            return false;
    }
    *ret_gone = true;
    note(e, set, why);
    return true;
}

/* may_be_starting: its run has made the directory and not yet taken its lock. */
static bool may_be_starting(Expiring *e, const RepoSetInfo *set, bool *ret_starting, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "starting");
    StorageInfo lock, dir;

    if (!storage_stat(e->repo->storage, repo_path_in(ctx, set->dir, "run.lock"), &lock, err) ||
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
    bool starting, gone;

    if (set->alive || set->held)
        return true;
    if (!may_be_starting(e, set, &starting, err))
        return false;
    if (starting)
        return true;
    if (!e->request->dry_run)
    {
        if (!take_set(e, set, &lock, &gone, err))
            return false;
        /* No new hold begins but by a run, which would have the lock. */
        if (lock == NULL || hold_is_alive(e->repo, set->dir))
            return true;
        /* Its run may have published it between our look and our lock. */
        if (!storage_stat(e->repo->storage, repo_path_in(ctx, set->dir, "manifest.jsonl"),
                          &manifest, err))
            return false;
        if (manifest.kind != STORAGE_MISSING)
            return true;
        if (!repo_remove_set(e->repo, set->dir, err))
            return false;
    }
    note(e, set, "unfinished");
    return true;
}

/* group_name: fleet, database, series, kind, and whether everything is in it. A fleet is named by whoever makes
 * the backup, so it alone does not tell the database; sets of all of a server's databases are one group,
 * whichever there were. */
static char *group_name(void *ctx, const Manifest *m)
{
    bool whole = m->set.selection_count == 0 && m->set.sections == SET_SECTIONS_ALL;
    const char *kind = m->set.kind != NULL ? m->set.kind : whole ? "whole" : "part";
    bool several = false;

    for (size_t i = 1; i < m->node_count; i++)
        several = several || m->nodes[i].content == m->nodes[i - 1].content;
    return mem_printf(ctx, "%s/%s/%s/%s", repo_escape(ctx, m->set.fleet),
                      several ? "*" : repo_escape(ctx, m->nodes[0].database),
                      m->set.prefix != NULL ? m->set.prefix : "", kind);
}

static size_t find_group(Candidates *c, const char *name)
{
    for (size_t i = 0; i < c->group_count; i++)
    {
        if (strcmp(c->groups[i], name) == 0)
            return i;
    }
    *mem_push(c->ctx, c->groups, c->group_count, c->group_capacity, char *) = mem_strdup(c->ctx,
                                                                                         name);
    return c->group_count - 1;
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

static char **copy_depends(void *ctx, const SetRecord *set)
{
    char **copy = mem_array(ctx, char *, set->depends_count);

    for (size_t i = 0; i < set->depends_count; i++)
        copy[i] = mem_strdup(copy, set->depends_on[i]);
    return copy;
}

/* Of a set that stays, whatever becomes of the others. */
static void keep_depends(Candidates *c, const SetRecord *set)
{
    for (size_t i = 0; i < set->depends_count; i++)
        *mem_push(c->ctx, c->needed, c->needed_count, c->needed_capacity,
                  char *) = mem_strdup(c->ctx, set->depends_on[i]);
}

/* Of what is damaged nobody needs anything. But a disk may fail for a moment, and a newer pgark reads what it has
 * written: what such a set is built on must not go meanwhile. */
static void keep_unread(Expiring *e, Candidates *c, const RepoSetInfo *info, const Error *why)
{
    AUTO(mem_context_free) MemContext *scratch = mem_context(NULL, "unread");
    Error why_unknown = ERROR_INIT;
    SetRecord peeked;
    bool known = manifest_peek(e->repo->storage, scratch, info->dir, &peeked, &why_unknown);
    bool lost = why_unknown.code == ERR_CORRUPT || why_unknown.code == ERR_NOT_FOUND;

    if (known)
        keep_depends(c, &peeked);
    else if (!lost)
        c->unknown = info->key; /* they come oldest first */
    log_warning("set %s stays, %sits manifest cannot be read: %s", info->key,
                known || lost ? "" : "and all older ones, as ", why->message);
}

static void add_candidate(Expiring *e, Candidates *c, const RepoSetInfo *info)
{
    AUTO(mem_context_free) MemContext *scratch = mem_context(NULL, "set");
    Error why_unread = ERROR_INIT;
    Manifest *m = manifest_read(e->repo->storage, scratch, info->dir, true, &why_unread);
    RetentionSet *set;

    if (m == NULL)
    {
        keep_unread(e, c, info, &why_unread);
        return;
    }
    if (e->request->prefix != NULL && !str_equal(e->request->prefix, m->set.prefix))
    {
        keep_depends(c, &m->set);
        return;
    }
    bool scattered = has_parts_elsewhere(e->repo, m);
    e->result->scattered = e->result->scattered || scattered;
    set = mem_push(c->ctx, c->sets, c->count, c->capacity, RetentionSet);
    set->seconds = repo_key_seconds(info->key);
    set->group = find_group(c, group_name(scratch, m));
    *mem_push(c->ctx, c->of, c->of_count, c->of_capacity,
              Candidate) = (Candidate){.info = info,
                                       .scattered = scattered,
                                       .depends_on = copy_depends(c->ctx, &m->set),
                                       .depends_count = m->set.depends_count};
}

static int by_key(const void *key, const void *member)
{
    return strcmp(key, ((const Candidate *) member)->info->key);
}

/* The position of a candidate; count: it is none. */
static size_t find_candidate(const Candidates *c, const char *key)
{
    const Candidate *found = c->count == 0
                                 ? NULL
                                 : bsearch(key, c->of, c->count, sizeof(c->of[0]), by_key);

    return found == NULL ? c->count : (size_t) (found - c->of);
}

/* Keys become positions. What is missing can be kept by nobody. */
static void link_needs(Candidates *c)
{
    for (size_t i = 0; i < c->count; i++)
    {
        size_t *needs = mem_array(c->ctx, size_t, c->of[i].depends_count);
        size_t count = 0;

        for (size_t k = 0; k < c->of[i].depends_count; k++)
        {
            size_t at = find_candidate(c, c->of[i].depends_on[k]);

            if (at < i)
                needs[count++] = at;
        }
        c->sets[i].needs = needs;
        c->sets[i].need_count = count;
        c->sets[i].needed = c->unknown != NULL && strcmp(c->of[i].info->key, c->unknown) < 0;
    }
    for (size_t i = 0; i < c->needed_count; i++)
    {
        size_t at = find_candidate(c, c->needed[i]);

        if (at < c->count)
            c->sets[at].needed = true;
    }
}

static const char *why_removed(const RetentionRule *rule)
{
    bool periods = rule->keep_daily > 0 || rule->keep_weekly > 0 || rule->keep_monthly > 0;

    if (rule->day_count > 0)
        return "of that day";
    if (!periods && rule->older_than_days == 0)
        return "beyond --keep";
    if (!periods && rule->keep == 0)
        return "older than --older-than";
    return "kept by no rule";
}

static const char *why_kept(void *ctx, unsigned reasons)
{
    static const char *const names[] = {
        "newest",         "--keep",           "--keep-daily",     "--keep-weekly",
        "--keep-monthly", "not --older-than", "needed by others", "of another day",
    };
    Str *s = str_new(ctx);

    for (size_t i = 0; i < LENGTH_OF(names); i++)
    {
        if ((reasons & (1U << i)) != 0)
            str_addf(s, "%s%s", s->len > 0 ? ", " : "", names[i]);
    }
    return s->data;
}

/* expire_whole leaves a set alone whose parts nobody would remove. */
static bool expire_whole(Expiring *e, const Candidate *c, bool *ret_gone, Error *err)
{
    *ret_gone = false;
    if (!e->request->parts && c->scattered)
    {
        log_warning("set %s stays: nodes of it have their parts in repositories of their own, "
                    "name the nodes to have them removed there",
                    c->info->key);
        return true;
    }
    return expire_set(e, c->info, why_removed(&e->request->rule), ret_gone, err);
}

static bool expire_finished(Expiring *e, const RepoSetInfo *sets, size_t count, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "finished");
    Candidates c = {.ctx = ctx};

    for (size_t i = 0; i < count; i++)
    {
        if (sets[i].finished)
            add_candidate(e, &c, &sets[i]);
    }
    link_needs(&c);
    retention_decide(&e->request->rule, e->now_us / 1000000, c.sets, c.count);
    /* The newest first: whoever depends on a set goes before it, and when he cannot go it stays. */
    for (size_t i = c.count; i-- > 0;)
    {
        ExpireSet *kept;
        bool gone;

        if (c.sets[i].reasons == 0)
        {
            if (!expire_whole(e, &c.of[i], &gone, err))
                return false;
            if (!gone)
                retention_keep(c.sets, i, RETENTION_NEEDED);
            continue;
        }
        kept = mem_push(e->ctx, e->result->kept, e->result->kept_count, e->result->kept_capacity,
                        ExpireSet);
        memcpy(kept->key, c.of[i].info->key, SET_KEY_LEN);
        kept->why = why_kept(e->ctx, c.sets[i].reasons);
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

static const RepoSetInfo *copy_sets(void *ctx, const RepoSetInfo *sets, size_t count)
{
    RepoSetInfo *copy = mem_array(ctx, RepoSetInfo, count);

    for (size_t i = 0; i < count; i++)
        copy[i] = sets[i];
    return copy;
}

bool retention_expire(Repo *repo, void *ctx, const ExpireRequest *request, ExpireResult *ret,
                      Error *err)
{
    AUTO(mem_context_free) MemContext *scratch = mem_context(NULL, "expire");
    Expiring e = {.repo = repo, .ctx = ctx, .request = request, .result = ret};
    const RetentionRule *rule = &request->rule;
    RepoSetInfo *sets;
    size_t count;

    *ret = (ExpireResult){0};
    e.now_us = clock_wall_us();
    if (!repo_list_sets(repo, scratch, &sets, &count, err))
        return false;
    e.known = copy_sets(scratch, sets, count);
    e.known_count = count;
    leave_parts(repo, sets, &count);
    for (size_t i = 0; i < count; i++)
    {
        if (!sets[i].finished && !expire_unfinished(&e, &sets[i], err))
            return false;
    }
    /* Without a rule there is no need to read any manifest. */
    if (rule->day_count == 0 && rule->keep <= 0 && rule->keep_daily <= 0 &&
        rule->keep_weekly <= 0 && rule->keep_monthly <= 0 && rule->older_than_days <= 0)
        return true;
    return expire_finished(&e, sets, count, err);
}

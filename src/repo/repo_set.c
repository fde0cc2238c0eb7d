/*
 * repo/repo_set.c - making, listing and finding sets.
 *
 * Who owns what: a run holds its fleet's lock and its set's run.lock exclusively from before the
 * set's directory has content until the end of the process, however that comes. A reader holds
 * run.lock shared. So "exclusively locked" means "a run makes it", and whoever wants to remove a
 * set takes run.lock exclusively first. A run that died may have left somebody who holds the set's
 * hold.lock (hold.h): then another run may take run.lock and go on, and nobody may remove it.
 */
#include <ctype.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "repo/hold.h"
#include "repo/repo.h"

#define DAY_S            86400
#define FREE_KEY_TRIES   100000
#define FLEET_NAME_MAX   200
#define LOCK_PATIENCE_MS 3000 /* others only look whether run.lock is held, for an instant */
#define LOCK_PAUSE_MS    20

/* pass_error hands on an error that was caught to be looked at. Returns false. */
static bool pass_error(Error *err, const Error *caught)
{
    if (err != NULL)
        *err = *caught;
    return false;
}

/* ---- listing ---- */

typedef struct Listing
{
    Repo *repo;
    void *ctx;
    RepoSetInfo *sets;
    size_t count, capacity;
    char **days; /* names of date directories */
    size_t day_count, day_capacity;
    const char *day;
    size_t strange_count;
    char strange[64]; /* the first name that is no date and no key */
} Listing;

static void note_strange(Listing *l, const char *name)
{
    if (l->strange_count++ == 0)
        str_one_line(l->strange, sizeof(l->strange), name);
}

static bool add_day(void *arg, const char *name, const StorageInfo *info, Error *err UNUSED)
{
    Listing *l = arg;

    if (info->kind == STORAGE_DIR && strlen(name) == 8 && strspn(name, "0123456789") == 8)
        *mem_push(l->ctx, l->days, l->day_count, l->day_capacity, char *) = mem_strdup(l->ctx,
                                                                                       name);
    else if (l->repo->layout == LAYOUT_SETS)
        note_strange(l, name);
    return true;
}

static bool add_set(void *arg, const char *name, const StorageInfo *info, Error *err UNUSED)
{
    Listing *l = arg;
    RepoSetInfo *set;

    if (info->kind != STORAGE_DIR || !repo_key_is_date(name) || strncmp(name, l->day, 8) != 0)
    {
        if (info->kind == STORAGE_DIR || l->repo->layout == LAYOUT_SETS)
            note_strange(l, name);
        return true;
    }
    set = mem_push(l->ctx, l->sets, l->count, l->capacity, RepoSetInfo);
    memcpy(set->key, name, SET_KEY_LEN);
    set->dir = repo_set_dir(l->repo, l->ctx, name);
    return true;
}

bool repo_lock_is_held(Repo *repo, const char *path)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "probe");
    AUTO(storage_unlock) StorageLock *lock = NULL;
    StorageInfo info;

    if (!storage_stat(repo->storage, path, &info, NULL) || info.kind != STORAGE_FILE)
        return false;
    return storage_lock(repo->storage, ctx, path, false, NULL, &lock, NULL, NULL) && lock == NULL;
}

static bool look_at_set(Repo *repo, RepoSetInfo *set, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "look");
    StorageInfo info;

    if (!storage_stat(repo->storage, repo_path_in(ctx, set->dir, "manifest.jsonl"), &info, err))
        return false;
    set->finished = info.kind == STORAGE_FILE;
    set->alive = repo_lock_is_held(repo, repo_path_in(ctx, set->dir, "run.lock"));
    set->held = !set->finished && hold_is_alive(repo, set->dir);
    return true;
}

static int compare_sets(const void *a, const void *b)
{
    return strcmp(((const RepoSetInfo *) a)->key, ((const RepoSetInfo *) b)->key);
}

static bool list_keys(Listing *l, Error *err)
{
    bool days = l->repo->layout == LAYOUT_DAYS;

    if (!storage_list(l->repo->storage, days ? "" : "sets", add_day, l, err))
        return false;
    for (size_t i = 0; i < l->day_count; i++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "day");

        l->day = l->days[i];
        if (!storage_list(l->repo->storage, days ? l->day : repo_path_in(ctx, "sets", l->day),
                          add_set, l, err))
            return false;
    }
    if (l->count > 1)
        qsort(l->sets, l->count, sizeof(l->sets[0]), compare_sets);
    return true;
}

bool repo_list_sets(Repo *repo, void *ctx, RepoSetInfo **ret_sets, size_t *ret_count, Error *err)
{
    Listing l = {.repo = repo, .ctx = ctx};

    *ret_sets = NULL;
    *ret_count = 0;
    if (!list_keys(&l, err))
        return false;
    if (l.strange_count > 0)
        log_warning("ignoring %zu name%s in %s that no set has, as \"%s\"", l.strange_count,
                    l.strange_count == 1 ? "" : "s", repo->layout == LAYOUT_DAYS ? "days" : "sets/",
                    l.strange);
    for (size_t i = 0; i < l.count; i++)
    {
        if (!look_at_set(repo, &l.sets[i], err))
            return false;
    }
    *ret_sets = l.sets;
    *ret_count = l.count;
    return true;
}

/* ---- making ---- */

static void owner_line(char *buf, size_t size)
{
    char host[128] = "unknown", since[CLOCK_ISO_LEN];

    if (gethostname(host, sizeof(host)) != 0)
        snprintf(host, sizeof(host), "unknown");
    host[sizeof(host) - 1] = '\0';
    snprintf(buf, size, "pid %ld on host %s since %s", (long) getpid(), host,
             clock_iso(since, clock_wall_us()));
}

static bool lock_fleet(RepoSet *set, const char *fleet, const char *owner, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "fleet");
    const char *name = repo_escape(ctx, fleet);
    char *holder = NULL;

    if (strlen(name) > FLEET_NAME_MAX)
        return error_set(err, ERR_USAGE, "the name of fleet \"%.100s...\" is too long", fleet);
    name = mem_printf(ctx, "locks/%s.lock", name);
    if (!storage_lock(set->repo->storage, ctx, name, true, owner, &set->fleet_lock, &holder, err))
        return false;
    if (set->fleet_lock == NULL)
    {
        error_set(err, ERR_LOCK, "another run is writing a backup of fleet \"%s\": %s", fleet,
                  holder != NULL && holder[0] != '\0' ? holder : "owner unknown");
        return error_hint(err, "Wait until it has finished.");
    }
    return true;
}

typedef struct Others
{
    const char *key;
    char *name; /* of the first script of somebody else's dump; NULL: none */
    void *ctx;
} Others;

/* Each script of a dump has its node's number before the key. Reports and lists have none: such are there, too, of
 * a dump that has failed, or is to be begun. */
static bool is_script(const char *name, const char *key)
{
    static const char begin[] = "gp_dump_";
    const char *at = strstr(name, begin);

    at = at == NULL ? "" : at + strlen(begin);
    return (*at == '-' || isdigit((unsigned char) *at)) && strncmp(at, key, strlen(key)) != 0;
}

static bool look_for_others(void *arg, const char *name, const StorageInfo *info, Error *err UNUSED)
{
    Others *o = arg;

    if (o->name == NULL && info->kind == STORAGE_FILE && repo_is_beside(name, o->key) &&
        is_script(name, o->key))
        o->name = mem_strdup(o->ctx, name);
    return true;
}

/* In the layout "days" files with the key of a set are the set's, and go with it. So no set is begun with a key
 * that another dump has: *ret_name is a file of that, below ctx, NULL: there is none. */
static bool find_others(Repo *repo, void *ctx, const char *key, char **ret_name, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "others");
    Others o = {.key = key, .ctx = ctx};

    *ret_name = NULL;
    if (repo->layout != LAYOUT_DAYS)
        return true;
    if (!storage_list(repo->storage, mem_printf(tmp, "%.8s", key), look_for_others, &o, err))
        return false;
    *ret_name = o.name;
    return true;
}

/* The first second from *seconds on whose key no other dump has. */
static bool pass_others(Repo *repo, int64_t *seconds, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "others");
    char key[SET_KEY_LEN], *name;

    for (;; (*seconds)++)
    {
        repo_key_from_seconds(key, *seconds);
        if (!find_others(repo, ctx, key, &name, err))
            return false;
        if (name == NULL)
            return true;
    }
}

/* first_free_key: the current second, but never at or below the newest key that is there, so that
 * "latest" is the set that was begun last even when the clock was turned back. */
static bool first_free_key(Repo *repo, int64_t *ret_seconds, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "keys");
    Listing l = {.repo = repo, .ctx = ctx};
    int64_t now = clock_wall_us() / 1000000, newest;

    *ret_seconds = now;
    if (!list_keys(&l, err))
        return false;
    if (l.count == 0)
        return pass_others(repo, ret_seconds, err);
    newest = repo_key_seconds(l.sets[l.count - 1].key);
    if (newest > now + DAY_S)
    {
        error_set(err, ERR_STORAGE, "the newest set in repository %s, %s, lies in the future",
                  storage_uri(repo->storage), l.sets[l.count - 1].key);
        return error_hint(err, "Set this host's clock right, or remove that set if its key is "
                               "wrong.");
    }
    if (newest >= now)
        *ret_seconds = newest + 1;
    return pass_others(repo, ret_seconds, err);
}

bool repo_next_key(Repo *repo, char ret_key[SET_KEY_LEN], Error *err)
{
    int64_t seconds;

    if (!first_free_key(repo, &seconds, err))
        return false;
    repo_key_from_seconds(ret_key, seconds);
    return true;
}

static bool make_dir_given(RepoSet *set, const char *key, Error *err)
{
    Error why = ERROR_INIT;
    char *others;

    if (!repo_key_parse(key, err) || !find_others(set->repo, set, key, &others, err))
        return false;
    if (others != NULL)
        return error_set(err, ERR_EXISTS,
                         "repository %s has a file \"%s\" of another dump with the key %s",
                         storage_uri(set->repo->storage), others, key);
    memcpy(set->key, key, SET_KEY_LEN);
    set->dir = repo_set_dir(set->repo, set, set->key);
    if (storage_make_dir(set->repo->storage, set->dir, true, &why))
        return true;
    if (why.code == ERR_EXISTS)
        return error_set(err, ERR_EXISTS, "set %s exists already in repository %s", set->key,
                         storage_uri(set->repo->storage));
    return pass_error(err, &why);
}

static bool make_dir_free(RepoSet *set, Error *err)
{
    int64_t seconds;

    if (!first_free_key(set->repo, &seconds, err))
        return false;
    for (int i = 0; i < FREE_KEY_TRIES; i++, seconds++)
    {
        Error why = ERROR_INIT;

        if (!pass_others(set->repo, &seconds, err))
            return false;
        repo_key_from_seconds(set->key, seconds);
        mem_free(set->dir);
        set->dir = repo_set_dir(set->repo, set, set->key);
        if (storage_make_dir(set->repo->storage, set->dir, true, &why))
            return true;
        if (why.code != ERR_EXISTS)
            return pass_error(err, &why);
    }
    return error_set(err, ERR_INTERNAL, "no free key for a set");
}

/* lock_patiently takes run.lock, trying again while somebody only looks at it. */
static bool lock_patiently(Repo *repo, void *ctx, const char *dir, bool exclusive,
                           const char *owner, StorageLock **ret_lock, char **ret_owner, Error *err)
{
    int64_t deadline = clock_ms() + LOCK_PATIENCE_MS;
    char *path = repo_path_in(ctx, dir, "run.lock");

    for (;;)
    {
        if (!storage_lock(repo->storage, ctx, path, exclusive, owner, ret_lock, ret_owner, err))
            return false;
        if (*ret_lock != NULL || clock_ms() > deadline)
            return true;
        clock_sleep_ms(LOCK_PAUSE_MS);
    }
}

static bool lock_run(RepoSet *set, const char *owner, Error *err)
{
    char *holder = NULL;

    if (!lock_patiently(set->repo, set, set->dir, true, owner, &set->run_lock, &holder, err))
        return false;
    if (set->run_lock == NULL)
        return error_set(err, ERR_LOCK, "set %s is locked by somebody else: %s", set->key,
                         holder != NULL ? holder : "");
    return true;
}

static bool begin_set(RepoSet *set, const char *fleet, const char *key, Error *err)
{
    char owner[256];

    owner_line(owner, sizeof(owner));
    if (!lock_fleet(set, fleet, owner, err))
        return false;
    if (!(key != NULL ? make_dir_given(set, key, err) : make_dir_free(set, err)))
    {
        set->dir = NULL; /* it is not ours to remove */
        return false;
    }
    return lock_run(set, owner, err);
}

static bool check_unfinished(const RepoSet *set, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "check");
    Storage *st = set->repo->storage;
    StorageInfo dir, manifest;

    if (!storage_stat(st, set->dir, &dir, err) ||
        !storage_stat(st, repo_path_in(ctx, set->dir, "manifest.jsonl"), &manifest, err))
        return false;
    if (dir.kind != STORAGE_DIR)
        return error_set(err, ERR_NOT_FOUND, "there is no set %s in repository %s", set->key,
                         storage_uri(st));
    return manifest.kind == STORAGE_MISSING ||
           error_set(err, ERR_EXISTS, "set %s in repository %s is finished", set->key,
                     storage_uri(st));
}

/* What a killed run was about to rename; everything else in the set's directory itself has a name
 * that it will have again. */
static bool remove_temporary(void *arg, const char *name, const StorageInfo *info, Error *err)
{
    const RepoSet *set = arg;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "temporary");

    return name[0] != '.' || info->kind != STORAGE_FILE ||
           storage_remove(set->repo->storage, repo_path_in(ctx, set->dir, name), err);
}

RepoSet *repo_set_take(Repo *repo, void *ctx, const char *fleet, const char *key, Error *err)
{
    RepoSet *set = mem_new(ctx, RepoSet);
    char owner[256];

    set->repo = repo;
    set->kept = true;
    memcpy(set->key, key, SET_KEY_LEN);
    set->dir = repo_set_dir(repo, set, set->key);
    owner_line(owner, sizeof(owner));
    /* Once more under its lock: it may have been removed before we had that. */
    if (check_unfinished(set, err) && lock_fleet(set, fleet, owner, err) &&
        lock_run(set, owner, err) && check_unfinished(set, err) &&
        storage_list(repo->storage, set->dir, remove_temporary, set, err))
        return set;
    repo_set_end(set);
    return NULL;
}

RepoSet *repo_set_begin(Repo *repo, void *ctx, const char *fleet, const char *key, Error *err)
{
    RepoSet *set = mem_new(ctx, RepoSet);

    set->repo = repo;
    if (begin_set(set, fleet, key, err))
        return set;
    repo_set_end(set);
    return NULL;
}

typedef struct Beside
{
    Repo *repo;
    const char *day;
    const char *key;
} Beside;

static bool remove_beside(void *arg, const char *name, const StorageInfo *info, Error *err)
{
    const Beside *b = arg;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "beside");

    return info->kind != STORAGE_FILE || !repo_is_beside(name, b->key) ||
           storage_remove(b->repo->storage, repo_path_in(ctx, b->day, name), err);
}

/* Without its manifest the rest counts for nothing, wherever the removal stops; and that must hold after a power
 * failure, too. A directory that somebody else has removed meanwhile needs no sync. */
static bool remove_manifest(Repo *repo, const char *dir, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "manifest");
    StorageInfo info;
    Error why = ERROR_INIT;

    if (!storage_remove(repo->storage, repo_path_in(ctx, dir, "manifest.jsonl"), err))
        return false;
    if (storage_sync_dir(repo->storage, dir, &why) ||
        (storage_stat(repo->storage, dir, &info, NULL) && info.kind == STORAGE_MISSING))
        return true;
    return pass_error(err, &why);
}

bool repo_remove_set(Repo *repo, const char *dir, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "remove");
    char *day = mem_strdup(ctx, dir);
    Beside beside = {.repo = repo, .day = day, .key = strrchr(dir, '/') + 1};

    *strrchr(day, '/') = '\0';

    if (!remove_manifest(repo, dir, err) ||
        (repo->layout == LAYOUT_DAYS &&
         !storage_list(repo->storage, day, remove_beside, &beside, err)) ||
        !storage_remove_tree(repo->storage, dir, err))
        return false;
    return storage_remove_dir(repo->storage, day, err);
}

void repo_set_end(RepoSet *set)
{
    Error err = ERROR_INIT;

    if (set == NULL)
        return;
    if (!set->committed && !set->kept && set->dir != NULL &&
        !repo_remove_set(set->repo, set->dir, &err))
        log_warning("cannot remove the unfinished set %s: %s", set->key, err.message);
    storage_unlock(set->run_lock);
    storage_unlock(set->fleet_lock);
    mem_free(set);
}

/* ---- finding ---- */

/* What find_latest passed over. */
typedef struct PassedOver
{
    const char *prefix; /* of one of another series, "" for none; NULL: there is no such set */
    bool form;          /* one of the series, of another form */
} PassedOver;

static bool no_latest(Repo *repo, const SetChoice *choice, const PassedOver *over, Error *err)
{
    const char *uri = storage_uri(repo->storage);

    if (over->form && choice->form == SET_OF_ROWS)
    {
        error_set(err, ERR_NOT_FOUND, "repository %s holds no finished set but physical ones", uri);
        return error_hint(err, "\"pgark restore --physical\" makes data directories of those.");
    }
    if (over->form)
        return error_set(err, ERR_NOT_FOUND, "repository %s holds no finished physical set", uri);
    if (choice->prefix == NULL && over->prefix == NULL)
        return error_set(err, ERR_NOT_FOUND, "repository %s holds no finished set", uri);
    if (choice->prefix == NULL)
    {
        error_set(err, ERR_NOT_FOUND, "repository %s holds no finished set without a prefix", uri);
        return error_hint(err, "There are sets with --prefix=%s.", over->prefix);
    }
    error_set(err, ERR_NOT_FOUND, "repository %s holds no finished set with the prefix \"%s\"", uri,
              choice->prefix);
    if (over->prefix == NULL)
        return false;
    return error_hint(err, "\"pgark list\" shows the prefixes of all sets.");
}

/* Whether a set is what was chosen, or cannot be read; what is in the way goes into *over. */
static bool is_chosen(const SetRecord *set, const SetChoice *choice, PassedOver *over)
{
    bool files = set->kind != NULL;

    if (!str_equal(set->prefix, choice->prefix))
    {
        over->prefix = set->prefix != NULL ? set->prefix : "";
        return false;
    }
    if (choice->form == SET_ANY_FORM || files == (choice->form == SET_OF_FILES))
        return true;
    over->form = true;
    return false;
}

static bool find_latest(Repo *repo, const SetChoice *choice, char ret_key[SET_KEY_LEN], Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "latest");
    PassedOver over = {.prefix = NULL};
    RepoSetInfo *sets;
    size_t count;

    if (!repo_list_sets(repo, ctx, &sets, &count, err))
        return false;
    for (; count > 0; count--)
    {
        SetRecord set;

        if (sets[count - 1].finished &&
            (!manifest_peek(repo->storage, ctx, sets[count - 1].dir, &set, NULL) ||
             is_chosen(&set, choice, &over)))
            break;
    }
    if (count == 0)
        return no_latest(repo, choice, &over, err);
    memcpy(ret_key, sets[count - 1].key, SET_KEY_LEN);
    return true;
}

/* A key is of one set whatever its series; but who names both shall have both. */
static bool check_series(Repo *repo, const char *dir, const char *key, const char *prefix,
                         Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "series");
    SetRecord set;

    if (prefix == NULL || !manifest_peek(repo->storage, ctx, dir, &set, NULL) ||
        str_equal(set.prefix, prefix))
        return true;
    if (set.prefix == NULL)
        return error_set(err, ERR_NOT_FOUND, "set %s has no prefix, and not \"%s\"", key, prefix);
    return error_set(err, ERR_NOT_FOUND, "set %s has the prefix \"%s\", and not \"%s\"", key,
                     set.prefix, prefix);
}

/* check_finished tells an unfinished set from none at all. */
static bool check_finished(Repo *repo, const char *dir, const char *key, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "check");
    StorageInfo set, manifest;

    if (!storage_stat(repo->storage, dir, &set, err) ||
        !storage_stat(repo->storage, repo_path_in(ctx, dir, "manifest.jsonl"), &manifest, err))
        return false;
    if (set.kind != STORAGE_DIR)
        return error_set(err, ERR_NOT_FOUND, "there is no set %s in repository %s", key,
                         storage_uri(repo->storage));
    if (manifest.kind == STORAGE_FILE)
        return true;
    error_set(err, ERR_NOT_FOUND, "set %s in repository %s is not finished", key,
              storage_uri(repo->storage));
    return error_hint(err, "Its backup is running or was interrupted; \"pgark list\" shows the "
                           "finished sets.");
}

/* lock_for_reading: a copy of a repository without its lock files, where none can be made, is
 * readable all the same; nobody can remove anything there either. */
static bool lock_for_reading(Repo *repo, const char *dir, const char *key, StorageLock **ret_lock,
                             Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "lock");
    char *holder = NULL;
    StorageInfo info;
    Error why = ERROR_INIT;

    if (!storage_stat(repo->storage, repo_path_in(ctx, dir, "run.lock"), &info, err))
        return false;
    if (!lock_patiently(repo, ctx, dir, false, NULL, ret_lock, &holder, &why))
        return info.kind == STORAGE_MISSING || pass_error(err, &why);
    if (*ret_lock == NULL)
        return error_set(err, ERR_LOCK, "set %s is being changed: %s", key,
                         holder != NULL ? holder : "owner unknown");
    return true;
}

bool repo_resolve(Repo *repo, void *ctx, const char *key_or_latest, const SetChoice *choice,
                  char ret_key[SET_KEY_LEN], char **ret_dir, StorageLock **ret_lock, Error *err)
{
    static const SetChoice any = {.prefix = NULL};
    char *dir;

    *ret_dir = NULL;
    *ret_lock = NULL;
    choice = choice == NULL ? &any : choice;
    if (strcmp(key_or_latest, "latest") == 0)
    {
        if (!find_latest(repo, choice, ret_key, err))
            return false;
    }
    else
    {
        if (!repo_key_parse(key_or_latest, err))
            return false;
        memcpy(ret_key, key_or_latest, SET_KEY_LEN);
    }
    dir = repo_set_dir(repo, ctx, ret_key);
    if (!check_finished(repo, dir, ret_key, err) ||
        !lock_for_reading(repo, dir, ret_key, ret_lock, err))
        return false;
    /* Once more, now that it can no longer be removed: it may have been while the lock was waited
     * for. */
    if (!check_finished(repo, dir, ret_key, err) ||
        !check_series(repo, dir, ret_key, choice->prefix, err))
    {
        storage_unlock(*ret_lock);
        *ret_lock = NULL;
        return false;
    }
    *ret_dir = dir;
    return true;
}

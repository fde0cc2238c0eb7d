/* compat/dump_dir.c - the contract is in dump_dir.h. */
#include "compat/dump_dir.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "repo/part.h"

#define WORK_BEGIN ".gp_dump_"
#define WORK_END   ".set"
#define LOCK_FILE  "run.lock"
#define TRIES_MAX  60 /* seconds that other dumps may have taken */

static bool make_one(const char *path, Error *err)
{
    struct stat st;
    if (mkdir(path, 0700) == 0)
        return true;
    if (errno != EEXIST)
        return error_errno(err, ERR_STORAGE, "could not make the directory \"%s\"", path);
    if (stat(path, &st) != 0)
        return error_errno(err, ERR_STORAGE, "could not look at \"%s\"", path);
    return S_ISDIR(st.st_mode) || error_set(err, ERR_USAGE, "\"%s\" is no directory", path);
}

bool dump_dir_make(const char *path, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "path");
    char *copy = mem_strdup(tmp, path);
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return true;
    for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/'))
    {
        *slash = '\0';
        bool ok = make_one(copy, err);
        *slash = '/';
        if (!ok)
            return false;
    }
    return make_one(copy, err);
}

/* ---- the place ---- */

static const char *work_name(void *ctx, const char *key)
{
    return mem_printf(ctx, "%s%s%s", WORK_BEGIN, key, WORK_END);
}

static bool is_work_name(const char *name)
{
    size_t begin = strlen(WORK_BEGIN);
    return strncmp(name, WORK_BEGIN, begin) == 0 &&
           strspn(name + begin, "0123456789") == SET_KEY_LEN - 1 &&
           strcmp(name + begin + SET_KEY_LEN - 1, WORK_END) == 0;
}

typedef struct Names
{
    void *ctx;
    const char **items;
    size_t count, capacity;
} Names;

static bool keep_work_name(void *arg, const char *name, const StorageInfo *info, Error *err UNUSED)
{
    Names *names = arg;
    if (info->kind == STORAGE_DIR && is_work_name(name))
        *mem_push(names->ctx, names->items, names->count, names->capacity,
                  const char *) = mem_strdup(names->ctx, name);
    return true;
}

/* The lock of a run that lives is held. */
static bool remove_dead(Storage *st, const char *name, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "dead");
    AUTO(storage_unlock) StorageLock *lock = NULL;
    char *owner;
    if (!storage_lock(st, tmp, repo_path_in(tmp, name, LOCK_FILE), true, "", &lock, &owner, err))
        return false;
    if (lock == NULL)
        return true;
    log_info("removing \"%s/%s\", which a dump that died has left", storage_uri(st), name);
    return storage_remove_tree(st, name, err);
}

static void sweep(Storage *st)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sweep");
    Names names = {.ctx = tmp};
    Error err = ERROR_INIT;
    bool ok = storage_list(st, "", keep_work_name, &names, &err);
    for (size_t i = 0; ok && i < names.count; i++)
        ok = remove_dead(st, names.items[i], &err);
    if (!ok)
        log_info("what dead dumps have left could not be removed: %s", err.message);
}

typedef struct Search
{
    const char *prefix;
    const char *key;
    bool found;
} Search;

static bool look_for_key(void *arg, const char *name, const StorageInfo *info UNUSED,
                         Error *err UNUSED)
{
    Search *s = arg;
    size_t len = s->prefix == NULL ? 0 : strlen(s->prefix);
    bool ours = s->prefix == NULL || strncmp(name, s->prefix, len) == 0;
    s->found = s->found ||
               (ours && strncmp(name + len, "gp_", 3) == 0 && strstr(name + len, s->key) != NULL);
    return true;
}

/* *ret_taken: files have that key, or another run works on it. */
static bool take_key(DumpDir *d, const char *prefix, bool *ret_taken, Error *err)
{
    Search search = {.prefix = prefix, .key = d->key};
    Error busy = ERROR_INIT;
    char *owner;
    if (!storage_list(d->storage, "", look_for_key, &search, err))
        return false;
    *ret_taken = true;
    if (search.found)
        return true;
    const char *work = work_name(d, d->key);
    if (!storage_make_dir(d->storage, work, true, &busy))
    {
        if (busy.code == ERR_EXISTS)
            return true;
        *err = busy;
        return false;
    }
    d->work = work;
    d->set_repo = NULL;
    *ret_taken = false;
    return storage_lock(d->storage, d, repo_path_in(d, work, LOCK_FILE), true, "", &d->lock, &owner,
                        err) &&
           (d->lock != NULL || error_set(err, ERR_LOCK, "\"%s/%s\" is locked", d->path, work));
}

static bool choose_key(DumpDir *d, const char *prefix, const char *key, Error *err)
{
    int64_t now = clock_wall_us() / 1000000;
    bool taken = true;
    for (int i = 0; taken && i < TRIES_MAX; i++)
    {
        if (key == NULL)
            repo_key_from_seconds(d->key, now + i);
        else
            snprintf(d->key, sizeof(d->key), "%s", key);
        if (!take_key(d, prefix, &taken, err))
            return false;
        if (taken && key != NULL)
            break;
    }
    if (!taken)
        return true;
    error_set(err, ERR_EXISTS, "\"%s\" has files with the key %s", d->path, d->key);
    return error_hint(err, "A dump never replaces files: choose another key or directory.");
}

DumpDir *dump_dir_open(void *ctx, const char *path, const char *prefix, const char *key, Error *err)
{
    DumpDir *d = mem_new(ctx, DumpDir);
    d->path = mem_strdup(d, path);
    if (!dump_dir_make(path, err))
        return NULL;
    d->storage = storage_open(d, path, err);
    if (d->storage == NULL)
        return NULL;
    sweep(d->storage);
    if (choose_key(d, prefix, key, err))
    {
        d->set_repo = mem_printf(d, "%s/%s/set", repo_place_escape(d, path), d->work);
        return d;
    }
    dump_dir_close(d);
    return NULL;
}

void dump_dir_close(DumpDir *d)
{
    Error err = ERROR_INIT;
    if (d == NULL || d->work == NULL)
        return;
    if (!storage_remove_tree(d->storage, d->work, &err))
        log_warning("\"%s/%s\" could not be removed: %s", d->path, d->work, err.message);
    storage_unlock(d->lock);
    d->work = NULL;
    d->lock = NULL;
}

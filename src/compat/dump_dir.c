/* compat/dump_dir.c - the contract is in dump_dir.h. */
#include "compat/dump_dir.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "repo/part.h"

#define WORK_BEGIN ".gp_dump_"
#define WORK_END   ".set"
#define LOCK_FILE  "run.lock"
#define MARK_CHARS "_-0123456789abcdefghijklmnopqrstuvwxyz"
#define TRIES_MAX  60 /* seconds that other dumps may have taken */
#define MAKE_TRIES 50
#define MAKE_MS    20

bool dump_dir_is_upward(const char *path)
{
    for (const char *c = path; *c != '\0';)
    {
        size_t len = strcspn(c, "/");
        if ((len == 1 && c[0] == '.') || (len == 2 && c[0] == '.' && c[1] == '.'))
            return true;
        c += len;
        c += strspn(c, "/");
    }
    return false;
}

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

static const char *work_name(void *ctx, const char *key, const char *mark)
{
    return mem_printf(ctx, "%s%s%s%s", WORK_BEGIN, key, mark, WORK_END);
}

static bool is_work_name(const char *name)
{
    size_t begin = strlen(WORK_BEGIN);
    if (strncmp(name, WORK_BEGIN, begin) != 0 ||
        strspn(name + begin, "0123456789") != SET_KEY_LEN - 1)
        return false;
    const char *mark = name + begin + SET_KEY_LEN - 1;
    return strcmp(mark + strspn(mark, MARK_CHARS), WORK_END) == 0;
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
    const char *wanted; /* the key, or more */
    bool found;
} Search;

static bool look_for_key(void *arg, const char *name, const StorageInfo *info UNUSED,
                         Error *err UNUSED)
{
    Search *s = arg;
    size_t len = s->prefix == NULL ? 0 : strlen(s->prefix);
    bool ours = s->prefix == NULL || strncmp(name, s->prefix, len) == 0;
    s->found = s->found || (ours && strncmp(name + len, "gp_", 3) == 0 &&
                            strstr(name + len, s->wanted) != NULL);
    return true;
}

/* The place cannot be locked, as the disk is full or another reason why says; unless it is gone. */
static bool cannot_lock(DumpDir *d, const Error *why, Error *err)
{
    StorageInfo info;
    Error ignored = ERROR_INIT;
    if (!storage_stat(d->storage, d->work, &info, err))
        return false;
    if (info.kind == STORAGE_MISSING)
        return true;
    if (!storage_remove_tree(d->storage, d->work, &ignored))
        log_warning("\"%s/%s\" could not be removed: %s", d->path, d->work, ignored.message);
    *err = *why;
    return false;
}

/* One try to make and lock the place. *ret_again: who removes what dead runs have left took it for such. */
static bool make_place(DumpDir *d, bool *ret_again, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "place");
    const char *path = repo_path_in(tmp, d->work, LOCK_FILE);
    StorageInfo info = {.kind = STORAGE_MISSING};
    Error why = ERROR_INIT;
    char *owner;
    *ret_again = true;
    if (!storage_make_dir(d->storage, d->work, true, err))
        return false;
    if (!storage_lock(d->storage, d, path, true, "", &d->lock, &owner, &why))
        return cannot_lock(d, &why, err);
    if (d->lock == NULL)
        return true;
    if (!storage_stat(d->storage, path, &info, err))
        return false;
    *ret_again = info.kind != STORAGE_FILE;
    return true;
}

static bool keep_making(DumpDir *d, Error *err)
{
    bool again = true;
    for (int i = 0; again && i < MAKE_TRIES; i++)
    {
        Error why = ERROR_INIT;
        if (i > 0)
            clock_sleep_ms(MAKE_MS);
        storage_unlock(d->lock);
        d->lock = NULL;
        if (make_place(d, &again, &why) || (i > 0 && why.code == ERR_EXISTS))
            continue;
        *err = why;
        return false;
    }
    return !again || error_set(err, ERR_LOCK, "\"%s/%s\" is locked", d->path, d->work);
}

/* *ret_taken: files have that key, or another run works on it. */
static bool take_key(DumpDir *d, const DumpDirSpec *spec, bool *ret_taken, Error *err)
{
    Search search = {.prefix = spec->prefix, .wanted = spec->own == NULL ? d->key : spec->own};
    Error busy = ERROR_INIT;
    if (!storage_list(d->storage, "", look_for_key, &search, err))
        return false;
    *ret_taken = true;
    if (search.found)
        return true;
    d->work = work_name(d, d->key, spec->mark);
    if (!keep_making(d, &busy))
    {
        d->work = NULL;
        if (busy.code == ERR_EXISTS)
            return true;
        *err = busy;
        return false;
    }
    *ret_taken = false;
    return true;
}

static bool choose_key(DumpDir *d, const DumpDirSpec *spec, Error *err)
{
    int64_t now = clock_wall_us() / 1000000;
    bool taken = true;
    for (int i = 0; taken && i < TRIES_MAX; i++)
    {
        if (spec->key == NULL)
            repo_key_from_seconds(d->key, now + i);
        else
            snprintf(d->key, sizeof(d->key), "%s", spec->key);
        if (!take_key(d, spec, &taken, err))
            return false;
        if (taken && spec->key != NULL)
            break;
    }
    if (!taken)
        return true;
    error_set(err, ERR_EXISTS, "\"%s\" has files with the key %s", d->path, d->key);
    return error_hint(err, "A dump never replaces files: choose another key or directory.");
}

DumpDir *dump_dir_open(void *ctx, const DumpDirSpec *spec, Error *err)
{
    DumpDir *d = mem_new(ctx, DumpDir);
    d->path = mem_strdup(d, spec->path);
    if (!dump_dir_make(spec->path, err))
        return NULL;
    d->storage = storage_open(d, spec->path, err);
    if (d->storage == NULL)
        return NULL;
    sweep(d->storage);
    if (!choose_key(d, spec, err))
        return NULL;
    d->set_repo = mem_printf(d, "%s/%s/set", repo_place_escape(d, spec->path), d->work);
    return d;
}

char *dump_dir_place(const DumpDir *dir, void *ctx, const char *name)
{
    return mem_printf(ctx, "%s/%s/%s", dir->path, dir->work, name);
}

bool dump_dir_reveal(const DumpDir *dir, const char *name, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "reveal");
    const char *to = mem_printf(tmp, "%s/%s", dir->path, name);
    return rename(dump_dir_place(dir, tmp, name), to) == 0 ||
           error_errno(err, ERR_STORAGE, "could not name \"%s\"", to);
}

bool dump_dir_sync(const DumpDir *dir, Error *err)
{
    return storage_sync_dir(dir->storage, "", err);
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

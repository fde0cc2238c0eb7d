/* repo/part.c - parts of sets in other repositories; the contract is in part.h. */
#include "repo/part.h"

#include <unistd.h>

#include "base/log.h"
#include "base/str.h"

#define ID_LEN 32

/* ---- patterns ---- */

/* A host may call itself anything. What is no part of a path, or a name of more than one part, is none of ours. */
static bool add_host(Str *s, const char *pattern, Error *err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    char host[256] = "";
    char shown[300];
    if (gethostname(host, sizeof(host)) != 0)
        return error_errno(err, ERR_INTERNAL, "the name of this host is not to be had");
    host[sizeof(host) - 1] = '\0';
    if (host[0] != '\0' && host[0] != '.' && strspn(host, allowed) == strlen(host))
    {
        str_add(s, host);
        return true;
    }
    error_set(err, ERR_USAGE,
              "repository \"%s\": \"%s\", as this host calls itself, is no name for %%h", pattern,
              str_one_line(shown, sizeof(shown), host));
    return error_hint(
        err, "A name has letters, digits, - _ and . and does not begin with a dot. %%c tells nodes "
             "apart, too.");
}

char *repo_place(void *ctx, const char *pattern, int content, Error *err)
{
    Str *s = str_new(ctx);
    for (const char *p = pattern; *p != '\0'; p++)
    {
        if (*p != '%')
        {
            str_addc(s, *p);
            continue;
        }
        p++;
        if (*p == 'c' && content == PLACE_HOME)
            str_add(s, "home");
        else if (*p == 'c')
            str_addi(s, content);
        else if (*p == 'h')
        {
            if (!add_host(s, pattern, err))
                return NULL;
        }
        else if (*p == '%')
            str_addc(s, '%');
        else
        {
            error_set(err, ERR_USAGE, "repository \"%s\": %% is followed by none of c, h and %%",
                      pattern);
            error_hint(err, "%%c is a node's content id, %%h the name of its host, %%%% a percent "
                            "sign.");
            return NULL;
        }
    }
    return s->data;
}

char *repo_place_escape(void *ctx, const char *uri)
{
    Str *s = str_new(ctx);
    for (const char *c = uri; *c != '\0'; c++)
    {
        str_addc(s, *c);
        if (*c == '%')
            str_addc(s, '%');
    }
    return s->data;
}

bool repo_place_is_absolute(const char *pattern)
{
    return pattern[0] == '/' || strncmp(pattern, "file:///", 8) == 0;
}

bool repo_place_varies(const char *pattern)
{
    const char *at = strchr(pattern, '%');
    while (at != NULL && at[1] == '%')
        at = strchr(at + 2, '%');
    return at != NULL;
}

/* ---- marks ---- */

bool part_mark(Repo *repo, const char *set_dir, const char *home, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "mark");
    AUTO(storage_writer_free)
    StorageWriter *w = storage_write_open(repo->storage, repo_path_in(tmp, set_dir, PART_FILE),
                                          STORAGE_WRITE_ATOMIC, err);
    return w != NULL && storage_write(w, home, strlen(home), err) &&
           storage_write(w, "\n", 1, err) && storage_writer_commit(w, err);
}

bool part_home(Repo *repo, const char *set_dir, char ret_home[33], Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "home");
    const char *path = repo_path_in(tmp, set_dir, PART_FILE);
    StorageInfo info;
    char *text;
    size_t len;
    ret_home[0] = '\0';
    if (!storage_stat(repo->storage, path, &info, err))
        return false;
    if (info.kind == STORAGE_MISSING)
        return true;
    if (!storage_read_all(repo->storage, tmp, path, ID_LEN + 1, &text, &len, err))
        return false;
    if (len != ID_LEN + 1 || text[ID_LEN] != '\n' || strspn(text, "0123456789abcdef") != ID_LEN)
        return error_set(err, ERR_CORRUPT, "%s is damaged", path);
    memcpy(ret_home, text, ID_LEN);
    ret_home[ID_LEN] = '\0';
    return true;
}

/* By the files, too: somebody may have brought them together. */
bool part_is_here(Repo *repo, const char *set_dir, const NodeRecord *node, bool *ret_here,
                  Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "here");
    StorageInfo info;
    *ret_here = node->repo_id == NULL || str_equal(node->repo_id, repo->id);
    if (*ret_here)
        return true;
    if (!storage_stat(repo->storage, repo_path_in(tmp, set_dir, node->chunks.path), &info, err))
        return false;
    *ret_here = info.kind == STORAGE_FILE;
    return true;
}

/* ---- sweeping ---- */

static bool is_kept(const PartSweep *sweep, const char *key)
{
    for (size_t i = 0; i < sweep->keep_count; i++)
    {
        if (str_equal(sweep->keep[i], key))
            return true;
    }
    return strcmp(key, sweep->before) >= 0;
}

/* Under its lock: no agent writes it and nobody reads it. */
bool part_remove(Repo *repo, const char *set_dir, const char *home, bool *ret_removed, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "remove");
    AUTO(storage_unlock) StorageLock *lock = NULL;
    char owner[64];
    char found[33];
    *ret_removed = false;
    if (!part_home(repo, set_dir, found, err))
        return false;
    if (!str_equal(found, home))
        return true;
    snprintf(owner, sizeof(owner), "pid %ld, which removes it", (long) getpid());
    if (!storage_lock(repo->storage, tmp, repo_path_in(tmp, set_dir, "run.lock"), true, owner,
                      &lock, NULL, err))
        return false;
    *ret_removed = lock != NULL;
    if (lock != NULL)
        return repo_remove_set(repo, set_dir, err);
    log_warning("%s in repository %s is in use and stays", set_dir, storage_uri(repo->storage));
    return true;
}

bool part_sweep(Repo *repo, void *ctx, const PartSweep *sweep, ExpireResult *ret, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sweep");
    RepoSetInfo *sets;
    size_t count;
    *ret = (ExpireResult){0};
    if (!repo_list_sets(repo, tmp, &sets, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
    {
        char home[33];
        bool gone = sweep->dry_run;
        if (is_kept(sweep, sets[i].key))
            continue;
        if (!part_home(repo, sets[i].dir, home, err))
            return false;
        if (!str_equal(home, sweep->home))
            continue;
        if (!sweep->dry_run && !part_remove(repo, sets[i].dir, home, &gone, err))
            return false;
        if (!gone)
            continue;
        ExpireSet *expired = mem_push(ctx, ret->removed, ret->count, ret->capacity, ExpireSet);
        memcpy(expired->key, sets[i].key, SET_KEY_LEN);
        expired->why = "its set is gone";
    }
    return true;
}

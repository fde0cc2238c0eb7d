/* repo/base.c - choosing a base; the contract is in base.h. */
#include "repo/base.h"

#include "base/log.h"
#include "base/str.h"
#include "repo/part.h"

/* ---- what a set depends on ---- */

char *base_chunk_dir(void *ctx, const char *set_dir, const ChunkRecord *chunk)
{
    return chunk->set[0] == '\0' ? mem_strdup(ctx, set_dir)
                                 : repo_set_dir_like(ctx, set_dir, chunk->set);
}

bool base_check_depends(Storage *st, const char *set_dir, const SetRecord *set, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "depends");
    for (size_t i = 0; i < set->depends_count; i++)
    {
        const char *dir = repo_set_dir_like(tmp, set_dir, set->depends_on[i]);
        StorageInfo info;
        if (!storage_stat(st, repo_path_in(tmp, dir, "manifest.jsonl"), &info, err))
            return false;
        if (info.kind == STORAGE_FILE)
            continue;
        error_set(err, ERR_NOT_FOUND, "set %s depends on set %s, which is not in repository %s",
                  set->key, set->depends_on[i], storage_uri(st));
        return error_hint(err, "Bring that set back: chunks of this one are stored in it.");
    }
    return true;
}

/* ---- what fits ---- */

static bool same_selection(const SetRecord *a, const SetRecord *b)
{
    if (a->selection_count != b->selection_count)
        return false;
    for (size_t i = 0; i < a->selection_count; i++)
    {
        if (strcmp(a->selection[i], b->selection[i]) != 0)
            return false;
    }
    return true;
}

/* What a set has that rules it out, NULL: nothing. Whether bytes are the same is not decided here, so
 * what only makes it likely is enough; but compression is a part of what is compared. */
static const char *misfit(const SetRecord *own, const SetRecord *set)
{
    if (set->records < 2)
        return "is of format 1, which does not tell the files of tables";
    if (!str_equal(set->kind, own->kind))
        return own->kind != NULL ? "holds rows, no base backups" : "holds base backups, no rows";
    if (strcmp(set->key, own->key) >= 0)
        return "is not older";
    if (strcmp(set->fleet, own->fleet) != 0 || strcmp(set->topology, own->topology) != 0)
        return "is of another fleet";
    if (!str_equal(set->prefix, own->prefix))
        return "has another prefix";
    if (set->kind != NULL)
        return NULL;
    if (set->compress.method != own->compress.method || set->compress.level != own->compress.level)
        return "is compressed in another way";
    if (strcmp(set->format, own->format) != 0)
        return "was made with another --format";
    if (set->sections != own->sections || !same_selection(set, own))
        return "was made with another selection";
    return NULL;
}

/* ---- taking one ---- */

void base_close(Base *base)
{
    if (base == NULL)
        return;
    for (size_t i = 0; i < base->set_count; i++)
        storage_unlock(base->locks[i]);
    mem_free(base);
}

static int by_key(const void *key, const void *member)
{
    return strcmp(key, *(char *const *) member);
}

size_t base_set_index(const Base *base, const char *key)
{
    char *const *found = bsearch(key, base->sets, base->set_count, sizeof(char *), by_key);
    return found == NULL ? base->set_count : (size_t) (found - base->sets);
}

static bool lock_set(Base *base, const char *key, Error *err)
{
    char found[SET_KEY_LEN];
    char *dir;
    size_t i = base->set_count;
    if (!repo_resolve(base->repo, base, key, NULL, found, &dir, &base->locks[i], err))
        return false;
    base->sets[i] = mem_strdup(base, key);
    base->set_count++;
    return true;
}

/* Nodes whose files are elsewhere cannot be referred to from here. */
static bool check_here(const Base *base, Error *err)
{
    char home[33];
    if (!part_home(base->repo, base->dir, home, err))
        return false;
    bool here = home[0] == '\0';
    for (size_t i = 0; here && i < base->manifest->node_count; i++)
    {
        if (!part_is_here(base->repo, base->dir, &base->manifest->nodes[i], &here, err))
            return false;
    }
    return here || error_set(err, ERR_USAGE, "its nodes lie in repositories of their own");
}

/* Under its lock: until then it may be removed. */
static bool take(Base *base, const SetRecord *peeked, Error *err)
{
    base->dir = repo_set_dir(base->repo, base, peeked->key);
    memcpy(base->key, peeked->key, SET_KEY_LEN);
    base->locks = mem_array(base, StorageLock *, peeked->depends_count + 1);
    base->sets = mem_array(base, char *, peeked->depends_count + 1);
    for (size_t i = 0; i < peeked->depends_count; i++)
    {
        if (!lock_set(base, peeked->depends_on[i], err))
            return false;
    }
    if (!lock_set(base, peeked->key, err))
        return false;
    base->manifest = manifest_read(base->repo->storage, base, base->dir, false, err);
    return base->manifest != NULL && check_here(base, err);
}

/* false: it cannot be had, err says why. */
static bool try_set(Repo *repo, void *ctx, const SetRecord *peeked, Base **ret, Error *err)
{
    Base *base = mem_new(ctx, Base);
    base->repo = repo;
    if (take(base, peeked, err))
    {
        *ret = base;
        return true;
    }
    base_close(base);
    return false;
}

static bool open_named(Repo *repo, void *ctx, const SetRecord *own, const char *from, Base **ret,
                       Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "base");
    AUTO(storage_unlock) StorageLock *lock = NULL;
    char key[SET_KEY_LEN];
    char *dir;
    SetRecord set;
    if (!repo_resolve(repo, tmp, from, NULL, key, &dir, &lock, err) ||
        !manifest_peek(repo->storage, tmp, dir, &set, err))
        return error_prefix(err, "--incremental-from");
    const char *why = strcmp(set.key, key) == 0 ? misfit(own, &set) : "has a manifest of another";
    if (why != NULL)
        return error_set(err, ERR_USAGE, "--incremental-from: set %s %s", key, why);
    return try_set(repo, ctx, &set, ret, err) ||
           error_prefix(err, "--incremental-from: set %s", key);
}

bool base_open(Repo *repo, void *ctx, const SetRecord *own, const char *from, Base **ret,
               Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "base");
    RepoSetInfo *sets;
    size_t count;
    *ret = NULL;
    if (from != NULL)
        return open_named(repo, ctx, own, from, ret, err);
    if (!repo_list_sets(repo, tmp, &sets, &count, err))
        return false;
    for (size_t i = count; i-- > 0;)
    {
        SetRecord set;
        Error why = ERROR_INIT;
        if (!sets[i].finished || !manifest_peek(repo->storage, tmp, sets[i].dir, &set, &why) ||
            strcmp(set.key, sets[i].key) != 0 || misfit(own, &set) != NULL)
            continue;
        if (try_set(repo, ctx, &set, ret, &why))
            return true;
        /* Sets that agents have made are as they should be. */
        if (why.code != ERR_USAGE)
            log_warning("set %s cannot be built on: %s", sets[i].key, why.message);
    }
    return true;
}

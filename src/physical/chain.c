/* physical/chain.c - sets that are incremental one to the other; the contract is in chain.h. */
#include "physical/chain.h"

#include "base/str.h"
#include "pg/server_version.h"
#include "repo/base.h"

/* ---- do they fit ---- */

static bool misfit(const Manifest *older, const Manifest *newer, int content, const char *what,
                   Error *err)
{
    return error_set(err, ERR_CORRUPT,
                     "set %s cannot be built on set %s, which it is incremental to: node %d %s",
                     newer->set.key, older->set.key, content, what);
}

static bool check_node(const Manifest *older, const Manifest *newer, const PhysicalRecord *own,
                       Error *err)
{
    const int content = own->content;
    const PhysicalRecord *base = manifest_physical(older, content);
    const NodeRecord *now = manifest_node(newer, content);
    const NodeRecord *then = manifest_node(older, content);
    if (base == NULL || then == NULL)
        return misfit(older, newer, content, "is not in it", err);
    if (!str_equal(own->base, older->set.key))
        return misfit(older, newer, content, "is incremental to another set", err);
    if (strcmp(now->system_identifier, then->system_identifier) != 0)
        return misfit(older, newer, content, "is another server there", err);
    if (server_version_major(now->server_version_num) !=
        server_version_major(then->server_version_num))
        return misfit(older, newer, content, "has another major version there", err);
    if (own->block_size != base->block_size)
        return misfit(older, newer, content, "has blocks of another size there", err);
    return own->start_lsn >= base->start_lsn ||
           misfit(older, newer, content, "was at a later place in WAL there", err);
}

static bool check_pair(const Manifest *older, const Manifest *newer, Error *err)
{
    if (!manifest_is_physical(older))
        return error_set(err, ERR_CORRUPT, "set %s, which set %s is incremental to, holds rows",
                         older->set.key, newer->set.key);
    for (size_t i = 0; i < newer->physical_count; i++)
        if (!check_node(older, newer, &newer->physicals[i], err))
            return false;
    return true;
}

/* ---- opening ---- */

static bool open_set(Repo *repo, void *ctx, const char *key, ChainSet *ret, Error *err)
{
    char found[SET_KEY_LEN];
    if (!repo_resolve(repo, ctx, key, NULL, found, &ret->dir, &ret->lock, err))
        return false;
    ret->m = manifest_read(repo->storage, ctx, ret->dir, false, err);
    return ret->m != NULL || error_prefix(err, "set %s", key);
}

bool chain_open(Repo *repo, void *ctx, const char *set_dir, Manifest *m, Chain *ret, Error *err)
{
    const SetRecord *set = &m->set;
    *ret = (Chain){.sets = mem_array(ctx, ChainSet, set->depends_count + 1)};
    if (!base_check_depends(repo->storage, set_dir, set, err))
        return false;
    for (size_t i = 0; i < set->depends_count; i++)
    {
        ret->count = i + 1;
        if (!open_set(repo, ctx, set->depends_on[i], &ret->sets[i], err))
            return false;
    }
    ret->sets[ret->count++] = (ChainSet){.dir = mem_strdup(ctx, set_dir), .m = m};
    for (size_t i = 1; i < ret->count; i++)
        if (!check_pair(ret->sets[i - 1].m, ret->sets[i].m, err))
            return false;
    return ret->sets[0].m->set.base[0] == '\0' ||
           error_set(err, ERR_CORRUPT, "set %s is incremental to set %s, and does not depend on it",
                     ret->sets[0].m->set.key, ret->sets[0].m->set.base);
}

void chain_close(Chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
    {
        storage_unlock(chain->sets[i].lock);
        chain->sets[i].lock = NULL;
    }
}

/*
 * repo/wal_expire.c - WAL and restore points that no set needs (wal_archive.h).
 *
 * A set needs the WAL from the start of its base backup on, of every timeline that came later. So what lies before
 * the oldest start of a server's sets is of no use, and what lies behind it is.
 */
#include "base/log.h"
#include "base/lsn.h"
#include "base/str.h"
#include "repo/point.h"
#include "repo/wal_archive.h"

#define PLACE_AT     8 /* in a name, behind the timeline */
#define GROUP_DIGITS 16

/* The oldest that is still needed of a server. */
typedef struct Needed
{
    char *system_identifier;
    uint64_t start;
    uint64_t segment_size;
} Needed;

typedef struct WalExpire
{
    Repo *repo;
    bool dry_run;
    const ExpireResult *removed;
    WalExpired *result;
    void *ctx;
    Needed *needed;
    size_t count, capacity;
    char **fleets;
    size_t fleet_count, fleet_capacity;
    /* of the server at hand */
    const char *dir;
    char newest[WAL_ARCHIVE_DIGITS + 1];
    const char *place; /* digits of the oldest segment that stays */
} WalExpire;

static Needed *find_needed(WalExpire *e, const char *system_identifier)
{
    for (size_t i = 0; i < e->count; i++)
        if (strcmp(e->needed[i].system_identifier, system_identifier) == 0)
            return &e->needed[i];
    return NULL;
}

static void need(WalExpire *e, const NodeRecord *node, const PhysicalRecord *physical)
{
    Needed *n = find_needed(e, node->system_identifier);
    if (n == NULL)
    {
        n = mem_push(e->ctx, e->needed, e->count, e->capacity, Needed);
        *n = (Needed){.system_identifier = mem_strdup(e->ctx, node->system_identifier),
                      .start = physical->start_lsn,
                      .segment_size = physical->wal_segment_size};
    }
    if (physical->start_lsn < n->start)
        n->start = physical->start_lsn;
}

static void add_fleet(WalExpire *e, const char *fleet)
{
    for (size_t i = 0; i < e->fleet_count; i++)
        if (strcmp(e->fleets[i], fleet) == 0)
            return;
    *mem_push(e->ctx, e->fleets, e->fleet_count, e->fleet_capacity, char *) = mem_strdup(e->ctx,
                                                                                         fleet);
}

static bool is_removed(const WalExpire *e, const char *key)
{
    for (size_t i = 0; i < e->removed->count; i++)
        if (strcmp(e->removed->removed[i].key, key) == 0)
            return true;
    return false;
}

/* *ret_known false: of some set it cannot be told what it needs. */
static bool find_sets(WalExpire *e, bool *ret_known, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sets");
    RepoSetInfo *sets;
    size_t count;
    *ret_known = true;
    if (!repo_list_sets(e->repo, tmp, &sets, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
    {
        Error why = ERROR_INIT;
        Manifest *m = sets[i].finished && !is_removed(e, sets[i].key)
                          ? manifest_read(e->repo->storage, tmp, sets[i].dir, true, &why)
                          : NULL;
        if (m == NULL && error_is_set(&why))
        {
            log_warning("all WAL stays: the manifest of set %s cannot be read: %s", sets[i].key,
                        why.message);
            *ret_known = false;
        }
        for (size_t p = 0; m != NULL && p < m->physical_count; p++)
            need(e, &m->nodes[p], &m->physicals[p]);
        if (m != NULL && m->physical_count > 0)
            add_fleet(e, m->set.fleet);
        mem_free(m);
    }
    return true;
}

/* ---- segments ---- */

/* Is the directory, or the file, of places before the oldest that stays? Of a directory the last digits are not
 * known: only what is surely before counts. */
static bool is_before(const WalExpire *e, const char *name, size_t digits)
{
    return strspn(name, "0123456789ABCDEF") >= digits &&
           strncmp(name + PLACE_AT, e->place, digits - PLACE_AT) < 0;
}

typedef struct Group
{
    WalExpire *e;
    char *dir;
    bool all; /* nothing stays there */
} Group;

static bool expire_file(void *arg, const char *name, const StorageInfo *info, Error *err)
{
    Group *g = arg;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "file");
    if (!is_before(g->e, name, WAL_ARCHIVE_DIGITS) ||
        strncmp(name, g->e->newest, WAL_ARCHIVE_DIGITS) == 0)
    {
        g->all = g->all && name[0] == '.';
        return true;
    }
    bool record = strcmp(name + WAL_ARCHIVE_DIGITS, ".json") == 0;
    g->e->result->files += record ? 1 : 0;
    g->e->result->bytes += info->size;
    return g->e->dry_run ||
           storage_remove(g->e->repo->storage, mem_printf(tmp, "%s/%s", g->dir, name), err);
}

static bool expire_group(void *arg, const char *name, const StorageInfo *info, Error *err)
{
    WalExpire *e = arg;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "group");
    Group g = {.e = e, .all = true, .dir = mem_printf(tmp, "%s/%s", e->dir, name)};
    bool later = strlen(name) != GROUP_DIGITS ||
                 strncmp(name + PLACE_AT, e->place, GROUP_DIGITS - PLACE_AT) > 0;
    if (info->kind != STORAGE_DIR || later)
        return true;
    return storage_list(e->repo->storage, g.dir, expire_file, &g, err) &&
           (e->dry_run || !g.all || storage_remove_dir(e->repo->storage, g.dir, err));
}

/* The digits of a place, whatever the timeline: group and number of the segment. */
static char *place_digits(void *ctx, const Needed *n)
{
    uint64_t number = n->start / n->segment_size;
    uint64_t in_group = (UINT64_C(1) << 32) / n->segment_size;
    return mem_printf(ctx, "%08" PRIX32 "%08" PRIX32, (uint32_t) (number / in_group),
                      (uint32_t) (number % in_group));
}

static bool expire_server(WalExpire *e, const Needed *n, Error *err)
{
    e->dir = mem_printf(e->ctx, "%s/%s", WAL_ARCHIVE_DIR, n->system_identifier);
    e->place = place_digits(e->ctx, n);
    bool complete;
    return wal_archive_last(e->repo, n->system_identifier, e->newest, &complete, err) &&
           storage_list(e->repo->storage, e->dir, expire_group, e, err);
}

/* ---- points ---- */

static bool expire_point(void *arg, const Point *point, Error *err)
{
    WalExpire *e = arg;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "point");
    for (size_t i = 0; i < point->count; i++)
    {
        const Needed *n = find_needed(e, point->nodes[i].system_identifier);
        if (n == NULL || point->nodes[i].lsn >= n->start)
            return true;
    }
    return e->dry_run || point_remove(e->repo, point, err);
}

bool wal_archive_expire(Repo *repo, bool dry_run, const ExpireResult *removed, WalExpired *ret,
                        Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "expire WAL");
    WalExpire e = {.repo = repo, .dry_run = dry_run, .removed = removed, .result = ret, .ctx = ctx};
    bool known;
    *ret = (WalExpired){.files = 0};
    if (!find_sets(&e, &known, err))
        return false;
    for (size_t i = 0; known && i < e.count; i++)
        if (!expire_server(&e, &e.needed[i], err))
            return false;
    for (size_t i = 0; known && i < e.fleet_count; i++)
        if (!point_each(repo, e.fleets[i], expire_point, &e, err))
            return false;
    return true;
}

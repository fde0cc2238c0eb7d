/* repo/wal_archive.c - continuous WAL in a repository; the contract is in wal_archive.h. */
#include "repo/wal_archive.h"

#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "repo/record.h"

#define GROUP_DIGITS    16
#define TIMELINE_DIGITS 8
#define RECORD_SUFFIX   ".json"
#define RECORD_MAX      ((size_t) 65536)
#define HEX             "0123456789ABCDEF"

static bool is_digits(const char *name, size_t count)
{
    return strspn(name, HEX) >= count;
}

static bool is_segment(const char *name)
{
    return strlen(name) == WAL_ARCHIVE_DIGITS && is_digits(name, WAL_ARCHIVE_DIGITS);
}

static char *system_dir(void *ctx, const char *system_identifier)
{
    return mem_printf(ctx, "%s/%s", WAL_ARCHIVE_DIR, system_identifier);
}

char *wal_archive_dir(void *ctx, const char *system_identifier, const char *name)
{
    return is_segment(name) ? mem_printf(ctx, "%s/%s/%.*s", WAL_ARCHIVE_DIR, system_identifier,
                                         GROUP_DIGITS, name)
                            : system_dir(ctx, system_identifier);
}

static char *record_path(void *ctx, const char *system_identifier, const char *name)
{
    return mem_printf(ctx, "%s/%s%s", wal_archive_dir(ctx, system_identifier, name), name,
                      RECORD_SUFFIX);
}

bool wal_archive_note(Repo *repo, const ArchivedRecord *record, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "record");
    const char *line = record_line(tmp, LINE_ARCHIVED, record, err);
    AUTO(storage_writer_free)
    StorageWriter *w = line == NULL ? NULL
                                    : storage_write_open(
                                          repo->storage,
                                          record_path(tmp, record->system_identifier, record->name),
                                          STORAGE_WRITE_ATOMIC, err);
    return w != NULL && storage_write(w, line, strlen(line), err) && storage_writer_commit(w, err);
}

bool wal_archive_find(Repo *repo, void *ctx, const char *system_identifier, const char *name,
                      ArchivedRecord *ret, bool *ret_found, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "record");
    const char *path = record_path(tmp, system_identifier, name);
    ManifestLine line;
    StorageInfo info;
    char *text;
    size_t len;
    if (!storage_stat(repo->storage, path, &info, err))
        return false;
    *ret_found = info.kind != STORAGE_MISSING;
    if (!*ret_found)
        return true;
    if (!storage_read_all(repo->storage, tmp, path, RECORD_MAX, &text, &len, err))
        return false;
    if (len == 0 || text[len - 1] != '\n' || !manifest_parse_line(ctx, text, len - 1, &line, err) ||
        line.type != LINE_ARCHIVED || strcmp(line.u.archived.name, name) != 0 ||
        strcmp(line.u.archived.system_identifier, system_identifier) != 0)
    {
        error_set(err, ERR_CORRUPT, "it is no record of that WAL");
        return error_prefix(err, "%s", path);
    }
    *ret = line.u.archived;
    return true;
}

/* ---- the newest ---- */

typedef struct Newest
{
    char name[WAL_ARCHIVE_DIGITS + 1];
    bool complete;
} Newest;

static bool take_newest(void *arg, const char *name, const StorageInfo *info, Error *err)
{
    Newest *n = arg;
    (void) info;
    (void) err;
    if (!is_digits(name, WAL_ARCHIVE_DIGITS))
        return true;
    bool complete = strcmp(name + WAL_ARCHIVE_DIGITS, RECORD_SUFFIX) == 0;
    int order = strncmp(name, n->name, WAL_ARCHIVE_DIGITS);
    if ((!complete && strcmp(name + WAL_ARCHIVE_DIGITS, WAL_ARCHIVE_PARTIAL) != 0) || order < 0)
        return true;
    n->complete = complete || (order == 0 && n->complete);
    snprintf(n->name, sizeof(n->name), "%.*s", WAL_ARCHIVE_DIGITS, name);
    return true;
}

typedef struct Before
{
    const char *limit; /* NULL: none */
    char name[GROUP_DIGITS + 1];
} Before;

static bool take_before(void *arg, const char *name, const StorageInfo *info, Error *err)
{
    Before *b = arg;
    (void) err;
    if (info->kind == STORAGE_DIR && strlen(name) == GROUP_DIGITS &&
        is_digits(name, GROUP_DIGITS) && strcmp(name, b->name) > 0 &&
        (b->limit == NULL || strcmp(name, b->limit) < 0))
        snprintf(b->name, sizeof(b->name), "%s", name);
    return true;
}

/* A directory may have no segment: the one before it has the newest then. */
static bool find_before(Repo *repo, const char *dir, const char *before, char ret[GROUP_DIGITS + 1],
                        Error *err)
{
    Before b = {.limit = before};
    if (!storage_list(repo->storage, dir, take_before, &b, err))
        return false;
    memcpy(ret, b.name, sizeof(b.name));
    return true;
}

bool wal_archive_last(Repo *repo, const char *system_identifier,
                      char ret_name[WAL_ARCHIVE_DIGITS + 1], bool *ret_complete, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "last");
    const char *dir = system_dir(tmp, system_identifier);
    char group[GROUP_DIGITS + 1];
    const char *before = NULL;
    Newest newest = {.complete = false};
    while (newest.name[0] == '\0')
    {
        if (!find_before(repo, dir, before, group, err))
            return false;
        if (group[0] == '\0')
            break;
        before = mem_strdup(tmp, group);
        if (!storage_list(repo->storage, mem_printf(tmp, "%s/%s", dir, group), take_newest, &newest,
                          err))
            return false;
    }
    memcpy(ret_name, newest.name, sizeof(newest.name));
    *ret_complete = newest.complete;
    return true;
}

bool wal_archive_lock(Repo *repo, void *ctx, const char *system_identifier, StorageLock **ret_lock,
                      char **ret_owner, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "lock");
    const char *dir = system_dir(tmp, system_identifier);
    char host[256] = "";
    (void) gethostname(host, sizeof(host) - 1);
    const char *owner = mem_printf(tmp, "pid %ld on %s", (long) getpid(), host);
    return storage_make_dir(repo->storage, dir, false, err) &&
           storage_lock(repo->storage, ctx, mem_printf(tmp, "%s/receive.lock", dir), true, owner,
                        ret_lock, ret_owner, err);
}

/* ---- places ---- */

typedef struct Placing
{
    Repo *repo;
    void *ctx;
    const char *dir;
    WalPlaces *places;
} Placing;

static uint64_t place_of(const char *name)
{
    char digits[GROUP_DIGITS + 1];
    snprintf(digits, sizeof(digits), "%s", name + TIMELINE_DIGITS);
    return strtoull(digits, NULL, 16);
}

static bool take_place(void *arg, const char *name, const StorageInfo *info, Error *err)
{
    const Placing *p = arg;
    const char *suffix = name + strnlen(name, WAL_ARCHIVE_DIGITS);
    (void) info;
    (void) err;
    if (is_digits(name, WAL_ARCHIVE_DIGITS) &&
        (strcmp(suffix, RECORD_SUFFIX) == 0 || strcmp(suffix, WAL_ARCHIVE_PARTIAL) == 0))
        *mem_push(p->ctx, p->places->places, p->places->count, p->places->capacity,
                  uint64_t) = place_of(name);
    return true;
}

static bool take_group(void *arg, const char *name, const StorageInfo *info, Error *err)
{
    const Placing *p = arg;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "group");
    return info->kind != STORAGE_DIR ||
           storage_list(p->repo->storage, mem_printf(tmp, "%s/%s", p->dir, name), take_place, arg,
                        err);
}

static int by_place(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *) a;
    uint64_t y = *(const uint64_t *) b;
    return x < y ? -1 : x > y;
}

bool wal_archive_places(Repo *repo, void *ctx, const char *system_identifier, WalPlaces *ret,
                        Error *err)
{
    Placing p = {
        .repo = repo, .ctx = ctx, .dir = system_dir(ctx, system_identifier), .places = ret};
    *ret = (WalPlaces){.count = 0};
    if (!storage_list(repo->storage, p.dir, take_group, &p, err))
        return false;
    if (ret->count > 1)
        qsort(ret->places, ret->count, sizeof(uint64_t), by_place);
    return true;
}

bool wal_places_has(const WalPlaces *places, const char *name)
{
    uint64_t place = place_of(name);
    return places->count > 0 &&
           bsearch(&place, places->places, places->count, sizeof(uint64_t), by_place) != NULL;
}

StorageReader *wal_archive_partial(Repo *repo, const char *system_identifier, const char *name,
                                   uint64_t *ret_size, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "partial");
    const char *path = mem_printf(tmp, "%s/%s%s", wal_archive_dir(tmp, system_identifier, name),
                                  name, WAL_ARCHIVE_PARTIAL);
    StorageInfo info;
    if (!storage_stat(repo->storage, path, &info, err))
        return NULL;
    *ret_size = info.size;
    return storage_read_open(repo->storage, path, 0, info.size, err);
}

/* ---- what is left ---- */

typedef struct Sweep
{
    Repo *repo;
    const char *dir;
} Sweep;

/* Names of objects do not begin with a point; those that storage gives to what is not finished do. */
static bool sweep_file(void *arg, const char *name, const StorageInfo *info, Error *err)
{
    const Sweep *s = arg;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "left");
    size_t len = strlen(name);
    if (info->kind != STORAGE_FILE || name[0] != '.' || len < 5 ||
        strcmp(name + len - 4, ".tmp") != 0)
        return true;
    return storage_remove(s->repo->storage, mem_printf(tmp, "%s/%s", s->dir, name), err);
}

bool wal_archive_sweep(Repo *repo, const char *system_identifier, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sweep");
    char group[GROUP_DIGITS + 1];
    Sweep s = {.repo = repo, .dir = system_dir(tmp, system_identifier)};
    if (!storage_list(repo->storage, s.dir, sweep_file, &s, err) ||
        !find_before(repo, s.dir, NULL, group, err))
        return false;
    if (group[0] == '\0')
        return true;
    s.dir = mem_printf(tmp, "%s/%s", s.dir, group);
    return storage_list(repo->storage, s.dir, sweep_file, &s, err);
}

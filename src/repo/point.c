/* repo/point.c - common restore points; the contract is in point.h. */
#include "repo/point.h"

#include "base/log.h"
#include "base/str.h"
#include "repo/record.h"

#define SUFFIX         ".jsonl"
#define POINT_FILE_MAX ((size_t) 16 * 1024 * 1024)

static char *point_dir(void *ctx, const char *fleet)
{
    return mem_printf(ctx, "%s/%s", POINT_DIR, repo_escape(ctx, fleet));
}

static char *point_path(void *ctx, const char *fleet, const char *name)
{
    return mem_printf(ctx, "%s/%s%s", point_dir(ctx, fleet), repo_escape(ctx, name), SUFFIX);
}

static char *begun_path(void *ctx, const char *fleet, const char *name)
{
    return mem_printf(ctx, "%s/.%s.begun", point_dir(ctx, fleet), repo_escape(ctx, name));
}

/* ---- making ---- */

static bool is_new(Repo *repo, const char *fleet, const char *name, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "point");
    StorageInfo info;
    if (!storage_stat(repo->storage, point_path(tmp, fleet, name), &info, err))
        return false;
    return info.kind == STORAGE_MISSING ||
           error_set(err, ERR_EXISTS, "fleet %s has a restore point \"%s\" already", fleet, name);
}

static bool make_begun(Repo *repo, const char *fleet, const char *name, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "point");
    const char *dir = point_dir(tmp, fleet);
    if (!storage_make_dir(repo->storage, dir, false, err))
        return false;
    AUTO(storage_writer_free)
    StorageWriter *w = storage_write_open(repo->storage, begun_path(tmp, fleet, name),
                                          STORAGE_WRITE_PLAIN, err);
    return w != NULL && storage_writer_commit(w, err) && storage_sync_dir(repo->storage, dir, err);
}

bool point_begin(Repo *repo, const char *fleet, const char *name, Error *err)
{
    Error why = ERROR_INIT;
    if (!is_new(repo, fleet, name, err))
        return false;
    /* Once more: it may have been made since. */
    if (make_begun(repo, fleet, name, &why))
    {
        if (is_new(repo, fleet, name, err))
            return true;
        point_give_up(repo, fleet, name);
        return false;
    }
    *err = why;
    if (why.code != ERR_EXISTS)
        return false;
    error_clear(err);
    error_set(err, ERR_EXISTS, "somebody has begun to make restore point \"%s\" of fleet %s", name,
              fleet);
    return error_hint(err, "Servers may have it in their WAL, and recover no further than to the "
                           "first one: take another name.");
}

void point_give_up(Repo *repo, const char *fleet, const char *name)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "point");
    Error err = ERROR_INIT;
    if (!storage_remove(repo->storage, begun_path(tmp, fleet, name), &err))
        log_warning("restore point \"%s\": %s", name, err.message);
}

bool point_write(Repo *repo, const Point *point, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "point");
    const PointRecord *first = &point->nodes[0];
    if (!is_new(repo, first->fleet, first->name, err))
        return false;
    AUTO(storage_writer_free)
    StorageWriter *w = storage_write_open(repo->storage, point_path(tmp, first->fleet, first->name),
                                          STORAGE_WRITE_ATOMIC, err);
    if (w == NULL)
        return false;
    for (size_t i = 0; i < point->count; i++)
    {
        const char *line = record_line(tmp, LINE_POINT, &point->nodes[i], err);
        if (line == NULL || !storage_write(w, line, strlen(line), err))
            return false;
    }
    if (!storage_writer_commit(w, err))
        return false;
    point_give_up(repo, first->fleet, first->name);
    return true;
}

bool point_remove(Repo *repo, const Point *point, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "point");
    return storage_remove(repo->storage,
                          point_path(tmp, point->nodes[0].fleet, point->nodes[0].name), err);
}

/* ---- reading ---- */

static bool take_line(Point *point, void *ctx, const char *text, size_t len, Error *err)
{
    ManifestLine line;
    if (!manifest_parse_line(ctx, text, len, &line, err))
        return false;
    if (line.type != LINE_POINT || point->count == POINT_NODES_MAX ||
        (point->count > 0 && strcmp(line.u.point.name, point->nodes[0].name) != 0))
        return error_set(err, ERR_CORRUPT, "a record is out of place");
    *mem_push(ctx, point->nodes, point->count, point->capacity, PointRecord) = line.u.point;
    return true;
}

static bool parse(Point *point, void *ctx, const char *text, size_t len, Error *err)
{
    while (len > 0)
    {
        const char *end = memchr(text, '\n', len);
        if (end == NULL)
            return error_set(err, ERR_CORRUPT, "the last line is not complete");
        size_t n = (size_t) (end - text);
        if (!take_line(point, ctx, text, n, err))
            return false;
        text += n + 1;
        len -= n + 1;
    }
    return point->count > 0 || error_set(err, ERR_CORRUPT, "it is empty");
}

typedef struct Reading
{
    Repo *repo;
    const char *dir;
    PointEach each;
    void *arg;
} Reading;

static bool read_file(const Reading *r, void *ctx, const char *path, Point *ret, Error *err)
{
    char *text;
    size_t len;
    return storage_read_all(r->repo->storage, ctx, path, POINT_FILE_MAX, &text, &len, err) &&
           parse(ret, ctx, text, len, err);
}

/* One that is damaged must not keep anybody from the others. Nor one that an expire removes just now. */
static bool read_one(void *arg, const char *name, const StorageInfo *info, Error *err)
{
    const Reading *r = arg;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "point");
    const char *path = mem_printf(tmp, "%s/%s", r->dir, name);
    size_t n = strlen(name);
    Point point = {.count = 0};
    Error why = ERROR_INIT;
    if (info->kind != STORAGE_FILE || name[0] == '.' || n < sizeof(SUFFIX) ||
        strcmp(name + n - strlen(SUFFIX), SUFFIX) != 0)
        return true;
    if (read_file(r, tmp, path, &point, &why))
        return r->each(r->arg, &point, err);
    if (why.code == ERR_CORRUPT)
        log_warning("restore point %s is passed over: %s", path, why.message);
    if (why.code == ERR_CORRUPT || why.code == ERR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}

bool point_each(Repo *repo, const char *fleet, PointEach each, void *arg, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "points");
    Reading r = {.repo = repo, .dir = point_dir(tmp, fleet), .each = each, .arg = arg};
    return storage_list(repo->storage, r.dir, read_one, &r, err);
}

const PointRecord *point_of(const Point *point, const char *system_identifier)
{
    for (size_t i = 0; i < point->count; i++)
        if (strcmp(point->nodes[i].system_identifier, system_identifier) == 0)
            return &point->nodes[i];
    return NULL;
}

/* physical/recovery_target.c - targets of recovery; the contract is in recovery_target.h. */
#include "physical/recovery_target.h"

#include <time.h>

#include "base/str.h"
#include "physical/wal_name.h"
#include "repo/point.h"
#include "repo/wal_archive.h"

typedef struct Search
{
    void *ctx;
    Repo *repo;
    const Manifest *m;
    const int *contents;
    size_t count;
    const char *name; /* wanted; NULL: the last one that is not behind time_us */
    int64_t time_us;
    Point best; /* count 0: none was found yet */
    bool early; /* one of that name is there, but before the base backups end */
} Search;

/* ---- times ---- */

static bool parse_fraction(const char **text, int64_t *ret_us)
{
    int64_t unit = 100000;
    *ret_us = 0;
    if (**text != '.')
        return true;
    (*text)++;
    if (**text < '0' || **text > '9')
        return false;
    for (; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
        *ret_us += (**text - '0') * unit;
    return true;
}

static bool two_digits(const char *text, int limit, int64_t *ret)
{
    if (strspn(text, "0123456789") < 2)
        return false;
    *ret = (text[0] - '0') * 10 + (text[1] - '0');
    return *ret < limit;
}

/* "Z", "+01", "-03:30", "+0530". */
static bool parse_zone(const char *text, int64_t *ret_seconds)
{
    int64_t hours;
    int64_t minutes = 0;
    *ret_seconds = 0;
    if (strcmp(text, "Z") == 0)
        return true;
    if ((text[0] != '+' && text[0] != '-') || !two_digits(text + 1, 16, &hours))
        return false;
    const char *rest = text[3] == ':' ? text + 4 : text + 3;
    if (text[3] != '\0' && (!two_digits(rest, 60, &minutes) || rest[2] != '\0'))
        return false;
    *ret_seconds = (text[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

bool recovery_target_parse_time(const char *text, int64_t *ret_us, Error *err)
{
    struct tm tm = {.tm_isdst = 0};
    int64_t fraction;
    int64_t zone;
    const char *rest = strptime(text, "%Y-%m-%d", &tm);
    if (rest != NULL && (*rest == ' ' || *rest == 'T'))
        rest = strptime(rest + 1, "%H:%M:%S", &tm);
    else
        rest = NULL;
    if (rest != NULL && parse_fraction(&rest, &fraction))
    {
        while (*rest == ' ')
            rest++;
        if (parse_zone(rest, &zone) && tm.tm_year > 70)
        {
            *ret_us = ((int64_t) timegm(&tm) - zone) * 1000000 + fraction;
            return true;
        }
    }
    error_set(err, ERR_USAGE, "\"%.60s\" is no time with a time zone", text);
    return error_hint(err, "Write it as \"2026-11-20 23:15:02+01\", or with Z for UTC.");
}

/* As every server reads it, whatever its settings are. */
static char *time_text(void *ctx, int64_t us)
{
    char text[32];
    struct tm tm;
    time_t seconds = (time_t) (us / 1000000);
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
    return mem_printf(ctx, "%s.%06d+00", text, (int) (us % 1000000));
}

/* ---- nodes ---- */

static size_t node_index(const Manifest *m, int content)
{
    size_t i = 0;
    while (i < m->physical_count && m->physicals[i].content != content)
        i++;
    return i;
}

/* Are all wanted nodes in the point, behind the end of their base backups? */
static bool fits(Search *s, const Point *point)
{
    for (size_t i = 0; i < s->count; i++)
    {
        size_t node = node_index(s->m, s->contents[i]);
        if (node == s->m->physical_count)
            return false;
        const PointRecord *record = point_of(point, s->m->nodes[node].system_identifier);
        if (record == NULL)
            return false;
        if (record->lsn < s->m->physicals[node].stop_lsn)
        {
            s->early = true;
            return false;
        }
    }
    return true;
}

static void keep(Search *s, const Point *point)
{
    s->best = (Point){.count = 0};
    for (size_t i = 0; i < point->count; i++)
    {
        PointRecord *r = mem_push(s->ctx, s->best.nodes, s->best.count, s->best.capacity,
                                  PointRecord);
        *r = point->nodes[i];
        r->name = mem_strdup(s->ctx, r->name);
        r->fleet = mem_strdup(s->ctx, r->fleet);
        r->system_identifier = mem_strdup(s->ctx, r->system_identifier);
        r->method = "";
    }
}

/* key: of the set that ends there, which is as good as its name; NULL: of none. */
static bool is_named(const Search *s, const Point *point, const char *key)
{
    const size_t len = strlen(POINT_OF_SET);
    return strcmp(point->nodes[0].name, s->name) == 0 ||
           (key != NULL && strncmp(s->name, POINT_OF_SET, len) == 0 &&
            strcmp(s->name + len, key) == 0);
}

static bool is_nearer(const Search *s, const Point *point)
{
    const int64_t at_us = point->nodes[0].at_us;
    return at_us <= s->time_us && (s->best.count == 0 || at_us >= s->best.nodes[0].at_us);
}

static void consider(Search *s, const Point *point, const char *key)
{
    if ((s->name != NULL ? is_named(s, point, key) : is_nearer(s, point)) && fits(s, point))
        keep(s, point);
}

static bool consider_point(void *arg, const Point *point, Error *err)
{
    (void) err;
    consider(arg, point, NULL);
    return true;
}

/* The restore points that physical sets end with are as good as any. */
static void consider_set(Search *s, const RepoSetInfo *info)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "set");
    Error ignored = ERROR_INIT;
    Point point = {.count = 0};
    Manifest *m = info->finished ? manifest_read(s->repo->storage, tmp, info->dir, true, &ignored)
                                 : NULL;
    if (m == NULL || strcmp(m->set.fleet, s->m->set.fleet) != 0)
        return;
    for (size_t i = 0; i < m->physical_count; i++)
    {
        *mem_push(tmp, point.nodes, point.count, point.capacity,
                  PointRecord) = (PointRecord){.name = m->physicals[i].restore_point,
                                               .fleet = m->set.fleet,
                                               .at_us = m->cut.at_us,
                                               .content = m->physicals[i].content,
                                               .system_identifier = m->nodes[i].system_identifier,
                                               .lsn = m->physicals[i].restore_lsn};
    }
    if (point.count > 0)
        consider(s, &point, m->set.key);
}

static bool search(Search *s, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sets");
    RepoSetInfo *sets;
    size_t count;
    if (!point_each(s->repo, s->m->set.fleet, consider_point, s, err) ||
        !repo_list_sets(s->repo, tmp, &sets, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        consider_set(s, &sets[i]);
    return true;
}

/* ---- WAL ---- */

#define TIMELINES 64 /* behind that of the set, which a target may be on */

/* What has come of the segment that the point is in must reach it: servers older than 13 end their recovery where WAL ends
 * as well. */
static bool check_end(const Search *s, void *ctx, size_t node, uint64_t lsn, Error *err)
{
    const PhysicalRecord *p = &s->m->physicals[node];
    const char *identifier = s->m->nodes[node].system_identifier;
    const uint64_t start = (lsn - 1) / p->wal_segment_size * p->wal_segment_size;
    char name[WAL_NAME_LEN];
    for (uint32_t timeline = p->timeline; timeline < p->timeline + TIMELINES; timeline++)
    {
        ArchivedRecord record;
        Error why = ERROR_INIT;
        uint64_t size = 0;
        bool found = false;
        wal_name_format(name, timeline, start, p->wal_segment_size);
        if (!wal_archive_find(s->repo, ctx, identifier, name, &record, &found, err))
            return false;
        storage_reader_free(found ? NULL
                                  : wal_archive_partial(s->repo, identifier, name, &size, &why));
        if (found || start + size >= lsn)
            return true;
    }
    return error_set(err, ERR_NOT_FOUND,
                     "node %d: WAL is missing at the target: segment %s is not complete, and ends "
                     "before it",
                     p->content, name + 8);
}

/* From where the set's own WAL ends up to the point, on whatever timeline. */
static bool check_node(const Search *s, size_t node, uint64_t lsn, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "places");
    const PhysicalRecord *p = &s->m->physicals[node];
    const char *identifier = s->m->nodes[node].system_identifier;
    uint64_t size = p->wal_segment_size;
    WalPlaces places;
    char name[WAL_NAME_LEN];
    if (!wal_archive_places(s->repo, tmp, identifier, &places, err))
        return false;
    for (uint64_t at = p->restore_lsn - p->restore_lsn % size; at < lsn; at += size)
    {
        wal_name_format(name, p->timeline, at, size);
        if (wal_places_has(&places, name))
            continue;
        error_set(
            err, ERR_NOT_FOUND,
            "node %d: WAL is missing between the set and the target: there is no segment %s of "
            "any timeline",
            p->content, name + 8);
        return error_hint(
            err, "pgark receive-wal has to run all the time between a set and what shall be "
                 "restored with it.");
    }
    return lsn <= p->restore_lsn || check_end(s, tmp, node, lsn, err);
}

static bool check_wal(const Search *s, Error *err)
{
    for (size_t i = 0; i < s->count; i++)
    {
        size_t node = node_index(s->m, s->contents[i]);
        const PointRecord *record = point_of(&s->best, s->m->nodes[node].system_identifier);
        if (!check_node(s, node, record->lsn, err))
            return false;
    }
    return true;
}

/* ---- all ---- */

static bool not_found(const Search *s, const char *time, Error *err)
{
    if (s->early)
        return error_set(
            err, ERR_USAGE,
            "the target lies before the end of the base backups of set %s: an older set can "
            "reach it",
            s->m->set.key);
    if (s->name != NULL)
        return error_set(err, ERR_NOT_FOUND,
                         "the repository has no restore point \"%s\" of fleet %s", s->name,
                         s->m->set.fleet);
    return error_set(
        err, ERR_NOT_FOUND,
        "there is no common restore point of the nodes between the end of set %s and %s",
        s->m->set.key, time);
}

static bool is_own(const Manifest *m, const char *name)
{
    return m->physical_count > 0 && strcmp(m->physicals[0].restore_point, name) == 0;
}

/* One server is whole at any time behind the end of its base backup. */
static bool take_time(void *ctx, const Manifest *m, int64_t time_us, RecoveryTarget *ret,
                      Error *err)
{
    ret->name = NULL;
    ret->time = time_text(ctx, time_us);
    ret->time_us = time_us;
    ret->archive = true;
    return time_us >= m->cut.at_us ||
           error_set(
               err, ERR_USAGE,
               "the target lies before the restore point of set %s: an older set can reach it",
               m->set.key);
}

bool recovery_target_find(void *ctx, Repo *repo, const Manifest *m, const int *contents,
                          size_t count, RecoveryWish wish, RecoveryTarget *ret, Error *err)
{
    const char *time = wish.time;
    Search s = {
        .ctx = ctx, .repo = repo, .m = m, .contents = contents, .count = count, .name = wish.name};
    *ret = (RecoveryTarget){.name = m->physicals[0].restore_point, .time_us = m->cut.at_us};
    if (wish.name == NULL && time == NULL)
        return true;
    if (time != NULL && !recovery_target_parse_time(time, &s.time_us, err))
        return error_prefix(err, "--target-time");
    if (time != NULL && m->node_count == 1)
        return take_time(ctx, m, s.time_us, ret, err);
    if (!search(&s, err))
        return false;
    if (s.best.count == 0)
        return not_found(&s, time, err);
    ret->name = s.best.nodes[0].name;
    ret->time_us = s.best.nodes[0].at_us;
    ret->archive = !is_own(m, ret->name);
    return !ret->archive || check_wal(&s, err);
}

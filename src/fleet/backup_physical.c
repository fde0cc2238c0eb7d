/*
 * fleet/backup_physical.c - base backups of all nodes that end at one restore point; the contract is in
 * backup_run_parts.h.
 *
 * Why all nodes come back to the same instant: the restore points are made when all base backups are complete,
 * so each is behind the place at which its server is consistent; why they are of one instant is argued in
 * cut.c, 4. WAL is received from before the start of each backup up to its restore point, so the set needs no
 * archive.
 */
#include "base/clock.h"
#include "base/random.h"
#include "base/str.h"
#include "fleet/backup_run_parts.h"
#include "fleet/cut.h"
#include "repo/point.h"

#define POINT_RANDOM_BYTES 4

static void make_bases(BackupRun *run)
{
    const BackupRequest *request = run->request;
    run->bases = mem_array(run->ctx, BaseNode, run->count);
    for (size_t i = 0; i < run->count; i++)
    {
        BackupNode *node = &run->nodes[i];
        /* What the set of one database's rows would lack, a base backup has. */
        node->record.warnings = NULL;
        node->record.warning_count = 0;
        node->record.snapshot = mem_strdup(node->ctx, "");
        run->bases[i] = (BaseNode){.request = request->physical,
                                   .spec = pg_conn_pin(node->ctx, node->probe, node->spec),
                                   .probe = node->probe,
                                   .label = node->label,
                                   .content = node->content,
                                   .system_identifier = node->record.system_identifier,
                                   .cancel = run->cancel,
                                   .progress = node->progress,
                                   .compress = request->compress,
                                   .rate_limit = request->rate_limit,
                                   .nodes = run->count,
                                   .no_sync = request->no_sync,
                                   .incremental = request->incremental};
    }
}

static bool open_one(void *arg, size_t i, Error *err)
{
    return base_node_open(&((BackupRun *) arg)->bases[i], err);
}

/* ---- an earlier set to build on ---- */

static bool fits(const BaseNode *node, int version, const Manifest *m, Error *err)
{
    const NodeRecord *then = manifest_node(m, node->content);
    const PhysicalRecord *r = manifest_physical(m, node->content);
    if (then == NULL || r == NULL)
        return error_set(err, ERR_USAGE, "has no node %d", node->content);
    if (strcmp(then->system_identifier, node->system_identifier) != 0)
        return error_set(err, ERR_USAGE,
                         "is of another server at node %d (system identifier %s, now %s)",
                         node->content, then->system_identifier, node->system_identifier);
    if (server_version_major(then->server_version_num) != server_version_major(version))
        return error_set(err, ERR_USAGE, "is of PostgreSQL %d at node %d, which is now %d",
                         server_version_major(then->server_version_num), node->content,
                         server_version_major(version));
    if (r->timeline != node->timeline)
        return error_set(err, ERR_USAGE,
                         "is of timeline %" PRIu32 " at node %d, which is on timeline %" PRIu32
                         " now",
                         r->timeline, node->content, node->timeline);
    return r->manifest.path != NULL ||
           error_set(err, ERR_USAGE, "has no manifest of node %d's server", node->content);
}

bool backup_physical_fits(const BackupRun *run, const Manifest *m, Error *err)
{
    if (m->node_count != run->count)
        return error_set(err, ERR_USAGE, "has %zu nodes, and the fleet %zu", m->node_count,
                         run->count);
    for (size_t i = 0; i < run->count; i++)
        if (!fits(&run->bases[i], run->nodes[i].record.server_version_num, m, err))
            return false;
    return true;
}

static void give_base(const BackupRun *run)
{
    for (size_t i = 0; run->base != NULL && i < run->count; i++)
    {
        BaseNode *node = &run->bases[i];
        BaseEarlier *earlier = mem_new(run->base, BaseEarlier);
        *earlier = (BaseEarlier){.key = run->base->key,
                                 .set_dir = run->base->dir,
                                 .method = run->base->manifest->set.compress.method,
                                 .record = manifest_physical(run->base->manifest, node->content)};
        node->earlier = earlier;
    }
}

/* ---- the run ---- */

static bool copy_one(void *arg, size_t i, Error *err)
{
    BackupRun *run = arg;
    int64_t start = clock_ms();
    bool ok = base_node_copy(&run->bases[i], run->repo->storage, run->set->key, run->set->dir, err);
    run->nodes[i].record.dump_ms = clock_ms() - start;
    return ok;
}

typedef struct Points
{
    BackupRun *run;
    const char *name;
    uint64_t *lsns;
} Points;

static bool finish_one(void *arg, size_t i, Error *err)
{
    const Points *p = arg;
    return base_node_finish(&p->run->bases[i], p->name, p->lsns[i], err);
}

/* The streams of WAL run beside this thread: when one of them has failed, that is what ended the rest. */
static bool make_points(BackupRun *run, const Points *points, Error *err)
{
    Error cause = ERROR_INIT;
    const CutPoint point = {.name = points->name,
                            .mode = run->request->cut,
                            .timeout_ms = run->request->cut_timeout_ms,
                            .engine = run->fleet->engine,
                            .lsns = points->lsns};
    bool ok = cut_restore_point(run->nodes, run->count, &point, run->cancel, &run->cut, err);
    if (!ok && err->code == ERR_CANCELLED && cancel_cause(run->cancel, &cause))
        *err = cause;
    return ok;
}

/* A server recovers to the first restore point of a name that is in its WAL. A key may come a second time - in another
 * repository, behind a run that has failed, of a set that has expired -, so it is not enough for a name. */
static char *point_name(void *ctx, const char *key, Error *err)
{
    char hex[2 * POINT_RANDOM_BYTES + 1];
    return random_hex(hex, POINT_RANDOM_BYTES, err)
               ? mem_printf(ctx, POINT_OF_SET "%s_%s", key, hex)
               : NULL;
}

bool backup_physical(BackupRun *run, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "physical");
    const FleetEngine *engine = run->fleet->engine;
    Points points = {.run = run, .lsns = mem_array(tmp, uint64_t, run->count)};
    if (engine != NULL && engine->check_physical != NULL &&
        !engine->check_physical(run->nodes, run->count, err))
        return false;
    make_bases(run);
    if (!backup_run_each(run, open_one, err) || !backup_run_check_space(run, err) ||
        !backup_run_begin_set(run, err) || !backup_base_open(run, err))
        return false;
    give_base(run);
    points.name = point_name(tmp, run->set->key, err);
    if (points.name == NULL)
        return false;
    progress_phase(run->progress, "base backups");
    if (!backup_run_each(run, copy_one, err))
        return false;
    progress_phase(run->progress, "restore point");
    if (!make_points(run, &points, err))
        return false;
    progress_phase(run->progress, "receiving WAL");
    if (!parallel_run(run->count, finish_one, &points, run->cancel, err))
        return false;
    progress_phase(run->progress, "publishing");
    return backup_publish(run, err);
}

/* ---- the manifest ---- */

static void add_part(Manifest *m, const PartRecord *part)
{
    PartRecord *p = mem_push(m, m->parts, m->part_count, m->part_capacity, PartRecord);
    *p = *part;
    p->stream = mem_strdup(m, part->stream);
    p->object = mem_strdup(m, part->object);
    m->totals.logical += p->logical;
    m->totals.stored += p->stored;
    m->totals.objects++;
}

/* The history file of a timeline comes when the stream is at its end, and stands by its name. */
static int by_name(const void *a, const void *b)
{
    return strcmp(((const WalRecord *) a)->name, ((const WalRecord *) b)->name);
}

static void add_wals(Manifest *m, const BaseNode *base)
{
    size_t first = m->wal_count;
    for (size_t i = 0; i < base->wal_count; i++)
    {
        WalRecord *w = mem_push(m, m->wals, m->wal_count, m->wal_capacity, WalRecord);
        *w = base->wals[i];
        w->name = mem_strdup(m, w->name);
        w->object = mem_strdup(m, w->object);
        m->totals.logical += w->logical;
        m->totals.stored += w->stored;
        m->totals.objects++;
    }
    if (m->wal_count - first > 1)
        qsort(m->wals + first, m->wal_count - first, sizeof(WalRecord), by_name);
}

static void add_node(Manifest *m, const BaseNode *base)
{
    const BaseStored *stored = base_node_stored(base);
    PhysicalRecord *p = mem_push(m, m->physicals, m->physical_count, m->physical_capacity,
                                 PhysicalRecord);
    *p = base->record;
    p->restore_point = mem_strdup(m, p->restore_point);
    p->base = mem_strdup(m, p->base);
    p->manifest.path = mem_strdup(m, p->manifest.path);
    m->totals.stored += p->manifest.bytes;
    m->totals.objects += p->manifest.path != NULL ? 1 : 0;
    for (size_t i = 0; i < stored->start.count; i++)
    {
        const BaseBackupTablespace *space = &stored->start.tablespaces[i];
        const BaseStreamBytes *bytes = &stored->bytes[i];
        const bool noted = base->earlier != NULL && !bytes->unknown;
        TablespaceRecord record = {.content = base->content,
                                   .oid = space->oid,
                                   .location = mem_strdup(m, space->location),
                                   .restored_bytes = noted ? bytes->restored : 0,
                                   .added_bytes = noted ? bytes->added : 0};
        if (space->oid != 0)
            *mem_push(m, m->tablespaces, m->tablespace_count, m->tablespace_capacity,
                      TablespaceRecord) = record;
        else
        {
            p->restored_bytes = record.restored_bytes;
            p->added_bytes = record.added_bytes;
        }
    }
    for (size_t i = 0; i < stored->part_count; i++)
        add_part(m, &stored->parts[i]);
    add_wals(m, base);
}

void backup_physical_records(const BackupRun *run, Manifest *m)
{
    for (size_t i = 0; i < run->count; i++)
        add_node(m, &run->bases[i]);
}

bool backup_physical_sync(const BackupRun *run, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "directory");
    return storage_sync_dir(run->repo->storage, mem_printf(tmp, "%s/physical", run->set->dir),
                            err) &&
           storage_sync_dir(run->repo->storage, run->set->dir, err);
}

void backup_physical_end(BackupRun *run)
{
    for (size_t i = 0; run->bases != NULL && i < run->count; i++)
        base_node_close(&run->bases[i]);
    run->bases = NULL;
}

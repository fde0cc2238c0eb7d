/* backup/dump.c - the data phase of one node (node_dump in node.h). */
#include "backup/config_files.h"
#include "backup/globals.h"
#include "backup/node.h"
#include "backup/schema.h"
#include "backup/worker.h"
#include "base/clock.h"
#include "base/log.h"

/* The schema is dumped on a thread of its own, started before anything else after the cut: pg_dump
 * takes its own locks, and the sooner it has them the smaller the chance that somebody queues a
 * stronger one first. */
typedef struct SchemaThread
{
    BackupNode *node;
    pthread_t thread;
    bool ok;
    Error err;
} SchemaThread;

static bool dump_definitions(BackupNode *node, Error *err)
{
    if (node->with_config && !config_files_store(node, err))
        return false;
    if (!node_has_catalogue(node))
        return true;
    AUTO(pg_conn_close) PgConn *watch = NULL;
    if (!node->pg_dump.snapshots && (watch = node_open_watch(node, err)) == NULL)
        return false;
    const SchemaDump dump = {.request = node->request,
                             .pg_dump = &node->pg_dump,
                             .conn = node->scout,
                             .watch = watch,
                             .snapshot = node->snapshot_id,
                             .catalog = &node->catalog};
    if (!schema_dump(&dump, node->storage, node->set_dir, &node->record.schema, err))
        return false;
    atomic_fetch_add(&node->objects, 1);
    return !node->with_globals || globals_dump(node, err);
}

static void *schema_main(void *arg)
{
    SchemaThread *t = arg;
    t->ok = dump_definitions(t->node, &t->err);
    if (!t->ok)
        cancel_raise(t->node->cancel, &t->err);
    return NULL;
}

/* The name of a node's chunk file; a server's second database and later ones have theirs with the
 * data. */
static char *chunk_file(const BackupNode *node)
{
    if (node->shared_server)
        return mem_printf(node->ctx, "%s/node%d.jsonl", node->node_dir, node->content);
    return mem_printf(node->ctx, "node%d.jsonl", node->content);
}

static bool take_left(BackupNode *node, Error *err)
{
    const LeftPlace place = {.storage = node->storage,
                             .set_dir = node->set_dir,
                             .node_dir = node->node_dir,
                             .chunk_file = node->record.chunks.path,
                             .catalog = &node->catalog,
                             .cancel = node->cancel,
                             .no_sync = node->request->no_sync,
                             .base = node->base};
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "left");
    const char *globals = mem_printf(tmp, "%s/%s", node->set_dir, globals_path(tmp, node));
    const char *config = mem_printf(tmp, "%s/%s", node->set_dir, config_files_path(tmp, node));
    if ((node->with_globals && !storage_remove(node->storage, globals, err)) ||
        (node->with_config && !storage_remove(node->storage, config, err)))
        return false;
    if (!left_take(node->ctx, &place, &node->left, &node->chunks, err))
        return false;
    atomic_fetch_add(&node->objects, node->left.objects);
    atomic_store(&node->bundle_ids, node->left.bundles);
    return true;
}

static bool begin(BackupNode *node, Storage *st, const char *set_dir, Error *err)
{
    node->storage = st;
    node->set_dir = set_dir;
    if (node->request->rate_limit > 0)
        node->rate = rate_new(node->ctx, node->request->rate_limit);
    if (node_has_catalogue(node))
        node->record.schema.path = mem_printf(node->ctx, "%s/schema.dump", node->node_dir);
    node->record.chunks.path = chunk_file(node);
    if (!storage_make_dir(st, mem_printf(node->ctx, "%s/%s", set_dir, node->node_dir), false, err))
        return false;
    if (node->request->resume)
        return take_left(node, err);
    const char *path = mem_printf(node->ctx, "%s/%s", set_dir, node->record.chunks.path);
    bool no_sync = node->request->no_sync;
    node->chunks = node_keeps(node) ? manifest_writer_new_kept(st, path, no_sync, err)
                                    : manifest_writer_new(st, path, false, no_sync, err);
    return node->chunks != NULL;
}

/* The chunks that a run which died has finished are this run's. */
static void count_left(BackupNode *node)
{
    size_t table = 0;
    plan_without(node->ctx, &node->catalog, node->left.chunks, node->left.count, &node->plan);
    for (size_t i = 0; i < node->left.count; i++)
    {
        const ChunkRecord *c = &node->left.chunks[i];
        while (node->catalog.items[table].oid != c->table_oid)
            table++;
        TableRecord *t = &node->tables[table];
        t->chunks++;
        t->rows += c->rows;
        t->logical += c->logical;
        *(c->set[0] == '\0' ? &t->stored : &t->referenced) += c->stored;
        node_refer(node, c);
        t->worker_us += c->us;
    }
    atomic_store(&node->progress->bytes_total, node->plan.bytes);
    atomic_store(&node->progress->chunks_total, node->plan.count + node->left.count);
    atomic_store(&node->progress->chunks_done, node->left.count);
    log_info("%s: %zu chunks are there already, %zu are to be copied", node->label,
             node->left.count, node->plan.count);
}

static bool import_snapshot(BackupNode *node, Error *err)
{
    char sql[128];
    snprintf(sql, sizeof(sql), "SET TRANSACTION SNAPSHOT '%s'", node->snapshot_id);
    return pg_exec(node->holder, sql, err);
}

static bool dump_data(BackupNode *node, Error *err)
{
    if (!import_snapshot(node, err) || !node_plan(node, node->scout, err) ||
        !catalog_read_sequences(&node->catalog, node->probe, node->ctx, node->content,
                                &node->sequences, &node->sequence_count, err))
        return error_node(err, node->label);
    if (node->request->resume)
        count_left(node);
    AUTO(chunk_queue_free)
    ChunkQueue *queue = chunk_queue_new(&node->plan, node->catalog.count, node->request->jobs);
    node->queue = queue;
    bool ok = worker_run_all(node, err);
    node->queue = NULL;
    return ok;
}

/* COPY and LOCK go by names, and names are looked up as they are now, not as the snapshot has them.
 * The holder's locks keep tables from being renamed, but not schemas: two that changed places would
 * have given us the wrong rows without an error. So the names must still mean the same tables. */
static bool check_names(BackupNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "names");
    Catalog now;
    Catalog moved;
    if (!scope_read(node->probe, tmp, node->request->selection, node->scope, &now, err))
        return false;
    catalog_missing(tmp, &node->catalog, &now, &moved);
    return moved.count == 0 || error_set(err, ERR_CHANGED, "table %s is no longer under that name",
                                         moved.items[0].quoted);
}

/* The holder's and the scout's transactions must have lived until now: without the one a TRUNCATE
 * could have emptied a table before it was read, without the other the snapshot could have been
 * given up. A connection that was lost meanwhile fails here. */
static bool end_transactions(BackupNode *node, Error *err)
{
    if (!pg_exec(node->holder, "COMMIT", err) || !pg_exec(node->scout, "COMMIT", err))
        return error_prefix(err, "the backup's own transaction did not live to the end");
    return true;
}

bool node_dump_schema(BackupNode *node, Storage *st, const char *set_dir, Error *err)
{
    bool ok = begin(node, st, set_dir, err) && dump_definitions(node, err);
    return ok || error_node(err, node->label);
}

/* The data, with the definitions beside it. */
static bool dump_both(BackupNode *node, Error *err)
{
    SchemaThread schema = {.node = node};
    if (pthread_create(&schema.thread, NULL, schema_main, &schema) != 0)
        return error_set(err, ERR_INTERNAL, "could not start a thread");
    bool ok = dump_data(node, err);
    if (!ok)
        cancel_raise(node->cancel, err);
    pthread_join(schema.thread, NULL);
    if (!schema.ok && (ok || err->code == ERR_CANCELLED))
        *err = schema.err;
    return ok && schema.ok;
}

bool node_dump(BackupNode *node, Storage *st, const char *set_dir, Error *err)
{
    int64_t start = clock_ms();
    bool begun = node->chunks != NULL;
    bool ok = begun ? dump_data(node, err) : begin(node, st, set_dir, err) && dump_both(node, err);
    ok = ok && check_names(node, err) && end_transactions(node, err) &&
         manifest_writer_commit(node->chunks, &node->record.chunks, err);
    if (!ok)
        return error_node(err, node->label);
    atomic_fetch_add(&node->objects, 1);
    node->record.dump_ms = clock_ms() - start;
    atomic_store(&node->progress->finished, true);
    return true;
}

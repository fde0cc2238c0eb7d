/*
 * backup/worker.c - the threads that move a node's data; the contract is in worker.h.
 *
 * A worker copies each chunk in a transaction of its own: it imports the snapshot, locks the one
 * table with NOWAIT, copies, commits, all in one round trip. It therefore holds one lock at a time,
 * and never waits while holding one, so a run cannot become part of a lock cycle.
 *
 * NOWAIT fails only when somebody has queued ACCESS EXCLUSIVE behind the holder's ACCESS SHARE (the
 * holder's lock keeps everything else away). That request waits for the holder, so waiting for it
 * would never end. The holder's own session is not stopped by the queue: it has the lock already.
 * So such a table's chunks are copied there, and the DDL goes on when the backup is done.
 */
#include "backup/worker.h"

#include "backup/chunk_writer.h"
#include "base/parallel.h"
#include "base/str.h"

typedef struct Worker
{
    BackupNode *node;
    int index; /* of its connection; -1: the holder */
    PgConn *conn;
} Worker;

/* An extension's condition is SQL of its own and stands as it is, as pg_dump uses it. ONLY is no
 * word for a foreign table's own rows, and does no harm: its children are dumped by themselves. */
static void query_statement(Str *sql, const Relation *r, const Chunk *chunk)
{
    if (r->from != NULL)
    {
        str_addf(sql, "COPY (SELECT %s FROM %s WHERE l.oid >= %" PRIu64, r->column_list, r->from,
                 chunk->from_block);
        if (chunk->to_block != 0)
            str_addf(sql, " AND l.oid < %" PRIu64, chunk->to_block);
        str_addf(sql, "%s)", r->from_end);
        return;
    }
    str_addf(sql, "COPY (SELECT %s FROM ONLY %s", r->column_list, r->quoted);
    if (r->where != NULL)
        str_addf(sql, " %s", r->where);
    else if (chunk->from_block != 0 || chunk->to_block != 0)
        str_addf(sql, " WHERE ctid >= '(%" PRIu64 ",0)'", chunk->from_block);
    if (chunk->to_block != 0)
        str_addf(sql, " AND ctid < '(%" PRIu64 ",0)'", chunk->to_block);
    str_addc(sql, ')');
}

static void copy_statement(Str *sql, const Relation *r, const Chunk *chunk)
{
    bool whole = chunk->from_block == 0 && chunk->to_block == 0;
    bool columns = r->column_count > 0;
    if (r->data == DATA_TABLE && whole)
        str_addf(sql, "COPY %s%s%s%s", r->quoted, columns ? " (" : "", r->column_list,
                 columns ? ")" : "");
    else
        query_statement(sql, r, chunk);
    str_add(sql, r->binary ? " TO STDOUT (FORMAT binary)" : " TO STDOUT");
}

static void chunk_statement(Str *sql, const Worker *w, const Relation *r, const Chunk *chunk)
{
    str_clear(sql);
    if (w->index < 0)
    {
        copy_statement(sql, r, chunk);
        return;
    }
    str_addf(sql,
             "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '%s'; ",
             w->node->snapshot_id);
    if (r->lock)
        str_addf(sql, "LOCK TABLE ONLY %s IN ACCESS SHARE MODE NOWAIT; ", r->quoted);
    copy_statement(sql, r, chunk);
    str_add(sql, "; COMMIT");
}

static bool record_chunk(BackupNode *node, const Chunk *chunk, const ChunkRecord *record,
                         Error *err)
{
    TableRecord *table = &node->tables[chunk->table];
    pthread_mutex_lock(&node->mutex);
    table->chunks++;
    table->rows += record->rows;
    table->logical += record->logical;
    *(record->set[0] == '\0' ? &table->stored : &table->referenced) += record->stored;
    node_refer(node, record);
    table->worker_us += record->us;
    bool ok = manifest_write_chunk(node->chunks, record, err);
    pthread_mutex_unlock(&node->mutex);
    atomic_fetch_add(&node->progress->chunks_done, 1);
    atomic_fetch_add(&node->progress->rows_done, record->rows);
    return ok;
}

/* *ret_busy: the lock was not to be had, nothing was copied. */
static bool copy_chunk(Worker *w, ChunkWriter *writer, Str *sql, const Chunk *chunk, bool *ret_busy,
                       Error *err)
{
    BackupNode *node = w->node;
    const Relation *r = &node->catalog.items[chunk->table];
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "chunk");
    ChunkRecord record = {.table_oid = r->oid, .chunk = chunk->number};
    *ret_busy = false;
    if (r->heap && r->blocks == 0)
        return record_chunk(node, chunk, &record, err);
    progress_current(node->progress_all, node->progress_index,
                     (size_t) (w->index < 0 ? node->request->jobs : w->index), r->quoted);
    chunk_statement(sql, w, r, chunk);
    bool started = false;
    bool there = false;
    ChunkRecord base;
    if (node->base_chunks != NULL && !base_chunks_find(node->base_chunks, tmp, r, chunk->from_block,
                                                       chunk->to_block, &base, &there, err))
        return error_prefix(err, "table %s, chunk %u", r->quoted, chunk->number);
    ChunkJob job = {.conn = w->conn,
                    .sql = sql->data,
                    .table = r,
                    .chunk = chunk,
                    .progress = node->progress,
                    .rate = node->rate,
                    .base = there ? &base : NULL,
                    .provider = there ? base_chunks_provider(node->base_chunks) : NULL};
    if (chunk_writer_copy(writer, &job, tmp, &record, &started, err))
        return record_chunk(node, chunk, &record, err);
    if (w->index >= 0 && !started && pg_sqlstate_is(err, PG_STATE_LOCK_NOT_AVAILABLE))
    {
        error_clear(err);
        pg_rollback(w->conn);
        *ret_busy = true;
        return true;
    }
    /* The holder's lock keeps the table, but not its schema's name. */
    if (!started &&
        (pg_sqlstate_is(err, PG_STATE_UNDEFINED_TABLE) || pg_sqlstate_is(err, PG_STATE_NO_SCHEMA)))
        err->code = ERR_CHANGED;
    return error_prefix(err, "table %s, chunk %u", r->quoted, chunk->number);
}

static bool work(Worker *w, Error *err)
{
    BackupNode *node = w->node;
    AUTO(chunk_writer_free)
    ChunkWriter *writer = chunk_writer_new(node->storage, node->set_dir, node->node_dir,
                                           node->request->compress, node->request->no_sync,
                                           node_keeps(node), &node->bundle_ids);
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "worker");
    Str *sql = str_new(tmp);
    const Chunk *chunk;
    while ((chunk = w->index < 0 ? chunk_queue_next_held(node->queue)
                                 : chunk_queue_next(node->queue)) != NULL)
    {
        bool busy;
        if (!cancel_check(node->cancel, err) || !copy_chunk(w, writer, sql, chunk, &busy, err))
            return error_node(err, node->label);
        if (busy)
            chunk_queue_hand_over(node->queue, chunk);
    }
    uint64_t objects;
    if (!chunk_writer_close(writer, &objects, err))
        return false;
    atomic_fetch_add(&node->objects, objects);
    return true;
}

/* Part i of node->request->jobs + 1: a worker, or at last the holder. */
static bool run(void *arg, size_t i, Error *err)
{
    BackupNode *node = arg;
    bool holder = i == (size_t) node->request->jobs;
    Worker w = {.node = node,
                .index = holder ? -1 : (int) i,
                .conn = holder ? node->holder : node->workers[i]};
    bool ok = work(&w, err);
    progress_current(node->progress_all, node->progress_index, i, NULL);
    if (!ok)
        cancel_raise(node->cancel, err);
    if (!holder)
        chunk_queue_worker_done(node->queue);
    return ok;
}

bool worker_run_all(BackupNode *node, Error *err)
{
    return parallel_run((size_t) node->request->jobs + 1, run, node, node->cancel, err);
}

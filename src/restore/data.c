/* restore/data.c - loads chunks; the contract is in data.h. */
#include "restore/data.h"

#include "base/str.h"
#include "pg/copy.h"
#include "repo/chunk_reader.h"
#include "restore/journal.h"

struct DataLoader
{
    RestoreNode *node;
    PgConn *conn;
    ChunkReader *readers[2]; /* text, binary */
};

static bool to_server(void *arg, const void *data, size_t len, Error *err)
{
    DataLoader *loader = arg;
    atomic_fetch_add_explicit(&loader->node->progress->bytes_done, len, memory_order_relaxed);
    return pg_copy_in_put(loader->conn, data, len, err);
}

DataLoader *data_loader_new(RestoreNode *node, PgConn *conn)
{
    DataLoader *loader = mem_new(NULL, DataLoader);
    loader->node = node;
    loader->conn = conn;
    for (int binary = 0; binary < 2; binary++)
        loader->readers[binary] = chunk_reader_new(node->storage, node->set_dir,
                                                   node->manifest->set.compress.method, binary == 1,
                                                   false, to_server, loader);
    return loader;
}

void data_loader_free(DataLoader *loader)
{
    chunk_reader_free(loader->readers[0]);
    chunk_reader_free(loader->readers[1]);
    mem_free(loader);
}

static void copy_statement(Str *sql, const RestoreTable *t, bool freeze)
{
    bool columns = t->record->column_count > 0;
    str_addf(sql, "COPY %s%s%s%s FROM STDIN", t->route != NULL ? t->route : t->quoted,
             columns ? " (" : "", t->column_list, columns ? ")" : "");
    if (t->record->binary || freeze)
        str_addf(sql, " (%s%s%s)", t->record->binary ? "FORMAT binary" : "",
                 t->record->binary && freeze ? ", " : "", freeze ? "FREEZE" : "");
}

static bool check_server_rows(const ChunkRecord *chunk, uint64_t rows, Error *err)
{
    return rows == chunk->rows ||
           error_set(err, ERR_CORRUPT, "the server took %" PRIu64 " rows of %" PRIu64, rows,
                     chunk->rows);
}

/* The COPY has begun: streams one chunk into it. A chunk that proves wrong makes the server forget
 * it. */
static bool stream(DataLoader *loader, const RestoreTable *t, const ChunkRecord *chunk, Error *err)
{
    uint64_t rows = 0;
    if (chunk_reader_run(loader->readers[t->record->binary ? 1 : 0], chunk, loader->node->cancel,
                         err))
        return pg_copy_in_end(loader->conn, NULL, &rows, err) &&
               check_server_rows(chunk, rows, err);
    Error ignored = ERROR_INIT;
    if (PQtransactionStatus(loader->conn->raw) == PQTRANS_ACTIVE &&
        !pg_copy_in_end(loader->conn, "the chunk is damaged", &rows, &ignored))
        log_debug("%s: %s", loader->conn->label, ignored.message);
    return false;
}

bool data_load_chunk(DataLoader *loader, const RestoreTable *t, const ChunkRef *ref,
                     const char *before, bool freeze, Error *err)
{
    RestoreNode *node = loader->node;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "chunk");
    ChunkRecord chunk;
    if (!manifest_read_chunk(node->storage, tmp, node->set_dir, node->record, ref->line_offset,
                             ref->line_len, &chunk, err))
        return false;
    if (chunk.table_oid != t->record->oid)
        return error_set(err, ERR_CORRUPT, "a chunk's record changed while it was being used");
    Str *sql = str_new(tmp);
    str_add(sql, before);
    copy_statement(sql, t, freeze);
    bool ok = pg_copy_in_begin(loader->conn, sql->data, err) && stream(loader, t, &chunk, err);
    return ok || error_prefix(err, "chunk %u", chunk.chunk);
}

/* What begins a transaction that loads into t, and notes it. */
static const char *begin(const RestoreNode *node, void *ctx, const RestoreTable *t, bool empty,
                         JournalItem item)
{
    const char *before = t->before == NULL ? "" : t->before;
    const char *note = journal_note(ctx, node->journal, item);
    return empty ? mem_printf(ctx, "BEGIN; %s%sTRUNCATE ONLY %s; ", note, before, t->quoted)
                 : mem_printf(ctx, "BEGIN; %s%s", note, before);
}

static bool commit(DataLoader *loader, const RestoreTable *t, Error *err)
{
    return (t->after == NULL || pg_exec(loader->conn, t->after, err)) &&
           pg_exec(loader->conn, "COMMIT", err);
}

static JournalItem chunk_item(const RestoreTable *t, const ChunkRef *ref)
{
    return (JournalItem){.kind = JOURNAL_CHUNK,
                         .id = t->record->oid,
                         .part = ref->number,
                         .unlogged = t->record->unlogged};
}

static bool load_one_chunk(DataLoader *loader, const RestoreTable *t, const ChunkRef *ref,
                           Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "chunk");
    RestoreNode *node = loader->node;
    JournalItem item = chunk_item(t, ref);
    return journal_has(node->journal, item) ||
           (data_load_chunk(loader, t, ref, begin(node, tmp, t, false, item), false, err) &&
            commit(loader, t, err));
}

/* The workers of a run before this one shared the table: it may be half loaded. */
static bool load_rest(DataLoader *loader, const RestoreTable *t, Error *err)
{
    for (size_t i = 0; i < t->chunk_count; i++)
        if (!load_one_chunk(loader, t, &loader->node->chunks[t->first_chunk + i], err))
            return false;
    return true;
}

static bool load_table(DataLoader *loader, const RestoreTable *t, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "table");
    RestoreNode *node = loader->node;
    if (journal_has_any(node->journal, JOURNAL_CHUNK, t->record->oid))
        return load_rest(loader, t, err);
    JournalItem item = {
        .kind = JOURNAL_TABLE, .id = t->record->oid, .unlogged = t->record->unlogged};
    /* FREEZE wants a table that this transaction emptied. Routed rows go to several partitions,
     * which other workers fill at the same time, so nothing may be emptied there. An unlogged
     * table that a crash has emptied may have foreign keys to it by now: these forbid it. */
    bool fresh = t->fresh && t->route == NULL && !(node->resumed && t->record->unlogged);
    for (size_t i = 0; i < t->chunk_count; i++)
    {
        const ChunkRef *ref = &node->chunks[t->first_chunk + i];
        const char *before = i == 0 ? begin(node, tmp, t, fresh, item) : "";
        if (!data_load_chunk(loader, t, ref, before, fresh, err))
            return false;
    }
    return commit(loader, t, err);
}

bool data_load(DataLoader *loader, const Task *task, Error *err)
{
    const RestoreTable *t = &loader->node->tables[task->table];
    bool ok;
    if (journal_has_any(loader->node->journal, JOURNAL_TABLE, t->record->oid))
        ok = true;
    else if (task->kind == TASK_TABLE)
        ok = load_table(loader, t, err);
    else
        ok = load_one_chunk(loader, t, &loader->node->chunks[task->chunk], err);
    if (ok)
        return true;
    pg_rollback(loader->conn);
    error_prefix(err, "table %s", t->quoted);
    return error_node(err, loader->node->label);
}

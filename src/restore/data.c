/* restore/data.c - loads chunks; the contract is in data.h. */
#include "restore/data.h"

#include "base/str.h"
#include "pg/copy.h"
#include "repo/chunk_reader.h"
#include "restore/before.h"
#include "restore/journal.h"
#include "restore/target.h"

struct DataLoader
{
    RestoreNode *node;
    PgConn *conn;
    size_t number;           /* of the worker */
    PgConn **places;         /* per server of node->places, opened when they are first used */
    PgConn *to;              /* where the COPY that runs goes to */
    ChunkReader *readers[2]; /* text, binary */
};

static bool to_server(void *arg, const void *data, size_t len, Error *err)
{
    DataLoader *loader = arg;
    atomic_fetch_add_explicit(&loader->node->progress->bytes_done, len, memory_order_relaxed);
    return pg_copy_in_put(loader->to, data, len, err);
}

DataLoader *data_loader_new(RestoreNode *node, PgConn *conn)
{
    DataLoader *loader = mem_new(NULL, DataLoader);
    loader->node = node;
    loader->conn = loader->to = conn;
    for (int i = 0; i < node->jobs; i++)
        if (node->workers[i] == conn)
            loader->number = (size_t) i;
    loader->places = mem_array(loader, PgConn *, node->places.server_count);
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
    for (size_t i = 0; i < loader->node->places.server_count; i++)
        pg_conn_close(loader->places[i]);
    mem_free(loader);
}

/* Where rows go: all chunks of one COPY alike. */
typedef struct Destination
{
    PgConn *conn;
    const char *quoted;
    bool freeze;
} Destination;

/* The relation that a chunk was read from: its columns and its format are the chunk's. */
static const TableRecord *chunk_record(const RestoreNode *node, const RestoreTable *t,
                                       const ChunkRef *ref)
{
    return ref->part == NO_PART ? t->record : &node->fold->parts[ref->part].record;
}

static void copy_statement(Str *sql, const RestoreNode *node, const RestoreTable *t,
                           const ChunkRef *ref, const Destination *to)
{
    const TableRecord *record = chunk_record(node, t, ref);
    const char *columns = ref->part == NO_PART ? t->column_list : node->part_columns[ref->part];
    bool some = record->column_count > 0;
    str_addf(sql, "COPY %s%s%s%s FROM STDIN", to->quoted, some ? " (" : "", columns,
             some ? ")" : "");
    if (record->binary || to->freeze)
        str_addf(sql, " (%s%s%s)", record->binary ? "FORMAT binary" : "",
                 record->binary && to->freeze ? ", " : "", to->freeze ? "FREEZE" : "");
}

static bool check_server_rows(const ChunkRecord *chunk, uint64_t rows, Error *err)
{
    return rows == chunk->rows ||
           error_set(err, ERR_CORRUPT, "the server took %" PRIu64 " rows of %" PRIu64, rows,
                     chunk->rows);
}

/* The COPY has begun: streams one chunk into it. A chunk that proves wrong makes the server forget
 * it. */
static bool stream(DataLoader *loader, bool binary, const ChunkRecord *chunk, Error *err)
{
    uint64_t rows = 0;
    if (chunk_reader_run(loader->readers[binary ? 1 : 0], chunk, loader->node->cancel, err))
        return pg_copy_in_end(loader->to, NULL, &rows, err) && check_server_rows(chunk, rows, err);
    Error ignored = ERROR_INIT;
    if (PQtransactionStatus(loader->to->raw) == PQTRANS_ACTIVE &&
        !pg_copy_in_end(loader->to, "the chunk is damaged", &rows, &ignored))
        log_debug("%s: %s", loader->to->label, ignored.message);
    return false;
}

static bool load_chunk(DataLoader *loader, const RestoreTable *t, const ChunkRef *ref,
                       const char *before, const Destination *to, Error *err)
{
    RestoreNode *node = loader->node;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "chunk");
    const TableRecord *record = chunk_record(node, t, ref);
    const NodeRecord *source = ref->part == NO_PART
                                   ? node->record
                                   : &node->manifest->nodes[node->fold->parts[ref->part].node];
    ChunkRecord chunk;
    if (!manifest_read_chunk(node->storage, tmp, node->set_dir, source, ref->line_offset,
                             ref->line_len, &chunk, err))
        return false;
    if (chunk.table_oid != record->oid)
        return error_set(err, ERR_CORRUPT, "a chunk's record changed while it was being used");
    Str *sql = str_new(tmp);
    str_add(sql, before);
    copy_statement(sql, node, t, ref, to);
    loader->to = to->conn;
    bool ok = pg_copy_in_begin(to->conn, sql->data, err) &&
              stream(loader, record->binary, &chunk, err);
    if (ok)
        before_loaded(node, ref, chunk.rows);
    return ok || error_prefix(err, "chunk %u", chunk.chunk);
}

static bool load_chunk_by(DataLoader *loader, PgConn *conn, const RestoreTable *t,
                          const ChunkRef *ref, const char *before, bool freeze, Error *err)
{
    const Destination to = {
        .conn = conn, .quoted = t->route != NULL ? t->route : t->quoted, .freeze = freeze};
    return load_chunk(loader, t, ref, before, &to, err);
}

bool data_load_chunk(DataLoader *loader, const RestoreTable *t, const ChunkRef *ref,
                     const char *before, bool freeze, Error *err)
{
    return load_chunk_by(loader, loader->conn, t, ref, before, freeze, err);
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

static bool commit(PgConn *conn, const RestoreTable *t, Error *err)
{
    return (t->after == NULL || pg_exec(conn, t->after, err)) && pg_exec(conn, "COMMIT", err);
}

static PgConn *connect_place(DataLoader *loader, size_t server, Error *err)
{
    if (loader->places[server] == NULL)
        loader->places[server] = target_connect_to(
            loader->node, &loader->node->places.servers[server], "worker", err);
    return loader->places[server];
}

/* Workers share the servers among them: each finds out where a row belongs, and sends it there. */
static PgConn *choose_writer(DataLoader *loader, const RestoreTable *t, Error *err)
{
    const RestorePlaces *places = &loader->node->places;
    size_t writer = !t->anywhere || places->writer_count == 0
                        ? 0
                        : places->writers[loader->number % places->writer_count];
    return writer == 0 ? loader->conn : connect_place(loader, writer, err);
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
    if (journal_has(node->journal, item))
        return true;
    PgConn *conn = choose_writer(loader, t, err);
    if (conn == NULL)
        return false;
    item.elsewhere = conn != loader->conn;
    if (load_chunk_by(loader, conn, t, ref, begin(node, tmp, t, false, item), false, err) &&
        commit(conn, t, err))
        return true;
    pg_rollback(conn);
    return false;
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
    return commit(loader->conn, t, err);
}

/* ---- parts, where they will be ---- */

/* A target that spreads rows by other rules than the source would look for them elsewhere. */
static bool prove_place(PgConn *conn, const struct RestorePlace *place, Error *err)
{
    if (place->proof == NULL)
        return true;
    AUTO(PQclear) PGresult *res = pg_query(conn, place->proof, 0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not prove that rows are where they belong");
    if (PQntuples(res) == 0)
        return true;
    error_set(err, ERR_CORRUPT, "rows do not belong into relation %s", place->quoted);
    return error_hint(err, "The target distributes rows by another rule; --no-direct loads "
                           "them through the coordinator.");
}

/* What begins the transaction that loads a part: from empty. */
static const char *begin_part(const RestoreNode *node, void *ctx, const struct RestorePlace *place)
{
    if (place->keep && !node->resumed)
        return "BEGIN; ";
    return mem_printf(ctx, "BEGIN; %s ONLY %s; ", place->keep ? "DELETE FROM" : "TRUNCATE",
                      place->quoted);
}

static bool load_place(DataLoader *loader, const RestoreTable *t, size_t first, PgConn *conn,
                       const struct RestorePlace *place, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "part");
    const RestoreNode *node = loader->node;
    const ChunkRef *refs = node->chunks;
    const Destination to = {.conn = conn, .quoted = place->quoted, .freeze = place->freeze};
    size_t end = t->first_chunk + t->chunk_count;
    const char *empty = begin_part(node, tmp, place);
    for (size_t i = first; i < end && refs[i].part == refs[first].part; i++)
    {
        const char *before = i > first ? "" : empty;
        if (!load_chunk(loader, t, &refs[i], before, &to, err))
            return false;
    }
    return prove_place(conn, place, err) && pg_exec(conn, "COMMIT", err);
}

/* The note comes behind the commit, which is on another server; what is not noted is done again, from
 * empty. */
static bool load_part(DataLoader *loader, const RestoreTable *t, size_t first, Error *err)
{
    RestoreNode *node = loader->node;
    uint32_t part = node->chunks[first].part;
    const struct RestorePlace *place = &node->places.parts[part];
    JournalItem item = {.kind = JOURNAL_PART,
                        .id = t->record->oid,
                        .part = node->fold->parts[part].first_chunk,
                        .unlogged = t->record->unlogged};
    size_t copies = place->copies == 0 ? 1 : place->copies;
    if (journal_has(node->journal, item))
        return true;
    for (size_t i = 0; i < copies; i++)
    {
        PgConn *conn = connect_place(loader, place->server + i, err);
        if (conn == NULL)
            return false;
        if (load_place(loader, t, first, conn, place, err))
            continue;
        pg_rollback(conn);
        return error_prefix(err, "relation %s", place->quoted);
    }
    return journal_done(node->journal, loader->conn, item, err);
}

size_t data_task_chunks(const RestoreNode *node, const Task *task)
{
    const RestoreTable *t = &node->tables[task->table];
    size_t count = 0;
    if (task->kind != TASK_PART)
        return task->kind == TASK_TABLE ? t->chunk_count : 1;
    for (size_t i = task->chunk; i < t->first_chunk + t->chunk_count &&
                                 node->chunks[i].part == node->chunks[task->chunk].part;
         i++)
        count++;
    return count;
}

bool data_load(DataLoader *loader, const Task *task, Error *err)
{
    const RestoreTable *t = &loader->node->tables[task->table];
    bool ok;
    if (journal_has_any(loader->node->journal, JOURNAL_TABLE, t->record->oid))
        ok = true;
    else if (task->kind == TASK_PART)
        ok = load_part(loader, t, task->chunk, err);
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

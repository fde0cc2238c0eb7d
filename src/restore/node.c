/* restore/node.c - prepares one node of a set for its restore; the contract is in node.h. */
#include "restore/node.h"

#include "base/str.h"
#include "restore/large_objects.h"
#include "restore/needs.h"
#include "restore/target.h"

/* A schema archive is metadata; what is larger than this is not one. */
#define SCHEMA_MAX ((size_t) 2 * 1024 * 1024 * 1024 - 1)

static bool load_schema(RestoreNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "archive");
    const ObjectRecord *object = &node->record->schema;
    char *data;
    size_t len;
    char hex[TAP_HEX_LEN];
    if (object->bytes > SCHEMA_MAX)
        return error_set(err, ERR_CORRUPT, "\"%s\" is too large", object->path);
    if (!storage_read_all(node->storage, tmp, mem_printf(tmp, "%s/%s", node->set_dir, object->path),
                          (size_t) object->bytes, &data, &len, err))
        return false;
    tap_hash_memory(TAP_SHA256, data, len, hex);
    if (len != object->bytes || strcmp(hex, object->sha256) != 0)
        return error_set(err, ERR_CORRUPT, "\"%s\" is not what the manifest says (%s)",
                         object->path, len != object->bytes ? "length" : "SHA-256");
    ArchiveToc *toc = archive_toc_parse(node->ctx, data, len, err);
    node->ddl = toc == NULL ? NULL : ddl_plan(node->ctx, toc, node->database, err);
    if (node->ddl == NULL)
        return error_prefix(err, "\"%s\"", object->path);
    return needs_check(node, toc, err);
}

static int by_oid(const void *a, const void *b)
{
    uint32_t x = ((const RestoreTable *) a)->record->oid;
    uint32_t y = ((const RestoreTable *) b)->record->oid;
    return x < y ? -1 : x > y;
}

static bool list_tables(RestoreNode *node)
{
    const Manifest *m = node->manifest;
    size_t capacity = 0;
    for (size_t i = 0; i < m->table_count; i++)
    {
        const TableRecord *t = &m->tables[i];
        if (manifest_has(node->record, t->content, t->database) && (t->kind == 'r' || t->kind == 'f'))
            mem_push(node->ctx, node->tables, node->table_count, capacity, RestoreTable)->record =
                t;
    }
    if (node->table_count > 1)
        qsort(node->tables, node->table_count, sizeof(RestoreTable), by_oid);
    return true;
}

RestoreTable *restore_node_table(const RestoreNode *node, uint32_t oid)
{
    TableRecord record = {.oid = oid};
    RestoreTable key = {.record = &record};
    return node->table_count == 0
               ? NULL
               : bsearch(&key, node->tables, node->table_count, sizeof(RestoreTable), by_oid);
}

static bool add_chunk(void *arg, const ChunkRecord *chunk, uint64_t offset, uint32_t len,
                      Error *err)
{
    RestoreNode *node = arg;
    RestoreTable *t = restore_node_table(node, chunk->table_oid);
    if (t == NULL)
        return error_set(err, ERR_CORRUPT,
                         "\"%s\" has a chunk of table %u, which is not in the set",
                         node->record->chunks.path, chunk->table_oid);
    if (chunk->rows == 0)
        return true;
    ChunkRef *ref = mem_push(node->ctx, node->chunks, node->chunk_count, node->chunk_capacity,
                             ChunkRef);
    *ref = (ChunkRef){.line_offset = offset,
                      .logical = chunk->logical,
                      .line_len = len,
                      .number = chunk->chunk,
                      .table = (uint32_t) (t - node->tables)};
    t->chunk_count++;
    return true;
}

static int ref_order(const void *a, const void *b)
{
    const ChunkRef *x = a;
    const ChunkRef *y = b;
    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

static bool list_chunks(RestoreNode *node, Error *err)
{
    if (!manifest_each_chunk(node->storage, node->set_dir, node->record, add_chunk, node, err))
        return false;
    if (node->chunk_count > 1)
        qsort(node->chunks, node->chunk_count, sizeof(ChunkRef), ref_order);
    uint64_t bytes = 0;
    for (size_t i = node->chunk_count; i > 0; i--)
    {
        node->tables[node->chunks[i - 1].table].first_chunk = i - 1;
        bytes += node->chunks[i - 1].logical;
    }
    atomic_store(&node->progress->bytes_total, bytes);
    return true;
}

bool restore_node_prepare(RestoreNode *node, Error *err)
{
    node->ctx = mem_context(NULL, "restore node");
    bool ok = target_prepare(node, err) && list_tables(node) && list_chunks(node, err) &&
              large_objects_prepare(node, err) && load_schema(node, err);
    /* It may be a while until all nodes have got here, and CREATE DATABASE wants nobody near its
     * template. */
    pg_conn_close(node->main);
    node->main = NULL;
    return ok || error_node(err, node->label);
}

void restore_node_close(RestoreNode *node)
{
    if (node->ctx == NULL)
        return;
    for (int i = 0; node->workers != NULL && i < node->request->jobs; i++)
        pg_conn_close(node->workers[i]);
    pg_conn_close(node->main);
    mem_free(node->ctx);
    node->ctx = NULL;
    node->workers = NULL;
    node->main = NULL;
}

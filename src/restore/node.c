/* restore/node.c - prepares one node of a set for its restore; the contract is in node.h. */
#include "restore/node.h"

#include "base/oids.h"
#include "base/str.h"
#include "repo/archive.h"
#include "restore/adapt.h"
#include "restore/before.h"
#include "restore/entry.h"
#include "restore/existing.h"
#include "restore/journal.h"
#include "restore/large_objects.h"
#include "restore/needs.h"
#include "restore/refill.h"
#include "restore/remap.h"
#include "restore/target.h"

const char *node_schema(const RestoreNode *node, const char *schema)
{
    const RestoreRequest *r = node->request;
    const char *mapped = adapt_lookup(r->schema_map, r->schema_map_count, schema);
    return mapped != NULL ? mapped : schema;
}

static bool read_archive(RestoreNode *node, Error *err)
{
    node->toc = archive_read(node->ctx, node->storage, node->set_dir, node->record, err);
    return node->toc != NULL;
}

/* ---- what is wanted ---- */

/* Rows only, where tables are emptied or added to; and never more than the set has. */
static void set_sections(RestoreNode *node)
{
    const RestoreRequest *r = node->request;
    node->selection = *r->selection;
    if ((r->truncate || r->append) && !r->keep_existing)
        node->selection.sections &= SELECT_DATA;
    node->selection.sections &= (unsigned) node->manifest->set.sections;
}

static bool check_sections(const RestoreNode *node, Error *err)
{
    if (node->selection.sections != 0)
        return true;
    return error_set(err, ERR_USAGE,
                     "set %s has nothing of what is asked for: it was made with "
                     "other sections",
                     node->manifest->set.key);
}

static bool has_schema(const RestoreNode *node, const char *schema)
{
    const Manifest *m = node->manifest;
    for (size_t i = 0; i < node->toc->entry_count; i++)
    {
        const TocEntry *e = &node->toc->entries[i];
        if (str_equal(e->schema, schema) || (entry_is(e, "SCHEMA") && strcmp(e->tag, schema) == 0))
            return true;
    }
    for (size_t i = 0; i < m->table_count; i++)
        if (strcmp(m->tables[i].schema, schema) == 0)
            return true;
    return false;
}

/* New schemas that the archive's own definition of a schema does not make. */
static bool remap(RestoreNode *node, Error *err)
{
    const RestoreRequest *r = node->request;
    for (size_t i = 0; i < r->schema_map_count; i++)
    {
        const NameMap *map = &r->schema_map[i];
        bool made = false;
        if (!has_schema(node, map->from))
            return error_set(err, ERR_USAGE,
                             "--schema-map: nothing that is restored lies in schema \"%s\"",
                             map->from);
        for (size_t k = 0; k < node->toc->entry_count && !made; k++)
            made = entry_is(&node->toc->entries[k], "SCHEMA") &&
                   strcmp(node->toc->entries[k].tag, map->from) == 0;
        if (!made && (node->selection.sections & SELECT_PRE_DATA) != 0)
            *mem_push(node->ctx, node->new_schemas, node->new_schema_count,
                      node->new_schema_capacity, const char *) = map->to;
    }
    return remap_archive(node->toc, r->schema_map, r->schema_map_count, err);
}

static void want_schema(RestoreNode *node, const char *schema)
{
    for (size_t i = 0; i < node->new_schema_count; i++)
    {
        if (strcmp(node->new_schemas[i], schema) == 0)
            return;
    }
    for (size_t i = 0; i < node->toc->entry_count; i++)
    {
        if (entry_is(&node->toc->entries[i], "SCHEMA") &&
            strcmp(node->toc->entries[i].tag, schema) == 0)
            return;
    }
    *mem_push(node->ctx, node->new_schemas, node->new_schema_count, node->new_schema_capacity,
              const char *) = schema;
}

/* What was chosen by -t, now or for the set, comes without its schema. A database that has none, and one that is
 * to have what it lacks, gets it. */
static void want_schemas(RestoreNode *node)
{
    const RestoreRequest *r = node->request;
    bool part = node->manifest->set.selection_count > 0 || !selection_is_all(&node->selection);
    const char *last = "public"; /* those of one schema lie side by side, mostly */
    if (!part || !(r->create || r->keep_existing) ||
        (node->selection.sections & SELECT_PRE_DATA) == 0)
        return;
    for (size_t i = 0; i < node->toc->entry_count; i++)
    {
        const TocEntry *e = &node->toc->entries[i];
        if (!entry_has_schema(e) || strcmp(e->schema, last) == 0 ||
            strcmp(e->schema, "public") == 0 || strcmp(e->schema, "pg_catalog") == 0)
            continue;
        last = e->schema;
        want_schema(node, last);
    }
}

static void warn_left_out(const RestoreNode *node)
{
    for (size_t i = 0; i < node->filter->left_out_count; i++)
    {
        char name[200];
        log_warning("%s: foreign key %s is left out, as the table that it refers to is neither "
                    "restored nor there",
                    node->label, str_one_line(name, sizeof(name), node->filter->left_out[i]));
    }
}

static bool choose(RestoreNode *node, Error *err)
{
    if (!check_sections(node, err) || !read_archive(node, err))
        return false;
    node->filter = filter_new(node->ctx, node->toc, node->manifest, node->record, &node->selection,
                              node->request->with_dependencies, err);
    if (node->filter == NULL)
        return false;
    if (!existing_keys(node, err))
        return false;
    filter_apply(node->filter, node->toc);
    warn_left_out(node);
    if (!remap(node, err))
        return false;
    adapt_archive(node->toc, node->request);
    want_schemas(node);
    return existing_definitions(node, err);
}

static bool plan(RestoreNode *node, Error *err)
{
    node->ddl = ddl_plan(node->ctx, node->toc, node->database, err);
    node->outcome = outcome_new(node->ctx, node->toc, node->filter->needed,
                                node->request->on_error);
    return node->ddl != NULL || error_prefix(err, "\"%s\"", node->record->schema.path);
}

/* ---- rows ---- */

static int by_oid(const void *a, const void *b)
{
    return oids_compare(((const RestoreTable *) a)->record->oid,
                        ((const RestoreTable *) b)->record->oid);
}

static bool list_tables(RestoreNode *node)
{
    const Manifest *m = node->manifest;
    size_t capacity = 0;
    for (size_t i = 0; i < m->table_count; i++)
    {
        const TableRecord *t = &m->tables[i];
        if (!manifest_has(node->record, t->content, t->database) ||
            (t->kind != 'r' && t->kind != 'f'))
            continue;
        if (!node->filter->data[i])
        {
            *mem_push(node->ctx, node->left_out, node->left_out_count, node->left_out_capacity,
                      uint32_t) = t->oid;
            continue;
        }
        RestoreTable *table = mem_push(node->ctx, node->tables, node->table_count, capacity,
                                       RestoreTable);
        table->record = t;
        table->schema = node_schema(node, t->schema);
    }
    if (node->table_count > 1)
        qsort(node->tables, node->table_count, sizeof(RestoreTable), by_oid);
    oids_sort(node->left_out, node->left_out_count);
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

/* A chunk file that is read: the node's own, or that of one with parts of its tables. */
typedef struct ChunkSource
{
    RestoreNode *node;
    size_t index; /* in the manifest's nodes */
} ChunkSource;

static bool add_chunk(void *arg, const ChunkRecord *chunk, uint64_t offset, uint32_t len,
                      Error *err)
{
    const ChunkSource *source = arg;
    RestoreNode *node = source->node;
    const FoldedPart *part = fold_find(node->fold, source->index, chunk->table_oid);
    bool own = &node->manifest->nodes[source->index] == node->record;
    uint32_t oid = part != NULL ? part->table_oid : own ? chunk->table_oid : 0;
    RestoreTable *t = restore_node_table(node, oid);
    if (t == NULL && oids_have(node->left_out, node->left_out_count, oid))
        return true;
    if (t == NULL)
        return error_set(err, ERR_CORRUPT,
                         "\"%s\" has a chunk of table %u, which is not in the set",
                         node->manifest->nodes[source->index].chunks.path, chunk->table_oid);
    if (chunk->rows == 0)
        return true;
    ChunkRef *ref = mem_push(node->ctx, node->chunks, node->chunk_count, node->chunk_capacity,
                             ChunkRef);
    *ref = (ChunkRef){.line_offset = offset,
                      .logical = chunk->logical,
                      .line_len = len,
                      .number = chunk->chunk + (part != NULL ? part->first_chunk : 0),
                      .table = (uint32_t) (t - node->tables),
                      .part = part == NULL ? NO_PART : (uint32_t) (part - node->fold->parts)};
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
    for (size_t i = 0; i < node->manifest->node_count; i++)
    {
        const NodeRecord *record = &node->manifest->nodes[i];
        ChunkSource source = {.node = node, .index = i};
        if ((record == node->record || fold_is_source(record)) &&
            !manifest_each_chunk(node->storage, node->set_dir, record, add_chunk, &source, err))
            return false;
    }
    if (node->chunk_count > 1)
        qsort(node->chunks, node->chunk_count, sizeof(ChunkRef), ref_order);
    uint64_t bytes = 0;
    for (size_t i = node->chunk_count; i > 0; i--)
    {
        node->tables[node->chunks[i - 1].table].first_chunk = i - 1;
        bytes += node->chunks[i - 1].logical;
    }
    atomic_store(&node->progress->bytes_total, bytes);
    before_chunks(node);
    return true;
}

/* They belong to a server: with several databases to one, the first brings them. */
static bool read_globals(RestoreNode *node, Error *err)
{
    const NodeRecord *bearer = node->record;
    if (!node->request->globals)
        return true;
    for (size_t i = 0; bearer->globals.path == NULL && i < node->manifest->node_count; i++)
    {
        if (node->manifest->nodes[i].content == node->record->content &&
            node->manifest->nodes[i].globals.path != NULL)
            bearer = &node->manifest->nodes[i];
    }
    node->globals = globals_read(node->ctx, node->storage, node->set_dir, bearer,
                                 node->manifest->set.compress.method, err);
    return node->globals != NULL;
}

bool restore_node_connect(RestoreNode *node, Error *err)
{
    node->ctx = mem_context(NULL, "restore node");
    node->jobs = node->request->jobs;
    set_sections(node);
    return target_prepare(node, err) || error_node(err, node->label);
}

bool restore_node_prepare(RestoreNode *node, Error *err)
{
    node->resumed = node->journal != NULL;
    bool ok = (node->resumed || target_check(node, err)) && read_globals(node, err) &&
              choose(node, err) && list_tables(node) && existing_tables(node, err) &&
              list_chunks(node, err) &&
              (node->cluster == NULL || node->cluster->prepare(node, err)) &&
              refill_prepare(node, err) && large_objects_prepare(node, err) &&
              needs_check(node, node->toc, err) && plan(node, err);
    /* It may be a while until all nodes have got here, and CREATE DATABASE wants nobody near its
     * template. */
    pg_conn_close(node->main);
    node->main = NULL;
    return ok || error_node(err, node->label);
}

void restore_node_close(RestoreNode *node, void *ctx)
{
    if (node->ctx == NULL)
        return;
    for (int i = 0; node->workers != NULL && i < node->jobs; i++)
        pg_conn_close(node->workers[i]);
    pg_conn_close(node->main);
    if (node->outcome != NULL)
        talloc_steal(ctx, node->outcome);
    if (node->filter != NULL)
        talloc_steal(ctx, node->filter);
    mem_free(node->ctx);
    node->ctx = NULL;
    node->workers = NULL;
    node->main = NULL;
}

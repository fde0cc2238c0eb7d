/* repo/fold.c - the parts of tables, and the tables; the contract is in fold.h. */
#include "repo/fold.h"

#include "base/search.h"

typedef struct Place
{
    size_t node;
    uint32_t oid;
    size_t table; /* in Manifest.tables */
    bool begun;   /* a part of it has been found */
} Place;

static int compare_places(size_t node_a, uint32_t oid_a, size_t node_b, uint32_t oid_b)
{
    if (node_a != node_b)
        return node_a < node_b ? -1 : 1;
    return oid_a < oid_b ? -1 : oid_a > oid_b;
}

static int place_order(const void *a, const void *b)
{
    const Place *x = a;
    const Place *y = b;
    return compare_places(x->node, x->oid, y->node, y->oid);
}

static int part_order(const void *a, const void *b)
{
    const FoldedPart *x = a;
    const FoldedPart *y = b;
    return compare_places(x->node, x->record.oid, y->node, y->record.oid);
}

const FoldedPart *fold_find(const Fold *fold, size_t node, uint32_t oid)
{
    FoldedPart key = {.node = node, .record = {.oid = oid}};
    return fold->count == 0
               ? NULL
               : bsearch(&key, fold->parts, fold->count, sizeof(FoldedPart), part_order);
}

static size_t node_of(const Manifest *m, int content, const char *database)
{
    size_t i = 0;
    while (i < m->node_count && !manifest_has(&m->nodes[i], content, database))
        i++;
    return i;
}

/* Where every table of the manifest is, sorted by node and oid. */
static Place *list_places(void *ctx, const Manifest *m)
{
    Place *places = mem_array(ctx, Place, m->table_count);
    for (size_t i = 0; i < m->table_count; i++)
        places[i] = (Place){.node = node_of(m, m->tables[i].content, m->tables[i].database),
                            .oid = m->tables[i].oid,
                            .table = i};
    if (m->table_count > 1)
        qsort(places, m->table_count, sizeof(Place), place_order);
    return places;
}

static Place *find_place(const Manifest *m, Place *places, size_t node, uint32_t oid)
{
    Place key = {.node = node, .oid = oid};
    return bsearch(&key, places, m->table_count, sizeof(Place), place_order);
}

/* The coordinator: the one node whose definitions are in the set. */
static size_t find_coordinator(const Manifest *m)
{
    size_t i = 0;
    while (i < m->node_count && fold_is_source(&m->nodes[i]))
        i++;
    return i;
}

static bool is_even(const TableRecord *table, const TableRecord *part)
{
    if (table->binary != part->binary || table->column_count != part->column_count)
        return false;
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i], part->columns[i]) != 0 ||
            strcmp(table->types[i], part->types[i]) != 0)
            return false;
    return true;
}

static bool add_part(Manifest *m, Place *places, const ShardRecord *shard, Fold *fold, Error *err)
{
    size_t node = node_of(m, shard->content, shard->database);
    const Place *from = find_place(m, places, node, shard->oid);
    Place *to = find_place(m, places, find_coordinator(m), shard->table_oid);
    if (from == NULL || to == NULL || from == to)
        return error_set(err, ERR_CORRUPT, "shard %" PRId64 " has no %s", shard->shard_id,
                         from == NULL ? "relation" : "table");
    const TableRecord *relation = &m->tables[from->table];
    TableRecord *table = &m->tables[to->table];
    if (table->chunks + relation->chunks > UINT32_MAX)
        return error_set(err, ERR_CORRUPT, "table oid %" PRIu32 " has too many chunks", table->oid);
    fold->parts[fold->count++] = (FoldedPart){.record = *relation,
                                              .shard = shard,
                                              .node = node,
                                              .table_oid = table->oid,
                                              .first_chunk = (uint32_t) table->chunks};
    if (!to->begun && table->chunks == 0)
    {
        table->columns = relation->columns;
        table->column_count = relation->column_count;
        table->types = relation->types;
        table->type_count = relation->type_count;
        table->binary = relation->binary;
    }
    to->begun = true;
    fold->even = fold->even && is_even(table, relation);
    table->chunks += relation->chunks;
    table->rows += relation->rows;
    table->logical += relation->logical;
    table->stored += relation->stored;
    table->referenced += relation->referenced;
    table->worker_us += relation->worker_us;
    return true;
}

static bool check_parts(const Manifest *m, const Fold *fold, Error *err)
{
    size_t coordinator = find_coordinator(m);
    for (size_t i = 0; i < fold->count; i++)
    {
        const FoldedPart *part = &fold->parts[i];
        if (i > 0 && part_order(part - 1, part) == 0)
            return error_set(err, ERR_CORRUPT, "two shards are table oid %" PRIu32 " of node %d",
                             part->record.oid, m->nodes[part->node].content);
        if (fold_find(fold, coordinator, part->table_oid) != NULL)
            return error_set(err, ERR_CORRUPT, "table oid %" PRIu32 " is a shard and has shards",
                             part->table_oid);
    }
    return true;
}

static void remove_parts(Manifest *m, const Fold *fold)
{
    size_t kept = 0;
    TableRecord *tables = mem_array(m, TableRecord, m->table_count);
    for (size_t i = 0; i < m->table_count; i++)
    {
        const TableRecord *t = &m->tables[i];
        if (fold_find(fold, node_of(m, t->content, t->database), t->oid) == NULL)
            tables[kept++] = *t;
    }
    m->tables = tables;
    m->table_count = kept;
    m->totals.tables = kept;
}

static int table_order(const void *a, const void *b, void *arg)
{
    const FoldedPart *parts = arg;
    uint32_t x = *(const uint32_t *) a;
    uint32_t y = *(const uint32_t *) b;
    return compare_places(parts[x].table_oid, x, parts[y].table_oid, y);
}

static void sort_by_table(Fold *fold)
{
    fold->by_table = mem_array(fold, uint32_t, fold->count);
    for (size_t i = 0; i < fold->count; i++)
        fold->by_table[i] = (uint32_t) i;
    if (fold->count > 1)
        qsort_r(fold->by_table, fold->count, sizeof(uint32_t), table_order, fold->parts);
}

static bool table_before(const void *list, size_t i, const void *table_oid)
{
    const Fold *fold = list;
    return fold->parts[fold->by_table[i]].table_oid < *(const uint32_t *) table_oid;
}

const uint32_t *fold_parts_of(const Fold *fold, uint32_t table_oid, size_t *ret_count)
{
    size_t first = search_first(fold, fold->count, table_before, &table_oid);
    *ret_count = 0;
    while (first + *ret_count < fold->count &&
           fold->parts[fold->by_table[first + *ret_count]].table_oid == table_oid)
        (*ret_count)++;
    return fold->count == 0 ? NULL : fold->by_table + first;
}

Fold *fold_manifest(Manifest *m, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "fold");
    Fold *fold = mem_new(m, Fold);
    fold->even = true;
    if (m->shard_count == 0)
        return fold;
    Place *places = list_places(tmp, m);
    fold->parts = mem_array(fold, FoldedPart, m->shard_count);
    for (size_t i = 0; i < m->shard_count; i++)
    {
        if (!add_part(m, places, &m->shards[i], fold, err))
            return NULL;
    }
    qsort(fold->parts, fold->count, sizeof(FoldedPart), part_order);
    if (!check_parts(m, fold, err))
        return NULL;
    sort_by_table(fold);
    remove_parts(m, fold);
    return fold;
}

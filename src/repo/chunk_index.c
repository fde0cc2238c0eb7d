/* repo/chunk_index.c - the contract is in chunk_index.h. */
#include "repo/chunk_index.h"

#include "base/oids.h"
#include "base/search.h"

typedef struct Collect
{
    ChunkIndex *index;
    const Fold *fold;
    size_t node; /* whose file is read */
    bool own;
    const uint32_t *wanted;
    size_t wanted_count;
} Collect;

static bool take_chunk(void *arg, const ChunkRecord *chunk, uint64_t line_offset, uint32_t line_len,
                       Error *err UNUSED)
{
    Collect *c = arg;
    ChunkIndex *index = c->index;
    const FoldedPart *part = fold_find(c->fold, c->node, chunk->table_oid);
    uint32_t oid = part != NULL ? part->table_oid : chunk->table_oid;
    if (chunk->rows == 0 || (part == NULL && !c->own) ||
        !oids_have(c->wanted, c->wanted_count, oid))
        return true;
    *mem_push(index, index->places, index->count, index->capacity, ChunkPlace) = (ChunkPlace){
        .line_offset = line_offset,
        .logical = chunk->logical,
        .line_len = line_len,
        .number = chunk->chunk + (part != NULL ? part->first_chunk : 0),
        .table_oid = oid,
        .part = part,
    };
    return true;
}

static int place_order(const void *a, const void *b)
{
    const ChunkPlace *x = a;
    const ChunkPlace *y = b;
    if (x->table_oid != y->table_oid)
        return x->table_oid < y->table_oid ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

ChunkIndex *chunk_index_read(void *ctx, const ChunkIndexSource *source, const uint32_t *wanted,
                             size_t wanted_count, Error *err)
{
    ChunkIndex *index = mem_new(ctx, ChunkIndex);
    Collect c = {
        .index = index, .fold = source->fold, .wanted = wanted, .wanted_count = wanted_count};
    for (c.node = 0; c.node < source->manifest->node_count; c.node++)
    {
        const NodeRecord *record = &source->manifest->nodes[c.node];
        c.own = record == source->node;
        if ((c.own || fold_is_source(record)) &&
            !manifest_each_chunk(source->storage, source->set_dir, record, take_chunk, &c, err))
        {
            mem_free(index);
            return NULL;
        }
    }
    if (index->count > 1)
        qsort(index->places, index->count, sizeof(ChunkPlace), place_order);
    return index;
}

static bool table_before(const void *places, size_t i, const void *table_oid)
{
    return ((const ChunkPlace *) places)[i].table_oid < *(const uint32_t *) table_oid;
}

const ChunkPlace *chunk_index_table(const ChunkIndex *index, uint32_t table_oid, size_t *ret_count)
{
    size_t first = search_first(index->places, index->count, table_before, &table_oid);
    *ret_count = 0;
    while (first + *ret_count < index->count &&
           index->places[first + *ret_count].table_oid == table_oid)
        (*ret_count)++;
    return *ret_count == 0 ? NULL : &index->places[first];
}

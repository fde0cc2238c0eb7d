/* backup/base_chunks.c - the contract is in base_chunks.h. */
#include "backup/base_chunks.h"

#include <stdatomic.h>

#include "base/log.h"
#include "base/search.h"

typedef struct Place
{
    uint64_t line_offset;
    uint64_t from, to;
    uint32_t line_len;
    uint32_t table_oid;
    uint32_t number;
} Place;

struct BaseChunks
{
    const Base *base;
    const ChangeProvider *provider;
    const NodeRecord *node;
    const TableRecord **tables; /* of the node, by oid */
    size_t table_count;
    Place *places; /* by table, then by number */
    size_t count, capacity;
    atomic_bool warned;
};

/* ---- reading ---- */

static int table_order(const void *a, const void *b)
{
    uint32_t x = (*(const TableRecord *const *) a)->oid;
    uint32_t y = (*(const TableRecord *const *) b)->oid;
    return x < y ? -1 : x > y;
}

static int place_order(const void *a, const void *b)
{
    const Place *x = a;
    const Place *y = b;
    if (x->table_oid != y->table_oid)
        return x->table_oid < y->table_oid ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static bool take_chunk(void *arg, const ChunkRecord *chunk, uint64_t line_offset, uint32_t line_len,
                       Error *err UNUSED)
{
    BaseChunks *c = arg;
    *mem_push(c, c->places, c->count, c->capacity, Place) = (Place){.line_offset = line_offset,
                                                                    .from = chunk->from_block,
                                                                    .to = chunk->to_block,
                                                                    .line_len = line_len,
                                                                    .table_oid = chunk->table_oid,
                                                                    .number = chunk->chunk};
    return true;
}

static void list_tables(BaseChunks *c)
{
    const Manifest *m = c->base->manifest;
    c->tables = mem_array(c, const TableRecord *, m->table_count);
    for (size_t i = 0; i < m->table_count; i++)
    {
        if (manifest_has(c->node, m->tables[i].content, m->tables[i].database))
            c->tables[c->table_count++] = &m->tables[i];
    }
    if (c->table_count > 1)
        qsort(c->tables, c->table_count, sizeof(TableRecord *), table_order); /* NOLINT: pointers */
}

bool base_chunks_read(void *ctx, const Base *base, const ChangeProvider *provider, int content,
                      const char *database, BaseChunks **ret, Error *err)
{
    const Manifest *m = base->manifest;
    size_t i = 0;
    while (i < m->node_count && !manifest_has(&m->nodes[i], content, database))
        i++;
    *ret = NULL;
    if (i == m->node_count)
        return true;
    BaseChunks *c = mem_new(ctx, BaseChunks);
    c->base = base;
    c->provider = provider;
    c->node = &m->nodes[i];
    list_tables(c);
    if (!manifest_each_chunk(base->repo->storage, base->dir, c->node, take_chunk, c, err))
    {
        mem_free(c);
        return error_prefix(err, "set %s", base->key);
    }
    if (c->count > 1)
        qsort(c->places, c->count, sizeof(Place), place_order);
    *ret = c;
    return true;
}

/* ---- the plan ---- */

static const TableRecord *find_table(const BaseChunks *c, uint32_t oid)
{
    const TableRecord wanted = {.oid = oid};
    const TableRecord *key = &wanted;
    const TableRecord **found = c->table_count == 0
                                    ? NULL
                                    : bsearch(&key, c->tables, c->table_count,
                                              sizeof(TableRecord *), table_order); /* NOLINT */
    return found == NULL ? NULL : *found;
}

static bool table_before(const void *places, size_t i, const void *oid)
{
    return ((const Place *) places)[i].table_oid < *(const uint32_t *) oid;
}

static const Place *find_places(const BaseChunks *c, uint32_t oid, size_t *ret_count)
{
    size_t first = search_first(c->places, c->count, table_before, &oid);
    *ret_count = 0;
    while (first + *ret_count < c->count && c->places[first + *ret_count].table_oid == oid)
        (*ret_count)++;
    return &c->places[first];
}

/* A damaged base must not make us leave out blocks: its ranges are those of a plan, or are not used. */
static bool ranges_are_sound(const Place *places, size_t count, const Relation *r,
                             bool block_ranges)
{
    bool by_blocks = r->from == NULL;
    uint64_t at = 0;
    if (count == 0 || (count > 1 && by_blocks && (!block_ranges || !r->heap || r->where != NULL)))
        return false;
    for (size_t i = 0; i < count; i++)
    {
        bool last = i + 1 == count;
        if (places[i].number != i || places[i].from != at || last != (places[i].to == 0) ||
            (!last && (places[i].to <= at || (by_blocks && places[i].to >= r->blocks))))
            return false;
        at = places[i].to;
    }
    return true;
}

static void apply(BaseChunks *c, Relation *r, bool block_ranges)
{
    const TableRecord *table = find_table(c, r->oid);
    size_t count;
    if (table == NULL || !c->provider->comparable(table, r))
        return;
    const Place *places = find_places(c, r->oid, &count);
    if (!ranges_are_sound(places, count, r, block_ranges))
        return;
    uint64_t *ranges = mem_array(c, uint64_t, count);
    for (size_t i = 0; i < count; i++)
        ranges[i] = places[i].from;
    r->ranges = ranges;
    r->range_count = count;
    r->grown = block_ranges && r->heap && r->where == NULL && r->from == NULL &&
               table->blocks < r->blocks;
    r->likely_changed = c->provider->likely_changed(table, r);
}

void base_chunks_apply(BaseChunks *c, Catalog *catalog, bool block_ranges)
{
    for (size_t i = 0; i < catalog->count; i++)
    {
        if (catalog->items[i].data != DATA_NONE)
            apply(c, &catalog->items[i], block_ranges);
    }
}

/* ---- one chunk ---- */

static bool range_before(const void *places, size_t i, const void *from)
{
    return ((const Place *) places)[i].from < *(const uint64_t *) from;
}

static const Place *find_place(const BaseChunks *c, uint32_t oid, uint64_t from, uint64_t to)
{
    size_t count;
    const Place *places = find_places(c, oid, &count);
    size_t at = search_first(places, count, range_before, &from);
    return at < count && places[at].from == from && places[at].to == to ? &places[at] : NULL;
}

static void warn_once(BaseChunks *c, const char *what, const char *why)
{
    if (!atomic_exchange(&c->warned, true))
        log_warning("set %s is damaged, what is missing of it is stored again: %s%s%s",
                    c->base->key, what, why[0] == '\0' ? "" : ": ", why);
}

/* Its own sets alone are locked, and known to be finished. */
static bool is_there(BaseChunks *c, const ChunkRecord *chunk, bool *ret, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "there");
    StorageInfo info;
    *ret = base_set_index(c->base, chunk->set) < c->base->set_count;
    if (!*ret)
    {
        warn_once(c, "it refers to a set that it does not depend on", "");
        return true;
    }
    const char *path = mem_printf(tmp, "%s/%s", repo_set_dir(c->base->repo, tmp, chunk->set),
                                  chunk->object);
    if (!storage_stat(c->base->repo->storage, path, &info, err))
        return false;
    *ret = info.kind == STORAGE_FILE && info.size >= chunk->offset + chunk->stored;
    if (!*ret)
        warn_once(c, path, info.kind == STORAGE_FILE ? "it is too short" : "it is missing");
    return true;
}

bool base_chunks_find(BaseChunks *c, void *ctx, const Relation *relation, uint64_t from_block,
                      uint64_t to_block, ChunkRecord *ret, bool *ret_there, Error *err)
{
    Error why = ERROR_INIT;
    const Place *place = relation->ranges == NULL
                             ? NULL
                             : find_place(c, relation->oid, from_block, to_block);
    *ret_there = false;
    if (place == NULL)
        return true;
    if (!manifest_read_chunk(c->base->repo->storage, ctx, c->base->dir, c->node, place->line_offset,
                             place->line_len, ret, &why) ||
        ret->table_oid != relation->oid || ret->from_block != from_block ||
        ret->to_block != to_block)
    {
        warn_once(c, c->node->chunks.path, error_is_set(&why) ? why.message : "it has changed");
        return true;
    }
    if (ret->object == NULL)
        return true;
    if (ret->set[0] == '\0')
        memcpy(ret->set, c->base->key, SET_KEY_LEN);
    return is_there(c, ret, ret_there, err);
}

const ChangeProvider *base_chunks_provider(const BaseChunks *c)
{
    return c->provider;
}

/* restore/filter_items.c - a set's relations; the contract is in filter_items.h. */
#include "restore/filter_items.h"

#include "base/search.h"
#include "base/str.h"
#include "repo/large_object_tables.h"
#include "restore/entry.h"
#include "restore/filter_wants.h"
#include "restore/owner.h"

#define NONE UINT32_MAX

/* Where an item comes from; NONE where it does not. */
typedef struct Source
{
    uint32_t entry, table, sequence;
} Source;

struct FilterItems
{
    const ArchiveToc *toc;
    const Manifest *manifest;
    const NodeRecord *node;
    SelectionItem *items;
    size_t count, capacity;
    Source *sources;
    size_t source_count, source_capacity;
    uint32_t *of_entry; /* per entry of the archive */
    bool by_kind;       /* only what -t names is wanted */
    bool blobs;
    const Selection *s;
};

static SelectionItem *add_item(FilterItems *f, char kind, const char *schema, const char *name)
{
    *mem_push(f, f->sources, f->source_count, f->source_capacity, Source) = (Source){NONE, NONE,
                                                                                     NONE};
    SelectionItem *item = mem_push(f, f->items, f->count, f->capacity, SelectionItem);
    item->kind = kind;
    item->persistence = 'p';
    item->schema = schema;
    item->name = name;
    return item;
}

/* ---- those of the archive ---- */

static char kind_of(const TocEntry *e)
{
    if (entry_is(e, "SEQUENCE"))
        return 'S';
    if (entry_is(e, "VIEW"))
        return 'v';
    return entry_is(e, "MATERIALIZED VIEW") ? 'm' : 'r';
}

/* A table depends on those that it inherits from, a partition on its parent. */
static void set_parents(FilterItems *f, SelectionItem *item, const TocEntry *e)
{
    uint32_t *parents = mem_array(f, uint32_t, e->dependency_count);

    for (size_t i = 0; i < e->dependency_count; i++)
    {
        const TocEntry *on = archive_toc_find(f->toc, e->dependencies[i]);
        if (on != NULL && on != e && (entry_is(on, "TABLE") || entry_is(on, "FOREIGN TABLE")))
            parents[item->parent_count++] = on->oid;
    }
    item->parents = parents;
}

static void add_entry(FilterItems *f, uint32_t at)
{
    const TocEntry *e = &f->toc->entries[at];
    SelectionItem *item = add_item(f, kind_of(e), e->schema == NULL ? "" : e->schema, e->tag);

    item->oid = e->oid;
    if (item->kind == 'S')
    {
        const TocEntry *table = owner_table(f->toc, e);
        item->owner_table = table == NULL ? 0 : table->oid;
        item->identity = owner_is_identity(e);
    }
    else if (item->kind == 'r')
        set_parents(f, item, e);
    f->of_entry[at] = (uint32_t) (f->count - 1);
    f->sources[f->count - 1].entry = at;
}

static void add_entries(FilterItems *f)
{
    f->of_entry = mem_array(f, uint32_t, f->toc->entry_count);
    for (uint32_t i = 0; i < f->toc->entry_count; i++)
    {
        f->of_entry[i] = NONE;
        if (owner_role(&f->toc->entries[i]) == ROLE_RELATION)
            add_entry(f, i);
    }
}

/* ---- those of the manifest ---- */

static int oid_order(const void *a, const void *b, void *arg)
{
    const SelectionItem *items = arg;
    uint32_t x = items[*(const uint32_t *) a].oid;
    uint32_t y = items[*(const uint32_t *) b].oid;
    return (x > y) - (x < y);
}

static int name_order(const SelectionItem *x, const char *schema, const char *name)
{
    int c = strcmp(x->name, name);
    return c != 0 ? c : strcmp(x->schema, schema);
}

static int item_order(const void *a, const void *b, void *arg)
{
    const SelectionItem *items = arg;
    const SelectionItem *y = &items[*(const uint32_t *) b];
    return name_order(&items[*(const uint32_t *) a], y->schema, y->name);
}

static uint32_t *sorted(void *ctx, const FilterItems *f, size_t count,
                        int (*order)(const void *, const void *, void *))
{
    uint32_t *list = mem_array(ctx, uint32_t, count);

    for (uint32_t i = 0; i < count; i++)
        list[i] = i;
    if (count > 1)
        qsort_r(list, count, sizeof(*list), order, f->items);
    return list;
}

/* What is looked for among items, in an order of them. */
typedef struct Wanted
{
    const SelectionItem *items;
    uint32_t oid;
    const char *schema;
    const char *name;
} Wanted;

static bool oid_before(const void *list, size_t i, const void *key)
{
    const Wanted *w = key;
    return w->items[((const uint32_t *) list)[i]].oid < w->oid;
}

static bool name_before(const void *list, size_t i, const void *key)
{
    const Wanted *w = key;
    return name_order(&w->items[((const uint32_t *) list)[i]], w->schema, w->name) < 0;
}

static uint32_t find_oid(const FilterItems *f, const uint32_t *list, size_t count, uint32_t oid)
{
    Wanted wanted = {.items = f->items, .oid = oid};
    size_t at = search_first(list, count, oid_before, &wanted);
    return at < count && f->items[list[at]].oid == oid ? list[at] : NONE;
}

static uint32_t find_name(const FilterItems *f, const uint32_t *list, size_t count,
                          const char *schema, const char *name)
{
    Wanted wanted = {.items = f->items, .schema = schema, .name = name};
    size_t at = search_first(list, count, name_before, &wanted);
    return at < count && name_order(&f->items[list[at]], schema, name) == 0 ? list[at] : NONE;
}

static bool is_ours(const FilterItems *f, const TableRecord *t)
{
    return manifest_has(f->node, t->content, t->database);
}

/* Rows of a foreign table were asked for when the set was made; they are not asked for again. */
static void join_table(FilterItems *f, uint32_t at, uint32_t table)
{
    const TableRecord *t = &f->manifest->tables[table];

    if (at == NONE)
    {
        SelectionItem *item = add_item(f, t->kind == 'f' ? 'r' : t->kind, t->schema, t->name);
        item->oid = t->oid;
        item->extension = t->extension;
        item->config = t->extension != NULL;
        at = (uint32_t) (f->count - 1);
    }
    else if (t->kind == 'p')
        f->items[at].kind = 'p';
    f->items[at].persistence = t->unlogged ? 'u' : 'p';
    f->sources[at].table = table;
}

static void add_records(FilterItems *f)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "joins");
    const Manifest *m = f->manifest;
    size_t count = f->count; /* what the archive has */
    const uint32_t *by_oid = sorted(tmp, f, count, oid_order);
    const uint32_t *by_name = sorted(tmp, f, count, item_order);

    for (uint32_t i = 0; i < m->table_count; i++)
        if (is_ours(f, &m->tables[i]) && !large_object_is_table(&m->tables[i]))
            join_table(f, find_oid(f, by_oid, count, m->tables[i].oid), i);
    for (uint32_t i = 0; i < m->sequence_count; i++)
    {
        const SequenceRecord *s = &m->sequences[i];
        if (!manifest_has(f->node, s->content, s->database))
            continue;
        uint32_t at = find_name(f, by_name, count, s->schema, s->name);
        if (at == NONE)
        {
            add_item(f, 'S', s->schema, s->name);
            at = (uint32_t) (f->count - 1);
        }
        f->sources[at].sequence = i;
    }
}

/* ---- the selection ---- */

typedef struct Names
{
    const char **items;
    size_t count, capacity;
} Names;

static void add_name(void *ctx, Names *names, const char *name)
{
    if (names->count == 0 || strcmp(names->items[names->count - 1], name) != 0)
        *mem_push(ctx, names->items, names->count, names->capacity, const char *) = name;
}

/* A schema is there when it has an entry, or something in it has. */
static bool apply(FilterItems *f, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "names");
    Names schemas = {NULL, 0, 0};
    Names extensions = {NULL, 0, 0};

    for (size_t i = 0; i < f->toc->entry_count; i++)
    {
        const TocEntry *e = &f->toc->entries[i];
        if (entry_is(e, "SCHEMA"))
            add_name(tmp, &schemas, e->tag);
        else if (entry_has_schema(e))
            add_name(tmp, &schemas, e->schema);
        if (entry_is(e, "EXTENSION"))
            add_name(tmp, &extensions, e->tag);
    }
    for (size_t i = 0; i < f->count; i++)
    {
        add_name(tmp, &schemas, f->items[i].schema);
        if (f->items[i].extension != NULL)
            add_name(tmp, &extensions, f->items[i].extension);
    }
    return selection_apply(f->s, f->node->database, f->items, f->count,
                           &(SelectionNames){schemas.items, schemas.count},
                           &(SelectionNames){extensions.items, extensions.count}, err);
}

FilterItems *filter_items_new(void *ctx, const ArchiveToc *toc, const Manifest *manifest,
                              const NodeRecord *node, const Selection *selection, Error *err)
{
    FilterItems *f = mem_new(ctx, FilterItems);

    f->toc = toc;
    f->manifest = manifest;
    f->node = node;
    f->s = selection;
    f->by_kind = filter_wants_by_kind(selection) && selection->tables.count == 0;
    f->blobs = selection_wants_blobs(selection) && !filter_wants_by_kind(selection);
    add_entries(f);
    add_records(f);
    return apply(f, err) ? f : NULL;
}

bool filter_items_definition(const FilterItems *f, uint32_t position)
{
    return f->of_entry[position] != NONE && !f->by_kind &&
           f->items[f->of_entry[position]].definition;
}

static void set_flags(const FilterItems *f, size_t item, bool *tables, bool *sequences)
{
    if (f->sources[item].table != NONE)
        tables[f->sources[item].table] = true;
    if (f->sources[item].sequence != NONE)
        sequences[f->sources[item].sequence] = true;
}

void filter_items_data(const FilterItems *f, bool *tables, bool *sequences)
{
    const Manifest *m = f->manifest;

    for (size_t i = 0; !f->by_kind && i < f->count; i++)
        if (f->items[i].data)
            set_flags(f, i, tables, sequences);
    for (size_t i = 0; i < m->table_count; i++)
        if (is_ours(f, &m->tables[i]) && large_object_is_table(&m->tables[i]))
            tables[i] = f->blobs;
}

void filter_items_add_data(const FilterItems *f, uint32_t position, bool *tables, bool *sequences)
{
    if (f->of_entry[position] != NONE)
        set_flags(f, f->of_entry[position], tables, sequences);
}

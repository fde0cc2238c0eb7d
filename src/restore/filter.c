/* restore/filter.c - what of a set is wanted; the contract is in filter.h. */
#include "restore/filter.h"

#include "base/search.h"
#include "restore/entry.h"
#include "restore/filter_items.h"
#include "restore/filter_wants.h"
#include "restore/owner.h"

#define NONE UINT32_MAX

typedef struct Work
{
    const ArchiveToc *toc;
    const Selection *s;
    bool with_dependencies;
    Filter *f;
    FilterItems *items;
    void *tmp;
    uint32_t *owner;    /* per entry: position of what it belongs to, or NONE */
    size_t *first_part; /* parts of entry i: parts[first_part[i]] .. parts[first_part[i + 1] - 1] */
    uint32_t *parts;
    uint32_t *stack; /* kept entries whose parts and dependencies have not been looked at */
    size_t stack_count;
    uint32_t *fed; /* tables that materialized views read */
    size_t fed_count;
    bool *rows;        /* per entry: a table whose rows are needed */
    uint32_t *schemas; /* positions of SCHEMA entries, by name */
    size_t schema_count;
} Work;

static uint32_t position(const Work *w, const TocEntry *e)
{
    return e == NULL ? NONE : (uint32_t) (e - w->toc->entries);
}

static const TocEntry *dependency(const Work *w, const TocEntry *e, size_t i)
{
    return archive_toc_find(w->toc, e->dependencies[i]);
}

/* ---- who belongs to whom ---- */

static void find_owners(Work *w)
{
    size_t n = w->toc->entry_count;

    w->owner = mem_array(w->tmp, uint32_t, n);
    w->first_part = mem_array(w->tmp, size_t, n + 2);
    for (size_t i = 0; i < n; i++)
    {
        w->owner[i] = position(w, owner_find(w->toc, &w->toc->entries[i]));
        if (w->owner[i] == i)
            w->owner[i] = NONE;
        if (w->owner[i] != NONE)
            w->first_part[w->owner[i] + 2]++;
    }
    for (size_t i = 2; i < n + 2; i++)
        w->first_part[i] += w->first_part[i - 1];
    w->parts = mem_array(w->tmp, uint32_t, w->first_part[n + 1]);
    for (size_t i = 0; i < n; i++)
        if (w->owner[i] != NONE)
            w->parts[w->first_part[w->owner[i] + 1]++] = (uint32_t) i;
}

static int schema_order(const void *a, const void *b, void *arg)
{
    const TocEntry *entries = arg;
    return strcmp(entries[*(const uint32_t *) a].tag, entries[*(const uint32_t *) b].tag);
}

static void find_schemas(Work *w)
{
    size_t capacity = 0;

    for (size_t i = 0; i < w->toc->entry_count; i++)
        if (entry_is(&w->toc->entries[i], "SCHEMA"))
            *mem_push(w->tmp, w->schemas, w->schema_count, capacity, uint32_t) = (uint32_t) i;
    if (w->schema_count > 1)
        qsort_r(w->schemas, w->schema_count, sizeof(uint32_t), schema_order, w->toc->entries);
}

static bool schema_before(const void *work, size_t i, const void *name)
{
    const Work *w = work;
    return strcmp(w->toc->entries[w->schemas[i]].tag, name) < 0;
}

static uint32_t find_schema(const Work *w, const char *name)
{
    size_t at = search_first(w, w->schema_count, schema_before, name);
    bool found = at < w->schema_count && strcmp(w->toc->entries[w->schemas[at]].tag, name) == 0;
    return found ? w->schemas[at] : NONE;
}

/* ---- keeping ---- */

static bool is_wanted(const Work *w, const TocEntry *e)
{
    switch (owner_role(e))
    {
    case ROLE_SETTING:
        return true;
    case ROLE_RELATION:
        return filter_items_definition(w->items, position(w, e));
    case ROLE_OBJECT:
        return filter_wants_object(w->s, e);
    case ROLE_ATTACHMENT:
        return w->owner[position(w, e)] == NONE && filter_wants_orphan(w->s, e);
    case ROLE_PART:
    case ROLE_LINK:
        break;
    }
    return false;
}

static void keep(Work *w, uint32_t at, bool needed)
{
    if (at == NONE || w->f->keep[at] || filter_wants_without(w->s, &w->toc->entries[at]))
        return;
    w->f->keep[at] = true;
    w->f->needed[at] = needed;
    w->stack[w->stack_count++] = at;
}

/* The sequence's own entry says which table has it. */
static bool has_all(const Work *w, const TocEntry *link)
{
    for (size_t i = 0; i < link->dependency_count; i++)
    {
        const TocEntry *on = dependency(w, link, i);
        if (on == NULL || !owner_joins(on))
            continue;
        if (!w->f->keep[on - w->toc->entries])
            return false;
        const TocEntry *table = entry_is(on, "SEQUENCE") ? owner_table(w->toc, on) : NULL;
        if (table != NULL && !w->f->keep[table - w->toc->entries])
            return false;
    }
    return true;
}

/* With dependencies a foreign key brings the table that it refers to, and its rows. */
static bool pulls(const Work *w, const TocEntry *link)
{
    return w->with_dependencies && entry_is(link, "FK CONSTRAINT");
}

static void keep_dependencies(Work *w, const TocEntry *e)
{
    for (size_t i = 0; i < e->dependency_count; i++)
        keep(w, position(w, dependency(w, e, i)), true);
    if (entry_has_schema(e))
        keep(w, find_schema(w, e->schema), true);
}

static void keep_parts(Work *w, uint32_t at)
{
    for (size_t k = w->first_part[at]; k < w->first_part[at + 1]; k++)
    {
        const TocEntry *part = &w->toc->entries[w->parts[k]];
        if (owner_role(part) != ROLE_LINK || pulls(w, part))
            keep(w, w->parts[k], w->f->needed[at]);
    }
}

/* Until nothing new comes: parts of what is kept, and what that depends on. */
static void follow(Work *w)
{
    while (w->stack_count > 0)
    {
        uint32_t at = w->stack[--w->stack_count];
        const TocEntry *e = &w->toc->entries[at];
        keep_parts(w, at);
        if (w->with_dependencies && owner_role(e) != ROLE_SETTING)
            keep_dependencies(w, e);
    }
}

static bool check_chosen(const char *option, const PatternList *list, const bool *matched,
                         Error *err)
{
    for (size_t i = 0; i < list->count; i++)
        if (!matched[i])
            return error_set(err, ERR_USAGE, "%s=%s matches nothing in the set", option,
                             pattern_text(list->items[i]));
    return true;
}

/* -I, -P and --trigger. */
static bool keep_chosen(Work *w, Error *err)
{
    const Selection *s = w->s;
    bool *indexes = mem_array(w->tmp, bool, s->indexes.count);
    bool *functions = mem_array(w->tmp, bool, s->functions.count);
    bool *triggers = mem_array(w->tmp, bool, s->triggers.count);

    for (uint32_t i = 0; filter_wants_by_kind(s) && i < w->toc->entry_count; i++)
    {
        const TocEntry *e = &w->toc->entries[i];
        const PatternList *list = filter_wants_list(s, e);
        const char *table = w->owner[i] == NONE ? NULL : w->toc->entries[w->owner[i]].tag;
        bool *matched = list == &s->indexes ? indexes : list == &s->triggers ? triggers : functions;
        if (filter_wants_chosen(s, e, table, matched))
            keep(w, i, false);
    }
    return check_chosen("--index", &s->indexes, indexes, err) &&
           check_chosen("--function", &s->functions, functions, err) &&
           check_chosen("--trigger", &s->triggers, triggers, err);
}

static void leave_out(Work *w, uint32_t key)
{
    const TocEntry *e = &w->toc->entries[key];
    FilterKey *left = mem_push(w->f, w->f->keys, w->f->key_count, w->f->key_capacity, FilterKey);

    left->entry = key;
    for (size_t i = 0; i < e->dependency_count; i++)
    {
        const TocEntry *on = dependency(w, e, i);
        if (on != NULL && entry_is_relation(on) && position(w, on) != w->owner[key])
            left->table = on;
    }
}

/* What joins two objects, when it is settled which are there. */
static void keep_links(Work *w)
{
    for (uint32_t i = 0; i < w->toc->entry_count; i++)
    {
        const TocEntry *e = &w->toc->entries[i];
        bool own = w->owner[i] != NONE && w->f->keep[w->owner[i]];
        if (owner_role(e) != ROLE_LINK || w->f->keep[i] || !own)
            continue;
        if (has_all(w, e))
            keep(w, i, w->f->needed[w->owner[i]]);
        else if (entry_is(e, "FK CONSTRAINT") && (w->s->sections & SELECT_POST_DATA) != 0)
            leave_out(w, i);
    }
    follow(w);
}

/* ---- rows ---- */

static bool has_rows(const TocEntry *e)
{
    return entry_is(e, "TABLE") || entry_is(e, "FOREIGN TABLE");
}

/* A materialized view is made anew from what it reads, through other views, too. */
static void feed_views(Work *w)
{
    bool *seen = mem_array(w->tmp, bool, w->toc->entry_count);

    for (uint32_t i = 0; i < w->toc->entry_count; i++)
        if (w->f->keep[i] && entry_is(&w->toc->entries[i], "MATERIALIZED VIEW") && !seen[i])
        {
            w->stack[w->stack_count++] = i;
            seen[i] = true;
        }
    while (w->stack_count > 0)
    {
        const TocEntry *e = &w->toc->entries[w->stack[--w->stack_count]];
        for (size_t i = 0; i < e->dependency_count; i++)
        {
            const TocEntry *on = dependency(w, e, i);
            uint32_t at = position(w, on);
            if (on == NULL || seen[at])
                continue;
            seen[at] = true;
            if (has_rows(on))
                w->fed[w->fed_count++] = at;
            else if (entry_is_relation(on) || entry_is(on, "RULE"))
                w->stack[w->stack_count++] = at;
        }
    }
}

static void add_rows(Work *w, uint32_t at)
{
    if (w->rows[at] || !has_rows(&w->toc->entries[at]))
        return;
    w->rows[at] = true;
    w->stack[w->stack_count++] = at;
}

/* A table that has its rows counts on those of the tables that its foreign keys refer to. */
static void follow_foreign_keys(Work *w)
{
    while (w->stack_count > 0)
    {
        uint32_t at = w->stack[--w->stack_count];
        for (size_t k = w->first_part[at]; k < w->first_part[at + 1]; k++)
        {
            const TocEntry *key = &w->toc->entries[w->parts[k]];
            if (!entry_is(key, "FK CONSTRAINT") || !w->f->keep[w->parts[k]])
                continue;
            for (size_t i = 0; i < key->dependency_count; i++)
            {
                const TocEntry *on = dependency(w, key, i);
                if (on != NULL)
                    add_rows(w, position(w, on));
            }
        }
    }
}

/* Rows and values of what came by a dependency: those that something else counts on. A sequence's
 * value is cheap, and its table's defaults count on it. */
static void set_data(Work *w)
{
    filter_items_data(w->items, w->f->data, w->f->sequences);
    if ((w->s->sections & SELECT_DATA) == 0)
        return;
    feed_views(w);
    for (uint32_t i = 0; i < w->toc->entry_count; i++)
        if (w->f->keep[i] && !w->f->needed[i])
            add_rows(w, i);
    for (size_t i = 0; i < w->fed_count; i++)
        add_rows(w, w->fed[i]);
    follow_foreign_keys(w);
    for (uint32_t i = 0; i < w->toc->entry_count; i++)
    {
        const TocEntry *e = &w->toc->entries[i];
        if (w->f->keep[i] && w->f->needed[i] &&
            (w->rows[i] || entry_is(e, "SEQUENCE") || entry_is(e, "MATERIALIZED VIEW")))
            filter_items_add_data(w->items, i, w->f->data, w->f->sequences);
    }
}

/* ---- sections ---- */

/* A comment belongs where its object does: pg_dump gives it no section of its own. */
static SelectionSection section_of(const Work *w, uint32_t at)
{
    const TocEntry *e = &w->toc->entries[at];

    for (int depth = 0; depth < 4 && e->section == TOC_SECTION_NONE && w->owner[at] != NONE;
         depth++)
    {
        at = w->owner[at];
        e = &w->toc->entries[at];
    }
    if (e->section == TOC_SECTION_DATA)
        return SELECT_DATA;
    return e->section == TOC_SECTION_POST_DATA ? SELECT_POST_DATA : SELECT_PRE_DATA;
}

static void drop_sections(Work *w)
{
    w->f->whole = true;
    for (uint32_t i = 0; i < w->toc->entry_count; i++)
    {
        if (owner_role(&w->toc->entries[i]) != ROLE_SETTING)
            w->f->keep[i] = w->f->keep[i] && (w->s->sections & section_of(w, i)) != 0;
        w->f->whole = w->f->whole && w->f->keep[i];
    }
}

static bool make(Work *w, Error *err)
{
    find_owners(w);
    find_schemas(w);
    for (uint32_t i = 0; i < w->toc->entry_count; i++)
        if (is_wanted(w, &w->toc->entries[i]))
            keep(w, i, false);
    if (!keep_chosen(w, err))
        return false;
    follow(w);
    keep_links(w);
    set_data(w);
    drop_sections(w);
    return true;
}

Filter *filter_new(void *ctx, const ArchiveToc *toc, const Manifest *manifest,
                   const NodeRecord *node, const Selection *selection, bool with_dependencies,
                   Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "filter");
    Filter *f = mem_new(ctx, Filter);
    size_t n = toc->entry_count;

    f->selection = selection;
    f->keep = mem_array(f, bool, n);
    f->needed = mem_array(f, bool, n);
    f->data = mem_array(f, bool, manifest->table_count);
    f->sequences = mem_array(f, bool, manifest->sequence_count);
    Work w = {.toc = toc,
              .s = selection,
              .with_dependencies = with_dependencies,
              .f = f,
              .tmp = tmp,
              .stack = mem_array(tmp, uint32_t, n),
              .fed = mem_array(tmp, uint32_t, n),
              .rows = mem_array(tmp, bool, n)};
    w.items = filter_items_new(tmp, toc, manifest, node, selection, err);
    if (w.items != NULL && make(&w, err))
        return f;
    mem_free(f);
    return NULL;
}

void filter_return_keys(Filter *f, const ArchiveToc *toc, FilterIsThere is_there, void *arg)
{
    size_t left = 0;

    for (size_t i = 0; i < f->key_count; i++)
    {
        const FilterKey *key = &f->keys[i];
        if (key->table != NULL && is_there(arg, key->table))
            f->keep[key->entry] = true;
        else
            f->keys[left++] = *key;
    }
    if (left == f->key_count)
        return;
    f->key_count = left;
    for (size_t i = 0; i < toc->entry_count; i++)
    {
        const TocEntry *e = &toc->entries[i];
        const TocEntry *owner = f->keep[i] || !entry_is_attachment(e) ? NULL : owner_find(toc, e);
        if (owner != NULL && entry_is(owner, "FK CONSTRAINT") &&
            !filter_wants_without(f->selection, e))
            f->keep[i] = f->keep[owner - toc->entries];
    }
}

static void name_left_out(Filter *f, const ArchiveToc *toc)
{
    f->left_out = mem_array(f, char *, f->key_count);
    for (size_t i = 0; i < f->key_count; i++)
    {
        const TocEntry *e = &toc->entries[f->keys[i].entry];
        f->left_out[i] = mem_printf(f->left_out, "%s.%s", e->schema == NULL ? "" : e->schema,
                                    e->tag);
    }
    f->left_out_count = f->key_count;
    f->key_count = 0;
}

void filter_apply(Filter *f, ArchiveToc *toc)
{
    size_t left = 0;

    if (f->left_out == NULL)
        name_left_out(f, toc);
    for (size_t i = 0; i < toc->entry_count; i++)
        if (f->keep[i])
            f->needed[left++] = f->needed[i];
    archive_toc_keep(toc, f->keep);
    for (size_t i = 0; i < left; i++)
        f->keep[i] = true;
}

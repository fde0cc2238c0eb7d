/* select/selection_apply.c - which relations of a database are wanted; see selection.h. */
#include "base/search.h"
#include "base/str.h"
#include "select/selection_internal.h"

#define SHOWN_MAX 160

/* What is known of each item while the options are applied. */
typedef struct Marks
{
    bool *included;      /* -t */
    bool *excluded;      /* -T */
    bool *no_data;       /* --exclude-table-data */
    bool *schema_in;     /* its schema matches -n */
    bool *schema_out;    /* and -N */
    uint32_t *by_name;   /* positions, by name */
    uint32_t *by_schema; /* by schema */
    uint32_t *by_oid;
} Marks;

typedef struct Work
{
    const Selection *s;
    const char *database;
    const SelectionItem *items;
    size_t count;
    Marks marks;
    void *tmp;
    Error *err;
} Work;

/* ---- orders ---- */

static int compare_names(const void *a, const void *b, void *arg)
{
    const SelectionItem *items = arg;
    return strcmp(items[*(const uint32_t *) a].name, items[*(const uint32_t *) b].name);
}

static int compare_schemas(const void *a, const void *b, void *arg)
{
    const SelectionItem *items = arg;
    return strcmp(items[*(const uint32_t *) a].schema, items[*(const uint32_t *) b].schema);
}

static int compare_oids(const void *a, const void *b, void *arg)
{
    const SelectionItem *items = arg;
    uint32_t x = items[*(const uint32_t *) a].oid;
    uint32_t y = items[*(const uint32_t *) b].oid;
    return (x > y) - (x < y);
}

static uint32_t *make_order(Work *w, int (*compare)(const void *, const void *, void *))
{
    uint32_t *order = mem_array(w->tmp, uint32_t, w->count);
    for (size_t i = 0; i < w->count; i++)
        order[i] = (uint32_t) i;
    /* glibc's qsort_r hands the argument on as it is. */
    qsort_r(order, w->count, sizeof(*order), compare, (void *) (uintptr_t) w->items);
    return order;
}

static bool oid_before(const void *work, size_t i, const void *oid)
{
    const Work *w = work;
    return w->items[w->marks.by_oid[i]].oid < *(const uint32_t *) oid;
}

/* The item with that oid, NULL when there is none. */
static const SelectionItem *find_oid(const Work *w, uint32_t oid)
{
    size_t at = search_first(w, w->count, oid_before, &oid);
    if (at == w->count || w->items[w->marks.by_oid[at]].oid != oid)
        return NULL;
    return &w->items[w->marks.by_oid[at]];
}

static bool name_before(const void *work, size_t i, const void *name)
{
    const Work *w = work;
    return strcmp(w->items[w->marks.by_name[i]].name, name) < 0;
}

/* The first of by_name that is not before name. */
static size_t find_name(const Work *w, const char *name)
{
    return search_first(w, w->count, name_before, name);
}

/* ---- patterns that match nothing ---- */

static bool is_system_schema(const char *name)
{
    return strncmp(name, "pg_", 3) == 0 || strcmp(name, "information_schema") == 0;
}

static bool nothing_matches(const Work *w, const char *option, const Pattern *p)
{
    static const char *const system_schemas[] = {"pg_catalog", "information_schema", "pg_toast"};
    char shown[SHOWN_MAX];
    char database[SHOWN_MAX];
    str_one_line(shown, sizeof(shown), pattern_text(p));
    str_one_line(database, sizeof(database), w->database);
    error_set(w->err, ERR_USAGE, "%s=%s matches nothing in database \"%s\"", option, shown,
              database);
    for (size_t i = 0; i < LENGTH_OF(system_schemas); i++)
    {
        bool schema = pattern_has_schema(p) ? pattern_matches_schema(p, system_schemas[i])
                                            : pattern_matches(p, NULL, system_schemas[i]);
        if (schema)
            return error_hint(w->err, "System schemas come with the server and are never stored.");
    }
    return error_hint(w->err, "Names are folded to lower case unless they are in double quotes.");
}

/* matched: by pattern. With strict_names one that matches nothing is an error, else only all. */
static bool check_matched(const Work *w, const char *option, const PatternList *list,
                          const bool *matched)
{
    bool any = false;
    for (size_t i = 0; i < list->count; i++)
    {
        any = any || matched[i];
        if (!matched[i] && w->s->strict_names)
            return nothing_matches(w, option, list->items[i]);
    }
    return any || list->count == 0 || nothing_matches(w, option, list->items[0]);
}

static bool all_excluded(const Work *w, const char *option, const char *by)
{
    return error_set(w->err, ERR_USAGE, "all that %s matches is excluded by %s", option, by);
}

static bool check_databases(const Work *w, const char *option, const PatternList *list)
{
    for (size_t i = 0; i < list->count; i++)
    {
        const char *database = pattern_database(list->items[i]);
        if (database == NULL || strcmp(database, w->database) == 0)
            continue;
        char shown[SHOWN_MAX];
        error_set(w->err, ERR_USAGE, "%s=%s names another database", option,
                  str_one_line(shown, sizeof(shown), pattern_text(list->items[i])));
        return error_hint(w->err,
                          "The database is \"%s\"; the part before the first of two dots "
                          "can be left out.",
                          w->database);
    }
    return true;
}

/* ---- tables by name ---- */

static bool matches_item(const Pattern *p, const SelectionItem *item)
{
    if (item->hidden && !pattern_has_schema(p))
        return false;
    return pattern_matches(p, item->schema, item->name);
}

/* Sets flags of the items that p matches; tells whether there is any. */
static bool mark_pattern(const Work *w, const Pattern *p, bool *flags)
{
    bool any = false;
    const char *literal = pattern_literal(p);
    size_t from = literal == NULL ? 0 : find_name(w, literal);
    for (size_t i = from; i < w->count; i++)
    {
        uint32_t at = w->marks.by_name[i];
        if (literal != NULL && strcmp(w->items[at].name, literal) != 0)
            break;
        if (!matches_item(p, &w->items[at]))
            continue;
        flags[at] = true;
        any = true;
    }
    return any;
}

/* Sets flags of all that descend from flagged items, however many levels there are. */
static void mark_children(const Work *w, bool *flags)
{
    bool more = true;
    while (more)
    {
        more = false;
        for (size_t i = 0; i < w->count; i++)
        {
            const SelectionItem *item = &w->items[i];
            for (size_t p = 0; p < item->parent_count && !flags[i]; p++)
            {
                const SelectionItem *parent = find_oid(w, item->parents[p]);
                flags[i] = parent != NULL && flags[parent - w->items];
                more = more || flags[i];
            }
        }
    }
}

/* Flags of the items that those patterns of a list mean that mean children, too, or that do not;
 * matched (by pattern) may be NULL. */
static bool *mark_list(const Work *w, const PatternList *list, bool children, bool *matched)
{
    bool *flags = mem_array(w->tmp, bool, w->count);
    bool any = false;
    for (size_t i = 0; i < list->count; i++)
    {
        if (pattern_children(list->items[i]) != children)
            continue;
        bool found = mark_pattern(w, list->items[i], flags);
        any = any || found;
        if (matched != NULL)
            matched[i] = found;
    }
    if (any && children)
        mark_children(w, flags);
    return flags;
}

static bool *mark_tables(const Work *w, const PatternList *list, bool *matched)
{
    bool *flags = mark_list(w, list, false, matched);
    const bool *with_children = mark_list(w, list, true, matched);
    for (size_t i = 0; i < w->count; i++)
        flags[i] = flags[i] || with_children[i];
    return flags;
}

bool *selection_mark_children(const PatternList *list, void *ctx, const SelectionItem *items,
                              size_t count)
{
    Work w = {.items = items, .count = count, .tmp = ctx};
    w.marks.by_name = make_order(&w, compare_names);
    w.marks.by_oid = make_order(&w, compare_oids);
    return mark_list(&w, list, true, NULL);
}

/* ---- schemas ---- */

static void mark_schemas(Work *w)
{
    const Selection *s = w->s;
    w->marks.schema_in = mem_array(w->tmp, bool, w->count);
    w->marks.schema_out = mem_array(w->tmp, bool, w->count);
    bool in = false;
    bool out = false;
    const char *last = NULL;
    for (size_t i = 0; i < w->count; i++)
    {
        uint32_t at = w->marks.by_schema[i];
        const char *schema = w->items[at].schema;
        if (last == NULL || strcmp(schema, last) != 0)
        {
            in = pattern_list_matches(&s->schemas, NULL, schema);
            out = pattern_list_matches(&s->not_schemas, NULL, schema);
        }
        last = schema;
        w->marks.schema_in[at] = in;
        w->marks.schema_out[at] = out;
    }
}

/* Which patterns match one of names. */
static bool *match_names(const Work *w, const PatternList *list, const SelectionNames *names)
{
    bool *matched = mem_array(w->tmp, bool, list->count);
    for (size_t i = 0; i < list->count; i++)
    {
        for (size_t n = 0; n < names->count && !matched[i]; n++)
            matched[i] = pattern_matches(list->items[i], NULL, names->items[n]);
    }
    return matched;
}

/* System schemas do not count. */
static bool check_schemas(const Work *w, const SelectionNames *schemas)
{
    const char **items = mem_array(w->tmp, const char *, schemas->count);
    SelectionNames own = {.items = items};
    for (size_t i = 0; i < schemas->count; i++)
    {
        if (!is_system_schema(schemas->items[i]))
            items[own.count++] = schemas->items[i];
    }
    const PatternList *list = &w->s->schemas;
    if (!check_matched(w, "--schema", list, match_names(w, list, &own)))
        return false;
    bool left = list->count == 0;
    for (size_t i = 0; i < own.count && !left; i++)
        left = pattern_list_matches(list, NULL, own.items[i]) &&
               !pattern_list_matches(&w->s->not_schemas, NULL, own.items[i]);
    return left || all_excluded(w, "--schema", "--exclude-schema");
}

static bool check_tables(const Work *w, const bool *matched)
{
    const PatternList *list = &w->s->tables;
    if (!check_matched(w, "--table", list, matched))
        return false;
    bool left = list->count == 0;
    for (size_t i = 0; i < w->count && !left; i++)
        left = w->marks.included[i] && !w->marks.excluded[i];
    return left || all_excluded(w, "--table", "--exclude-table");
}

static bool check_servers(const Work *w)
{
    const PatternList *list = &w->s->foreign_data;
    for (size_t i = 0; i < list->count; i++)
    {
        bool any = false;
        for (size_t n = 0; n < w->count && !any; n++)
            any = w->items[n].server != NULL &&
                  pattern_matches(list->items[i], NULL, w->items[n].server);
        if (!any)
            return nothing_matches(w, "--include-foreign-data", list->items[i]);
    }
    return true;
}

/* ---- deciding ---- */

/* In this order: an extension's member is the extension's matter; with -t tables are what -t says,
 * and -n and -N say nothing; -T always excludes. */
static bool wants_definition(const Work *w, size_t at)
{
    const Marks *m = &w->marks;
    if (w->items[at].extension != NULL || m->excluded[at])
        return false;
    if (w->s->tables.count > 0)
        return m->included[at];
    if (m->schema_out[at] || is_system_schema(w->items[at].schema))
        return false;
    return w->s->schemas.count == 0 || m->schema_in[at];
}

/* A sequence comes with the table that owns it, even where -T names the sequence. That of an
 * identity column is part of its table. */
static void settle_sequences(const Work *w, SelectionItem *items)
{
    for (size_t i = 0; i < w->count; i++)
    {
        SelectionItem *item = &items[i];
        const SelectionItem *owner = item->owner_table == 0 ? NULL : find_oid(w, item->owner_table);
        if (owner == NULL || item->extension != NULL)
            continue;
        if (owner->definition)
            item->definition = true;
        else if (item->identity)
            item->definition = false;
    }
}

/* The rows of a configuration table come with its extension; unless -e is about others, also where
 * the table or its schema is asked for. -T and -N exclude them. */
static bool wants_config(const Work *w, size_t at)
{
    const Marks *m = &w->marks;
    if (m->excluded[at] || m->schema_out[at])
        return false;
    const char *extension = w->items[at].extension;
    if (selection_wants_extension(w->s, extension))
        return true;
    if (w->s->extensions.count > 0 || pattern_list_matches(&w->s->not_extensions, NULL, extension))
        return false;
    if (m->included[at])
        return true;
    if (w->s->tables.count > 0 || is_system_schema(w->items[at].schema))
        return false;
    return w->s->schemas.count == 0 || m->schema_in[at];
}

static bool wants_data(const Work *w, size_t at)
{
    const SelectionItem *item = &w->items[at];
    bool config = item->extension != NULL && item->config;
    if ((w->s->sections & SELECT_DATA) == 0 || item->kind == 'v' || item->kind == 'p')
        return false;
    if (!(config ? wants_config(w, at) : item->definition) || w->marks.no_data[at])
        return false;
    if (item->persistence == 'u' && w->s->no_unlogged_data)
        return false;
    if (item->kind != 'f')
        return true;
    return item->server != NULL && pattern_list_matches(&w->s->foreign_data, NULL, item->server);
}

static bool apply_tables(Work *w, SelectionItem *items)
{
    const Selection *s = w->s;
    bool *matched = mem_array(w->tmp, bool, s->tables.count);
    w->marks.by_name = make_order(w, compare_names);
    w->marks.by_schema = make_order(w, compare_schemas);
    w->marks.by_oid = make_order(w, compare_oids);
    w->marks.included = mark_tables(w, &s->tables, matched);
    w->marks.excluded = mark_tables(w, &s->not_tables, NULL);
    w->marks.no_data = mark_tables(w, &s->not_data, NULL);
    mark_schemas(w);
    if (!check_tables(w, matched) || !check_servers(w))
        return false;
    for (size_t i = 0; i < w->count; i++)
        items[i].definition = wants_definition(w, i);
    settle_sequences(w, items);
    for (size_t i = 0; i < w->count; i++)
        items[i].data = wants_data(w, i);
    return true;
}

bool selection_apply(const Selection *s, const char *database, SelectionItem *items, size_t count,
                     const SelectionNames *schemas, const SelectionNames *extensions, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "selection");
    Work w = {.s = s, .database = database, .items = items, .count = count, .tmp = tmp, .err = err};
    if (!check_databases(&w, "--schema", &s->schemas) ||
        !check_databases(&w, "--exclude-schema", &s->not_schemas) ||
        !check_databases(&w, "--table", &s->tables) ||
        !check_databases(&w, "--exclude-table", &s->not_tables) ||
        !check_databases(&w, "--exclude-table-data", &s->not_data))
        return false;
    const bool *matched = match_names(&w, &s->extensions, extensions);
    return check_schemas(&w, schemas) &&
           check_matched(&w, "--extension", &s->extensions, matched) && apply_tables(&w, items);
}

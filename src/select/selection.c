/* select/selection.c - what a selection says; the contract is in selection.h. */
#include "select/selection.h"

Selection *selection_new(void *ctx)
{
    Selection *s = mem_new(ctx, Selection);
    s->sections = SELECT_ALL_SECTIONS;
    return s;
}

bool selection_includes_all(const Selection *s)
{
    return s->schemas.count == 0 && s->tables.count == 0 && s->extensions.count == 0;
}

bool selection_is_all(const Selection *s)
{
    return selection_includes_all(s) && s->not_schemas.count == 0 && s->not_tables.count == 0 &&
           s->not_data.count == 0 && s->not_extensions.count == 0 && s->indexes.count == 0 &&
           s->functions.count == 0 && s->triggers.count == 0;
}

bool selection_wants_blobs(const Selection *s)
{
    if ((s->sections & SELECT_DATA) == 0 || s->blobs == BLOBS_NO)
        return false;
    return s->blobs == BLOBS_YES || selection_includes_all(s);
}

bool selection_needs_path(const Selection *s)
{
    const PatternList *const lists[] = {&s->tables, &s->not_tables, &s->not_data};
    for (size_t i = 0; i < LENGTH_OF(lists); i++)
    {
        for (size_t p = 0; p < lists[i]->count; p++)
        {
            if (!pattern_has_schema(lists[i]->items[p]))
                return true;
        }
    }
    return false;
}

bool selection_wants_extension(const Selection *s, const char *name)
{
    if (pattern_list_matches(&s->not_extensions, NULL, name))
        return false;
    if (s->extensions.count > 0)
        return pattern_list_matches(&s->extensions, NULL, name);
    return selection_includes_all(s);
}

/* ---- describing ---- */

typedef struct Description
{
    void *ctx;
    char **items;
    size_t count;
    size_t capacity;
} Description;

static void add_text(Description *d, char *text)
{
    *mem_push(d->ctx, d->items, d->count, d->capacity, char *) = text;
}

static void add_flag(Description *d, bool set, const char *name)
{
    if (set)
        add_text(d, mem_strdup(d->ctx, name));
}

/* with_children is the option of those patterns that mean children, too. */
static void add_list(Description *d, const char *name, const char *with_children,
                     const PatternList *list)
{
    for (size_t i = 0; i < list->count; i++)
    {
        const Pattern *p = list->items[i];
        add_text(d, mem_printf(d->ctx, "%s=%s", pattern_children(p) ? with_children : name,
                               pattern_text(p)));
    }
}

static void add_sections(Description *d, unsigned sections)
{
    if (sections == SELECT_ALL_SECTIONS)
        return;
    add_flag(d, (sections & SELECT_PRE_DATA) != 0, "--section=pre-data");
    add_flag(d, (sections & SELECT_DATA) != 0, "--section=data");
    add_flag(d, (sections & SELECT_POST_DATA) != 0, "--section=post-data");
}

static void add_names(Description *d, const Selection *s)
{
    add_list(d, "--schema", NULL, &s->schemas);
    add_list(d, "--exclude-schema", NULL, &s->not_schemas);
    add_list(d, "--table", "--table-and-children", &s->tables);
    add_list(d, "--exclude-table", "--exclude-table-and-children", &s->not_tables);
    add_list(d, "--exclude-table-data", "--exclude-table-data-and-children", &s->not_data);
    add_list(d, "--extension", NULL, &s->extensions);
    add_list(d, "--exclude-extension", NULL, &s->not_extensions);
    add_list(d, "--include-foreign-data", NULL, &s->foreign_data);
    add_list(d, "--index", NULL, &s->indexes);
    add_list(d, "--function", NULL, &s->functions);
    add_list(d, "--trigger", NULL, &s->triggers);
}

void selection_describe(const Selection *s, void *ctx, char ***ret, size_t *ret_count)
{
    Description d = {.ctx = ctx};
    add_sections(&d, s->sections);
    add_names(&d, s);
    add_flag(&d, s->blobs == BLOBS_YES, "--large-objects");
    add_flag(&d, s->blobs == BLOBS_NO, "--no-large-objects");
    add_flag(&d, s->no_unlogged_data, "--no-unlogged-table-data");
    add_flag(&d, (s->without & WITHOUT_COMMENTS) != 0, "--no-comments");
    add_flag(&d, (s->without & WITHOUT_PUBLICATIONS) != 0, "--no-publications");
    add_flag(&d, (s->without & WITHOUT_SECURITY_LABELS) != 0, "--no-security-labels");
    add_flag(&d, (s->without & WITHOUT_SUBSCRIPTIONS) != 0, "--no-subscriptions");
    add_flag(&d, (s->without & WITHOUT_PRIVILEGES) != 0, "--no-privileges");
    add_flag(&d, (s->without & WITHOUT_POLICIES) != 0, "--no-policies");
    *ret = d.items;
    *ret_count = d.count;
}

/* restore/filter_wants.c - what a selection means by itself; the contract is in filter_wants.h. */
#include "restore/filter_wants.h"

#include "restore/entry.h"

bool filter_wants_by_kind(const Selection *s)
{
    return s->indexes.count + s->functions.count + s->triggers.count > 0;
}

/* With -t no schema is wanted, -e alone wants none. */
static bool wants_schema(const Selection *s, const char *name)
{
    if (s->tables.count > 0 || filter_wants_by_kind(s) ||
        pattern_list_matches(&s->not_schemas, NULL, name))
        return false;
    if (s->schemas.count > 0)
        return pattern_list_matches(&s->schemas, NULL, name);
    return s->extensions.count == 0;
}

static bool wants_everything(const Selection *s)
{
    return selection_includes_all(s) && !filter_wants_by_kind(s);
}

bool filter_wants_object(const Selection *s, const TocEntry *e)
{
    if (entry_is(e, "EXTENSION"))
        return selection_wants_extension(s, e->tag) &&
               (s->extensions.count > 0 || wants_everything(s));
    if (entry_is(e, "SCHEMA"))
        return wants_schema(s, e->tag);
    return entry_has_schema(e) ? wants_schema(s, e->schema) : wants_everything(s);
}

bool filter_wants_orphan(const Selection *s, const TocEntry *e)
{
    return entry_is_of(e, "SCHEMA ") ? wants_schema(s, e->tag + strlen("SCHEMA "))
                                     : wants_everything(s);
}

static bool is_function(const TocEntry *e)
{
    static const char *const list[] = {"FUNCTION", "PROCEDURE", "AGGREGATE", NULL};
    return entry_is_any(e->desc, list);
}

const PatternList *filter_wants_list(const Selection *s, const TocEntry *e)
{
    if (entry_is(e, "INDEX"))
        return &s->indexes;
    if (entry_is(e, "TRIGGER"))
        return &s->triggers;
    return is_function(e) ? &s->functions : NULL;
}

/* -n and -N narrow what is chosen by name. */
static bool in_schemas(const Selection *s, const TocEntry *e)
{
    const char *schema = e->schema == NULL ? "" : e->schema;

    if (pattern_list_matches(&s->not_schemas, NULL, schema))
        return false;
    return s->schemas.count == 0 || pattern_list_matches(&s->schemas, NULL, schema);
}

bool filter_wants_chosen(const Selection *s, const TocEntry *e, const char *table, bool *matched)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "chosen");
    const PatternList *list = filter_wants_list(s, e);
    const char *name = e->tag;
    bool chosen = false;

    if (list == NULL || list->count == 0 || !in_schemas(s, e))
        return false;
    if (is_function(e))
        name = mem_strndup(tmp, e->tag, strcspn(e->tag, "("));
    else if (entry_is(e, "TRIGGER") && table != NULL && strlen(e->tag) > strlen(table))
        name += strlen(table) + 1;
    for (size_t i = 0; i < list->count; i++)
    {
        if (!pattern_matches(list->items[i], NULL, name) &&
            !pattern_matches(list->items[i], NULL, e->tag))
            continue;
        matched[i] = true;
        chosen = true;
    }
    return chosen;
}

bool filter_wants_without(const Selection *s, const TocEntry *e)
{
    static const struct
    {
        SelectionWithout flag;
        const char *kinds[4];
    } list[] = {
        {WITHOUT_COMMENTS, {"COMMENT", NULL}},
        {WITHOUT_PUBLICATIONS,
         {"PUBLICATION", "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA", NULL}},
        {WITHOUT_SECURITY_LABELS, {"SECURITY LABEL", NULL}},
        {WITHOUT_SUBSCRIPTIONS, {"SUBSCRIPTION", "SUBSCRIPTION TABLE", NULL}},
        {WITHOUT_PRIVILEGES, {"ACL", "ACL LANGUAGE", "DEFAULT ACL", NULL}},
        {WITHOUT_POLICIES, {"POLICY", "ROW SECURITY", NULL}},
    };

    for (size_t i = 0; i < LENGTH_OF(list); i++)
        if ((s->without & list[i].flag) != 0 && entry_is_any(e->desc, list[i].kinds))
            return true;
    return false;
}

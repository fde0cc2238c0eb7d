/* select/selection_args.c - a selection said to pg_dump; the contract is in selection.h. */
#include <unistd.h>

#include "select/selection_internal.h"

typedef struct Args
{
    void *ctx;
    SelectionArgs *list;
    size_t bytes;
} Args;

static void add(Args *a, char *text)
{
    *mem_push(a->ctx, a->list->items, a->list->count, a->list->capacity, char *) = text;
    a->bytes += strlen(text) + 1 + sizeof(char *);
}

static void add_patterns(Args *a, const char *option, const PatternList *list, bool children)
{
    for (size_t i = 0; i < list->count; i++)
    {
        const Pattern *p = list->items[i];
        if (pattern_children(p) == children)
            add(a, mem_printf(a->ctx, "%s=%s", option, pattern_local(p)));
    }
}

static bool any_children(const PatternList *list)
{
    for (size_t i = 0; i < list->count; i++)
    {
        if (pattern_children(list->items[i]))
            return true;
    }
    return false;
}

/* For a pg_dump that does not know children: each table by its exact name. */
static void add_tables(Args *a, const char *option, const PatternList *list,
                       const SelectionItem *items, size_t count)
{
    if (!any_children(list))
        return;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "children");
    const bool *flags = selection_mark_children(list, tmp, items, count);
    for (size_t i = 0; i < count; i++)
    {
        if (flags[i])
            add(a, mem_printf(a->ctx, "%s=%s", option,
                              pattern_quote(tmp, items[i].schema, items[i].name)));
    }
}

/* pg_dump writes definitions of system schemas, too, where a pattern matches them. */
static void add_system_exclusions(Args *a, const Selection *s)
{
    if (s->tables.count > 0)
    {
        add(a, mem_strdup(a->ctx, "--exclude-table=pg_*.*"));
        add(a, mem_strdup(a->ctx, "--exclude-table=information_schema.*"));
    }
    else if (s->schemas.count > 0)
    {
        add(a, mem_strdup(a->ctx, "--exclude-schema=pg_*"));
        add(a, mem_strdup(a->ctx, "--exclude-schema=information_schema"));
    }
}

static void add_without(Args *a, unsigned without)
{
    static const struct
    {
        SelectionWithout bit;
        const char *option;
    } kinds[] = {
        {WITHOUT_COMMENTS, "--no-comments"},
        {WITHOUT_PUBLICATIONS, "--no-publications"},
        {WITHOUT_SECURITY_LABELS, "--no-security-labels"},
        {WITHOUT_SUBSCRIPTIONS, "--no-subscriptions"},
        {WITHOUT_PRIVILEGES, "--no-privileges"},
        {WITHOUT_POLICIES, "--no-policies"},
    };
    for (size_t i = 0; i < LENGTH_OF(kinds); i++)
    {
        if ((without & kinds[i].bit) != 0)
            add(a, mem_strdup(a->ctx, kinds[i].option));
    }
}

static bool too_old(const char *option, int needed, int major, Error *err)
{
    error_set(err, ERR_USAGE, "%s needs pg_dump %d or newer, this one is of PostgreSQL %d", option,
              needed, major);
    return error_hint(err, "Name a newer program by --pg-dump, or give the option to restore.");
}

static bool check_version(const Selection *s, int major, Error *err)
{
    if (s->extensions.count > 0 && major < 14)
        return too_old("--extension", 14, major, err);
    if (s->not_extensions.count > 0 && major < 17)
        return too_old("--exclude-extension", 17, major, err);
    if ((s->without & WITHOUT_POLICIES) != 0 && major < 18)
        return too_old("--no-policies", 18, major, err);
    return true;
}

/* Half of it: the environment and the other arguments need room, too. */
static bool check_length(const Args *a, Error *err)
{
    long most = sysconf(_SC_ARG_MAX);
    if (most <= 0 || a->bytes <= (size_t) most / 2)
        return true;
    error_set(err, ERR_USAGE,
              "the names of the selected tables are too long for pg_dump: "
              "%zu bytes, the system takes %ld",
              a->bytes, most / 2);
    return error_hint(err, "Select by schema or by patterns such as \"app.part_*\".");
}

bool selection_pg_dump_args(const Selection *s, void *ctx, int pg_dump_major,
                            const SelectionItem *items, size_t count, SelectionArgs *args,
                            Error *err)
{
    Args a = {.ctx = ctx, .list = args};
    if (!check_version(s, pg_dump_major, err))
        return false;
    add_patterns(&a, "--schema", &s->schemas, false);
    add_patterns(&a, "--exclude-schema", &s->not_schemas, false);
    add_patterns(&a, "--table", &s->tables, false);
    add_patterns(&a, "--exclude-table", &s->not_tables, false);
    if (pg_dump_major >= 16)
    {
        add_patterns(&a, "--table-and-children", &s->tables, true);
        add_patterns(&a, "--exclude-table-and-children", &s->not_tables, true);
    }
    else
    {
        add_tables(&a, "--table", &s->tables, items, count);
        add_tables(&a, "--exclude-table", &s->not_tables, items, count);
    }
    add_system_exclusions(&a, s);
    add_patterns(&a, "--extension", &s->extensions, false);
    add_patterns(&a, "--exclude-extension", &s->not_extensions, false);
    add_without(&a, s->without);
    return check_length(&a, err);
}

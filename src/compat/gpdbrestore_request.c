/* compat/gpdbrestore_request.c - options of gpdbrestore as those of pgark restore; see gpdbrestore_parts.h. */
#include "base/str.h"
#include "compat/gpdbrestore_parts.h"

#define ALL     "*"
#define HISTORY "\"public\".\"gpcrondump_history\""

typedef struct Arguments
{
    void *ctx;
    char **items;
    size_t count, capacity;
} Arguments;

static void add(Arguments *a, const char *text)
{
    *mem_push(a->ctx, a->items, a->count, a->capacity, char *) = mem_strdup(a->ctx, text);
}

static void add_value(Arguments *a, const char *name, const char *value)
{
    *mem_push(a->ctx, a->items, a->count, a->capacity, char *) = mem_printf(a->ctx, "--%s=%s", name,
                                                                            value);
}

/* ---- which objects ---- */

static bool has_schema(const LegacyNames *schemas, const char *schema)
{
    for (size_t i = 0; i < schemas->count; i++)
    {
        if (strcmp(schemas->items[i].name, schema) == 0)
            return true;
    }
    return false;
}

/* With -T, -S says no more than where the tables have to be. */
static bool check_schemas(const DbRestore *r, Error *err)
{
    int given = restore_given(r, RESTORE_TABLE) ? RESTORE_TABLE : RESTORE_TABLE_FILE;
    for (size_t i = 0; i < r->tables.count && r->schemas.count > 0; i++)
    {
        const LegacyName *t = &r->tables.items[i];
        if (!has_schema(&r->schemas, t->schema))
            return error_set(err, ERR_USAGE, "%s names table %s.%s, which is in no schema of %s",
                             legacy_options_called(r->o, given), t->schema, t->name,
                             legacy_options_called(r->o, RESTORE_SCHEMA));
    }
    return true;
}

bool restore_filter(DbRestore *r, Error *err)
{
    return legacy_names_option(&r->tables, r->ctx, r->o, RESTORE_TABLE, PATTERN_TABLE, err) &&
           legacy_names_file(&r->tables, r->ctx, r->o, RESTORE_TABLE_FILE, PATTERN_TABLE, err) &&
           legacy_names_option(&r->schemas, r->ctx, r->o, RESTORE_SCHEMA, PATTERN_SCHEMA, err) &&
           check_schemas(r, err);
}

/* An asterisk within quotes is one; this one is not. */
static void add_table(Arguments *a, const LegacyName *t)
{
    if (strcmp(t->name, ALL) == 0)
        add_value(a, "table", mem_printf(a->ctx, "%s.*", pattern_quote(a->ctx, NULL, t->schema)));
    else
        add_value(a, "table-and-children", pattern_quote(a->ctx, t->schema, t->name));
}

/* Those of which this set stores rows itself. */
static void add_own_tables(Arguments *a, const DbRestore *r)
{
    const Manifest *m = r->manifest;
    for (size_t i = 0; i < m->table_count; i++)
    {
        const TableRecord *t = &m->tables[i];
        if (t->kind == 'r' && t->stored > 0 && strcmp(t->schema, "pg_catalog") != 0)
            add_value(a, "table", pattern_quote(a->ctx, t->schema, t->name));
    }
}

static void add_filter(Arguments *a, const DbRestore *r)
{
    for (size_t i = 0; i < r->tables.count; i++)
        add_table(a, &r->tables.items[i]);
    for (size_t i = 0; i < r->schemas.count && r->tables.count == 0; i++)
        add_value(a, "schema", pattern_quote(a->ctx, NULL, r->schemas.items[i].name));
    if (restore_given(r, RESTORE_NO_PLAN))
    {
        add_own_tables(a, r);
        add(a, "--data-only");
    }
    if (r->tables.count + r->schemas.count > 0)
        add(a, "--strict-names");
}

/* The schemas that become another one. */
static void add_schema_map(Arguments *a, const DbRestore *r)
{
    const char *to = legacy_options_string(r->o, RESTORE_CHANGE_SCHEMA);
    for (size_t i = 0; to != NULL && i < r->tables.count; i++)
    {
        const char *from = r->tables.items[i].schema;
        if ((i > 0 && strcmp(r->tables.items[i - 1].schema, from) == 0) || strcmp(from, to) == 0)
            continue;
        add_value(a, "schema-map", mem_printf(a->ctx, "%s=%s", from, to));
    }
}

/* ---- into what ---- */

/* What is there stays, so that restoring a part, or again, needs no care; but rows are never added to
 * others unless that is asked for. */
static void add_way(Arguments *a, const DbRestore *r)
{
    bool recreate = restore_given(r, RESTORE_RECREATE);
    if (recreate || !r->there)
    {
        add(a, "--create");
        if (recreate)
        {
            add(a, "--clean");
            add(a, "--if-exists");
        }
        return;
    }
    bool rows = restore_given(r, RESTORE_TRUNCATE) || restore_given(r, RESTORE_APPEND) ||
                restore_given(r, RESTORE_NO_PLAN);
    if (r->clean && !rows)
    {
        add(a, "--clean");
        add(a, "--if-exists");
    }
    else if (!restore_given(r, RESTORE_NO_PLAN))
        add(a, "--keep-existing");
    if (restore_given(r, RESTORE_TRUNCATE))
        add(a, "--truncate");
    if (restore_given(r, RESTORE_APPEND))
        add(a, "--append");
    /* Every dump adds to it. */
    if (r->tables.count == 0 && !(r->clean && !rows))
        add_value(a, "exclude-table-data", HISTORY);
}

char **restore_arguments(const DbRestore *r, size_t *ret_count)
{
    Arguments a = {.ctx = r->ctx};
    add(&a, "pgark");
    add(&a, "restore");
    add(&a, r->key);
    add_value(&a, "dbname", cron_place_conninfo(r->ctx, &r->place, r->target));
    add_value(&a, "repo", r->place.repo);
    add_value(&a, "progress", "none");
    add_way(&a, r);
    add_filter(&a, r);
    add_schema_map(&a, r);
    if (restore_given(r, RESTORE_GLOBALS))
        add(&a, "--globals");
    if (restore_given(r, RESTORE_METADATA))
        add(&a, "--schema-only");
    if (restore_given(r, RESTORE_NO_ANALYZE) || restore_given(r, RESTORE_STATS))
        add(&a, "--no-analyze");
    if (r->no_owner)
        add(&a, "--no-owner");
    if (r->session_authorization)
        add(&a, "--use-set-session-authorization");
    *ret_count = a.count;
    *mem_push(a.ctx, a.items, a.count, a.capacity, char *) = NULL;
    return a.items;
}

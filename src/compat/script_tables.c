/* compat/script_tables.c - the contract is in script_tables.h. */
#include "compat/script_tables.h"

#include "base/search.h"

#define ALL "*"

bool script_tables_load(LegacyNames *ret, void *ctx, const char *option, const char *path,
                        Error *err)
{
    *ret = (LegacyNames){.items = NULL};
    if (!legacy_names_path(ret, ctx, path, PATTERN_TABLE, err))
        return error_prefix(err, "%s", option);
    const char *catalog = legacy_names_catalog(ret);
    return catalog == NULL ||
           error_set(err, ERR_USAGE, "%s: schema %s is the system's, and in no script", option,
                     catalog);
}

json_t *script_tables_json(const LegacyNames *tables, Error *err)
{
    json_t *list = json_array();
    for (size_t i = 0; i < tables->count; i++)
        json_array_append_new(list,
                              json_pack("[s, s]", tables->items[i].schema, tables->items[i].name));
    if (json_array_size(list) == tables->count)
        return list;
    json_decref(list);
    error_set(err, ERR_USAGE, "a name in the list of tables is not valid UTF-8");
    return NULL;
}

bool script_tables_parse(LegacyNames *ret, void *ctx, json_t *json, Error *err)
{
    *ret = (LegacyNames){.items = NULL};
    for (size_t i = 0; i < json_array_size(json); i++)
    {
        LegacyName name;
        if (json_unpack_ex(json_array_get(json, i), NULL, JSON_STRICT, "[s, s]", &name.schema,
                           &name.name) != 0)
            return error_set(err, ERR_USAGE, "the job's list of tables cannot be understood");
        *mem_push(ctx, ret->items, ret->count, ret->capacity, LegacyName) = name;
    }
    if (json != NULL && ret->count == 0)
        return error_set(err, ERR_USAGE, "the job's list of tables cannot be understood");
    legacy_names_sort(ret);
    return true;
}

static bool is_before(const void *items, size_t i, const void *key)
{
    const LegacyName *x = &((const LegacyName *) items)[i];
    const LegacyName *y = key;
    int c = strcmp(x->schema, y->schema);
    return (c != 0 ? c : strcmp(x->name, y->name)) < 0;
}

static bool is_listed(const LegacyNames *tables, const char *schema, const char *name, bool *met)
{
    const LegacyName key = {.schema = schema, .name = name};
    size_t at = search_first(tables->items, tables->count, is_before, &key);
    bool found = at < tables->count && strcmp(tables->items[at].schema, schema) == 0 &&
                 strcmp(tables->items[at].name, name) == 0;
    if (found && met != NULL)
        met[at] = true;
    return found;
}

bool script_tables_want(const LegacyNames *tables, const char *schema, const char *name, bool *met)
{
    bool itself = is_listed(tables, schema, name, met);
    return is_listed(tables, schema, ALL, met) || itself;
}

bool script_tables_want_schema(const LegacyNames *tables, const char *schema)
{
    const LegacyName key = {.schema = schema, .name = ""};
    size_t at = search_first(tables->items, tables->count, is_before, &key);
    return at < tables->count && strcmp(tables->items[at].schema, schema) == 0;
}

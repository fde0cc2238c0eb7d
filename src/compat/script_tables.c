/* compat/script_tables.c - the contract is in script_tables.h. */
#include "compat/script_tables.h"

#define ALL "*"

LegacyNames *script_tables_load(void *ctx, const char *option, const char *path, Error *err)
{
    LegacyNames *tables = mem_new(ctx, LegacyNames);
    if (!legacy_names_path(tables, ctx, path, PATTERN_TABLE, err))
    {
        error_prefix(err, "%s", option);
        return NULL;
    }
    const char *catalog = legacy_names_catalog(tables);
    if (catalog == NULL)
        return tables;
    error_set(err, ERR_USAGE, "%s: schema %s is the system's, and in no script", option, catalog);
    return NULL;
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

LegacyNames *script_tables_parse(void *ctx, json_t *json, Error *err)
{
    LegacyNames *tables = mem_new(ctx, LegacyNames);
    for (size_t i = 0; i < json_array_size(json); i++)
    {
        LegacyName name;
        if (json_unpack_ex(json_array_get(json, i), NULL, JSON_STRICT, "[s, s]", &name.schema,
                           &name.name) != 0)
            break;
        *mem_push(ctx, tables->items, tables->count, tables->capacity, LegacyName) = name;
    }
    if (tables->count == 0 || tables->count < json_array_size(json))
    {
        error_set(err, ERR_USAGE, "the job's list of tables cannot be understood");
        return NULL;
    }
    legacy_names_sort(tables);
    return tables;
}

static bool is_listed(const LegacyNames *tables, const char *schema, const char *name, bool *met)
{
    const LegacyName key = {.schema = schema, .name = name};
    size_t at = legacy_names_first(tables, &key);
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
    size_t at = legacy_names_first(tables, &key);
    return at < tables->count && strcmp(tables->items[at].schema, schema) == 0;
}

/* compat/legacy_names.c - names in options and lists; the contract is in legacy_names.h. */
#include "compat/legacy_names.h"

#include "base/search.h"
#include "base/str.h"
#include "select/selection.h"

static int name_order(const LegacyName *a, const LegacyName *b)
{
    int c = a->schema == NULL || b->schema == NULL ? 0 : strcmp(a->schema, b->schema);
    return c != 0 ? c : strcmp(a->name, b->name);
}

static int item_order(const void *a, const void *b)
{
    return name_order(a, b);
}

static void add(LegacyNames *names, void *ctx, const char *schema, const char *name)
{
    *mem_push(ctx, names->items, names->count, names->capacity,
              LegacyName) = (LegacyName){.schema = schema, .name = name};
}

/* The order in which they came does not matter, but for that of databases, which are few. */
static void drop_duplicates(LegacyNames *names, bool sorted)
{
    size_t left = 0;
    if (sorted && names->count > 1)
        qsort(names->items, names->count, sizeof(LegacyName), item_order);
    for (size_t i = 0; i < names->count; i++)
    {
        size_t at = sorted && left > 0 ? left - 1 : 0;
        while (at < left && name_order(&names->items[at], &names->items[i]) != 0)
            at++;
        if (at == left)
            names->items[left++] = names->items[i];
    }
    names->count = left;
}

void legacy_names_sort(LegacyNames *names)
{
    drop_duplicates(names, true);
}

static bool is_before(const void *items, size_t i, const void *key)
{
    return name_order(&((const LegacyName *) items)[i], key) < 0;
}

size_t legacy_names_first(const LegacyNames *names, const LegacyName *key)
{
    return search_first(names->items, names->count, is_before, key);
}

/* Where the name at text ends: at a comma that is not within a part in quotes. */
static size_t name_len(const char *text)
{
    const char *c = text;
    bool part = true;
    while (*c != '\0' && *c != ',')
    {
        if (!part || *c != '"')
        {
            part = *c++ == '.';
            continue;
        }
        for (c++; *c != '\0' && !(*c == '"' && c[1] != '"'); c++)
            c += *c == '"' ? 1 : 0;
        c += *c == '"' ? 1 : 0;
        part = false;
    }
    return (size_t) (c - text);
}

static bool add_value(LegacyNames *names, void *ctx, const char *text, PatternKind kind, Error *err)
{
    PatternList list = {0};
    for (const char *at = text;; at++)
    {
        const char *schema;
        const char *name;
        size_t len = name_len(at);
        if (!selection_add_name(&list, ctx, kind, mem_strndup(ctx, at, len), &schema, &name, err))
            return false;
        add(names, ctx, schema, name);
        at += len;
        if (*at == '\0')
            return true;
    }
}

bool legacy_names_option(LegacyNames *names, void *ctx, const LegacyOptions *o, int id,
                         PatternKind kind, Error *err)
{
    size_t count;
    const char *const *values = legacy_options_list(o, id, &count);
    for (size_t i = 0; i < count; i++)
    {
        char shown[120];
        if (!add_value(names, ctx, values[i], kind, err))
            return error_prefix(err, "%s \"%s\"", legacy_options_called(o, id),
                                str_one_line(shown, sizeof(shown), values[i]));
    }
    drop_duplicates(names, kind == PATTERN_TABLE);
    return true;
}

bool legacy_names_path(LegacyNames *names, void *ctx, const char *path, PatternKind kind,
                       Error *err)
{
    PatternList list = {0};
    if (!selection_file_list(&list, ctx, kind, path, err))
        return false;
    if (list.count == 0)
        return error_set(err, ERR_USAGE, "there is no name in \"%s\"", path);
    for (size_t i = 0; i < list.count; i++)
        add(names, ctx, pattern_literal_schema(list.items[i]), pattern_literal(list.items[i]));
    drop_duplicates(names, true);
    return true;
}

bool legacy_names_file(LegacyNames *names, void *ctx, const LegacyOptions *o, int id,
                       PatternKind kind, Error *err)
{
    const char *path = legacy_options_string(o, id);
    return path == NULL || legacy_names_path(names, ctx, path, kind, err) ||
           error_prefix(err, "%s", legacy_options_called(o, id));
}

void legacy_names_add_part(Str *s, const char *text)
{
    size_t len = strlen(text);
    bool plain = len > 0 && strpbrk(text, ".,\"\r\n") == NULL &&
                 strchr("# \t\v\f", text[0]) == NULL && strchr(" \t\v\f", text[len - 1]) == NULL;
    if (plain)
    {
        str_addn(s, text, len);
        return;
    }
    str_addc(s, '"');
    for (const char *c = text; *c != '\0'; c++)
    {
        if (*c == '"')
            str_addc(s, '"');
        str_addc(s, *c);
    }
    str_addc(s, '"');
}

char *legacy_names_lines(void *ctx, const LegacyNames *names)
{
    Str *s = str_new(ctx);
    for (size_t i = 0; i < names->count; i++)
    {
        if (names->items[i].schema != NULL)
        {
            legacy_names_add_part(s, names->items[i].schema);
            str_addc(s, '.');
        }
        legacy_names_add_part(s, names->items[i].name);
        str_addc(s, '\n');
    }
    return s->data;
}

char *legacy_names_array(void *ctx, const LegacyNames *names, bool schemas)
{
    Str *s = str_new(ctx);
    str_addc(s, '{');
    for (size_t i = 0; i < names->count; i++)
    {
        const char *text = schemas ? names->items[i].schema : names->items[i].name;
        str_add(s, i > 0 ? ",\"" : "\"");
        for (const char *c = text; *c != '\0'; c++)
        {
            if (*c == '"' || *c == '\\')
                str_addc(s, '\\');
            str_addc(s, *c);
        }
        str_addc(s, '"');
    }
    str_addc(s, '}');
    return s->data;
}

const char *legacy_names_catalog(const LegacyNames *names)
{
    static const char *const catalogs[] = {"gp_toolkit",     "information_schema", "pg_aoseg",
                                           "pg_bitmapindex", "pg_catalog",         "pg_toast"};
    for (size_t i = 0; i < names->count; i++)
    {
        const LegacyName *n = &names->items[i];
        const char *schema = n->schema != NULL ? n->schema : n->name;
        for (size_t s = 0; s < LENGTH_OF(catalogs); s++)
        {
            if (strcmp(schema, catalogs[s]) == 0)
                return catalogs[s];
        }
    }
    return NULL;
}

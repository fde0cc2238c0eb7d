/* compat/gpcrondump_request.c - options of gpcrondump as those of pgark backup; see gpcrondump_parts.h. */
#include "base/str.h"
#include "compat/gpcrondump_parts.h"

#define MIN_FREE 10 /* per cent, as ever */

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

static void add_names(Arguments *a, const char *option, const LegacyNames *names)
{
    for (size_t i = 0; i < names->count; i++)
        add_value(a, option, pattern_quote(a->ctx, names->items[i].schema, names->items[i].name));
}

bool cron_filter_is_empty(const CronFilter *f)
{
    return f->schemas.count + f->not_schemas.count + f->tables.count + f->not_tables.count == 0;
}

bool cron_filter_read(void *ctx, const LegacyOptions *o, CronFilter *ret, Error *err)
{
    const struct
    {
        LegacyNames *names;
        int option, file;
        PatternKind kind;
    } parts[] = {
        {&ret->schemas, CRON_SCHEMA, CRON_SCHEMA_FILE, PATTERN_SCHEMA},
        {&ret->not_schemas, CRON_NOT_SCHEMA, CRON_NOT_SCHEMA_FILE, PATTERN_SCHEMA},
        {&ret->tables, CRON_TABLE, CRON_TABLE_FILE, PATTERN_TABLE},
        {&ret->not_tables, CRON_NOT_TABLE, CRON_NOT_TABLE_FILE, PATTERN_TABLE},
    };
    *ret = (CronFilter){.schemas = {0}};
    for (size_t i = 0; i < LENGTH_OF(parts); i++)
    {
        if (!legacy_names_option(parts[i].names, ctx, o, parts[i].option, parts[i].kind, err) ||
            !legacy_names_file(parts[i].names, ctx, o, parts[i].file, parts[i].kind, err))
            return false;
        const char *catalog = legacy_names_catalog(parts[i].names);
        if (catalog == NULL || parts[i].kind != PATTERN_SCHEMA)
            continue;
        int given = legacy_options_given(o, parts[i].option) ? parts[i].option : parts[i].file;
        return error_set(err, ERR_USAGE, "%s: %s is a schema of the system",
                         legacy_options_called(o, given), catalog);
    }
    return true;
}

/* Partitions belong to the tables that are named. */
static void add_filter(Arguments *a, const CronFilter *f)
{
    add_names(a, "schema", &f->schemas);
    add_names(a, "exclude-schema", &f->not_schemas);
    add_names(a, "table-and-children", &f->tables);
    add_names(a, "exclude-table-and-children", &f->not_tables);
    if (f->schemas.count + f->tables.count > 0)
        add(a, "--strict-names");
}

static void add_space(Arguments *a, const CronDump *cron)
{
    const char *percent = legacy_options_string(cron->o, CRON_FREE_SPACE);
    if (cron_given(cron, CRON_NO_SPACE_CHECK))
        add(a, "--no-space-check");
    else
        add_value(a, "min-free", percent != NULL ? percent : mem_printf(a->ctx, "%d", MIN_FREE));
}

static void add_flags(Arguments *a, const CronDump *cron)
{
    static const struct
    {
        CronOption id;
        const char *text;
    } flags[] = {
        {CRON_INCREMENTAL, "--incremental"},   {CRON_NO_COMPRESSION, "--compress=none"},
        {CRON_KEEP_PARTIAL, "--keep-partial"}, {CRON_VACUUM_BEFORE, "--vacuum=before"},
        {CRON_VACUUM_AFTER, "--vacuum=after"}, {CRON_CONFIG_FILES, "--config-files"},
        {CRON_GLOBALS, "--globals"},           {CRON_NO_PRIVILEGES, "--no-privileges"},
    };
    for (size_t i = 0; i < LENGTH_OF(flags); i++)
    {
        if (cron_given(cron, flags[i].id))
            add(a, flags[i].text);
    }
}

char **cron_request(const CronRun *run, size_t *ret_count)
{
    Arguments a = {.ctx = run->ctx};
    add(&a, "pgark");
    add(&a, "backup");
    add_value(&a, "dbname", run->conninfo);
    add_value(&a, "repo", run->cron->place.repo);
    add_value(&a, "key", run->key);
    if (run->cron->prefix != NULL)
        add_value(&a, "prefix", run->cron->prefix);
    add_value(&a, "progress", "none");
    add_space(&a, run->cron);
    add_flags(&a, run->cron);
    add_filter(&a, &run->filter);
    *ret_count = a.count;
    *mem_push(a.ctx, a.items, a.count, a.capacity, char *) = NULL;
    return a.items;
}

char *cron_passed(const CronRun *run)
{
    static const struct
    {
        CronOption id;
        const char *text;
    } options[] = {
        {CRON_CLEAN, "--clean"},
        {CRON_NO_OWNER, "--no-owner"},
        {CRON_SESSION_AUTHORIZATION, "--use-set-session-authorization"},
        {CRON_NO_PRIVILEGES, "--no-privileges"},
    };
    Str *s = str_new(run->ctx);
    for (size_t i = 0; i < LENGTH_OF(options); i++)
    {
        if (cron_given(run->cron, options[i].id))
            str_addf(s, "%s%s", s->len > 0 ? " " : "", options[i].text);
    }
    return s->data;
}

/* config/distribute_file.c - the ini file of --distribute; the contract is in distribute_file.h. */
#include "config/distribute_file.h"

#include "base/str.h"
#include "config/ini_text.h"

typedef struct Parse
{
    DistributeFile *file;
    DistributeTable *current;
} Parse;

static const DistributeTable *find(const DistributeFile *file, const char *schema, const char *name,
                                   size_t len)
{
    for (size_t i = 0; i < file->count; i++)
    {
        const DistributeTable *t = &file->tables[i];
        if (strcmp(t->schema, schema) == 0 && strlen(t->name) == len &&
            strncmp(t->name, name, len) == 0)
            return t;
    }
    return NULL;
}

static const DistributeTable *find_qualified(const DistributeFile *file, const char *qualified)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "table");
    const char *dot = strchr(qualified, '.');
    if (dot == NULL)
        return NULL;
    return find(file, mem_strndup(tmp, qualified, (size_t) (dot - qualified)), dot + 1,
                strlen(dot + 1));
}

static bool end_section(const Parse *p, Error *err)
{
    const DistributeTable *t = p->current;
    if (t == NULL)
        return true;
    if ((t->column != NULL) == t->reference)
        return error_set(err, ERR_USAGE, "[%s.%s], line %d, needs either column or reference",
                         t->schema, t->name, t->line);
    return !t->reference || (t->shard_count == 0 && t->colocate_with == NULL) ||
           error_set(err, ERR_USAGE,
                     "[%s.%s], line %d: a reference table has no shards to count or to colocate",
                     t->schema, t->name, t->line);
}

static bool begin_section(Parse *p, const IniItem *item, Error *err)
{
    const char *dot = strchr(item->section, '.');
    if (!end_section(p, err))
        return false;
    if (dot == NULL || dot == item->section || dot[1] == '\0')
    {
        error_set(err, ERR_USAGE, "section [%s] names no table", item->section);
        return error_hint(err, "Write [SCHEMA.TABLE], without quotes.");
    }
    const DistributeTable *other = find_qualified(p->file, item->section);
    if (other != NULL)
        return error_set(err, ERR_USAGE, "section [%s] again, after line %d", item->section,
                         other->line);
    DistributeFile *file = p->file;
    DistributeTable *t = mem_push(file, file->tables, file->count, file->capacity, DistributeTable);
    t->schema = mem_strndup(file, item->section, (size_t) (dot - item->section));
    t->name = mem_strdup(file, dot + 1);
    t->line = item->line;
    p->current = t;
    return true;
}

static bool set_reference(DistributeTable *t, const char *value, Error *err)
{
    t->reference = strcmp(value, "yes") == 0;
    return t->reference || error_set(err, ERR_USAGE, "reference must be yes, or not be given");
}

static bool set_shard_count(DistributeTable *t, const char *value, Error *err)
{
    char *end;
    long count = strtol(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != '\0' || count < 1 || count > DISTRIBUTE_SHARDS_MAX)
        return error_set(err, ERR_USAGE, "shard_count must be 1 to %d", DISTRIBUTE_SHARDS_MAX);
    t->shard_count = (int) count;
    return true;
}

static bool set_colocation(const Parse *p, DistributeTable *t, const char *value, Error *err)
{
    const DistributeTable *other = find_qualified(p->file, value);
    if (other == NULL || other == t || other->column == NULL)
        return error_set(err, ERR_USAGE,
                         "colocate_with: no table [%s] with a column stands before this one",
                         value);
    t->colocate_with = mem_strdup(p->file, value);
    t->colocated = (size_t) (other - p->file->tables);
    return true;
}

static bool on_item(void *arg, const IniItem *item, Error *err)
{
    Parse *p = arg;
    DistributeTable *t = p->current;
    if (item->key == NULL)
        return begin_section(p, item, err);
    if (t == NULL)
        return error_set(err, ERR_USAGE, "a key before the first section");
    if (strcmp(item->key, "reference") == 0)
        return set_reference(t, item->value, err);
    if (strcmp(item->key, "shard_count") == 0)
        return set_shard_count(t, item->value, err);
    if (strcmp(item->key, "colocate_with") == 0)
        return set_colocation(p, t, item->value, err);
    if (strcmp(item->key, "column") != 0 || item->value[0] == '\0')
    {
        char shown[80];
        error_set(err, ERR_USAGE, "%s key \"%s\"",
                  item->value[0] == '\0' ? "no value for" : "unknown",
                  str_one_line(shown, sizeof(shown), item->key));
        return error_hint(err, "A table takes column or reference, shard_count and colocate_with.");
    }
    t->column = mem_strdup(p->file, item->value);
    return true;
}

DistributeFile *distribute_file_parse(void *ctx, const char *text, size_t len, const char *name,
                                      Error *err)
{
    DistributeFile *file = mem_new(ctx, DistributeFile);
    Parse p = {.file = file};
    if (!ini_text_parse(text, len, name, on_item, &p, err))
        return NULL;
    if (!end_section(&p, err))
    {
        error_prefix(err, "%s", name);
        return NULL;
    }
    if (file->count > 0)
        return file;
    error_set(err, ERR_USAGE, "%s: there is no section [SCHEMA.TABLE]", name);
    return NULL;
}

DistributeFile *distribute_file_read(void *ctx, const char *path, Error *err)
{
    AUTO(mem_context_free) MemContext *scratch = mem_context(NULL, "distribute file");
    size_t len;
    char *text = ini_text_read(scratch, path, "distribute file", &len, err);
    return text == NULL ? NULL : distribute_file_parse(ctx, text, len, path, err);
}

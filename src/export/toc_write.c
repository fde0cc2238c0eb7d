/* export/toc_write.c - the contract is in toc_write.h. */
#include "export/toc_write.h"

#include <time.h>

#include "base/str.h"
#include "export/large_objects.h"

#define INT_SIZE         4
#define OFFSET_SIZE      8
#define FORMAT_TAR       3
#define VERSION_TABLE_AM 14
#define VERSION_RELKIND  16

/* One entry at a time is made here and then written. */
typedef struct Toc
{
    Str *s;
    int version; /* the minor one */
    Output *out;
} Toc;

static void add_byte(Toc *t, int value)
{
    str_addc(t->s, (char) value);
}

static void add_int(Toc *t, int value)
{
    unsigned left = value < 0 ? 0u - (unsigned) value : (unsigned) value;
    add_byte(t, value < 0);
    for (int i = 0; i < INT_SIZE; i++, left >>= 8)
        add_byte(t, (int) (left & 0xff));
}

static void add_string(Toc *t, const char *text)
{
    add_int(t, text == NULL ? -1 : (int) strlen(text));
    str_add(t->s, text == NULL ? "" : text);
}

static void add_number(Toc *t, uint32_t number)
{
    char text[16];
    snprintf(text, sizeof(text), "%" PRIu32, number);
    add_string(t, text);
}

/* As the servers' and clients' enum pg_compress_algorithm numbers them. */
static int algorithm(CompressMethod method)
{
    switch (method)
    {
    case COMPRESS_NONE:
        return 0;
    case COMPRESS_GZIP:
        return 1;
    case COMPRESS_LZ4:
        return 2;
    case COMPRESS_ZSTD:
        break;
    }
    return 3;
}

static void add_time(Toc *t, int64_t at_us)
{
    time_t seconds = (time_t) (at_us / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    const int parts[] = {tm.tm_sec, tm.tm_min,  tm.tm_hour, tm.tm_mday,
                         tm.tm_mon, tm.tm_year, tm.tm_isdst};
    for (size_t i = 0; i < LENGTH_OF(parts); i++)
        add_int(t, parts[i]);
}

static void add_head(Toc *t, const ExportPlan *plan, Compress compress, int64_t at_us)
{
    str_add(t->s, "PGDMP");
    add_byte(t, plan->toc->version_major);
    add_byte(t, plan->toc->version_minor);
    add_byte(t, 0);
    add_byte(t, INT_SIZE);
    add_byte(t, OFFSET_SIZE);
    add_byte(t, FORMAT_TAR);
    if (t->version >= TOC_VERSION_COMPRESSION)
        add_byte(t, algorithm(compress.method));
    else
        add_int(t, compress.level);
    add_time(t, at_us);
    add_string(t, plan->toc->database);
    add_string(t, plan->toc->server_version);
    add_string(t, plan->toc->dump_version);
    /* One of them stands for those of the large objects, of which there may be none. */
    int objects = export_plan_find(plan, EXPORT_OBJECTS) != NULL;
    add_int(t, (int) plan->entry_count - objects + plan->object_entries);
}

static void add_entry(Toc *t, const TocEntry *e, const char *file)
{
    add_int(t, e->dump_id);
    add_int(t, file != NULL);
    add_number(t, e->table_oid);
    add_number(t, e->oid);
    add_string(t, e->tag);
    add_string(t, e->desc);
    add_int(t, (int) e->section);
    add_string(t, e->defn);
    add_string(t, e->drop_stmt);
    add_string(t, e->copy_stmt);
    add_string(t, e->schema);
    add_string(t, e->tablespace);
    if (t->version >= VERSION_TABLE_AM)
        add_string(t, e->table_am);
    if (t->version >= VERSION_RELKIND)
        add_int(t, e->relkind);
    add_string(t, e->owner);
    add_string(t, "false"); /* WITH OIDS, which no server has any more */
    for (size_t i = 0; i < e->dependency_count; i++)
        add_number(t, (uint32_t) e->dependencies[i]);
    add_string(t, NULL);
    add_string(t, file == NULL ? "" : file);
}

static bool flush(Toc *t, Error *err)
{
    bool ok = output_write(t->out, t->s->data, t->s->len, err);
    str_clear(t->s);
    return ok;
}

static bool write_object(void *arg, const TocEntry *e, Error *err)
{
    Toc *t = arg;
    add_entry(t, e, NULL);
    return flush(t, err);
}

bool toc_write(Output *out, const ExportPlan *plan, TableData *data, Compress compress,
               int64_t at_us, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "toc");
    Toc t = {.s = str_new(tmp), .version = plan->toc->version_minor, .out = out};
    add_head(&t, plan, compress, at_us);
    for (size_t i = 0; i < plan->entry_count; i++)
    {
        const ExportEntry *e = &plan->entries[i];
        if (e->kind == EXPORT_OBJECTS)
        {
            if (!large_objects_each(data, e, e->toc.dump_id, write_object, &t, err))
                return false;
            continue;
        }
        add_entry(&t, &e->toc, e->file);
        if (!flush(&t, err))
            return false;
    }
    return flush(&t, err);
}

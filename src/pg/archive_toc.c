/* pg/archive_toc.c - the contract is in archive_toc.h. */
#include "pg/archive_toc.h"

#include "base/search.h"
#include "pg/string_pool.h"

#define MAGIC            "PGDMP"
#define FORMAT_CUSTOM    1
#define VERSION_MAJOR    1
#define VERSION_OLDEST   12
#define VERSION_TABLE_AM 14
#define VERSION_ALGO     15 /* the header names the compression algorithm in one byte */
#define VERSION_RELKIND  16
#define VERSION_NEWEST   16

/* Beyond these no schema is plausible, and one allocation would be. */
#define MAX_ENTRIES 1500000
#define MAX_STRING  (64 * 1024 * 1024)

/* An entry holds at least this many integers (a string starts with one), each of a sign byte and
 * int_size bytes. */
#define MIN_INTS_PER_ENTRY 14

typedef struct Cursor
{
    const uint8_t *start;
    const uint8_t *pos;
    const uint8_t *end;
    int int_size;
    int offset_size;
    int version; /* the minor one */
    StringPool pool;
} Cursor;

static bool corrupt(const Cursor *c, Error *err, const char *what)
{
    return error_set(err, ERR_CORRUPT, "schema archive: %s at byte %zu", what,
                     (size_t) (c->pos - c->start));
}

static bool read_byte(Cursor *c, uint8_t *out, Error *err)
{
    if (c->pos == c->end)
        return corrupt(c, err, "ends too early");
    *out = *c->pos++;
    return true;
}

/* An integer is a sign byte and int_size bytes, lowest first. */
static bool read_int(Cursor *c, int *out, Error *err)
{
    if (c->end - c->pos < c->int_size + 1)
        return corrupt(c, err, "ends too early");
    bool negative = c->pos[0] != 0;
    uint64_t value = 0;
    for (int i = 0; i < c->int_size; i++)
        value |= (uint64_t) c->pos[1 + i] << (8 * i);
    if (value > INT_MAX)
        return corrupt(c, err, "has an integer out of range");
    c->pos += c->int_size + 1;
    *out = negative ? -(int) value : (int) value;
    return true;
}

/* Most owners, schemas and the like are those of the entry before: *out is kept where it holds the
 * same text already. */
static bool read_str(Cursor *c, const char **out, Error *err)
{
    int len = 0;

    if (!read_int(c, &len, err))
        return false;
    if (len < 0)
    {
        *out = NULL;
        return true;
    }
    if (len > c->end - c->pos)
        return corrupt(c, err, "has a string that is longer than the file");
    if (len > MAX_STRING)
        return corrupt(c, err, "has a string of more than 64 MB");
    if (memchr(c->pos, 0, (size_t) len) != NULL)
        return corrupt(c, err, "has a string with a zero byte");
    if (len == 0)
        *out = "";
    else if (*out == NULL || strlen(*out) != (size_t) len ||
             memcmp(*out, c->pos, (size_t) len) != 0)
        *out = string_pool_copy(&c->pool, c->pos, (size_t) len);
    c->pos += len;
    return true;
}

/* As read_str, with "" for an absent string. */
static bool read_text(Cursor *c, const char **out, Error *err)
{
    if (!read_str(c, out, err))
        return false;
    if (*out == NULL)
        *out = "";
    return true;
}

/* Object ids and dump ids of dependencies are stored as decimal text; absent is set where there is
 * no text (the end of a list). */
static bool read_number(Cursor *c, uint32_t *out, bool *absent, Error *err)
{
    int len = 0;

    *absent = false;
    if (!read_int(c, &len, err))
        return false;
    if (len < 0)
    {
        *absent = true;
        return true;
    }
    if (len == 0 || len > 10 || len > c->end - c->pos)
        return corrupt(c, err, "has a malformed number");
    uint64_t value = 0;
    for (int i = 0; i < len; i++)
    {
        if (c->pos[i] < '0' || c->pos[i] > '9')
            return corrupt(c, err, "has a malformed number");
        value = value * 10 + (uint64_t) (c->pos[i] - '0');
    }
    if (value > UINT32_MAX)
        return corrupt(c, err, "has a number out of range");
    c->pos += len;
    *out = (uint32_t) value;
    return true;
}

static bool read_oid(Cursor *c, uint32_t *out, Error *err)
{
    bool absent;

    if (!read_number(c, out, &absent, err))
        return false;
    if (absent)
        return corrupt(c, err, "has an entry without object id");
    return true;
}

static bool read_version(Cursor *c, ArchiveToc *toc, Error *err)
{
    uint8_t major = 0, minor = 0, revision = 0;

    if ((size_t) (c->end - c->pos) < strlen(MAGIC) || memcmp(c->pos, MAGIC, strlen(MAGIC)) != 0)
        return error_set(err, ERR_CORRUPT, "schema archive: this is no archive of pg_dump");
    c->pos += strlen(MAGIC);
    if (!read_byte(c, &major, err) || !read_byte(c, &minor, err) || !read_byte(c, &revision, err))
        return false;
    if (major != VERSION_MAJOR || minor < VERSION_OLDEST || minor > VERSION_NEWEST)
        return error_set(err, ERR_CORRUPT,
                         "schema archive: version %d.%d is not known (1.%d to 1.%d are)", major,
                         minor, VERSION_OLDEST, VERSION_NEWEST);
    toc->version_major = major;
    toc->version_minor = minor;
    c->version = minor;
    return true;
}

static bool read_layout(Cursor *c, Error *err)
{
    uint8_t int_size = 0, offset_size = 0, format = 0;

    if (!read_byte(c, &int_size, err) || !read_byte(c, &offset_size, err) ||
        !read_byte(c, &format, err))
        return false;
    if (int_size < 4 || int_size > 8)
        return corrupt(c, err, "has integers of an impossible size");
    if (format != FORMAT_CUSTOM)
        return error_set(err, ERR_CORRUPT,
                         "schema archive: it is not in pg_dump's custom format (-Fc)");
    c->int_size = int_size;
    c->offset_size = offset_size;
    return true;
}

static bool read_head(Cursor *c, ArchiveToc *toc, Error *err)
{
    int ignored = 0;
    uint8_t algorithm = 0;

    if (!read_version(c, toc, err) || !read_layout(c, err))
        return false;
    if (c->version >= VERSION_ALGO ? !read_byte(c, &algorithm, err) : !read_int(c, &ignored, err))
        return false;
    /* the time of the dump: seconds, minutes, hours, day, month, year, daylight saving */
    for (int i = 0; i < 7; i++)
        if (!read_int(c, &ignored, err))
            return false;
    return read_text(c, &toc->database, err) && read_text(c, &toc->server_version, err) &&
           read_text(c, &toc->dump_version, err);
}

/* Reads the list of dump ids; ids may be NULL, to count them. */
static bool read_dump_ids(Cursor *c, int *ids, size_t *count, Error *err)
{
    for (*count = 0;; (*count)++)
    {
        uint32_t id = 0;
        bool end = false;
        if (!read_number(c, &id, &end, err))
            return false;
        if (end)
            return true;
        if (id > INT_MAX)
            return corrupt(c, err, "has a dependency out of range");
        if (ids != NULL)
            ids[*count] = (int) id;
    }
}

static bool read_dependencies(Cursor *c, TocEntry *entry, Error *err)
{
    const uint8_t *list = c->pos;

    if (!read_dump_ids(c, NULL, &entry->dependency_count, err))
        return false;
    entry->dependencies = string_pool_take(&c->pool, entry->dependency_count * sizeof(int));
    c->pos = list;
    return read_dump_ids(c, entry->dependencies, &entry->dependency_count, err);
}

static bool read_identity(Cursor *c, TocEntry *entry, Error *err)
{
    int had_data = 0, section = 0;

    if (!read_int(c, &entry->dump_id, err))
        return false;
    if (entry->dump_id <= 0)
        return corrupt(c, err, "has an entry with an impossible id");
    if (!read_int(c, &had_data, err) || !read_oid(c, &entry->table_oid, err) ||
        !read_oid(c, &entry->oid, err) || !read_text(c, &entry->tag, err) ||
        !read_str(c, &entry->desc, err) || !read_int(c, &section, err))
        return false;
    if (entry->desc == NULL)
        return corrupt(c, err, "has an entry without type");
    if (section < TOC_SECTION_NONE || section > TOC_SECTION_POST_DATA)
        return corrupt(c, err, "has an entry of an unknown section");
    entry->section = (TocSection) section;
    return true;
}

static bool read_entry(Cursor *c, TocEntry *entry, Error *err)
{
    const char *with_oids = NULL; /* only servers before 12 have such tables */
    int relkind = 0;

    if (!read_identity(c, entry, err) || !read_text(c, &entry->defn, err) ||
        !read_text(c, &entry->drop_stmt, err) || !read_text(c, &entry->copy_stmt, err) ||
        !read_str(c, &entry->schema, err) || !read_str(c, &entry->tablespace, err))
        return false;
    if (c->version >= VERSION_TABLE_AM && !read_str(c, &entry->table_am, err))
        return false;
    if (c->version >= VERSION_RELKIND && !read_int(c, &relkind, err))
        return false;
    if (relkind < 0 || relkind > CHAR_MAX)
        return corrupt(c, err, "has an entry of an unknown relation kind");
    entry->relkind = (char) relkind;
    if (!read_text(c, &entry->owner, err) || !read_text(c, &with_oids, err) ||
        !read_dependencies(c, entry, err))
        return false;
    /* where the data lies: a flag and an offset */
    if (c->end - c->pos < 1 + c->offset_size)
        return corrupt(c, err, "ends too early");
    c->pos += 1 + c->offset_size;
    return true;
}

static int compare_position(const void *a, const void *b, void *arg)
{
    const TocEntry *entries = arg;
    int left = entries[*(const uint32_t *) a].dump_id;
    int right = entries[*(const uint32_t *) b].dump_id;

    return (left > right) - (left < right);
}

static bool index_entries(ArchiveToc *toc, Error *err)
{
    toc->by_dump_id = mem_array(toc, uint32_t, toc->entry_count);
    for (size_t i = 0; i < toc->entry_count; i++)
        toc->by_dump_id[i] = (uint32_t) i;
    qsort_r(toc->by_dump_id, toc->entry_count, sizeof(uint32_t), compare_position, toc->entries);
    for (size_t i = 1; i < toc->entry_count; i++)
    {
        int id = toc->entries[toc->by_dump_id[i]].dump_id;
        if (toc->entries[toc->by_dump_id[i - 1]].dump_id == id)
            return error_set(err, ERR_CORRUPT, "schema archive: two entries have the id %d", id);
    }
    return true;
}

/* Offers the strings of the entry before to read_str; absent ones of the version stay NULL. */
static void repeat_strings(TocEntry *entry, const TocEntry *before)
{
    entry->desc = before->desc;
    entry->schema = before->schema;
    entry->tablespace = before->tablespace;
    entry->table_am = before->table_am;
    entry->owner = before->owner;
}

static bool read_entries(Cursor *c, ArchiveToc *toc, Error *err)
{
    int count = 0;

    if (!read_int(c, &count, err))
        return false;
    size_t least = (size_t) (c->int_size + 1) * MIN_INTS_PER_ENTRY;
    if (count < 0 || (size_t) count > (size_t) (c->end - c->pos) / least)
        return corrupt(c, err, "announces more entries than it can hold");
    if (count > MAX_ENTRIES)
        return corrupt(c, err, "has more entries than pgark can handle");
    toc->entries = mem_array(toc, TocEntry, count);
    toc->entry_count = (size_t) count;
    for (int i = 0; i < count; i++)
    {
        if (i > 0)
            repeat_strings(&toc->entries[i], &toc->entries[i - 1]);
        if (!read_entry(c, &toc->entries[i], err))
            return error_prefix(err, "entry %d of %d", i + 1, count);
    }
    return index_entries(toc, err);
}

ArchiveToc *archive_toc_parse(void *ctx, const void *data, size_t len, Error *err)
{
    Cursor cursor = {.start = data, .pos = data, .end = (const uint8_t *) data + len};
    ArchiveToc *toc = mem_new(ctx, ArchiveToc);

    cursor.pool.ctx = toc;
    if (!read_head(&cursor, toc, err) || !read_entries(&cursor, toc, err))
    {
        mem_free(toc);
        return NULL;
    }
    return toc;
}

static bool id_before(const void *list, size_t i, const void *dump_id)
{
    const ArchiveToc *toc = list;
    return toc->entries[toc->by_dump_id[i]].dump_id < *(const int *) dump_id;
}

const TocEntry *archive_toc_find(const ArchiveToc *toc, int dump_id)
{
    size_t at = search_first(toc, toc->entry_count, id_before, &dump_id);
    const TocEntry *entry = at < toc->entry_count ? &toc->entries[toc->by_dump_id[at]] : NULL;
    return entry != NULL && entry->dump_id == dump_id ? entry : NULL;
}

void archive_toc_keep(ArchiveToc *toc, const bool *keep)
{
    uint32_t *moved = mem_array(toc, uint32_t, toc->entry_count); /* where each entry is now */
    size_t left = 0;

    for (size_t i = 0; i < toc->entry_count; i++)
    {
        moved[i] = keep[i] ? (uint32_t) left : UINT32_MAX;
        if (keep[i])
            toc->entries[left++] = toc->entries[i];
    }
    size_t indexed = 0;
    for (size_t i = 0; i < toc->entry_count; i++)
    {
        uint32_t at = moved[toc->by_dump_id[i]];
        if (at != UINT32_MAX)
            toc->by_dump_id[indexed++] = at;
    }
    toc->entry_count = left;
    mem_free(moved);
}

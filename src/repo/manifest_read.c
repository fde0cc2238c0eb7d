/*
 * repo/manifest_read.c - reading records back and proving that they are what was written.
 */
#include "base/search.h"
#include "base/str.h"
#include "io/tap.h"
#include "repo/manifest.h"
#include "repo/record.h"
#include "repo/repo.h"

#define BLOCK_SIZE     ((size_t) 65536)
#define SCRATCH_SIZE   ((size_t) 65536)
#define END_LINE_LEN   ((size_t) 128)
#define CHUNK_LINE_MAX ((size_t) 65536)

/* ---- lines of an object ---- */

typedef struct Lines
{
    StorageReader *in;
    char *buffer;
    size_t capacity;
    size_t start, end;    /* of what is read and not yet given out */
    uint64_t line_offset; /* of the line given out last */
    uint64_t next_offset;
    uint64_t number; /* of the line given out last, from 1 */
} Lines;

static void lines_free(Lines *l)
{
    storage_reader_free(l->in);
    mem_free(l);
}
DEFINE_AUTO(Lines, lines_free)

static Lines *lines_open(Storage *st, const char *path, Error *err)
{
    Lines *l = mem_new(NULL, Lines);

    l->in = storage_read_open(st, path, 0, UINT64_MAX, err);
    if (l->in == NULL)
    {
        lines_free(l);
        return NULL;
    }
    l->capacity = BLOCK_SIZE;
    l->buffer = mem_array(l, char, l->capacity);
    return l;
}

/* lines_fill reads more behind what is there; *ret_more is false at the end of the object. */
static bool lines_fill(Lines *l, bool *ret_more, Error *err)
{
    size_t n;

    if (l->start > 0)
    {
        memmove(l->buffer, l->buffer + l->start, l->end - l->start);
        l->end -= l->start;
        l->start = 0;
    }
    if (l->end >= MANIFEST_LINE_MAX)
        return error_set(err, ERR_CORRUPT, "the line is longer than %zu bytes", MANIFEST_LINE_MAX);
    if (l->end == l->capacity)
    {
        l->capacity *= 2;
        l->buffer = mem_grow(l, l->buffer, char, l->capacity);
    }
    if (!storage_read(l->in, l->buffer + l->end, l->capacity - l->end, &n, err))
        return false;
    l->end += n;
    *ret_more = n > 0;
    return true;
}

/* lines_next gives out the next line without its newline, which is there in the buffer all the
 * same; NULL at the end. The line is valid until the next call. */
static bool lines_next(Lines *l, const char **ret_line, size_t *ret_len, Error *err)
{
    size_t seen = 0; /* bytes of this line that hold no newline */
    bool more = true;

    *ret_line = NULL;
    *ret_len = 0;
    l->number++;
    while (more)
    {
        const char *line = l->buffer + l->start;
        const char *newline = memchr(line + seen, '\n', l->end - l->start - seen);

        if (newline != NULL)
        {
            *ret_line = line;
            *ret_len = (size_t) (newline - line);
            l->start += *ret_len + 1;
            l->line_offset = l->next_offset;
            l->next_offset += *ret_len + 1;
            return true;
        }
        seen = l->end - l->start;
        if (!lines_fill(l, &more, err))
            return false;
    }
    return seen == 0 || error_set(err, ERR_CORRUPT, "the line is not complete");
}

bool manifest_parse_line(void *ctx, const char *line, size_t len, ManifestLine *ret, Error *err)
{
    json_error_t why;
    json_t *object;
    bool ok;

    memset(ret, 0, sizeof(*ret));
    if (len >= MANIFEST_LINE_MAX)
        return error_set(err, ERR_CORRUPT, "the line is longer than %zu bytes", MANIFEST_LINE_MAX);
    object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
    if (object == NULL)
        return error_set(err, ERR_CORRUPT, "not a JSON object: %s", why.text);
    ok = record_decode(ctx, object, ret, err);
    json_decref(object);
    return ok;
}

/* ---- the manifest of a set ---- */

typedef struct Reading
{
    Manifest *m;
    const char *key; /* of the directory it lies in */
    void *scratch;   /* for records that are only checked */
    bool headers_only;
    unsigned seen; /* a bit for each record type */
    TotalsRecord sums;
    uint64_t *table_ids; /* node's position and oid: to find a table that is there twice */
    size_t table_count, table_capacity;
    char last_stream[16]; /* "": no part has come yet */
    uint32_t last_part;
    int last_part_content;
    char last_wal[32]; /* "": none has come yet */
    int last_wal_content;
} Reading;

/* What must have been seen before a record of a type, and whether there may be more than one. */
static const struct Rule
{
    bool allowed;
    bool many;
    unsigned after;
} rules[] = {
    [LINE_SET] = {true, false, 0},
    [LINE_NODE] = {true, true, 1U << LINE_SET},
    [LINE_CUT] = {true, false, 1U << LINE_NODE},
    [LINE_TABLE] = {true, true, 1U << LINE_CUT},
    [LINE_SEQUENCE] = {true, true, 1U << LINE_CUT},
    [LINE_DISTRIBUTION] = {true, true, 1U << LINE_TABLE},
    [LINE_SHARD] = {true, true, 1U << LINE_DISTRIBUTION},
    [LINE_DISTRIBUTED_SCHEMA] = {true, true, 1U << LINE_CUT},
    [LINE_DISTRIBUTED_FUNCTION] = {true, true, 1U << LINE_CUT},
    [LINE_PHYSICAL] = {true, true, 1U << LINE_CUT},
    [LINE_TABLESPACE] = {true, true, 1U << LINE_PHYSICAL},
    [LINE_PART] = {true, true, 1U << LINE_PHYSICAL},
    [LINE_WAL] = {true, true, 1U << LINE_PHYSICAL},
    [LINE_CHUNK] = {false, false, 0},
    [LINE_TOTALS] = {true, false, 1U << LINE_CUT},
    [LINE_END] = {true, false, 1U << LINE_TOTALS},
    [LINE_HOLD] = {false, false, 0},
    [LINE_HOLD_NODE] = {false, false, 0},
    [LINE_ARCHIVED] = {false, false, 0},
    [LINE_POINT] = {false, false, 0},
};

static bool check_order(Reading *r, ManifestLineType type, Error *err)
{
    const struct Rule *rule = &rules[type];
    unsigned bit = 1U << type;
    /* Records of rows and of base backups do not meet in one set. */
    const unsigned rows = 1U << LINE_TABLE | 1U << LINE_SEQUENCE | 1U << LINE_DISTRIBUTED_SCHEMA |
                          1U << LINE_DISTRIBUTED_FUNCTION;
    bool physical = type >= LINE_PHYSICAL && type <= LINE_WAL;

    if ((physical && r->m->set.kind == NULL) || ((rows & bit) != 0 && r->m->set.kind != NULL))
        return error_set(err, ERR_CORRUPT, "a %s record in a set of another kind",
                         record_type_name(type));
    /* The types are numbered in the order in which they stand in the file. */
    if (!rule->allowed || (r->seen & rule->after) != rule->after || r->seen >= bit << 1 ||
        (!rule->many && (r->seen & bit) != 0))
        return error_set(err, ERR_CORRUPT, "a %s record is out of place", record_type_name(type));
    r->seen |= bit;
    return true;
}

/* The position of a table's or sequence's node, node_count: there is none. */
static size_t find_node(const Manifest *m, int content, const char *database)
{
    size_t i = 0;

    while (i < m->node_count && !manifest_has(&m->nodes[i], content, database))
        i++;
    return i;
}

static bool add_to(uint64_t *sum, uint64_t value, Error *err)
{
    if (__builtin_add_overflow(*sum, value, sum) || *sum > INT64_MAX)
        return error_set(err, ERR_CORRUPT, "the sums overflow");
    return true;
}

static bool accept_set(Reading *r, const SetRecord *set, Error *err)
{
    if (strcmp(set->key, r->key) != 0)
        return error_set(err, ERR_CORRUPT, "the manifest is that of set %s", set->key);
    r->m->set = *set;
    return true;
}

static bool accept_node(Reading *r, const NodeRecord *node, Error *err)
{
    Manifest *m = r->m;

    if ((m->node_count > 0 && m->nodes[m->node_count - 1].content > node->content) ||
        find_node(m, node->content, node->database) < m->node_count)
        return error_set(err, ERR_CORRUPT, "node %d is out of order", node->content);
    if ((node->chunks.path == NULL) != manifest_is_physical(m) ||
        (manifest_is_physical(m) && m->node_count > 0 &&
         m->nodes[m->node_count - 1].content == node->content))
        return error_set(err, ERR_CORRUPT, "node %d is not one of such a set", node->content);
    *mem_push(m, m->nodes, m->node_count, m->node_capacity, NodeRecord) = *node;
    return add_to(&r->sums.stored, node->schema.bytes, err) &&
           add_to(&r->sums.stored, node->chunks.bytes, err) &&
           add_to(&r->sums.stored, node->globals.bytes, err) &&
           add_to(&r->sums.stored, node->config.bytes, err);
}

static bool accept_table(Reading *r, const TableRecord *table, Error *err)
{
    Manifest *m = r->m;

    size_t node = find_node(m, table->content, table->database);

    if (node == m->node_count)
        return error_set(err, ERR_CORRUPT, "a table of node %d, which the set does not have",
                         table->content);
    if (m->set.records == 1 && (table->relfilenode != 0 || table->referenced != 0))
        return error_set(err, ERR_CORRUPT, "a table with fields that format 1 does not have");
    if (table->referenced > 0 && m->set.depends_count == 0)
        return error_set(err, ERR_CORRUPT, "a table that refers to no set");
    *mem_push(r->scratch, r->table_ids, r->table_count, r->table_capacity,
              uint64_t) = (uint64_t) node << 32 | table->oid;
    if (!r->headers_only)
        *mem_push(m, m->tables, m->table_count, m->table_capacity, TableRecord) = *table;
    r->sums.tables++;
    return add_to(&r->sums.chunks, table->chunks, err) && add_to(&r->sums.rows, table->rows, err) &&
           add_to(&r->sums.logical, table->logical, err) &&
           add_to(&r->sums.stored, table->stored, err) &&
           add_to(&r->sums.referenced, table->referenced, err);
}

static bool accept_sequence(Reading *r, const SequenceRecord *sequence, Error *err)
{
    Manifest *m = r->m;

    if (find_node(m, sequence->content, sequence->database) == m->node_count)
        return error_set(err, ERR_CORRUPT, "a sequence of node %d, which the set does not have",
                         sequence->content);
    if (!r->headers_only)
        *mem_push(m, m->sequences, m->sequence_count, m->sequence_capacity,
                  SequenceRecord) = *sequence;
    r->sums.sequences++;
    return true;
}

/* What only a fleet with a coordinator has is of a node that is in the set. */
static bool check_owner(const Reading *r, const char *what, int content, const char *database,
                        Error *err)
{
    return find_node(r->m, content, database) < r->m->node_count ||
           error_set(err, ERR_CORRUPT, "a %s of node %d, which the set does not have", what,
                     content);
}

static bool accept_distribution(Reading *r, const DistributionRecord *d, Error *err)
{
    Manifest *m = r->m;

    if (!check_owner(r, "distribution", d->content, d->database, err))
        return false;
    if (!r->headers_only)
        *mem_push(m, m->distributions, m->distribution_count, m->distribution_capacity,
                  DistributionRecord) = *d;
    return true;
}

static bool accept_shard(Reading *r, const ShardRecord *s, Error *err)
{
    Manifest *m = r->m;

    if (!check_owner(r, "shard", s->content, s->database, err))
        return false;
    if (!r->headers_only)
        *mem_push(m, m->shards, m->shard_count, m->shard_capacity, ShardRecord) = *s;
    return true;
}

static bool accept_schema(Reading *r, const DistributedSchemaRecord *s, Error *err)
{
    Manifest *m = r->m;

    if (!check_owner(r, "distributed schema", s->content, s->database, err))
        return false;
    if (!r->headers_only)
        *mem_push(m, m->schemas, m->schema_count, m->schema_capacity, DistributedSchemaRecord) = *s;
    return true;
}

static bool accept_function(Reading *r, const DistributedFunctionRecord *f, Error *err)
{
    Manifest *m = r->m;

    if (!check_owner(r, "distributed function", f->content, f->database, err))
        return false;
    if (!r->headers_only)
        *mem_push(m, m->functions, m->function_count, m->function_capacity,
                  DistributedFunctionRecord) = *f;
    return true;
}

/* One for each node, in their order. */
static bool accept_physical(Reading *r, const PhysicalRecord *p, Error *err)
{
    Manifest *m = r->m;

    if (m->physical_count >= m->node_count || m->nodes[m->physical_count].content != p->content)
        return error_set(err, ERR_CORRUPT, "the base backup of node %d is out of order",
                         p->content);
    if (!str_equal(p->base, m->set.base[0] == '\0' ? NULL : m->set.base))
        return error_set(err, ERR_CORRUPT,
                         "the base backup of node %d is incremental to another set than the others",
                         p->content);
    *mem_push(m, m->physicals, m->physical_count, m->physical_capacity, PhysicalRecord) = *p;
    return add_to(&r->sums.stored, p->manifest.bytes, err);
}

static bool has_physical(const Reading *r, const char *what, int content, Error *err)
{
    for (size_t i = 0; i < r->m->physical_count; i++)
        if (r->m->physicals[i].content == content)
            return true;
    return error_set(err, ERR_CORRUPT, "a %s of node %d, which the set does not have", what,
                     content);
}

static bool accept_tablespace(Reading *r, const TablespaceRecord *t, Error *err)
{
    Manifest *m = r->m;

    *mem_push(m, m->tablespaces, m->tablespace_count, m->tablespace_capacity,
              TablespaceRecord) = *t;
    return has_physical(r, "tablespace", t->content, err);
}

/* Parts of a stream are one behind the other, from 0 on; streams of a node are together. */
static bool accept_part(Reading *r, const PartRecord *p, Error *err)
{
    Manifest *m = r->m;
    bool goes_on = r->last_part_content == p->content && strcmp(r->last_stream, p->stream) == 0;

    if (p->part != (goes_on ? r->last_part + 1 : 0) ||
        (r->last_stream[0] != '\0' && p->content < r->last_part_content))
        return error_set(err, ERR_CORRUPT, "part %" PRIu32 " of stream %s is out of order", p->part,
                         p->stream);
    r->last_part = p->part;
    r->last_part_content = p->content;
    snprintf(r->last_stream, sizeof(r->last_stream), "%s", p->stream);
    if (!r->headers_only)
        *mem_push(m, m->parts, m->part_count, m->part_capacity, PartRecord) = *p;
    return has_physical(r, "part", p->content, err) && add_to(&r->sums.logical, p->logical, err) &&
           add_to(&r->sums.stored, p->stored, err);
}

/* The files of a node are sorted by name, none is there twice. */
static bool accept_wal(Reading *r, const WalRecord *w, Error *err)
{
    Manifest *m = r->m;
    bool first = r->last_wal[0] == '\0';

    if (!first && (w->content < r->last_wal_content ||
                   (w->content == r->last_wal_content && strcmp(w->name, r->last_wal) <= 0)))
        return error_set(err, ERR_CORRUPT, "WAL %s is out of order", w->name);
    snprintf(r->last_wal, sizeof(r->last_wal), "%s", w->name);
    r->last_wal_content = w->content;
    if (!r->headers_only)
        *mem_push(m, m->wals, m->wal_count, m->wal_capacity, WalRecord) = *w;
    return has_physical(r, "WAL", w->content, err) && add_to(&r->sums.logical, w->logical, err) &&
           add_to(&r->sums.stored, w->stored, err);
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

    return x < y ? -1 : x > y;
}

static bool accept_totals(Reading *r, const TotalsRecord *totals, Error *err)
{
    if (r->table_count > 1)
        qsort(r->table_ids, r->table_count, sizeof(uint64_t), compare_u64);
    for (size_t i = 1; i < r->table_count; i++)
    {
        if (r->table_ids[i] == r->table_ids[i - 1])
            return error_set(err, ERR_CORRUPT, "table oid %" PRIu32 " of node %d is there twice",
                             (uint32_t) r->table_ids[i],
                             r->m->nodes[r->table_ids[i] >> 32].content);
    }
    if (manifest_is_physical(r->m) && r->m->physical_count != r->m->node_count)
        return error_set(err, ERR_CORRUPT, "the base backup of a node is missing");
    if (totals->tables != r->sums.tables || totals->sequences != r->sums.sequences ||
        totals->chunks != r->sums.chunks || totals->rows != r->sums.rows ||
        totals->logical != r->sums.logical || totals->stored != r->sums.stored ||
        totals->referenced != r->sums.referenced)
        return error_set(err, ERR_CORRUPT, "the totals are not the sums of the records");
    r->m->totals = *totals;
    return true;
}

static bool accept_record(Reading *r, const ManifestLine *line, Error *err)
{
    if (!check_order(r, line->type, err))
        return false;
    switch (line->type)
    {
    case LINE_SET:
        return accept_set(r, &line->u.set, err);
    case LINE_NODE:
        return accept_node(r, &line->u.node, err);
    case LINE_CUT:
        r->m->cut = line->u.cut;
        return true;
    case LINE_TABLE:
        return accept_table(r, &line->u.table, err);
    case LINE_SEQUENCE:
        return accept_sequence(r, &line->u.sequence, err);
    case LINE_DISTRIBUTION:
        return accept_distribution(r, &line->u.distribution, err);
    case LINE_SHARD:
        return accept_shard(r, &line->u.shard, err);
    case LINE_DISTRIBUTED_SCHEMA:
        return accept_schema(r, &line->u.schema, err);
    case LINE_DISTRIBUTED_FUNCTION:
        return accept_function(r, &line->u.function, err);
    case LINE_PHYSICAL:
        return accept_physical(r, &line->u.physical, err);
    case LINE_TABLESPACE:
        return accept_tablespace(r, &line->u.tablespace, err);
    case LINE_PART:
        return accept_part(r, &line->u.part, err);
    case LINE_WAL:
        return accept_wal(r, &line->u.wal, err);
    case LINE_TOTALS:
        return accept_totals(r, &line->u.totals, err);
    case LINE_CHUNK:
    case LINE_END:
    case LINE_HOLD:
    case LINE_HOLD_NODE:
    case LINE_ARCHIVED:
    case LINE_POINT:
        break;
    }
    return true;
}

/* check_end compares the line with the only one that can stand here, byte for byte: no other hash
 * covers it. */
static bool check_end(Lines *l, IoStage *tap, const char *line, size_t len, Error *err)
{
    char want[END_LINE_LEN], sha256[TAP_HEX_LEN];
    uint64_t bytes;
    int want_len;

    if (!io_finish(tap, err))
        return false;
    io_tap_result(tap, &bytes, sha256);
    want_len = snprintf(want, sizeof(want), "{\"type\":\"end\",\"sha256\":\"%s\"}", sha256);
    if (len != (size_t) want_len || memcmp(line, want, len) != 0)
        return error_set(err, ERR_CORRUPT,
                         "the hash of the lines before it differs: the file was altered");
    if (!lines_next(l, &line, &len, err))
        return false;
    return line == NULL || error_set(err, ERR_CORRUPT, "there is something behind the end");
}

static bool read_records(Reading *r, Lines *l, Error *err)
{
    AUTO(io_free) IoStage *tap = io_tap_new(TAP_SHA256, NULL);

    for (;;)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "line");
        ManifestLine record;
        const char *line;
        size_t len;
        bool kept;

        if (!lines_next(l, &line, &len, err))
            return false;
        if (line == NULL)
            return error_set(err, ERR_CORRUPT, "the file is truncated: it has no end record");
        if (!manifest_parse_line(ctx, line, len, &record, err) || !accept_record(r, &record, err))
            return false;
        if (record.type == LINE_END)
            return check_end(l, tap, line, len, err);
        if (!io_write(tap, line, len + 1, err))
            return false;
        kept = !r->headers_only || record.type <= LINE_CUT || record.type >= LINE_TOTALS ||
               record.type == LINE_PHYSICAL || record.type == LINE_TABLESPACE;
        if (kept)
        {
            talloc_steal(r->m, ctx);
            ctx = NULL;
        }
    }
}

/* By oid: a coordinator has one database, so that another order is a hostile one's only. */
static int distribution_order(const void *a, const void *b)
{
    uint32_t x = ((const DistributionRecord *) a)->table_oid;
    uint32_t y = ((const DistributionRecord *) b)->table_oid;

    return x < y ? -1 : x > y;
}

static void sort_distributions(Manifest *m)
{
    if (m->distribution_count > 1)
        qsort(m->distributions, m->distribution_count, sizeof(DistributionRecord),
              distribution_order);
}

const NodeRecord *manifest_node(const Manifest *m, int content)
{
    for (size_t i = 0; i < m->node_count; i++)
        if (m->nodes[i].content == content)
            return &m->nodes[i];
    return NULL;
}

const PhysicalRecord *manifest_physical(const Manifest *m, int content)
{
    for (size_t i = 0; i < m->physical_count; i++)
        if (m->physicals[i].content == content)
            return &m->physicals[i];
    return NULL;
}

static bool distribution_before(const void *distributions, size_t i, const void *table_oid)
{
    return ((const DistributionRecord *) distributions)[i].table_oid <
           *(const uint32_t *) table_oid;
}

const DistributionRecord *manifest_distribution(const Manifest *m, const TableRecord *table)
{
    size_t i = search_first(m->distributions, m->distribution_count, distribution_before,
                            &table->oid);
    for (; i < m->distribution_count && m->distributions[i].table_oid == table->oid; i++)
    {
        const DistributionRecord *d = &m->distributions[i];

        if (d->content == table->content && strcmp(d->database, table->database) == 0)
            return d;
    }
    return NULL;
}

Manifest *manifest_read(Storage *st, void *ctx, const char *set_dir, bool headers_only, Error *err)
{
    AUTO(mem_context_free) MemContext *scratch = mem_context(NULL, "manifest reading");
    AUTO(lines_free) Lines *l = NULL;
    const char *path = mem_printf(scratch, "%s/manifest.jsonl", set_dir);
    const char *slash = strrchr(set_dir, '/');
    Reading r = {
        .key = slash != NULL ? slash + 1 : set_dir,
        .scratch = scratch,
        .headers_only = headers_only,
    };

    l = lines_open(st, path, err);
    if (l == NULL)
        return NULL;
    r.m = mem_new(ctx, Manifest);
    if (read_records(&r, l, err))
    {
        sort_distributions(r.m);
        return r.m;
    }
    if (err != NULL && err->code == ERR_CORRUPT)
        error_prefix(err, "%s, line %" PRIu64, path, l->number);
    mem_free(r.m);
    return NULL;
}

bool manifest_want_rows(const Manifest *m, const char *what, Error *err)
{
    if (!manifest_is_physical(m))
        return true;
    error_set(err, ERR_USAGE, "set %s is a physical one: it has no tables to %s", m->set.key, what);
    return error_hint(err, "\"pgark restore --physical\" brings back its servers as a whole.");
}

bool manifest_peek(Storage *st, void *ctx, const char *set_dir, SetRecord *ret, Error *err)
{
    AUTO(mem_context_free) MemContext *scratch = mem_context(NULL, "manifest peek");
    AUTO(lines_free) Lines *l = NULL;
    const char *path = mem_printf(scratch, "%s/manifest.jsonl", set_dir);
    const char *line;
    size_t len;
    ManifestLine record;

    l = lines_open(st, path, err);
    if (l == NULL || !lines_next(l, &line, &len, err))
        return false;
    if (line == NULL)
        return error_set(err, ERR_CORRUPT, "%s is empty", path);
    if (!manifest_parse_line(ctx, line, len, &record, err))
        return error_prefix(err, "%s, line 1", path);
    if (record.type != LINE_SET)
        return error_set(err, ERR_CORRUPT, "%s does not begin with a set record", path);
    *ret = record.u.set;
    return true;
}

/* ---- the chunks of a node ---- */

static bool each_line(Lines *l, IoStage *tap, ManifestEachChunk each, void *arg, Error *err)
{
    /* A pool: a million records are read without a million trips to the allocator. */
    AUTO(mem_context_free) MemContext *ctx = mem_check(talloc_pool(NULL, SCRATCH_SIZE));

    for (;;)
    {
        ManifestLine record;
        const char *line;
        size_t len;

        if (!lines_next(l, &line, &len, err))
            return false;
        if (line == NULL)
            return true;
        if (len > CHUNK_LINE_MAX)
            return error_set(err, ERR_CORRUPT, "the line is longer than %zu bytes", CHUNK_LINE_MAX);
        if (!io_write(tap, line, len + 1, err) ||
            !manifest_parse_line(ctx, line, len, &record, err))
            return false;
        if (record.type != LINE_CHUNK)
            return error_set(err, ERR_CORRUPT, "a %s record is out of place",
                             record_type_name(record.type));
        if (!each(arg, &record.u.chunk, l->line_offset, (uint32_t) len, err))
            return false;
        talloc_free_children(ctx);
    }
}

static bool check_chunk_file(IoStage *tap, const NodeRecord *node, Error *err)
{
    char sha256[TAP_HEX_LEN];
    uint64_t bytes;

    if (!io_finish(tap, err))
        return false;
    io_tap_result(tap, &bytes, sha256);
    if (bytes != node->chunks.bytes)
        return error_set(err, ERR_CORRUPT, "%" PRIu64 " bytes, not %" PRIu64, bytes,
                         node->chunks.bytes);
    if (strcmp(sha256, node->chunks.sha256) != 0)
        return error_set(err, ERR_CORRUPT, "its SHA-256 differs");
    return true;
}

bool manifest_each_chunk(Storage *st, const char *set_dir, const NodeRecord *node,
                         ManifestEachChunk each, void *arg, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "chunk file");
    AUTO(io_free) IoStage *tap = io_tap_new(TAP_SHA256, NULL);
    AUTO(lines_free) Lines *l = NULL;
    const char *path = mem_printf(ctx, "%s/%s", set_dir, node->chunks.path);

    l = lines_open(st, path, err);
    if (l == NULL)
        return false;
    if (!each_line(l, tap, each, arg, err))
    {
        if (err != NULL && err->code == ERR_CORRUPT)
            error_prefix(err, "%s, line %" PRIu64, path, l->number);
        return false;
    }
    if (!check_chunk_file(tap, node, err))
        return error_prefix(err, "%s", path);
    return true;
}

/* false: the call back failed. */
static bool give_left_chunk(MemContext *ctx, const Lines *l, const char *line, size_t len,
                            ManifestEachChunk each, void *arg, Error *err)
{
    ManifestLine record;

    if (len > CHUNK_LINE_MAX || !manifest_parse_line(ctx, line, len, &record, NULL) ||
        record.type != LINE_CHUNK)
        return true;
    return each(arg, &record.u.chunk, l->line_offset, (uint32_t) len, err);
}

bool manifest_each_left_chunk(Storage *st, const char *path, ManifestEachChunk each, void *arg,
                              Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_check(talloc_pool(NULL, SCRATCH_SIZE));
    AUTO(lines_free) Lines *l = NULL;
    StorageInfo info;

    if (!storage_stat(st, path, &info, err))
        return false;
    if (info.kind != STORAGE_FILE)
        return true;
    l = lines_open(st, path, err);
    if (l == NULL)
        return false;
    for (;;)
    {
        Error own = ERROR_INIT;
        const char *line;
        size_t len;

        if (!lines_next(l, &line, &len, &own))
        {
            if (own.code == ERR_CORRUPT)
                return true; /* the end of the file is no line */
            *err = own;
            return false;
        }
        if (line == NULL)
            return true;
        if (!give_left_chunk(ctx, l, line, len, each, arg, err))
            return false;
        talloc_free_children(ctx);
    }
}

bool manifest_read_chunk(Storage *st, void *ctx, const char *set_dir, const NodeRecord *node,
                         uint64_t line_offset, uint32_t line_len, ChunkRecord *ret_chunk,
                         Error *err)
{
    AUTO(mem_context_free) MemContext *scratch = mem_context(NULL, "chunk line");
    AUTO(storage_reader_free) StorageReader *in = NULL;
    const char *path = mem_printf(scratch, "%s/%s", set_dir, node->chunks.path);
    char *line;
    size_t done = 0, n = 1;
    ManifestLine record;

    if (line_len > CHUNK_LINE_MAX)
        return error_set(err, ERR_INTERNAL, "a chunk line of %" PRIu32 " bytes", line_len);
    line = mem_array(scratch, char, line_len);
    in = storage_read_open(st, path, line_offset, line_len, err);
    if (in == NULL)
        return false;
    for (; done < line_len && n > 0; done += n)
    {
        if (!storage_read(in, line + done, line_len - done, &n, err))
            return false;
    }
    if (!manifest_parse_line(ctx, line, done, &record, err))
        return error_prefix(err, "%s, byte %" PRIu64, path, line_offset);
    if (record.type != LINE_CHUNK)
        return error_set(err, ERR_CORRUPT, "%s, byte %" PRIu64 ": not a chunk record", path,
                         line_offset);
    *ret_chunk = record.u.chunk;
    return true;
}

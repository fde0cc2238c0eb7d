/* report/set_report.c - a set described; the contract is in set_report.h. */
#include "report/set_report.h"

#include "base/clock.h"
#include "base/str.h"
#include "repo/base.h"
#include "repo/large_object_tables.h"
#include "report/physical_report.h"

typedef struct Finder
{
    const Manifest *m;
    const NodeRecord *node;
    SetDetail *detail;
} Finder;

static const TableRecord *find_table(const Manifest *m, const NodeRecord *node, uint32_t oid)
{
    for (size_t i = 0; i < m->table_count; i++)
    {
        if (m->tables[i].oid == oid &&
            manifest_has(node, m->tables[i].content, m->tables[i].database))
            return &m->tables[i];
    }
    return NULL;
}

static void note_share(const Finder *f, const ChunkRecord *chunk)
{
    const SetRecord *set = &f->m->set;
    for (size_t i = 0; chunk->set[0] != '\0' && i < set->depends_count; i++)
    {
        if (strcmp(set->depends_on[i], chunk->set) != 0)
            continue;
        f->detail->shares[i].chunks++;
        f->detail->shares[i].stored += chunk->stored;
    }
}

static bool note_chunk(void *arg, const ChunkRecord *chunk, uint64_t offset, uint32_t len,
                       Error *err)
{
    Finder *f = arg;
    SetDetail *d = f->detail;
    (void) offset;
    (void) len;
    (void) err;
    size_t at = d->slow_count;
    note_share(f, chunk);
    while (at > 0 && d->slow[at - 1].chunk.us < chunk->us)
        at--;
    if (at == SLOW_CHUNKS || chunk->rows == 0)
        return true;
    size_t keep = d->slow_count < SLOW_CHUNKS ? d->slow_count : SLOW_CHUNKS - 1;
    memmove(&d->slow[at + 1], &d->slow[at], (keep - at) * sizeof(SlowChunk));
    d->slow[at] = (SlowChunk){.content = f->node->content,
                              .table = find_table(f->m, f->node, chunk->table_oid),
                              .chunk = *chunk};
    d->slow[at].chunk.object = NULL;
    d->slow_count = keep + 1;
    return true;
}

/* A base need not be there any more: what a set depends on is another question. */
static void find_chain(Repo *repo, void *ctx, const SetRecord *set, SetDetail *ret)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "chain");
    SetRecord one = *set;
    while (one.base[0] != '\0')
    {
        *mem_push(ctx, ret->chain, ret->chain_count, ret->chain_capacity,
                  char *) = mem_strdup(ctx, one.base);
        /* Every base is older: this comes to an end. */
        if (!manifest_peek(repo->storage, tmp, repo_set_dir(repo, tmp, one.base), &one, NULL) ||
            strcmp(one.key, ret->chain[ret->chain_count - 1]) != 0)
            return;
    }
    ret->chain_whole = true;
}

static void find_shares(Repo *repo, void *ctx, const SetRecord *set, SetDetail *ret)
{
    SetRecord one = *set;
    ret->shares = mem_array(ctx, SetShare, set->depends_count);
    ret->share_count = set->depends_count;
    for (size_t i = 0; i < set->depends_count; i++)
    {
        Error why = ERROR_INIT;
        one.depends_on = &set->depends_on[i];
        one.depends_count = 1;
        ret->shares[i].there = base_check_depends(repo->storage, repo_set_dir(repo, ctx, set->key),
                                                  &one, &why);
    }
}

bool set_report_detail(Repo *repo, void *ctx, const char *set_dir, const Manifest *m,
                       SetDetail *ret, Error *err)
{
    Storage *st = repo->storage;
    memset(ret, 0, sizeof(*ret));
    find_shares(repo, ctx, &m->set, ret);
    find_chain(repo, ctx, &m->set, ret);
    for (size_t i = 0; i < m->node_count; i++)
    {
        AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "detail");
        if (m->nodes[i].chunks.path == NULL)
            continue; /* of a physical set */
        const char *path = mem_printf(tmp, "%s/%s", set_dir, m->nodes[i].chunks.path);
        StorageInfo info = {.kind = STORAGE_FILE};
        if (m->nodes[i].repo_id != NULL && !storage_stat(st, path, &info, err))
            return false;
        if (info.kind == STORAGE_MISSING)
            continue; /* it lies with its node */
        Finder f = {.m = m, .node = &m->nodes[i], .detail = ret};
        if (!manifest_each_chunk(st, set_dir, &m->nodes[i], note_chunk, &f, err))
            return false;
    }
    return true;
}

static int64_t elapsed_ms(const Manifest *m)
{
    int64_t ms = (m->set.finished_us - m->set.started_us) / 1000;
    return ms < 1 ? 1 : ms;
}

static const TableRecord **biggest(void *ctx, const Manifest *m, size_t *ret_count);

static void text_base(FILE *out, const Manifest *m)
{
    const SetRecord *set = &m->set;
    if (set->base[0] == '\0')
        return;
    fprintf(out, "base        %s\ndepends on ", set->base);
    for (size_t i = 0; i < set->depends_count; i++)
        fprintf(out, " %s", set->depends_on[i]);
    fprintf(out, "%s\n", set->depends_count == 0 ? " no other set" : "");
}

/* Which sets stand behind it: what it was compared with, and where its chunks lie. */
static void text_chain(FILE *out, const Manifest *m, const SetDetail *d)
{
    if (m->set.base[0] == '\0')
        return;
    fprintf(out, "\nchain       %s", m->set.key);
    for (size_t i = 0; i < d->chain_count; i++)
        fprintf(out, " -> %s", d->chain[i]);
    fprintf(out, "%s\n", d->chain_whole ? " (full)" : " (gone)");
    for (size_t i = 0; i < d->share_count; i++)
    {
        char stored[STR_BYTES_LEN];
        const SetShare *s = &d->shares[i];
        if (manifest_is_physical(m))
            fprintf(out, "  needs %s%s\n", m->set.depends_on[i], s->there ? "" : "  (missing)");
        else
            fprintf(out, "  in %s  %" PRIu64 " chunks, %s%s\n", m->set.depends_on[i], s->chunks,
                    str_format_bytes(stored, s->stored), s->there ? "" : "  (missing)");
    }
}

static void text_head(FILE *out, const char *repo_uri, const Manifest *m)
{
    char started[CLOCK_ISO_LEN];
    char duration[STR_BYTES_LEN];
    fprintf(out, "set         %s\n", m->set.key);
    fprintf(out, "repository  %s\n", repo_uri);
    if (m->set.kind != NULL)
        fprintf(out, "kind        %s\n", m->set.kind);
    fprintf(out, "fleet       %s (%s, %zu node%s)\n", m->set.fleet, m->set.topology, m->node_count,
            m->node_count == 1 ? "" : "s");
    if (m->set.prefix != NULL)
        fprintf(out, "prefix      %s\n", m->set.prefix);
    text_base(out, m);
    fprintf(out, "started     %s, took %s", clock_iso(started, m->set.started_us),
            str_format_duration(duration, elapsed_ms(m)));
    if (m->set.kind == NULL)
        fprintf(out, " with %d jobs per node", m->set.jobs);
    fprintf(out, "\n");
    if (m->physical_count > 0)
        fprintf(out, "point       %s\n", m->physicals[0].restore_point);
    fprintf(out, "cut         %s, %d tr%s, window %.2f ms", m->cut.method, m->cut.tries,
            m->cut.tries == 1 ? "y" : "ies", (double) m->cut.window_us / 1000.0);
    if (m->cut.stall_us > 0)
        fprintf(out, ", writers stalled %.1f ms at most", (double) m->cut.stall_us / 1000.0);
    fprintf(out, "\n");
}

/* What was asked for, when it was not everything. */
static void text_selection(FILE *out, const Manifest *m)
{
    const char *separator = "selection   ";
    for (size_t i = 0; i < m->set.selection_count; i++)
    {
        char line[160];
        fprintf(out, "%s%s", separator, str_one_line(line, sizeof(line), m->set.selection[i]));
        separator = " ";
    }
    if (separator[0] == ' ')
        fprintf(out, "\n");
}

/* "schema.table", with the database before it where the set has several of one server. */
static void table_name(char *line, size_t size, const Manifest *m, const TableRecord *t)
{
    char name[320];
    bool several = false;
    for (size_t i = 1; t != NULL && i < m->node_count; i++)
        several = several || m->nodes[i].content == m->nodes[i - 1].content;
    snprintf(name, sizeof(name), "%s%s%s.%s", several ? t->database : "", several ? "." : "",
             t == NULL ? "?" : t->schema, t == NULL ? "?" : t->name);
    str_one_line(line, size, name);
}

/* The two tables that hold large objects are not what people call tables. */
typedef struct LargeObjectTotals
{
    uint64_t tables;
    uint64_t rows;
    uint64_t count;
    uint64_t bytes; /* of their contents as COPY data */
} LargeObjectTotals;

static LargeObjectTotals large_object_totals(const Manifest *m)
{
    LargeObjectTotals t = {.tables = 0};
    for (size_t i = 0; i < m->table_count; i++)
    {
        const TableRecord *table = &m->tables[i];
        if (!large_object_is_table(table))
            continue;
        t.tables++;
        t.rows += table->rows;
        if (large_object_is_list(table))
            t.count += table->rows;
        else
            t.bytes += table->logical;
    }
    return t;
}

static void text_size(FILE *out, const Manifest *m)
{
    char logical[STR_BYTES_LEN];
    char stored[STR_BYTES_LEN];
    const TotalsRecord *t = &m->totals;
    fprintf(out, "size        %s of files and WAL, stored as %s in %" PRIu64 " objects (%s)\n",
            str_format_bytes(logical, t->logical), str_format_bytes(stored, t->stored), t->objects,
            compress_name(m->set.compress.method));
}

static void text_totals(FILE *out, const Manifest *m)
{
    char logical[STR_BYTES_LEN];
    char stored[STR_BYTES_LEN];
    char rate[STR_BYTES_LEN];
    const TotalsRecord *t = &m->totals;
    LargeObjectTotals large = large_object_totals(m);
    fprintf(out, "content     %" PRIu64 " tables, %" PRIu64 " sequences, %" PRIu64 " rows",
            t->tables - large.tables, t->sequences, t->rows - large.rows);
    if (large.count > 0)
        fprintf(out, ", %" PRIu64 " large objects (%s)", large.count,
                str_format_bytes(rate, large.bytes));
    fprintf(out, "\n");
    fprintf(out,
            "size        %s of COPY data in %" PRIu64 " chunks, stored as %s in %" PRIu64
            " objects (%s, %s)\n",
            str_format_bytes(logical, t->logical), t->chunks, str_format_bytes(stored, t->stored),
            t->objects, compress_name(m->set.compress.method), m->set.format);
    if (m->set.base[0] != '\0')
        fprintf(out, "referenced  %s in other sets\n", str_format_bytes(stored, t->referenced));
    fprintf(out, "rate        %s/s\n",
            str_format_bytes(rate, t->logical * 1000 / (uint64_t) elapsed_ms(m)));
}

static void text_nodes(FILE *out, const Manifest *m)
{
    for (size_t i = 0; i < m->node_count; i++)
    {
        const NodeRecord *n = &m->nodes[i];
        char duration[STR_BYTES_LEN];
        fprintf(out, "node %-6d %s:%d database \"%s\", PostgreSQL %s%s, system %s, %s\n",
                n->content, n->host, n->port, n->database, n->server_version,
                n->in_recovery ? " (standby)" : "", n->system_identifier,
                str_format_duration(duration, n->dump_ms));
        if (n->repo != NULL)
            fprintf(out, "            lies in %s\n", n->repo);
        for (size_t w = 0; w < n->warning_count; w++)
            fprintf(out, "            note: %s\n", n->warnings[w]);
        physical_report_node(out, m, n->content);
    }
}

/* How a table is spread over the nodes; nothing where it is not. */
static void text_distribution(FILE *out, const Manifest *m, const TableRecord *t)
{
    char column[100];
    const DistributionRecord *d = manifest_distribution(m, t);
    if (d == NULL)
        return;
    fprintf(out, "  %s", d->tenant_schema != NULL ? "schema" : d->method);
    if (d->column != NULL)
        fprintf(out, " (%s), %" PRIu64 " shards", str_one_line(column, sizeof(column), d->column),
                d->shards);
    for (size_t i = 0; i < d->column_count; i++)
        fprintf(out, "%s%s%s", i == 0 ? " (" : ", ",
                str_one_line(column, sizeof(column), d->columns[i]),
                i + 1 == d->column_count ? ")" : "");
}

static void text_tables(FILE *out, const Manifest *m, int64_t limit)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "tables");
    size_t count;
    const TableRecord **tables = biggest(tmp, m, &count);
    size_t shown = limit == 0 || (size_t) limit > count ? count : (size_t) limit;
    if (shown > 0)
        fprintf(out, "\n%-4s %-40s %12s %12s %12s %10s %7s\n", "node", "table", "rows", "bytes",
                "stored", "MB/s", "chunks");
    for (size_t i = 0; i < shown; i++)
    {
        const TableRecord *t = tables[i];
        char line[160];
        char logical[STR_BYTES_LEN];
        char stored[STR_BYTES_LEN];
        table_name(line, sizeof(line), m, t);
        fprintf(out, "%-4d %-40s %12" PRIu64 " %12s %12s %10.1f %7" PRIu64, t->content, line,
                t->rows, str_format_bytes(logical, t->logical), str_format_bytes(stored, t->stored),
                t->worker_us == 0 ? 0.0 : (double) t->logical / 1.048576 / (double) t->worker_us,
                t->chunks);
        text_distribution(out, m, t);
        fprintf(out, "\n");
    }
    if (shown < count)
        fprintf(out, "     ... and %zu more (--tables=0 shows all)\n", count - shown);
}

static void text_slow(FILE *out, const Manifest *m, const SetDetail *d)
{
    if (d->slow_count > 0)
        fprintf(out, "\nslowest chunks\n");
    for (size_t i = 0; i < d->slow_count; i++)
    {
        const SlowChunk *s = &d->slow[i];
        char line[160];
        char logical[STR_BYTES_LEN];
        table_name(line, sizeof(line), m, s->table);
        fprintf(out, "  %8.3f s  node %d  %s chunk %u, %" PRIu64 " rows, %s\n",
                (double) s->chunk.us / 1000000.0, s->content, line, s->chunk.chunk, s->chunk.rows,
                str_format_bytes(logical, s->chunk.logical));
    }
}

void set_report_text(FILE *out, const char *repo_uri, const Manifest *m, int64_t tables,
                     const SetDetail *detail)
{
    text_head(out, repo_uri, m);
    text_selection(out, m);
    if (manifest_is_physical(m))
        text_size(out, m);
    else
        text_totals(out, m);
    text_nodes(out, m);
    if (tables >= 0)
        text_tables(out, m, tables);
    if (detail != NULL)
        text_slow(out, m, detail);
    if (detail != NULL)
        text_chain(out, m, detail);
}

static int bigger(const void *a, const void *b)
{
    const TableRecord *x = *(const TableRecord *const *) a;
    const TableRecord *y = *(const TableRecord *const *) b;
    if (x->logical != y->logical)
        return x->logical < y->logical ? 1 : -1;
    return x < y ? -1 : x > y;
}

static const TableRecord **biggest(void *ctx, const Manifest *m, size_t *ret_count)
{
    const TableRecord **tables = mem_array(ctx, const TableRecord *, m->table_count);
    *ret_count = 0;
    for (size_t i = 0; i < m->table_count; i++)
    {
        if (m->tables[i].kind == 'r')
            tables[(*ret_count)++] = &m->tables[i];
    }
    if (*ret_count > 1)
        qsort(tables, *ret_count, sizeof(const TableRecord *), bigger); /* NOLINT: pointers */
    return tables;
}

json_t *set_report_string(const char *value)
{
    json_t *string = json_string(value);
    return string != NULL ? string : json_string("(not UTF-8)");
}

static json_t *time_json(int64_t us)
{
    char iso[CLOCK_ISO_LEN];
    return json_string(clock_iso(iso, us));
}

static json_t *nodes_json(const Manifest *m)
{
    json_t *nodes = json_array();
    for (size_t i = 0; i < m->node_count; i++)
    {
        const NodeRecord *n = &m->nodes[i];
        json_t *warnings = json_array();
        for (size_t w = 0; w < n->warning_count; w++)
            json_array_append_new(warnings, set_report_string(n->warnings[w]));
        json_array_append_new(
            nodes,
            json_pack("{s:i, s:o, s:i, s:o, s:o, s:o, s:i, s:b, s:o, s:o, s:I, s:o, s:o*}",
                      "content", n->content, "host", set_report_string(n->host), "port", n->port,
                      "database", set_report_string(n->database), "system_identifier",
                      set_report_string(n->system_identifier), "server_version",
                      set_report_string(n->server_version), "server_version_num",
                      n->server_version_num, "in_recovery", (int) n->in_recovery, "encoding",
                      set_report_string(n->encoding), "snapshot", set_report_string(n->snapshot),
                      "dump_ms", (json_int_t) n->dump_ms, "left_out", warnings, "repo",
                      n->repo == NULL ? NULL : set_report_string(n->repo)));
    }
    return nodes;
}

static json_t *distribution_json(const DistributionRecord *d)
{
    json_t *columns = json_array();
    for (size_t i = 0; i < d->column_count; i++)
        json_array_append_new(columns, set_report_string(d->columns[i]));
    return json_pack("{s:s, s:o?, s:o, s:I, s:I, s:I, s:o?}", "method", d->method, "column",
                     d->column == NULL ? json_null() : set_report_string(d->column), "columns",
                     columns, "shards", (json_int_t) d->shards, "placements",
                     (json_int_t) d->placements, "colocation", (json_int_t) d->colocation, "schema",
                     d->tenant_schema == NULL ? json_null() : set_report_string(d->tenant_schema));
}

static json_t *tables_json(const Manifest *m, int64_t limit)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "tables");
    size_t count;
    const TableRecord **list = biggest(tmp, m, &count);
    json_t *tables = json_array();
    for (size_t i = 0; i < count && (limit == 0 || i < (size_t) limit); i++)
    {
        const TableRecord *t = list[i];
        json_array_append_new(
            tables,
            json_pack("{s:i, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "content",
                      t->content, "database", set_report_string(t->database), "schema",
                      set_report_string(t->schema), "name", set_report_string(t->name), "rows",
                      (json_int_t) t->rows, "bytes", (json_int_t) t->logical, "stored",
                      (json_int_t) t->stored, "referenced", (json_int_t) t->referenced, "chunks",
                      (json_int_t) t->chunks, "worker_us", (json_int_t) t->worker_us, "format",
                      t->binary ? "binary" : "text"));
        const DistributionRecord *d = manifest_distribution(m, t);
        if (d != NULL)
            json_object_set_new(json_array_get(tables, json_array_size(tables) - 1), "distribution",
                                distribution_json(d));
    }
    return tables;
}

static json_t *slow_json(const SetDetail *d)
{
    json_t *slow = json_array();
    for (size_t i = 0; i < d->slow_count; i++)
    {
        const SlowChunk *s = &d->slow[i];
        json_array_append_new(
            slow, json_pack("{s:i, s:o, s:o, s:I, s:I, s:I, s:I}", "content", s->content, "schema",
                            set_report_string(s->table == NULL ? "?" : s->table->schema), "name",
                            set_report_string(s->table == NULL ? "?" : s->table->name), "chunk",
                            (json_int_t) s->chunk.chunk, "us", (json_int_t) s->chunk.us, "rows",
                            (json_int_t) s->chunk.rows, "bytes", (json_int_t) s->chunk.logical));
    }
    return slow;
}

static json_t *depends_json(const SetRecord *set)
{
    json_t *keys = json_array();
    for (size_t i = 0; i < set->depends_count; i++)
        json_array_append_new(keys, json_string(set->depends_on[i]));
    return keys;
}

static json_t *chain_json(const Manifest *m, const SetDetail *d)
{
    json_t *keys = json_array();
    json_array_append_new(keys, json_string(m->set.key));
    for (size_t i = 0; i < d->chain_count; i++)
        json_array_append_new(keys, json_string(d->chain[i]));
    return keys;
}

static json_t *shares_json(const Manifest *m, const SetDetail *d)
{
    json_t *shares = json_array();
    for (size_t i = 0; i < d->share_count; i++)
        json_array_append_new(shares, json_pack("{s:s, s:I, s:I, s:b}", "key", m->set.depends_on[i],
                                                "chunks", (json_int_t) d->shares[i].chunks, "bytes",
                                                (json_int_t) d->shares[i].stored, "there",
                                                (int) d->shares[i].there));
    return shares;
}

json_t *set_report_json(const Manifest *m, int64_t tables, const SetDetail *detail)
{
    const TotalsRecord *t = &m->totals;
    json_t *object = json_pack(
        "{s:s, s:b, s:o, s:s?, s:o, s:o, s:o, s:o, s:s, s:i, s:s, s:I, s:i}", "key", m->set.key,
        "finished", 1, "fleet", set_report_string(m->set.fleet), "prefix", m->set.prefix,
        "topology", set_report_string(m->set.topology), "version",
        set_report_string(m->set.version), "started_at", time_json(m->set.started_us),
        "finished_at", time_json(m->set.finished_us), "compress",
        compress_name(m->set.compress.method), "compress_level", m->set.compress.level, "format",
        m->set.format, "chunk_size", (json_int_t) m->set.chunk_size, "jobs", m->set.jobs);
    json_object_set_new(object, "elapsed_ms", json_integer(elapsed_ms(m)));
    json_object_set_new(object, "base",
                        m->set.base[0] == '\0' ? json_null() : json_string(m->set.base));
    json_object_set_new(object, "depends_on", depends_json(&m->set));
    json_object_set_new(object, "cut",
                        json_pack("{s:s, s:i, s:I, s:I, s:o}", "method", m->cut.method, "tries",
                                  m->cut.tries, "window_us", (json_int_t) m->cut.window_us,
                                  "stall_us", (json_int_t) m->cut.stall_us, "at",
                                  time_json(m->cut.at_us)));
    json_object_set_new(object, "totals",
                        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "tables",
                                  (json_int_t) t->tables, "sequences", (json_int_t) t->sequences,
                                  "chunks", (json_int_t) t->chunks, "objects",
                                  (json_int_t) t->objects, "rows", (json_int_t) t->rows, "bytes",
                                  (json_int_t) t->logical, "stored", (json_int_t) t->stored,
                                  "referenced", (json_int_t) t->referenced));
    LargeObjectTotals large = large_object_totals(m);
    json_t *totals = json_object_get(object, "totals");
    /* A list reads no tables. */
    if (m->table_count > 0)
    {
        json_object_set_new(totals, "large_objects", json_integer((json_int_t) large.count));
        json_object_set_new(totals, "large_object_bytes", json_integer((json_int_t) large.bytes));
    }
    json_object_set_new(object, "kind", json_string(m->set.kind != NULL ? m->set.kind : "logical"));
    json_object_set_new(object, "nodes", nodes_json(m));
    if (manifest_is_physical(m))
        json_object_set_new(object, "physical", physical_report_json(m));
    json_t *selection = json_array();
    for (size_t i = 0; i < m->set.selection_count; i++)
        json_array_append_new(selection, set_report_string(m->set.selection[i]));
    json_object_set_new(object, "selection", selection);
    json_object_set_new(object, "sections", json_integer(m->set.sections));
    if (tables >= 0)
        json_object_set_new(object, "tables", tables_json(m, tables));
    if (detail != NULL)
    {
        json_object_set_new(object, "slowest_chunks", slow_json(detail));
        json_object_set_new(object, "chain", chain_json(m, detail));
        json_object_set_new(object, "stored_in", shares_json(m, detail));
    }
    return object;
}

static bool store(Storage *st, const char *set_dir, const char *name, bool no_sync,
                  const char *text, size_t len, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "report");
    AUTO(storage_writer_free)
    StorageWriter *w = storage_write_open(
        st, mem_printf(tmp, "%s/%s", set_dir, name),
        STORAGE_WRITE_ATOMIC | (no_sync ? STORAGE_WRITE_NO_SYNC : 0U), err);
    return w != NULL && storage_write(w, text, len, err) && storage_writer_commit(w, err);
}

static bool store_text(Storage *st, const char *set_dir, const Manifest *m, const char *asked,
                       bool no_sync, Error *err)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = mem_check(open_memstream(&text, &len));
    set_report_text(out, storage_uri(st), m, SET_REPORT_TABLES, NULL);
    if (asked != NULL)
        fprintf(out, "\noptions     %s\n", asked);
    bool ok = fclose(out) == 0 ||
              error_errno(err, ERR_INTERNAL, "cannot write the report of a set");
    ok = ok && store(st, set_dir, SET_REPORT_TEXT, no_sync, text, len, err);
    free(text);
    return ok;
}

bool set_report_store(Storage *st, const char *set_dir, const Manifest *m, const char *asked,
                      bool no_sync, Error *err)
{
    json_t *object = set_report_json(m, SET_REPORT_TABLES, NULL);
    json_object_set_new(object, "options", asked == NULL ? json_null() : set_report_string(asked));
    char *text = mem_check(json_dumps(object, JSON_INDENT(2)));
    json_decref(object);
    bool ok = store_text(st, set_dir, m, asked, no_sync, err) &&
              store(st, set_dir, SET_REPORT_JSON, no_sync, text, strlen(text), err);
    free(text);
    return ok;
}

void set_report_line(FILE *out, const char *key, const Manifest *m)
{
    char stored[STR_BYTES_LEN];
    char duration[STR_BYTES_LEN];
    if (manifest_is_physical(m))
    {
        fprintf(out, "%s  %-28s  %-7s %2zu node%s %-28s %10s  %s%s%s%s%s\n", key, m->set.fleet,
                m->set.topology, m->node_count, m->node_count == 1 ? " " : "s", "physical",
                str_format_bytes(stored, m->totals.stored),
                str_format_duration(duration, elapsed_ms(m)),
                m->set.prefix == NULL ? "" : "  prefix ",
                m->set.prefix == NULL ? "" : m->set.prefix, m->set.base[0] == '\0' ? "" : "  base ",
                m->set.base);
        return;
    }
    fprintf(out,
            "%s  %-28s  %-7s %2zu node%s %8" PRIu64 " tables %12" PRIu64 " rows %10s  %s%s%s%s%s\n",
            key, m->set.fleet, m->set.topology, m->node_count, m->node_count == 1 ? " " : "s",
            m->totals.tables, m->totals.rows, str_format_bytes(stored, m->totals.stored),
            str_format_duration(duration, elapsed_ms(m)), m->set.prefix == NULL ? "" : "  prefix ",
            m->set.prefix == NULL ? "" : m->set.prefix, m->set.base[0] == '\0' ? "" : "  base ",
            m->set.base);
}

void set_report_print(FILE *out, json_t *object)
{
    json_dumpf(object, out, JSON_INDENT(2));
    fprintf(out, "\n");
    json_decref(object);
}

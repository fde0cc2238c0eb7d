/*
 * test/unit/sample_set.c - writing the sample set.
 */
#include "sample_set.h"

#include "base/clock.h"
#include "base/str.h"
#include "io/rows.h"

#define BINARY_HEADER "PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"

static bool sink_str(void *arg, const void *data, size_t len, Error *err UNUSED)
{
    str_addn(arg, data, len);
    return true;
}

static void must(bool ok, const Error *err)
{
    if (!ok)
        fail_msg("%s", err->message);
}

Sample *sample_new(void)
{
    Sample *s = mem_new(NULL, Sample);
    Error err = ERROR_INIT;

    s->ctx = s;
    snprintf(s->root, sizeof(s->root), "/tmp/pgark-test-repo-XXXXXX");
    assert_non_null(mkdtemp(s->root));
    s->uri = mem_printf(s, "%s/repo", s->root);
    s->repo = repo_open_or_create(s, s->uri, &err);
    must(s->repo != NULL, &err);
    return s;
}

void sample_free(Sample *s)
{
    Error err = ERROR_INIT;
    Storage *st = storage_open(s, "/tmp", &err);

    must(storage_remove_tree(st, s->root + 5, &err), &err);
    mem_free(s);
}

const char *sample_path(Sample *s, const char *name)
{
    return mem_printf(s, "%s/%s/%s", s->uri, s->dir, name);
}

char *sample_load(Sample *s, const char *name, size_t *ret_len)
{
    Error err = ERROR_INIT;
    char *data = NULL;

    must(storage_read_all(s->repo->storage, s, mem_printf(s, "%s/%s", s->dir, name), 1 << 24, &data,
                          ret_len, &err),
         &err);
    return data;
}

void sample_store(Sample *s, const char *name, const char *data, size_t len)
{
    FILE *file = fopen(sample_path(s, name), "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* ---- writing ---- */

typedef struct Making
{
    Sample *s;
    RepoSet *set;
    Compress compress;
    SampleChange change;
    NodeRecord node;
    ManifestWriter *chunks;
    TableRecord tables[SAMPLE_TABLES];
    TotalsRecord totals;
    Str *bundle;
} Making;

static void write_object(Making *m, const char *path, const char *data, size_t len)
{
    AUTO(storage_writer_free) StorageWriter *w = NULL;
    Error err = ERROR_INIT;

    w = storage_write_open(m->s->repo->storage, mem_printf(m->s, "%s/%s", m->set->dir, path),
                           STORAGE_WRITE_NO_SYNC, &err);
    must(w != NULL && storage_write(w, data, len, &err) && storage_writer_commit(w, &err), &err);
    m->totals.objects++;
    m->totals.stored += len;
}

/* encode fills hashes and lengths of a chunk and returns its stored bytes. */
static Str *encode(Making *m, ChunkRecord *c, bool binary, const Str *data)
{
    Str *stored = str_new(m->s);
    IoStage *stored_tap = io_tap_new(TAP_SHA256, io_sink_new(sink_str, stored));
    IoStage *rows = io_rows_new(binary, io_compress_new(m->compress, stored_tap));
    IoStage *chain = io_tap_new(TAP_XXH3_128, rows);
    Error err = ERROR_INIT;

    must(io_write(chain, data->data, data->len, &err) && io_finish(chain, &err), &err);
    io_tap_result(chain, &c->logical, c->xxh3);
    io_tap_result(stored_tap, &c->stored, c->sha256);
    c->rows = io_rows_count(rows);
    io_free(chain);
    return stored;
}

static void add_chunk(Making *m, TableRecord *t, ChunkRecord *c)
{
    Error err = ERROR_INIT;

    if (m->change != NULL)
        m->change(LINE_CHUNK, c);
    t->chunks++;
    t->rows += c->rows;
    t->logical += c->logical;
    if (c->set[0] == '\0')
        t->stored += c->stored;
    else
        t->referenced += c->stored;
    must(manifest_write_chunk(m->chunks, c, &err), &err);
}

static void make_large(Making *m, TableRecord *t)
{
    for (uint32_t i = 0; i < 3; i++)
    {
        Str *data = str_new(m->s);
        ChunkRecord c = {.table_oid = t->oid, .chunk = i, .from_block = i * 10};
        Str *stored;

        c.to_block = i < 2 ? (i + 1) * 10 : 0;
        for (int row = 0; row < 1000; row++)
            str_addf(data, "%d\trow %d of node %d\n", row, (int) i * 1000 + row, t->content);
        stored = encode(m, &c, false, data);
        c.object = mem_printf(m->s, "db/shop/node%d/100.%" PRIu32 ".txt%s", t->content, i,
                              compress_suffix(m->compress.method));
        write_object(m, c.object, stored->data, stored->len);
        add_chunk(m, t, &c);
    }
}

static void make_small(Making *m, TableRecord *t)
{
    Str *data = str_new(m->s), *stored;
    ChunkRecord c = {.table_oid = t->oid};

    t->binary = true;
    str_addn(data, BINARY_HEADER, sizeof(BINARY_HEADER) - 1);
    str_addn(data, "\0\1\0\0\0\1a\0\1\xff\xff\xff\xff\xff\xff", 15);
    data->data[data->len - 15 + 6] = (char) t->oid;
    stored = encode(m, &c, true, data);
    c.object = mem_printf(m->s, "db/shop/node%d/bundle-0", t->content);
    c.offset = m->bundle->len;
    str_addn(m->bundle, stored->data, stored->len);
    add_chunk(m, t, &c);
}

static void make_tables(Making *m, int content)
{
    char **columns = mem_array(m->s, char *, 3);

    char **types = mem_array(m->s, char *, 3);
    for (int i = 0; i < 3; i++)
        types[i] = mem_strdup(m->s, "pg_catalog.text");
    columns[0] = mem_strdup(m->s, "id");
    columns[1] = mem_strdup(m->s, "a \"quoted\"\nname");
    columns[2] = mem_strdup(m->s, "latin\xe4");
    m->bundle = str_new(m->s);
    for (int i = 0; i < SAMPLE_TABLES; i++)
    {
        TableRecord *t = &m->tables[i];

        *t = (TableRecord){.content = content,
                           .database = mem_strdup(m->s, "shop"),
                           .oid = 100 + (uint32_t) i,
                           .schema = mem_strdup(m->s, "public"),
                           .name = mem_printf(m->s, "table %d%%\n\xc3\xa4", i),
                           .kind = 'r',
                           .columns = columns,
                           .column_count = 3,
                           .types = types,
                           .type_count = 3,
                           .worker_us = 5};
        if (i == 0)
            make_large(m, t);
        else if (i < SAMPLE_TABLES - 1)
            make_small(m, t);
        else
            add_chunk(m, t, &(ChunkRecord){.table_oid = t->oid});
    }
    write_object(m, mem_printf(m->s, "db/shop/node%d/bundle-0", content), m->bundle->data,
                 m->bundle->len);
}

static void make_schema(Making *m, const char *dir)
{
    m->node.schema.path = mem_printf(m->s, "%s/schema.dump", dir);
    m->node.schema.bytes = 6;
    tap_hash_memory(TAP_SHA256, "schema", 6, m->node.schema.sha256);
    write_object(m, m->node.schema.path, "schema", 6);
}

static void make_node(Making *m, int content)
{
    Sample *s = m->s;
    Error err = ERROR_INIT;
    char *dir = mem_printf(s, "db/shop/node%d", content);

    must(storage_make_dir(s->repo->storage, mem_printf(s, "%s/%s", m->set->dir, dir), false, &err),
         &err);
    m->node = (NodeRecord){.content = content,
                           .dbid = content + 1,
                           .host = mem_strdup(m->s, "/tmp"),
                           .port = 5432,
                           .database = mem_strdup(m->s, "shop"),
                           .system_identifier = mem_strdup(m->s, "7000000000000000001"),
                           .server_version = mem_strdup(m->s, "15.20 (Debian 15.20-0+deb12u1)"),
                           .server_version_num = 150020,
                           .encoding = mem_strdup(m->s, "UTF8"),
                           .snapshot = mem_strdup(m->s, "100:100:")};
    if (!s->spread || content == 0)
        make_schema(m, dir);
    m->node.chunks.path = mem_printf(s, "node%d.jsonl", content);
    m->chunks = manifest_writer_new(s->repo->storage,
                                    mem_printf(s, "%s/%s", m->set->dir, m->node.chunks.path), false,
                                    true, &err);
    must(m->chunks != NULL, &err);
    make_tables(m, content);
    must(manifest_writer_commit(m->chunks, &m->node.chunks, &err), &err);
    manifest_writer_free(m->chunks);
    m->totals.objects++;
    m->totals.stored += m->node.chunks.bytes;
}

static void spoil(Making *m, ManifestLineType type, void *record)
{
    if (m->change != NULL)
        m->change(type, record);
}

static void write_tables(Making *m, ManifestWriter *w, TableRecord *tables, size_t count)
{
    Error err = ERROR_INIT;

    for (size_t i = 0; i < count; i++)
    {
        spoil(m, LINE_TABLE, &tables[i]);
        must(manifest_write_table(w, &tables[i], &err), &err);
        m->totals.tables++;
        m->totals.chunks += tables[i].chunks;
        m->totals.rows += tables[i].rows;
        m->totals.logical += tables[i].logical;
        m->totals.referenced += tables[i].referenced;
    }
    for (int content = 0; content < SAMPLE_NODES; content++)
    {
        SequenceRecord r = {.content = content,
                            .database = mem_strdup(m->s, "shop"),
                            .schema = mem_strdup(m->s, "public"),
                            .name = mem_strdup(m->s, "a_seq"),
                            .last_value = INT64_MIN,
                            .is_called = true};

        spoil(m, LINE_SEQUENCE, &r);
        must(manifest_write_sequence(w, &r, &err), &err);
        m->totals.sequences++;
    }
}

static void write_distributions(Making *m, ManifestWriter *w)
{
    Error err = ERROR_INIT;
    DistributionRecord records[] = {{.table_oid = 103,
                                     .method = mem_strdup(m->s, "single"),
                                     .colocation = UINT32_MAX,
                                     .tenant_schema = mem_strdup(m->s, "tenant\xe4"),
                                     .shards = 0},
                                    {.table_oid = 104,
                                     .method = mem_strdup(m->s, "hash"),
                                     .column = mem_strdup(m->s, "a \"quoted\"\nname"),
                                     .colocation = 3,
                                     .shards = SAMPLE_SHARDS,
                                     .placements = 2}};

    for (size_t i = 0; i < LENGTH_OF(records); i++)
    {
        records[i].database = mem_strdup(m->s, "shop");
        spoil(m, LINE_DISTRIBUTION, &records[i]);
        must(manifest_write_distribution(w, &records[i], &err), &err);
    }
}

static void write_shards(Making *m, ManifestWriter *w)
{
    Error err = ERROR_INIT;

    for (int i = 0; i < SAMPLE_SHARDS; i++)
    {
        ShardRecord r = {.content = i == 0 ? 0 : 1,
                         .database = mem_strdup(m->s, "shop"),
                         .oid = i == 0 ? 101 : 99 + (uint32_t) i,
                         .table_oid = 104,
                         .shard_id = INT64_MAX - i,
                         .min = i == 0 ? NULL : mem_printf(m->s, "%d", INT32_MIN + i),
                         .max = i == 0 ? NULL : mem_printf(m->s, "%d", INT32_MIN + i)};

        spoil(m, LINE_SHARD, &r);
        must(manifest_write_shard(w, &r, &err), &err);
    }
}

static void write_distributed(Making *m, ManifestWriter *w)
{
    Error err = ERROR_INIT;
    DistributedSchemaRecord schema = {.database = mem_strdup(m->s, "shop"),
                                      .schema = mem_strdup(m->s, "tenant\xe4")};
    DistributedFunctionRecord functions[] = {
        {.arguments = mem_strdup(m->s, "integer, text"),
         .argument = mem_strdup(m->s, "$2"),
         .colocation = 3},
        {.arguments = mem_strdup(m->s, ""), .force_delegation = true}};

    spoil(m, LINE_DISTRIBUTED_SCHEMA, &schema);
    must(manifest_write_distributed_schema(w, &schema, &err), &err);
    for (size_t i = 0; i < LENGTH_OF(functions); i++)
    {
        functions[i].database = mem_strdup(m->s, "shop");
        functions[i].schema = mem_strdup(m->s, "public");
        functions[i].name = mem_printf(m->s, "f%zu", i);
        spoil(m, LINE_DISTRIBUTED_FUNCTION, &functions[i]);
        must(manifest_write_distributed_function(w, &functions[i], &err), &err);
    }
}

static void write_spread(Making *m, ManifestWriter *w)
{
    write_distributions(m, w);
    write_shards(m, w);
    write_distributed(m, w);
}

void sample_write(Sample *s, const char *fleet, const char *key, Compress compress,
                  SampleChange change)
{
    Making m = {.s = s, .compress = compress, .change = change};
    TableRecord tables[SAMPLE_NODES * SAMPLE_TABLES];
    NodeRecord nodes[SAMPLE_NODES];
    SetRecord set = {.version = mem_strdup(s, PGARK_VERSION),
                     .fleet = mem_strdup(s, fleet),
                     .topology = mem_strdup(s, s->spread ? "citus" : "shards"),
                     .started_us = 1,
                     .finished_us = clock_wall_us(),
                     .compress = compress,
                     .format = mem_strdup(s, "auto"),
                     .chunk_size = 1 << 28,
                     .jobs = 2};
    CutRecord cut = {
        .method = mem_strdup(s, "double-collect"), .tries = 1, .window_us = 300, .at_us = 1};
    ManifestWriter *w;
    Error err = ERROR_INIT;

    m.set = repo_set_begin(s->repo, s, fleet, key, &err);
    must(m.set != NULL, &err);
    memcpy(s->key, m.set->key, SET_KEY_LEN);
    s->dir = repo_set_dir(s->repo, s, s->key);
    memcpy(set.key, s->key, SET_KEY_LEN);
    for (int content = 0; content < SAMPLE_NODES; content++)
    {
        make_node(&m, content);
        nodes[content] = m.node;
        memcpy(tables + content * SAMPLE_TABLES, m.tables, sizeof(m.tables));
    }
    w = manifest_writer_new(s->repo->storage, mem_printf(s, "%s/manifest.jsonl", s->dir), true,
                            true, &err);
    spoil(&m, LINE_SET, &set);
    must(w != NULL && manifest_write_set(w, &set, &err), &err);
    for (int content = 0; content < SAMPLE_NODES; content++)
    {
        spoil(&m, LINE_NODE, &nodes[content]);
        must(manifest_write_node(w, &nodes[content], &err), &err);
    }
    must(manifest_write_cut(w, &cut, &err), &err);
    write_tables(&m, w, tables, LENGTH_OF(tables));
    if (s->spread)
        write_spread(&m, w);
    spoil(&m, LINE_TOTALS, &m.totals);
    must(manifest_write_totals(w, &m.totals, &err), &err);
    must(manifest_writer_commit(w, NULL, &err), &err);
    manifest_writer_free(w);
    m.set->committed = true;
    repo_set_end(m.set);
}

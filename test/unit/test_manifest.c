/*
 * test/unit/test_manifest.c - records written, read, and damaged in every way.
 */
#include <unistd.h>

#include "base/str.h"
#include "sample_set.h"

static const Compress zstd = {COMPRESS_ZSTD, 1};

static int set_up(void **state)
{
    *state = sample_new();
    return 0;
}

static int tear_down(void **state)
{
    sample_free(*state);
    return 0;
}

static bool count_chunk(void *arg, const ChunkRecord *chunk UNUSED, uint64_t offset UNUSED,
                        uint32_t len UNUSED, Error *err UNUSED)
{
    ++*(int *) arg;
    return true;
}

static void test_round_trip(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    Manifest *m, *headers;
    const TableRecord *t;
    int chunks = 0;

    sample_write(s, "my fleet", NULL, zstd, NULL);
    m = manifest_read(s->repo->storage, s, s->dir, false, &err);
    if (m == NULL)
        fail_msg("%s", err.message);
    assert_string_equal(m->set.key, s->key);
    assert_string_equal(m->set.fleet, "my fleet");
    assert_int_equal(m->set.compress.method, COMPRESS_ZSTD);
    assert_int_equal(m->node_count, SAMPLE_NODES);
    assert_string_equal(m->nodes[1].database, "shop");
    assert_int_equal(m->nodes[1].warning_count, 0);
    assert_string_equal(m->cut.method, "double-collect");
    assert_int_equal(m->cut.window_us, 300);
    assert_int_equal(m->table_count, SAMPLE_NODES * SAMPLE_TABLES);
    t = &m->tables[SAMPLE_TABLES];
    assert_int_equal(t->content, 1);
    assert_int_equal(t->oid, 100);
    assert_string_equal(t->name, "table 0%\n\xc3\xa4");
    assert_int_equal(t->column_count, 3);
    assert_string_equal(t->columns[1], "a \"quoted\"\nname");
    assert_string_equal(t->columns[2], "latin\xe4"); /* not UTF-8 */
    assert_int_equal(t->type_count, 3);
    assert_null(t->extension);
    assert_int_equal(t->chunks, 3);
    assert_int_equal(t->rows, 3000);
    assert_true(m->tables[1].binary);
    assert_int_equal(m->sequences[0].last_value, INT64_MIN);
    assert_true(m->sequences[0].is_called);
    assert_int_equal(m->totals.rows, SAMPLE_NODES * SAMPLE_ROWS);
    assert_int_equal(m->totals.objects, SAMPLE_NODES * SAMPLE_FILES);

    headers = manifest_read(s->repo->storage, s, s->dir, true, &err);
    assert_non_null(headers);
    assert_int_equal(headers->table_count, 0);
    assert_int_equal(headers->totals.tables, m->totals.tables);
    assert_true(
        manifest_each_chunk(s->repo->storage, s->dir, &m->nodes[0], count_chunk, &chunks, &err));
    assert_int_equal(chunks, SAMPLE_CHUNKS);
}

static void set_prefix(ManifestLineType type, void *record)
{
    static char name[] = "nightly_1.x-y";

    if (type == LINE_SET)
        ((SetRecord *) record)->prefix = name;
}

static void test_peek(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    SetRecord set;

    sample_write(s, "my fleet", NULL, zstd, NULL);
    assert_true(manifest_peek(s->repo->storage, s, s->dir, &set, &err));
    assert_null(set.prefix);
    sample_write(s, "my fleet", NULL, zstd, set_prefix);
    assert_true(manifest_peek(s->repo->storage, s, s->dir, &set, &err));
    assert_string_equal(set.prefix, "nightly_1.x-y");
    assert_string_equal(set.key, s->key);
    sample_store(s, "manifest.jsonl", "{\"type\":\"end\"}\n", 15);
    assert_false(manifest_peek(s->repo->storage, s, s->dir, &set, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    error_clear(&err);
    sample_store(s, "manifest.jsonl", "", 0);
    assert_false(manifest_peek(s->repo->storage, s, s->dir, &set, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    error_clear(&err);
    assert_int_equal(unlink(sample_path(s, "manifest.jsonl")), 0);
    assert_false(manifest_peek(s->repo->storage, s, s->dir, &set, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_spread_round_trip(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;

    s->spread = true;
    sample_write(s, "f", NULL, zstd, NULL);
    const Manifest *m = manifest_read(s->repo->storage, s, s->dir, false, &err);
    if (m == NULL)
        fail_msg("%s", err.message);
    assert_string_equal(m->set.topology, "citus");
    assert_null(m->nodes[1].schema.path);
    assert_int_equal(m->distribution_count, 2);
    const DistributionRecord *d = m->distributions;
    assert_int_equal(d[0].content, 0);
    assert_string_equal(d[0].database, "shop");
    assert_int_equal(d[0].table_oid, 103);
    assert_string_equal(d[0].method, "single");
    assert_null(d[0].column);
    assert_int_equal(d[0].colocation, UINT32_MAX);
    assert_string_equal(d[0].tenant_schema, "tenant\xe4"); /* not UTF-8 */
    assert_int_equal(d[0].shards, 0);
    assert_string_equal(d[1].column, "a \"quoted\"\nname");
    assert_null(d[1].tenant_schema);
    assert_int_equal(d[1].shards, SAMPLE_SHARDS);
    assert_int_equal(d[1].placements, 2);
    assert_int_equal(m->shard_count, SAMPLE_SHARDS);
    assert_int_equal(m->shards[0].content, 0);
    assert_int_equal(m->shards[0].shard_id, INT64_MAX);
    assert_null(m->shards[0].min);
    assert_null(m->shards[0].max);
    assert_int_equal(m->shards[1].content, 1);
    assert_int_equal(m->shards[1].oid, 100);
    assert_int_equal(m->shards[1].table_oid, 104);
    assert_string_equal(m->shards[1].min, "-2147483647");
    assert_string_equal(m->shards[1].max, "-2147483647");
    assert_int_equal(m->schema_count, 1);
    assert_string_equal(m->schemas[0].schema, "tenant\xe4");
    assert_int_equal(m->function_count, 2);
    const DistributedFunctionRecord *f = m->functions;
    assert_string_equal(f[0].name, "f0");
    assert_string_equal(f[0].arguments, "integer, text");
    assert_string_equal(f[0].argument, "$2");
    assert_int_equal(f[0].colocation, 3);
    assert_false(f[0].force_delegation);
    assert_string_equal(f[1].arguments, "");
    assert_null(f[1].argument);
    assert_true(f[1].force_delegation);
}

/* They are checked, and not kept. */
static void test_spread_headers_only(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;

    s->spread = true;
    sample_write(s, "f", NULL, zstd, NULL);
    const Manifest *m = manifest_read(s->repo->storage, s, s->dir, true, &err);
    if (m == NULL)
        fail_msg("%s", err.message);
    assert_int_equal(m->node_count, SAMPLE_NODES);
    assert_null(m->nodes[1].schema.path);
    assert_int_equal(m->distribution_count, 0);
    assert_int_equal(m->shard_count, 0);
    assert_int_equal(m->schema_count, 0);
    assert_int_equal(m->function_count, 0);
    assert_int_equal(m->totals.tables, SAMPLE_NODES * SAMPLE_TABLES);
}

typedef struct Again
{
    Sample *s;
    const NodeRecord *node;
} Again;

static bool read_again(void *arg, const ChunkRecord *chunk, uint64_t offset, uint32_t len,
                       Error *err)
{
    const Again *again = arg;
    ChunkRecord copy;

    assert_true(manifest_read_chunk(again->s->repo->storage, again->s, again->s->dir, again->node,
                                    offset, len, &copy, err));
    assert_int_equal(copy.table_oid, chunk->table_oid);
    assert_int_equal(copy.chunk, chunk->chunk);
    assert_string_equal(copy.sha256, chunk->sha256);
    assert_true(str_equal(copy.object, chunk->object));
    return true;
}

static void test_read_chunk(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    Again again = {.s = s};
    Manifest *m;
    ChunkRecord chunk;

    sample_write(s, "f", NULL, zstd, NULL);
    m = manifest_read(s->repo->storage, s, s->dir, false, &err);
    again.node = &m->nodes[1];
    assert_true(
        manifest_each_chunk(s->repo->storage, s->dir, again.node, read_again, &again, &err));
    assert_false(manifest_read_chunk(s->repo->storage, s, s->dir, again.node, 1, 50, &chunk, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
}

/* With headers only as without, all is checked. */
static bool readable(Sample *s, Error *err)
{
    void *ctx = mem_context(NULL, "reading");
    Error other = ERROR_INIT;
    Manifest *m, *headers;

    error_clear(err);
    m = manifest_read(s->repo->storage, ctx, s->dir, false, err);
    headers = manifest_read(s->repo->storage, ctx, s->dir, true, &other);
    assert_int_equal(m == NULL, headers == NULL);
    if (m == NULL)
        assert_string_equal(err->message, other.message);
    mem_free(ctx);
    return m != NULL;
}

/* Every altered byte and every truncation is noticed; all of them are tried where there is time. */
static void every_byte(Sample *s)
{
    Error err;
    char *data;
    size_t len;
    size_t step = getenv("PGARK_TEST_FULL") != NULL ? 1 : 5;

    sample_write(s, "f", NULL, zstd, NULL);
    data = sample_load(s, "manifest.jsonl", &len);
    for (size_t i = 0; i < len; i += step)
    {
        data[i] ^= 1;
        sample_store(s, "manifest.jsonl", data, len);
        assert_false(readable(s, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        data[i] ^= 1;
    }
    for (size_t i = 0; i < len; i += 7 * step)
    {
        sample_store(s, "manifest.jsonl", data, i);
        assert_false(readable(s, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
    }
    sample_store(s, "manifest.jsonl", data, len - 1); /* only the last newline is gone */
    assert_false(readable(s, &err));
    data = mem_grow(s, data, char, len + 2);
    data[len] = '\n';
    sample_store(s, "manifest.jsonl", data, len + 1);
    assert_false(readable(s, &err));
    sample_store(s, "manifest.jsonl", data, len);
    assert_true(readable(s, &err));
}

static void test_every_byte(void **state)
{
    every_byte(*state);
}

static void test_spread_every_byte(void **state)
{
    ((Sample *) *state)->spread = true;
    every_byte(*state);
}

static void test_chunk_file_bytes(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    Manifest *m;
    char *data;
    size_t len;
    int chunks;

    sample_write(s, "f", NULL, zstd, NULL);
    m = manifest_read(s->repo->storage, s, s->dir, false, &err);
    data = sample_load(s, "node0.jsonl", &len);
    for (size_t i = 0; i < len; i += 7)
    {
        data[i] ^= 2;
        sample_store(s, "node0.jsonl", data, len);
        error_clear(&err);
        assert_false(manifest_each_chunk(s->repo->storage, s->dir, &m->nodes[0], count_chunk,
                                         &chunks, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        data[i] ^= 2;
    }
    sample_store(s, "node0.jsonl", data, len - 200);
    error_clear(&err);
    assert_false(
        manifest_each_chunk(s->repo->storage, s->dir, &m->nodes[0], count_chunk, &chunks, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_int_equal(remove(sample_path(s, "node0.jsonl")), 0);
    error_clear(&err);
    assert_false(
        manifest_each_chunk(s->repo->storage, s->dir, &m->nodes[0], count_chunk, &chunks, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

/* A manifest whose hash is right and whose content is not. */
static void refuse(Sample *s, SampleChange change, const char *what)
{
    Error err;

    sample_write(s, "f", NULL, zstd, change);
    assert_false(readable(s, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    if (strstr(err.message, what) == NULL)
        fail_msg("\"%s\" says nothing of \"%s\"", err.message, what);
}

static void change_key(ManifestLineType type, void *record)
{
    if (type == LINE_SET)
        memcpy(((SetRecord *) record)->key, "20200101000000", SET_KEY_LEN);
}

static void change_nodes(ManifestLineType type, void *record)
{
    NodeRecord *node = record;

    if (type == LINE_NODE && node->content == 1)
    {
        node->content = 0;
        node->chunks.path[4] = '0';
    }
}

static void change_table_node(ManifestLineType type, void *record)
{
    if (type == LINE_TABLE)
        ((TableRecord *) record)->content = 7;
}

static void change_table_oid(ManifestLineType type, void *record)
{
    if (type == LINE_TABLE && ((TableRecord *) record)->oid == 101)
        ((TableRecord *) record)->oid = 100;
}

static void change_totals(ManifestLineType type, void *record)
{
    if (type == LINE_TOTALS)
        ((TotalsRecord *) record)->rows++;
}

static void test_content(void **state)
{
    refuse(*state, change_key, "20200101000000");
    refuse(*state, change_nodes, "out of order");
    refuse(*state, change_table_node, "node 7");
    refuse(*state, change_table_oid, "twice");
    refuse(*state, change_totals, "totals");
}

static void change_distribution_node(ManifestLineType type, void *record)
{
    if (type == LINE_DISTRIBUTION)
        ((DistributionRecord *) record)->content = 7;
}

static void change_distribution_database(ManifestLineType type, void *record)
{
    if (type == LINE_DISTRIBUTION)
        ((DistributionRecord *) record)->database[0]++;
}

static void change_shard_node(ManifestLineType type, void *record)
{
    if (type == LINE_SHARD)
        ((ShardRecord *) record)->content = 8;
}

static void change_schema_node(ManifestLineType type, void *record)
{
    if (type == LINE_DISTRIBUTED_SCHEMA)
        ((DistributedSchemaRecord *) record)->content = 9;
}

static void change_function_node(ManifestLineType type, void *record)
{
    if (type == LINE_DISTRIBUTED_FUNCTION)
        ((DistributedFunctionRecord *) record)->content = -1;
}

static void test_spread_content(void **state)
{
    ((Sample *) *state)->spread = true;
    refuse(*state, change_distribution_node, "a distribution of node 7");
    refuse(*state, change_distribution_database, "a distribution of node 0");
    refuse(*state, change_shard_node, "a shard of node 8");
    refuse(*state, change_schema_node, "a distributed schema of node 9");
    refuse(*state, change_function_node, "a distributed function of node -1");
}

/* reseal gives lines that were edited by hand a right end record. */
static void reseal(Sample *s, Str *lines)
{
    char sha256[TAP_HEX_LEN];

    tap_hash_memory(TAP_SHA256, lines->data, lines->len, sha256);
    str_addf(lines, "{\"type\":\"end\",\"sha256\":\"%s\"}\n", sha256);
    sample_store(s, "manifest.jsonl", lines->data, lines->len);
}

/* Leaving out, doubling or exchanging lines breaks the order of the records or their sums. */
static void test_order(void **state)
{
    Sample *s = *state;
    Error err;
    char *data, *lines[64];
    size_t len, count = 0;

    sample_write(s, "f", NULL, zstd, NULL);
    data = sample_load(s, "manifest.jsonl", &len);
    for (char *line = strtok_r(data, "\n", &data); line != NULL; line = strtok_r(NULL, "\n", &data))
        lines[count++] = line;
    for (size_t i = 0; i + 1 < count; i++)
    {
        for (int how = 0; how < 3; how++)
        {
            Str *text = str_new(s);

            for (size_t j = 0; j + 1 < count; j++)
            {
                if (how == 0 && i == j)
                    continue;
                str_addf(text, "%s\n", how == 2 && i == j ? lines[count - 2] : lines[j]);
                if (how == 1 && i == j)
                    str_addf(text, "%s\n", lines[j]);
            }
            if (how == 2 && i == count - 2)
                continue;
            /* A sequence that is doubled or missing is found by the totals. */
            reseal(s, text);
            assert_false(readable(s, &err));
            assert_int_equal(err.code, ERR_CORRUPT);
        }
    }
}

/* Every line of a spread set moved to the place of every other: only lines of one type may be
 * exchanged, and what has no other type in between. */
static void test_spread_order(void **state)
{
    Sample *s = *state;
    Error err;
    char *data, *lines[64];
    size_t len, count = 0;

    s->spread = true;
    sample_write(s, "f", NULL, zstd, NULL);
    data = sample_load(s, "manifest.jsonl", &len);
    for (char *line = strtok_r(data, "\n", &data); line != NULL; line = strtok_r(NULL, "\n", &data))
        lines[count++] = line;
    count--; /* the end record */
    for (size_t from = 0; from < count; from++)
    {
        size_t type_len = strcspn(lines[from], ",");

        for (size_t to = 0; to < count; to++)
        {
            Str *text = str_new(s);
            bool passes = false;

            for (size_t j = 0; j < count; j++)
            {
                if (j == from)
                    continue;
                if (j == to && to < from)
                    str_addf(text, "%s\n", lines[from]);
                str_addf(text, "%s\n", lines[j]);
                if (j == to && to > from)
                    str_addf(text, "%s\n", lines[from]);
            }
            if (to == from)
                continue;
            for (size_t j = to < from ? to : from; j <= (to < from ? from : to); j++)
                passes = passes || strncmp(lines[j], lines[from], type_len + 1) != 0;
            /* Nodes are in order among each other, too. */
            passes = passes || strstr(lines[from], "\"node\"") != NULL;
            reseal(s, text);
            assert_int_equal(readable(s, &err), !passes);
            mem_free(text);
        }
    }
}

/* What needs another record before it. */
static void refuse_without(Sample *s, const char *type, const char *what)
{
    Str *text = str_new(s);
    Error err;
    char *data, *rest;
    size_t len;

    sample_write(s, "f", NULL, zstd, NULL);
    data = rest = sample_load(s, "manifest.jsonl", &len);
    for (char *line = strtok_r(data, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
    {
        if (strncmp(line + strlen("{\"type\":\""), type, strlen(type)) != 0 &&
            strstr(line, "\"end\"") == NULL)
            str_addf(text, "%s\n", line);
    }
    reseal(s, text);
    assert_false(readable(s, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    if (strstr(err.message, what) == NULL)
        fail_msg("\"%s\" says nothing of \"%s\"", err.message, what);
}

static void test_spread_needs(void **state)
{
    ((Sample *) *state)->spread = true;
    refuse_without(*state, "table\"", "a distribution record is out of place");
    refuse_without(*state, "distribution\"", "a shard record is out of place");
}

/* ---- single lines ---- */

static bool parses(const char *line)
{
    void *ctx = mem_context(NULL, "line");
    ManifestLine parsed;
    Error err = ERROR_INIT;
    bool ok = manifest_parse_line(ctx, line, strlen(line), &parsed, &err);

    assert_true(ok || err.code == ERR_CORRUPT);
    mem_free(ctx);
    return ok;
}

#define SHA "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define XXH "06b05ab6733a618578af5f94892f3950"
#define SEQUENCE                                                                                   \
    "{\"type\":\"sequence\",\"content\":0,\"database\":\"d\",\"schema\":\"s\",\"name\":"

static void test_lines(void **state UNUSED)
{
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "1",
        "{\"type\":\"set\"}",
        "{\"type\":\"nothing\"}",
        "{\"type\":1}",
        SEQUENCE "\"n\",\"last_value\":1,\"is_called\":true}x",
        SEQUENCE "\"n\",\"last_value\":1,\"is_called\":true} {}",
        SEQUENCE "\"n\",\"last_value\":1,\"is_called\":1}",
        SEQUENCE "\"n\",\"last_value\":1.0,\"is_called\":true}",
        SEQUENCE "\"n\",\"last_value\":\"1\",\"is_called\":true}",
        SEQUENCE "\"n\",\"last_value\":9223372036854775808,\"is_called\":true}",
        SEQUENCE "\"n\",\"last_value\":1,\"is_called\":true,\"more\":1}",
        SEQUENCE "\"n\",\"last_value\":1,\"last_value\":1,\"is_called\":true}",
        SEQUENCE "\"\\u0000\",\"last_value\":1,\"is_called\":true}",
        SEQUENCE "\"\xff\",\"last_value\":1,\"is_called\":true}",
        SEQUENCE "{\"hex\":\"0\"},\"last_value\":1,\"is_called\":true}",
        SEQUENCE "{\"hex\":\"00\"},\"last_value\":1,\"is_called\":true}",
        SEQUENCE "{\"hex\":\"E4\"},\"last_value\":1,\"is_called\":true}",
        SEQUENCE "{\"hex\":\"e4\",\"x\":1},\"last_value\":1,\"is_called\":true}",
        SEQUENCE "null,\"last_value\":1,\"is_called\":true}",
        "{\"type\":\"sequence\",\"content\":-2,\"database\":\"d\",\"schema\":\"s\",\"name\":\"n\","
        "\"last_value\":1,"
        "\"is_called\":true}",
    };

    for (size_t i = 0; i < LENGTH_OF(bad); i++)
    {
        if (parses(bad[i]))
            fail_msg("accepted: %s", bad[i]);
    }
    assert_true(parses(SEQUENCE "\"n\",\"last_value\":1,\"is_called\":true}"));
    assert_true(parses(SEQUENCE "{\"hex\":\"e4\"},\"last_value\":-1,\"is_called\":false}"));
    assert_true(parses("{\"type\":\"end\",\"sha256\":\"" SHA "\"}"));
    assert_false(parses("{\"type\":\"end\",\"sha256\":\"" SHA "a\"}"));
    assert_false(parses("{\"type\":\"end\",\"sha256\":null}"));
}

/* what: what the message must say, NULL: the line is sound. */
static void expect_line(const char *line, const char *what)
{
    void *ctx = mem_context(NULL, "line");
    ManifestLine parsed;
    Error err = ERROR_INIT;

    if (manifest_parse_line(ctx, line, strlen(line), &parsed, &err) != (what == NULL))
        fail_msg("%s: %s", what == NULL ? err.message : "accepted", line);
    if (what != NULL && strstr(err.message, what) == NULL)
        fail_msg("\"%s\" says nothing of \"%s\"", err.message, what);
    mem_free(ctx);
}

static void expect_distribution(const char *method, const char *rest, const char *what)
{
    char line[1024];

    snprintf(line, sizeof(line),
             "{\"type\":\"distribution\",\"content\":-1,\"database\":\"d\",\"method\":%s,"
             "\"columns\":[],\"opclasses\":[],\"placements\":2,%s}",
             method, rest);
    expect_line(line, what);
}

static void expect_key(const char *method, const char *column, const char *columns,
                       const char *opclasses, const char *what)
{
    char line[1024];

    snprintf(line, sizeof(line),
             "{\"type\":\"distribution\",\"content\":-1,\"database\":\"d\",\"method\":\"%s\","
             "\"column\":%s,\"columns\":%s,\"opclasses\":%s,\"table_oid\":1,\"colocation\":0,"
             "\"tenant_schema\":null,\"shards\":3,\"placements\":0}",
             method, column, columns, opclasses);
    expect_line(line, what);
}

static void test_key_lines(void **state UNUSED)
{
    expect_key("hash", "null", "[\"a\",\"b\"]", "[\"pg_catalog.int4_ops\",\"s.o\"]", NULL);
    expect_key("random", "null", "[]", "[]", NULL);
    expect_key("replicated", "null", "[]", "[]", NULL);
    expect_key("hash", "null", "[]", "[]", "without its column");
    expect_key("hash", "\"a\"", "[\"a\"]", "[\"s.o\"]", "a key that it cannot have");
    expect_key("random", "null", "[\"a\"]", "[\"s.o\"]", "a key that it cannot have");
    expect_key("hash", "null", "[\"a\"]", "[]", "not as many operator classes");
    expect_key("hash", "null", "[\"a\"]", "[7]", "\"opclasses\" is not valid");
    expect_key("hash", "null", "\"a\"", "[]", "\"columns\" is not valid");
}

#define NO_COLUMN                                                                                  \
    "\"table_oid\":1,\"column\":null,\"colocation\":0,\"tenant_schema\":null,\"shards\":1"
#define A_COLUMN                                                                                   \
    "\"table_oid\":1,\"column\":\"k\",\"colocation\":0,\"tenant_schema\":null,\"shards\":1"

static void test_distribution_lines(void **state UNUSED)
{
    static const char *const by_column[] = {"\"hash\"", "\"range\"", "\"append\""};
    static const char *const others[] = {"\"single\"", "\"reference\"", "\"local\"", "\"random\"",
                                         "\"replicated\""};
    static const char *const unknown[] = {"\"\"", "\"Hash\"", "\"hash \"", "\"none\""};
    static const char *const bad[] = {
        "\"table_oid\":0,\"column\":null,\"colocation\":0,\"tenant_schema\":null,\"shards\":1",
        "\"table_oid\":1,\"column\":null,\"colocation\":-1,\"tenant_schema\":null,\"shards\":1",
        "\"table_oid\":1,\"column\":null,\"colocation\":4294967296,\"tenant_schema\":null,"
        "\"shards\":1",
        "\"table_oid\":1,\"column\":null,\"colocation\":0,\"tenant_schema\":7,\"shards\":1",
        "\"table_oid\":1,\"column\":null,\"colocation\":0,\"tenant_schema\":null,\"shards\":-1",
        "\"table_oid\":1,\"column\":null,\"colocation\":0,\"tenant_schema\":null,"
        "\"shards\":4294967296",
    };

    for (size_t i = 0; i < LENGTH_OF(by_column); i++)
    {
        expect_distribution(by_column[i], A_COLUMN, NULL);
        expect_distribution(by_column[i], NO_COLUMN, "without its column");
    }
    for (size_t i = 0; i < LENGTH_OF(others); i++)
    {
        expect_distribution(others[i], NO_COLUMN, NULL);
        expect_distribution(others[i], A_COLUMN, "with a column");
    }
    for (size_t i = 0; i < LENGTH_OF(unknown); i++)
    {
        expect_distribution(unknown[i], NO_COLUMN, "an unknown distribution");
        expect_distribution(unknown[i], A_COLUMN, "an unknown distribution");
    }
    expect_distribution("null", NO_COLUMN, "\"method\" is not valid");
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
        expect_distribution("\"single\"", bad[i], "is not valid");
    expect_distribution("\"single\"", NO_COLUMN ",\"more\":1", "unknown fields");
}

#define SHARD "{\"type\":\"shard\",\"content\":0,\"database\":\"d\","

static void test_shard_lines(void **state UNUSED)
{
    expect_line(
        SHARD "\"oid\":1,\"table_oid\":4294967295,\"shard_id\":0,\"min\":\"\",\"max\":null}", NULL);
    expect_line(SHARD "\"oid\":0,\"table_oid\":1,\"shard_id\":1,\"min\":null,\"max\":null}",
                "\"oid\" is not valid");
    expect_line(SHARD "\"oid\":1,\"table_oid\":0,\"shard_id\":1,\"min\":null,\"max\":null}",
                "\"table_oid\" is not valid");
    expect_line(SHARD "\"oid\":1,\"table_oid\":1,\"shard_id\":-1,\"min\":null,\"max\":null}",
                "\"shard_id\" is not valid");
    expect_line(SHARD "\"oid\":1,\"table_oid\":1,\"shard_id\":1,\"min\":5,\"max\":null}",
                "\"min\" is not valid");
    expect_line(SHARD "\"oid\":1,\"table_oid\":1,\"shard_id\":1,\"min\":null}",
                "\"max\" is missing");
}

#define FUNCTION                                                                                   \
    "{\"type\":\"distributed_function\",\"content\":0,\"database\":\"d\",\"schema\":\"s\","        \
    "\"name\":\"f\",\"arguments\":\"integer\",\"colocation\":0,\"force_delegation\":false,"        \
    "\"argument\":"

/* What goes to the server as it is, in quotes. */
static void test_distributed_lines(void **state UNUSED)
{
    static const char *const bad[] = {"\"\"",    "\"$\"",   "\"1\"",     "\"$1a\"",  "\"$ 1\"",
                                      "\"$-1\"", "\"$1 \"", "\"$1\\n\"", "\"name\"", "\"$$1\""};

    expect_line(FUNCTION "null}", NULL);
    expect_line(FUNCTION "\"$1\"}", NULL);
    expect_line(FUNCTION "\"$100\"}", NULL);
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
    {
        char line[512];

        snprintf(line, sizeof(line), FUNCTION "%s}", bad[i]);
        expect_line(line, "an impossible argument");
    }
    expect_line(FUNCTION "1}", "\"argument\" is not valid");
    expect_line(
        "{\"type\":\"distributed_schema\",\"content\":0,\"database\":\"d\",\"schema\":\"s\"}",
        NULL);
    expect_line(
        "{\"type\":\"distributed_schema\",\"content\":0,\"database\":\"d\",\"schema\":null}",
        "\"schema\" is not valid");
}

#define SET                                                                                        \
    "\"key\":\"20261121081529\",\"version\":\"1\",\"fleet\":\"f\",\"prefix\":null,"                \
    "\"topology\":\"single\",\"started_us\":1,\"finished_us\":1,\"compress\":\"zstd:1\","          \
    "\"copy_format\":\"auto\",\"chunk_size\":1,\"jobs\":2,\"sections\":7,\"selection\":[]"

static void expect_set(int format, const char *more, const char *what)
{
    char line[1024];

    snprintf(line, sizeof(line), "{\"type\":\"set\",\"format\":%d," SET "%s}", format, more);
    expect_line(line, what);
}

static void test_set_lines(void **state UNUSED)
{
    static const char base[] = ",\"base\":\"20261121081528\"";

    expect_set(1, "", NULL);
    expect_set(2, "", NULL);
    expect_set(0, "", "\"format\" is not valid");
    expect_set(3, "", NULL);
    expect_set(4, "", "format 4 is newer than 3");
    expect_set(2, base, NULL);
    expect_set(1, base, "which format 1 does not have");
    expect_set(2, ",\"base\":null", "\"base\" is not valid");
    expect_set(2, ",\"base\":\"20261321081528\"", "\"base\" is not valid");
    expect_set(2, ",\"base\":\"20261121081529\"", "a base that is not older");
    expect_set(2, ",\"base\":\"20261121081528\",\"depends_on\":[\"20261121081527\"]", NULL);
    expect_set(2, ",\"depends_on\":[\"20261121081527\"]", "dependencies without a base");
    static const char *const impossible[] = {
        "\"\"",
        "\"../../../etc\"",
        "\"20261121081529\"",
        "\"20261121081530\"",
        "\"20261121081527\",\"20261121081527\"",
        "\"20261121081528\",\"20261121081527\"",
    };
    for (size_t i = 0; i < LENGTH_OF(impossible); i++)
    {
        char more[256];

        snprintf(more, sizeof(more), "%s,\"depends_on\":[%s]", base, impossible[i]);
        expect_set(2, more, "impossible dependencies");
    }
    expect_set(2, ",\"base\":\"20261121081528\",\"depends_on\":[7]", "\"depends_on\" is not valid");
}

static void expect_chunk(const char *object, const char *set, const char *what)
{
    char line[1024];
    bool there = strcmp(object, "null") != 0;

    snprintf(line, sizeof(line),
             "{\"type\":\"chunk\",\"table_oid\":1,\"chunk\":0,\"from_block\":0,\"to_block\":0,"
             "\"object\":%s,%s\"offset\":0,\"stored\":%d,\"sha256\":%s,\"logical\":%d,\"xxh3\":%s,"
             "\"rows\":0,\"us\":0}",
             object, set, there, there ? "\"" SHA "\"" : "null", there,
             there ? "\"00000000000000000000000000000000\"" : "null");
    expect_line(line, what);
}

static void test_chunk_lines(void **state UNUSED)
{
    expect_chunk("\"db/d/node0/1.0.txt\"", "", NULL);
    expect_chunk("\"db/d/node0/1.0.txt\"", "\"set\":\"20261121081529\",", NULL);
    expect_chunk("\"db/d/node0/1.0.txt\"", "\"set\":null,", "\"set\" is not valid");
    expect_chunk("\"db/d/node0/1.0.txt\"", "\"set\":\"\",", "\"set\" is not valid");
    expect_chunk("\"db/d/node0/1.0.txt\"", "\"set\":\"../2026112108\",", "\"set\" is not valid");
    expect_chunk("null", "", NULL);
    expect_chunk("null", "\"set\":\"20261121081529\",", "data without an object");
}

static void give_file(ManifestLineType type, void *record)
{
    TableRecord *t = record;

    if (type != LINE_TABLE)
        return;
    t->relfilenode = UINT32_MAX - t->oid;
    t->blocks = UINT32_MAX;
    t->changes = INT64_MAX;
}

/* As an older pgark would have written it, or as a forger: the hash is right. */
static void store_as_format_1(Sample *s)
{
    size_t len;
    char *text = sample_load(s, "manifest.jsonl", &len);
    Str *lines = str_new(s);

    str_addn(lines, text, (size_t) (strstr(text, "{\"type\":\"end\"") - text));
    *(strstr(lines->data, "\"format\":3") + strlen("\"format\":")) = '1';
    reseal(s, lines);
}

static void test_formats(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    Manifest *m;

    sample_write(s, "f", NULL, zstd, give_file);
    m = manifest_read(s->repo->storage, s, s->dir, false, &err);
    if (m == NULL)
        fail_msg("%s", err.message);
    assert_int_equal(m->set.records, MANIFEST_FORMAT);
    assert_int_equal(m->tables[0].relfilenode, UINT32_MAX - 100);
    assert_int_equal(m->tables[0].blocks, UINT32_MAX);
    assert_int_equal(m->tables[0].changes, INT64_MAX);
    store_as_format_1(s);
    assert_null(manifest_read(s->repo->storage, s, s->dir, false, &err));
    assert_non_null(strstr(err.message, "fields that format 1 does not have"));
    error_clear(&err);
    sample_write(s, "f", NULL, zstd, NULL);
    store_as_format_1(s);
    m = manifest_read(s->repo->storage, s, s->dir, false, &err);
    if (m == NULL)
        fail_msg("%s", err.message);
    assert_int_equal(m->set.records, 1);
    assert_int_equal(m->tables[0].relfilenode, 0);
}

static void expect_node(const char *schema, const char *what)
{
    char line[2048];

    snprintf(
        line, sizeof(line),
        "{\"type\":\"node\",\"content\":-1,\"dbid\":0,\"host\":\"h\",\"port\":1,\"database\":\"d\","
        "\"system_identifier\":\"1\",\"server_version\":\"15\",\"server_version_num\":150000,"
        "\"in_recovery\":false,\"encoding\":\"UTF8\",\"snapshot\":\"1:1:\",\"dump_ms\":0,"
        "\"schema\":%s,\"chunks\":{\"path\":\"node-1.jsonl\",\"bytes\":0,\"sha256\":\"" SHA "\"},"
        "\"globals\":{\"path\":null,\"bytes\":0,\"sha256\":null},"
        "\"config\":{\"path\":null,\"bytes\":0,\"sha256\":null},\"warnings\":[]}",
        schema);
    expect_line(line, what);
}

/* A node with parts of tables only has no schema archive, and nothing that would be one's. */
static void test_node_lines(void **state UNUSED)
{
    expect_node("{\"path\":\"db/d/node-1/schema.dump\",\"bytes\":1,\"sha256\":\"" SHA "\"}", NULL);
    expect_node("{\"path\":null,\"bytes\":0,\"sha256\":null}", NULL);
    expect_node("{\"path\":null,\"bytes\":1,\"sha256\":null}", "without a file");
    expect_node("{\"path\":null,\"bytes\":0,\"sha256\":\"" SHA "\"}", "without a file");
    expect_node("{\"path\":\"db/d/node-1/schema.dump\",\"bytes\":1,\"sha256\":null}",
                "without a hash");
    expect_node("{\"path\":\"schema.dump\",\"bytes\":1,\"sha256\":\"" SHA "\"}", "outside db/");
    expect_node("null", "\"path\" is missing");
}

static bool chunk_parses(const char *object, const char *rest)
{
    char line[1024];

    snprintf(line, sizeof(line),
             "{\"type\":\"chunk\",\"table_oid\":1,\"chunk\":0,\"from_block\":0,\"to_block\":0,"
             "\"object\":%s,%s,\"us\":0}",
             object, rest);
    return parses(line);
}

static void test_paths(void **state UNUSED)
{
    static const char full[] = "\"offset\":0,\"stored\":5,\"sha256\":\"" SHA "\",\"logical\":5,"
                               "\"xxh3\":\"" XXH "\",\"rows\":1";
    static const char empty[] = "\"offset\":0,\"stored\":0,\"sha256\":null,\"logical\":0,"
                                "\"xxh3\":null,\"rows\":0";
    static const char far[] = "\"offset\":9223372036854775807,\"stored\":5,\"sha256\":\"" SHA
                              "\",\"logical\":5,\"xxh3\":\"" XXH "\",\"rows\":1";
    static const char *const bad[] = {
        "\"\"",
        "\"/etc/passwd\"",
        "\"../x\"",
        "\"db/../x\"",
        "\"db//x\"",
        "\"db/x/\"",
        "\"db/./x\"",
        "\"manifest.jsonl\"",
        "\"db/.x\"",
        "\"db\"",
        "\"db/a b\"",
        "\"db/a\\nb\"",
        "\"dbx/a\"",
        "\"db/\\u00e4\"",
        "1",
        "\"db/x/..\"",
        "{\"hex\":\"64622f78\"}",
    };

    assert_true(chunk_parses("\"db/x/node0/1.0.bin.zst\"", full));
    assert_true(chunk_parses("\"db/%C3%A4/node-1/bundle-0\"", full));
    assert_true(chunk_parses("null", empty));
    assert_false(chunk_parses("null", full));
    assert_false(chunk_parses("\"db/x\"", empty));
    assert_false(chunk_parses("\"db/x\"", far));
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
    {
        if (chunk_parses(bad[i], full))
            fail_msg("accepted: %s", bad[i]);
    }
}

/* The writer refuses what the reader would. */
static void test_writer_refuses(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    AUTO(manifest_writer_free) ManifestWriter *w = NULL;
    ChunkRecord chunk = {.table_oid = 1, .rows = 1};
    SequenceRecord sequence = {.database = mem_strdup(s, "d"), .schema = mem_strdup(s, "s")};
    TotalsRecord totals = {.rows = UINT64_MAX};
    DistributionRecord distribution = {
        .database = sequence.database, .table_oid = 1, .method = mem_strdup(s, "hash")};
    DistributedFunctionRecord function = {.database = sequence.database,
                                          .schema = sequence.schema,
                                          .name = mem_strdup(s, "f"),
                                          .arguments = mem_strdup(s, ""),
                                          .argument = mem_strdup(s, "1")};

    w = manifest_writer_new(s->repo->storage, "x", false, true, &err);
    assert_false(manifest_write_chunk(w, &chunk, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    error_clear(&err);
    assert_false(manifest_write_sequence(w, &sequence, &err));
    assert_non_null(strstr(err.message, "name"));
    error_clear(&err);
    assert_false(manifest_write_totals(w, &totals, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    error_clear(&err);
    assert_false(manifest_write_distribution(w, &distribution, &err));
    assert_non_null(strstr(err.message, "without its column"));
    error_clear(&err);
    assert_false(manifest_write_distributed_function(w, &function, &err));
    assert_non_null(strstr(err.message, "impossible argument"));
}

/* A line longer than the writer's and the reader's first buffers. */
static void test_long_line(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    ManifestWriter *w = manifest_writer_new(s->repo->storage, "x", false, true, &err);
    char *long_name = mem_array(s, char, 300001);
    SequenceRecord r = {
        .database = mem_strdup(s, "d"), .schema = mem_strdup(s, "s"), .name = long_name};
    ManifestLine line;
    char *data;
    size_t len;

    memset(long_name, 'n', 300000);
    assert_true(manifest_write_sequence(w, &r, &err));
    assert_true(manifest_writer_commit(w, NULL, &err));
    manifest_writer_free(w);
    assert_true(storage_read_all(s->repo->storage, s, "x", 1 << 20, &data, &len, &err));
    assert_true(manifest_parse_line(s, data, len, &line, &err));
    assert_string_equal(line.u.sequence.name, long_name);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip),
        TEST(test_peek),
        TEST(test_read_chunk),
        TEST(test_every_byte),
        TEST(test_chunk_file_bytes),
        TEST(test_content),
        TEST(test_order),
        TEST(test_lines),
        TEST(test_paths),
        TEST(test_writer_refuses),
        TEST(test_long_line),
        TEST(test_spread_round_trip),
        TEST(test_spread_headers_only),
        TEST(test_spread_every_byte),
        TEST(test_spread_content),
        TEST(test_spread_order),
        TEST(test_spread_needs),
        TEST(test_distribution_lines),
        TEST(test_key_lines),
        TEST(test_shard_lines),
        TEST(test_distributed_lines),
        TEST(test_node_lines),
        TEST(test_set_lines),
        TEST(test_chunk_lines),
        TEST(test_formats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

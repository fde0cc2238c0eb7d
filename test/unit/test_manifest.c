/*
 * test/unit/test_manifest.c - records written, read, and damaged in every way.
 */
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

static bool readable(Sample *s, Error *err)
{
    void *ctx = mem_context(NULL, "reading");
    Manifest *m;

    error_clear(err);
    m = manifest_read(s->repo->storage, ctx, s->dir, false, err);
    mem_free(ctx);
    return m != NULL;
}

/* Every single altered byte and every truncation is noticed. */
static void test_every_byte(void **state)
{
    Sample *s = *state;
    Error err;
    char *data;
    size_t len;

    sample_write(s, "f", NULL, zstd, NULL);
    data = sample_load(s, "manifest.jsonl", &len);
    for (size_t i = 0; i < len; i++)
    {
        data[i] ^= 1;
        sample_store(s, "manifest.jsonl", data, len);
        assert_false(readable(s, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        data[i] ^= 1;
    }
    for (size_t i = 0; i < len; i += 7)
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
    for (size_t i = 0; i < len; i += 3)
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

    w = manifest_writer_new(s->repo->storage, "x", false, true, &err);
    assert_false(manifest_write_chunk(w, &chunk, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    error_clear(&err);
    assert_false(manifest_write_sequence(w, &sequence, &err));
    assert_non_null(strstr(err.message, "name"));
    error_clear(&err);
    assert_false(manifest_write_totals(w, &totals, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
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
        TEST(test_round_trip),     TEST(test_read_chunk),
        TEST(test_every_byte),     TEST(test_chunk_file_bytes),
        TEST(test_content),        TEST(test_order),
        TEST(test_lines),          TEST(test_paths),
        TEST(test_writer_refuses), TEST(test_long_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test/unit/test_verify.c - a sound set verifies, a damaged one does not.
 */
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "repo/verify.h"
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

static VerifyResult verify(Sample *s, bool quick)
{
    Error err = ERROR_INIT;
    VerifyResult result;

    if (!verify_set(s->repo, s, s->dir, quick, 2, NULL, NULL, NULL, &result, &err))
        fail_msg("%s", err.message);
    return result;
}

static void expect_problem(VerifyResult r, const char *what)
{
    for (size_t i = 0; i < r.problem_count; i++)
    {
        if (strstr(r.problems[i], what) != NULL)
            return;
    }
    fail_msg("no problem says \"%s\", the first of %zu is: %s", what, r.problem_count,
             r.problem_count > 0 ? r.problems[0] : "");
}

static void expect_sound(Sample *s)
{
    VerifyResult r = verify(s, false);

    if (r.problem_count > 0)
        fail_msg("%s", r.problems[0]);
}

static void note_bytes(void *arg, uint64_t bytes)
{
    atomic_ullong *most = arg;

    if (bytes > atomic_load(most))
        atomic_store(most, bytes);
}

static void test_sound(void **state)
{
    static const Compress codecs[] = {
        {COMPRESS_NONE, 0}, {COMPRESS_ZSTD, 1}, {COMPRESS_LZ4, 1}, {COMPRESS_GZIP, 6}};
    Sample *s = *state;

    for (size_t i = 0; i < LENGTH_OF(codecs); i++)
    {
        Error err = ERROR_INIT;
        VerifyResult r;
        atomic_ullong most = 0;

        sample_write(s, "f", NULL, codecs[i], NULL);
        assert_true(verify_set(s->repo, s, s->dir, false, 3, NULL, note_bytes, &most, &r, &err));
        if (r.problem_count > 0)
            fail_msg("%s", r.problems[0]);
        assert_int_equal(r.objects, SAMPLE_NODES * SAMPLE_FILES);
        assert_int_equal(r.chunks, SAMPLE_NODES * SAMPLE_CHUNKS);
        assert_int_equal(r.rows, SAMPLE_NODES * SAMPLE_ROWS);
        assert_true(r.bytes > 0);
        assert_int_equal(r.bytes, most);
        r = verify(s, true);
        assert_int_equal(r.problem_count, 0);
        assert_int_equal(r.bytes, 0);
        assert_int_equal(r.chunks, SAMPLE_NODES * SAMPLE_CHUNKS);
    }
}

/* Shards are tables of their nodes; a node without definitions has one file less. */
static void test_spread(void **state)
{
    Sample *s = *state;

    s->spread = true;
    sample_write(s, "f", NULL, zstd, NULL);
    VerifyResult r = verify(s, false);
    if (r.problem_count > 0)
        fail_msg("%s", r.problems[0]);
    assert_int_equal(r.objects, SAMPLE_NODES * SAMPLE_FILES - 1);
    assert_int_equal(r.chunks, SAMPLE_NODES * SAMPLE_CHUNKS);
    assert_int_equal(r.rows, SAMPLE_NODES * SAMPLE_ROWS);
    assert_int_equal(verify(s, true).problem_count, 0);
}

static void test_spread_damage(void **state)
{
    static const char shard[] = "db/shop/node1/100.1.txt.zst";
    static const char schema[] = "db/shop/node1/schema.dump";
    Sample *s = *state;
    size_t len;

    s->spread = true;
    sample_write(s, "f", NULL, zstd, NULL);
    char *data = sample_load(s, shard, &len);
    data[len / 2] ^= 4;
    sample_store(s, shard, data, len);
    expect_problem(verify(s, false), shard);
    data[len / 2] ^= 4;
    sample_store(s, shard, data, len);
    assert_int_equal(verify(s, false).problem_count, 0);
    /* There is none in this set. */
    sample_store(s, schema, "schema", 6);
    expect_problem(verify(s, false), schema);
    assert_int_equal(remove(sample_path(s, schema)), 0);
    assert_int_equal(remove(sample_path(s, "db/shop/node0/schema.dump")), 0);
    expect_problem(verify(s, true), "db/shop/node0/schema.dump");
}

/* ---- damage to files ---- */

static const char *const objects[] = {"db/shop/node0/100.1.txt.zst", "db/shop/node1/bundle-0"};

static void change_shard_relation(ManifestLineType type, void *record)
{
    if (type == LINE_SHARD)
        ((ShardRecord *) record)->oid = 4000000000;
}

/* Every record may be right by itself, and yet a table lack a part. */
static void test_spread_records(void **state)
{
    Sample *s = *state;

    s->spread = true;
    sample_write(s, "f", NULL, zstd, change_shard_relation);
    expect_problem(verify(s, false), "has no relation");
    expect_problem(verify(s, true), "has no relation");
}

static void test_altered(void **state)
{
    Sample *s = *state;

    sample_write(s, "f", NULL, zstd, NULL);
    for (size_t i = 0; i < LENGTH_OF(objects); i++)
    {
        size_t len;
        char *data = sample_load(s, objects[i], &len);

        for (size_t at = 0; at < len; at += len / 40 + 1)
        {
            data[at] ^= 4;
            sample_store(s, objects[i], data, len);
            expect_problem(verify(s, false), objects[i]);
            assert_int_equal(verify(s, true).problem_count, 0); /* quick does not read it */
            data[at] ^= 4;
        }
        sample_store(s, objects[i], data, len);
    }
    expect_sound(s);
}

static void test_length(void **state)
{
    Sample *s = *state;

    sample_write(s, "f", NULL, zstd, NULL);
    for (size_t i = 0; i < LENGTH_OF(objects); i++)
    {
        size_t len;
        char *data = sample_load(s, objects[i], &len);

        sample_store(s, objects[i], data, len - 1);
        expect_problem(verify(s, false), "ends after");
        expect_problem(verify(s, true), objects[i]);
        data = mem_grow(s, data, char, len + 1);
        data[len] = 0;
        sample_store(s, objects[i], data, len + 1);
        expect_problem(verify(s, false), "bytes, not");
        expect_problem(verify(s, true), objects[i]);
        sample_store(s, objects[i], data, len);
    }
}

static void test_missing(void **state)
{
    static const char *const all[] = {"db/shop/node0/100.1.txt.zst", "db/shop/node1/bundle-0",
                                      "db/shop/node1/schema.dump", "node0.jsonl"};
    Sample *s = *state;

    sample_write(s, "f", NULL, zstd, NULL);
    for (size_t i = 0; i < LENGTH_OF(all); i++)
    {
        size_t len;
        char *data = sample_load(s, all[i], &len);

        assert_int_equal(unlink(sample_path(s, all[i])), 0);
        expect_problem(verify(s, false), "is missing");
        expect_problem(verify(s, true), mem_printf(s, "object %s is missing", all[i]));
        sample_store(s, all[i], data, len);
    }
    expect_sound(s);
}

static void test_swapped(void **state)
{
    Sample *s = *state;
    const char *a = "db/shop/node0/100.1.txt.zst", *b = "db/shop/node0/100.2.txt.zst";
    VerifyResult r;

    sample_write(s, "f", NULL, zstd, NULL);
    assert_int_equal(rename(sample_path(s, a), sample_path(s, "x")), 0);
    assert_int_equal(rename(sample_path(s, b), sample_path(s, a)), 0);
    assert_int_equal(rename(sample_path(s, "x"), sample_path(s, b)), 0);
    r = verify(s, false);
    expect_problem(r, a);
    expect_problem(r, b);
}

static void test_extra(void **state)
{
    Sample *s = *state;

    sample_write(s, "f", NULL, zstd, NULL);
    sample_store(s, "db/shop/node0/extra", "x", 1);
    expect_problem(verify(s, true), "db/shop/node0/extra is an extra file");
    assert_int_equal(unlink(sample_path(s, "db/shop/node0/extra")), 0);
    assert_int_equal(symlink("/etc/passwd", sample_path(s, "link")), 0);
    expect_problem(verify(s, true), "link is an extra file");
    assert_int_equal(unlink(sample_path(s, "link")), 0);
    expect_sound(s);
    assert_int_equal(unlink(sample_path(s, "run.lock")), 0);
    expect_sound(s);
}

static void test_not_a_file(void **state)
{
    Sample *s = *state;
    const char *path;

    sample_write(s, "f", NULL, zstd, NULL);
    path = sample_path(s, "db/shop/node0/bundle-0");
    assert_int_equal(rename(path, sample_path(s, "db/other")), 0);
    assert_int_equal(symlink("../../other", path), 0);
    expect_problem(verify(s, true), "not a regular file");
    expect_problem(verify(s, false), "bundle-0");
}

static void test_other_files(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    VerifyResult r;
    size_t len;
    char *data;

    sample_write(s, "f", NULL, zstd, NULL);
    sample_store(s, "db/shop/node1/schema.dump", "schemb", 6);
    expect_problem(verify(s, false), "schema.dump: its SHA-256 differs");
    sample_store(s, "db/shop/node1/schema.dump", "schema", 6);

    data = sample_load(s, "node0.jsonl", &len);
    data[len / 2] ^= 1;
    sample_store(s, "node0.jsonl", data, len);
    expect_problem(verify(s, true), "node0.jsonl");
    expect_problem(verify(s, false), "node0.jsonl");
    data[len / 2] ^= 1;
    sample_store(s, "node0.jsonl", data, len);
    expect_sound(s);

    data = sample_load(s, "manifest.jsonl", &len);
    sample_store(s, "manifest.jsonl", data, len / 2);
    expect_problem(verify(s, true), "manifest.jsonl");
    assert_int_equal(unlink(sample_path(s, "manifest.jsonl")), 0);
    assert_false(verify_set(s->repo, s, s->dir, true, 1, NULL, NULL, NULL, &r, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

/* ---- a manifest that is sound by its hashes and wrong all the same ---- */

static void expect_refused(Sample *s, SampleChange change, const char *what)
{
    sample_write(s, "f", NULL, zstd, change);
    expect_problem(verify(s, true), what);
    expect_problem(verify(s, false), what);
}

static void change_number(ManifestLineType type, void *record)
{
    ChunkRecord *c = record;

    if (type == LINE_CHUNK && c->table_oid == 100 && c->chunk == 1)
        c->chunk = 2;
}

static void change_range(ManifestLineType type, void *record)
{
    ChunkRecord *c = record;

    if (type == LINE_CHUNK && c->table_oid == 100 && c->chunk == 1)
        c->from_block++;
}

static void change_table(ManifestLineType type, void *record)
{
    ChunkRecord *c = record;

    if (type == LINE_CHUNK && c->table_oid == 103)
        c->table_oid = 102;
}

static void change_unknown(ManifestLineType type, void *record)
{
    ChunkRecord *c = record;

    if (type == LINE_CHUNK && c->table_oid == 103)
        c->table_oid = 999;
}

static void change_offset(ManifestLineType type, void *record)
{
    ChunkRecord *c = record;

    if (type == LINE_CHUNK && c->table_oid == 103)
        c->offset--;
}

static void change_sums(ManifestLineType type, void *record)
{
    TableRecord *t = record;

    if (type == LINE_TABLE && t->oid == 101)
        t->rows++;
    if (type == LINE_TABLE && t->oid == 102)
        t->rows--;
}

static void change_chunk_count(ManifestLineType type, void *record)
{
    TableRecord *t = record;

    if (type == LINE_TABLE && t->oid == 101)
        t->chunks = UINT32_MAX; /* must not be believed either */
}

static void change_objects(ManifestLineType type, void *record)
{
    if (type == LINE_TOTALS)
        ((TotalsRecord *) record)->objects++;
}

static void change_rows(ManifestLineType type, void *record)
{
    ChunkRecord *c = record;

    if (type == LINE_CHUNK && c->table_oid == 100 && c->chunk == 0)
        c->rows++;
}

static void change_logical(ManifestLineType type, void *record)
{
    ChunkRecord *c = record;

    if (type == LINE_CHUNK && c->table_oid == 100 && c->chunk == 0)
        c->logical--;
    if (type == LINE_CHUNK && c->table_oid == 100 && c->chunk == 1)
        c->logical++;
    if (type == LINE_CHUNK && c->table_oid == 100 && c->chunk == 2)
        c->xxh3[0] = c->xxh3[0] == 'a' ? 'b' : 'a';
}

static void test_records(void **state)
{
    Sample *s = *state;
    VerifyResult r;

    expect_refused(s, change_number, "there twice");
    expect_refused(s, change_range, "not adjacent");
    expect_refused(s, change_table, "oid 102): chunk 0 is there twice");
    expect_refused(s, change_unknown, "no such table");
    expect_refused(s, change_offset, "overlap");
    expect_refused(s, change_sums, "do not add up");
    expect_refused(s, change_chunk_count, "number of chunks");
    expect_refused(s, change_objects, "accounts for");
    sample_write(s, "f", NULL, zstd, change_rows);
    expect_problem(verify(s, false), "1000 rows, not 1001");
    sample_write(s, "f", NULL, zstd, change_logical);
    r = verify(s, false);
    expect_problem(r, "chunk 0): more than the expected");
    expect_problem(r, "chunk 1): ");
    expect_problem(r, "XXH3-128");
}

static void test_cancelled(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    AUTO(cancel_free) Cancel *cancel = cancel_new(&err);
    VerifyResult r;

    sample_write(s, "f", NULL, zstd, NULL);
    cancel_raise(cancel, NULL);
    assert_false(verify_set(s->repo, s, s->dir, false, 2, cancel, NULL, NULL, &r, &err));
    assert_int_equal(err.code, ERR_CANCELLED);
}

/* ---- the reader of chunks ---- */

typedef struct Reading
{
    Sample *s;
    ChunkReader *text, *binary;
    Str *got;
    bool fail;
} Reading;

static bool sink(void *arg, const void *data, size_t len, Error *err)
{
    Reading *r = arg;

    if (r->fail)
        return error_set(err, ERR_QUERY, "the server said no");
    str_addn(r->got, data, len);
    return true;
}

static bool read_chunk(void *arg, const ChunkRecord *chunk, uint64_t offset UNUSED,
                       uint32_t len UNUSED, Error *err UNUSED)
{
    Reading *r = arg;
    Error why = ERROR_INIT;
    bool ok;

    str_clear(r->got);
    r->fail = chunk->table_oid == 102;
    ok = chunk_reader_run(chunk->table_oid == 100 ? r->text : r->binary, chunk, NULL, &why);
    if (r->fail)
    {
        assert_false(ok);
        assert_int_equal(why.code, ERR_QUERY);
        assert_string_equal(why.message, "the server said no");
        return true;
    }
    assert_true(ok);
    assert_int_equal(r->got->len, chunk->logical);
    if (chunk->table_oid == 100)
        assert_true(strncmp(r->got->data, "0\trow ", 6) == 0);
    return true;
}

static void test_chunk_reader(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    Reading r = {.s = s, .got = str_new(s)};
    Manifest *m;

    sample_write(s, "f", NULL, zstd, NULL);
    m = manifest_read(s->repo->storage, s, s->dir, false, &err);
    r.text = chunk_reader_new(s->repo->storage, s->dir, COMPRESS_ZSTD, false, true, sink, &r);
    r.binary = chunk_reader_new(s->repo->storage, s->dir, COMPRESS_ZSTD, true, true, sink, &r);
    for (int round = 0; round < 2; round++)
        assert_true(
            manifest_each_chunk(s->repo->storage, s->dir, &m->nodes[round], read_chunk, &r, &err));
    chunk_reader_free(r.text);
    chunk_reader_free(r.binary);
}

/* ---- a set that refers to another one ---- */

static struct
{
    char base[SET_KEY_LEN];
    char *depends_on[1];
    uint64_t bytes; /* of what is referred to */
} refers;

/* The last chunk of table 100 of each node is as it was. */
static void refer(ManifestLineType type, void *record)
{
    ChunkRecord *chunk = record;
    SetRecord *set = record;
    TotalsRecord *totals = record;

    if (type == LINE_CHUNK && chunk->table_oid == 100 && chunk->chunk == 2)
    {
        memcpy(chunk->set, refers.base, SET_KEY_LEN);
        refers.bytes += chunk->stored;
    }
    if (type == LINE_SET)
    {
        memcpy(set->base, refers.base, SET_KEY_LEN);
        set->depends_on = refers.depends_on;
        set->depends_count = 1;
    }
    if (type == LINE_TOTALS)
    {
        totals->objects -= SAMPLE_NODES;
        totals->stored -= refers.bytes;
    }
}

/* Writes two sets, the second of which refers to the first; gives the first one's directory. */
static char *write_two(Sample *s)
{
    char *first;

    sample_write(s, "f", NULL, zstd, NULL);
    first = s->dir;
    memset(&refers, 0, sizeof(refers));
    memcpy(refers.base, s->key, SET_KEY_LEN);
    refers.depends_on[0] = refers.base;
    sample_write(s, "f", NULL, zstd, refer);
    for (int i = 0; i < SAMPLE_NODES; i++)
        assert_int_equal(unlink(sample_path(s, mem_printf(s, "db/shop/node%d/100.2.txt.zst", i))),
                         0);
    return first;
}

static void test_refers(void **state)
{
    Sample *s = *state;

    write_two(s);
    VerifyResult r = verify(s, false);
    if (r.problem_count > 0)
        fail_msg("%s", r.problems[0]);
    assert_int_equal(r.objects, SAMPLE_NODES * (SAMPLE_FILES - 1));
    assert_int_equal(r.chunks, SAMPLE_NODES * SAMPLE_CHUNKS);
    assert_int_equal(r.rows, SAMPLE_NODES * SAMPLE_ROWS);
    assert_int_equal(verify(s, true).problem_count, 0);
}

static void test_refers_damaged(void **state)
{
    Sample *s = *state;
    char *own;
    size_t len;
    char *data;

    char *first = write_two(s);
    own = s->dir;
    s->dir = first;
    data = sample_load(s, "db/shop/node1/100.2.txt.zst", &len);
    data[len / 2] ^= 1;
    sample_store(s, "db/shop/node1/100.2.txt.zst", data, len);
    s->dir = own;
    expect_problem(verify(s, false), mem_printf(s, "of set %s (table oid 100", refers.base));
    assert_int_equal(verify(s, true).problem_count, 0);
    s->dir = first;
    sample_store(s, "db/shop/node1/100.2.txt.zst", data, len - 1);
    s->dir = own;
    expect_problem(verify(s, true), mem_printf(s, "of set %s is too short", refers.base));
    s->dir = first;
    assert_int_equal(unlink(sample_path(s, "db/shop/node1/100.2.txt.zst")), 0);
    s->dir = own;
    expect_problem(verify(s, true), mem_printf(s, "of set %s is missing", refers.base));
}

/* However many chunks it has, a set that is not there is one problem. */
static void test_refers_missing(void **state)
{
    Sample *s = *state;
    char *own;

    char *first = write_two(s);
    own = s->dir;
    s->dir = first;
    assert_int_equal(unlink(sample_path(s, "manifest.jsonl")), 0);
    s->dir = own;
    VerifyResult r = verify(s, false);
    assert_int_equal(r.problem_count, 1);
    expect_problem(r, mem_printf(s, "depends on set %s, which is not in repository", refers.base));
}

static void refer_without_saying(ManifestLineType type, void *record)
{
    static char other[] = "20010101000000";

    refer(type, record);
    if (type == LINE_SET)
        ((SetRecord *) record)->depends_on[0] = other;
}

static void test_refers_unsaid(void **state)
{
    Sample *s = *state;

    sample_write(s, "f", "20010101000000", zstd, NULL);
    write_two(s);
    memset(&refers.bytes, 0, sizeof(refers.bytes));
    sample_write(s, "f", NULL, zstd, refer_without_saying);
    expect_problem(verify(s, true), "of which the manifest says nothing");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sound),          TEST(test_spread),         TEST(test_spread_damage),
        TEST(test_spread_records), TEST(test_altered),        TEST(test_length),
        TEST(test_missing),        TEST(test_swapped),        TEST(test_extra),
        TEST(test_not_a_file),     TEST(test_other_files),    TEST(test_records),
        TEST(test_cancelled),      TEST(test_chunk_reader),   TEST(test_refers),
        TEST(test_refers_damaged), TEST(test_refers_missing), TEST(test_refers_unsaid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

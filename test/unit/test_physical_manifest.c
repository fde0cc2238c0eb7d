/*
 * test/unit/test_physical_manifest.c - the manifest of a physical set: written, read, and wrong in every way that its
 * readers must see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "repo/repo.h"

#define KEY  "20261120231502"
#define HASH "0123456789abcdef0123456789abcdef"

/* Records of a sound set of two nodes, by lines; each test changes some. */
static const char *const sound[] = {
    "{\"type\":\"set\",\"kind\":\"physical\",\"format\":2,\"key\":\"" KEY
    "\",\"version\":\"1\",\"fleet\":\"f\",\"prefix\":null,\"topology\":\"shards\",\"started_us\":1,"
    "\"finished_us\":2,\"compress\":\"zstd:1\",\"copy_format\":\"auto\",\"chunk_size\":1048576,"
    "\"jobs\":2,\"sections\":7,\"selection\":[]}",
    "@0", /* node records */
    "@1",
    "{\"type\":\"cut\",\"method\":\"barrier\",\"tries\":1,\"window_us\":1,\"stall_us\":2,\"at_us\":"
    "3}",
    "#0", /* physical records */
    "#1",
    "{\"type\":\"tablespace\",\"content\":0,\"oid\":16384,\"location\":\"/srv/"
    "space\",\"restored_bytes\":70,"
    "\"added_bytes\":20}",
    "+0 base 0 100", /* part records: content, stream, part, logical */
    "+0 base 1 100",
    "+0 16384 0 50",
    "+1 base 0 10",
    "!0 000000010000000000000002", /* wal records */
    "!0 000000010000000000000003",
    "!1 00000001.history",
    "!1 000000010000000000000007",
    /* 260 of parts, 4 of 1000 of WAL; each is stored as 5, each manifest as 7 */
    "{\"type\":\"totals\",\"tables\":0,\"sequences\":0,\"chunks\":0,\"objects\":10,\"rows\":0,"
    "\"logical\":4260,\"stored\":54}",
};

static void add_line(Str *text, const char *line)
{
    char stream[32], name[32];
    int content = line[1] - '0', part, logical;
    switch (line[0])
    {
    case '@':
        str_addf(text,
                 "{\"type\":\"node\",\"content\":%d,\"dbid\":1,\"host\":\"h\",\"port\":1,"
                 "\"database\":\"d\",\"system_identifier\":\"7\",\"server_version\":\"15\","
                 "\"server_version_num\":150000,\"in_recovery\":false,\"encoding\":\"UTF8\","
                 "\"snapshot\":\"\",\"dump_ms\":1,",
                 content);
        for (const char *const *o =
                 (const char *const[]){"schema", "chunks", "globals", "config", NULL};
             *o != NULL; o++)
            str_addf(text, "\"%s\":{\"path\":null,\"bytes\":0,\"sha256\":null},", *o);
        str_add(text, "\"warnings\":[]}\n");
        return;
    case '#':
        str_addf(
            text,
            "{\"type\":\"physical\",\"content\":%d,\"timeline\":1,\"wal_segment_size\":1048576,"
            "\"block_size\":8192,\"data_checksums\":true,\"start_lsn\":\"0/2000028\","
            "\"stop_lsn\":\"0/2000100\",\"restore_point\":\"pgark_" KEY
            "\",\"restore_lsn\":\"0/3000090\",\"base\":null,\"files\":3,\"manifest\":{\"path\":"
            "\"physical/node%d/backup_manifest.zst\",\"bytes\":7,\"sha256\":\"" HASH HASH
            "\"},\"manifest_bytes\":70}\n",
            content, content);
        return;
    case '+':
        assert_int_equal(sscanf(line + 1, "%d %31s %d %d", &content, stream, &part, &logical), 4);
        str_addf(
            text,
            "{\"type\":\"part\",\"content\":%d,\"stream\":\"%s\",\"part\":%d,\"object\":"
            "\"physical/node%d/%s.%04d.tar.zst\",\"first_member\":0,\"logical\":%d,\"xxh3\":\"" HASH
            "\",\"stored\":5,\"sha256\":\"" HASH HASH "\"}\n",
            content, stream, part, content, stream, part, logical);
        return;
    case '!':
        assert_int_equal(sscanf(line + 1, "%d %31s", &content, name), 2);
        str_addf(text,
                 "{\"type\":\"wal\",\"content\":%d,\"name\":\"%s\",\"object\":"
                 "\"physical/node%d/wal/%s.zst\",\"logical\":1000,\"xxh3\":\"" HASH
                 "\",\"stored\":5,\"sha256\":\"" HASH HASH "\"}\n",
                 content, name, content, name);
        return;
    default:
        str_addf(text, "%s\n", line);
    }
}

/* Reads a manifest of these lines; the hash is right. */
static Manifest *read_lines(void *ctx, const char *const *lines, size_t count, const char *from,
                            const char *to, Error *err)
{
    char root[] = "/tmp/pgark-test-physical-XXXXXX";
    Str *whole = str_new(ctx);
    Str *text = str_new(ctx);
    char hex[TAP_HEX_LEN];
    for (size_t i = 0; i < count; i++)
        if (lines[i] != NULL)
            add_line(whole, lines[i]);
    const char *at = from == NULL ? whole->data : strstr(whole->data, from);
    if (at == NULL)
        fail_msg("\"%s\" is not in the manifest", from);
    str_addn(text, whole->data, (size_t) (at - whole->data));
    str_add(text, from == NULL ? "" : to);
    str_add(text, from == NULL ? at : at + strlen(from));
    tap_hash_memory(TAP_SHA256, text->data, text->len, hex);
    str_addf(text, "{\"type\":\"end\",\"sha256\":\"%s\"}\n", hex);
    assert_non_null(mkdtemp(root));
    Storage *st = storage_open(ctx, root, err);
    assert_true(storage_make_dir(st, "sets/20261120/" KEY, true, err));
    StorageWriter *w = storage_write_open(st, "sets/20261120/" KEY "/manifest.jsonl",
                                          STORAGE_WRITE_NO_SYNC, err);
    assert_true(w != NULL && storage_write(w, text->data, text->len, err) &&
                storage_writer_commit(w, err));
    storage_writer_free(w);
    Manifest *m = manifest_read(st, ctx, "sets/20261120/" KEY, false, err);
    Error ignored = ERROR_INIT;
    assert_true(storage_remove_tree(st, "sets", &ignored));
    assert_int_equal(rmdir(root), 0);
    return m;
}

static void test_sound(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Error err = ERROR_INIT;
    const Manifest *m = read_lines(ctx, sound, LENGTH_OF(sound), NULL, NULL, &err);
    if (m == NULL)
        fail_msg("%s", err.message);
    assert_true(manifest_is_physical(m));
    assert_int_equal(m->node_count, 2);
    assert_int_equal(m->physical_count, 2);
    assert_true(m->physicals[1].start_lsn == 0x2000028 && m->physicals[1].restore_lsn == 0x3000090);
    assert_string_equal(m->tablespaces[0].location, "/srv/space");
    assert_int_equal(m->tablespaces[0].restored_bytes, 70);
    assert_int_equal(m->tablespaces[0].added_bytes, 20);
    assert_int_equal(m->part_count, 4);
    assert_string_equal(m->parts[2].stream, "16384");
    assert_int_equal(m->wal_count, 4);
    assert_string_equal(m->wals[2].name, "00000001.history");
    assert_false(manifest_want_rows(m, "load", &err));
    assert_int_equal(err.code, ERR_USAGE);
}

static void test_wrong(void **state UNUSED)
{
    static const char *const changes[][2] = {
        {"\"format\":2", "\"format\":1"},
        {"\"kind\":\"physical\",", ""},
        {"\"kind\":\"physical\"", "\"kind\":\"other\""},
        {"\"start_lsn\":\"0/2000028\"", "\"start_lsn\":\"2000028\""},
        {"\"start_lsn\":\"0/2000028\"", "\"start_lsn\":\"0/2000101\""},
        {"\"restore_lsn\":\"0/3000090\"", "\"restore_lsn\":\"0/20000FF\""},
        {"\"wal_segment_size\":1048576", "\"wal_segment_size\":1048577"},
        {"\"block_size\":8192", "\"block_size\":8000"},
        {"\"restore_point\":\"pgark_" KEY "\"", "\"restore_point\":\"\""},
        {"\"restore_point\":\"pgark_" KEY "\"", "\"restore_point\":\"a\\nb\""},
        {"\"base\":null", "\"base\":\"x\""},
        {"\"path\":\"physical/node0/backup", "\"path\":\"db/node0/backup"},
        {"\"object\":\"physical/node0/base.0000", "\"object\":\"db/node0/base.0000"},
        {"\"object\":\"physical/node0/wal", "\"object\":\"physical/../wal"},
        {"\"stream\":\"base\"", "\"stream\":\"../x\""},
        {"\"stream\":\"16384\"", "\"stream\":\"\""},
        {"\"part\":1", "\"part\":2"},
        {"\"first_member\":0", "\"first_member\":101"},
        {"\"name\":\"000000010000000000000002\"", "\"name\":\"00000001000000000000000g\""},
        {"\"name\":\"000000010000000000000003\"", "\"name\":\"000000010000000000000002\""},
        {"\"xxh3\":\"" HASH "\"", "\"xxh3\":null"},
        {"\"type\":\"tablespace\",\"content\":0", "\"type\":\"tablespace\",\"content\":5"},
        {"\"oid\":16384", "\"oid\":0"},
        {"\"logical\":4260", "\"logical\":4261"},
        {"\"stored\":54", "\"stored\":53"},
        {"\"location\":\"/srv/space\"", "\"location\":\"/srv/space\",\"more\":1"},
        {"\"chunks\":{\"path\":null,\"bytes\":0,\"sha256\":null}",
         "\"chunks\":{\"path\":\"node0.jsonl\",\"bytes\":0,\"sha256\":\"" HASH HASH "\"}"},
    };
    for (size_t i = 0; i < LENGTH_OF(changes); i++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        Error err = ERROR_INIT;
        if (read_lines(ctx, sound, LENGTH_OF(sound), changes[i][0], changes[i][1], &err) != NULL)
            fail_msg("taken: %s", changes[i][1]);
        assert_int_equal(err.code, ERR_CORRUPT);
    }
}

/* Without any line but that of the tablespace, and with any two that are beside each other swapped, it is wrong, but for
 * what has no order. */
static void test_order(void **state UNUSED)
{
    for (size_t i = 0; i + 1 < LENGTH_OF(sound); i++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        const char *lines[LENGTH_OF(sound)];
        Error err = ERROR_INIT;
        memcpy(lines, sound, sizeof(sound));
        lines[i] = NULL;
        bool optional = strstr(sound[i], "tablespace") != NULL;
        if ((read_lines(ctx, lines, LENGTH_OF(sound), NULL, NULL, &err) != NULL) != optional)
            fail_msg("without line %zu: %s", i, err.message);
        error_clear(&err);
        memcpy(lines, sound, sizeof(sound));
        lines[i] = sound[i + 1];
        lines[i + 1] = sound[i];
        if (read_lines(ctx, lines, LENGTH_OF(sound), NULL, NULL, &err) != NULL)
            fail_msg("lines %zu and %zu swapped", i, i + 1);
    }
    /* A table has no place in it. */
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    const char *lines[LENGTH_OF(sound)];
    Error err = ERROR_INIT;
    memcpy(lines, sound, sizeof(sound));
    lines[6] =
        "{\"type\":\"sequence\",\"content\":0,\"database\":\"d\",\"schema\":\"s\",\"name\":\"n\","
        "\"last_value\":1,\"is_called\":true}";
    assert_null(read_lines(ctx, lines, LENGTH_OF(sound), NULL, NULL, &err));
    assert_non_null(strstr(err.message, "a set of another kind"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sound), cmocka_unit_test(test_wrong),
                                       cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

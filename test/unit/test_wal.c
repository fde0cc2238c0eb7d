/* test/unit/test_wal.c - names of WAL, headers of its pages, and what is stored of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/limit.h"
#include "physical/object_read.h"
#include "physical/wal_check.h"
#include "physical/wal_name.h"
#include "physical/wal_store.h"

#define SEGMENT ((uint64_t) 1024 * 1024)
#define PAGE    8192
#define SYSTEM  UINT64_C(7713500112630125938)
#define START   (UINT64_C(5) * 1024 * 1024)

static unsigned char segment[SEGMENT];

static void put(size_t at, const void *value, size_t size, bool swapped)
{
    const unsigned char *p = value;
    for (size_t i = 0; i < size; i++)
        segment[at + i] = p[swapped ? size - 1 - i : i];
}

/* A segment as a server has it; of a server with the other byte order. */
static void make_segment(bool swapped)
{
    memset(segment, 'x', sizeof(segment));
    for (size_t at = 0; at < SEGMENT; at += PAGE)
    {
        uint16_t magic = 0xD110;
        uint16_t info = at == 0 ? 2 : 0;
        uint32_t timeline = at < SEGMENT / 2 ? 2 : 3;
        uint64_t address = START + at;
        uint64_t identifier = SYSTEM;
        uint32_t sizes[2] = {(uint32_t) SEGMENT, PAGE};
        put(at, &magic, 2, swapped);
        put(at + 2, &info, 2, swapped);
        put(at + 4, &timeline, 4, swapped);
        put(at + 8, &address, 8, swapped);
        if (at > 0)
            continue;
        put(24, &identifier, 8, swapped);
        put(32, &sizes[0], 4, swapped);
        put(36, &sizes[1], 4, swapped);
    }
}

static bool check(size_t len, size_t piece, Error *err)
{
    AUTO(io_free) IoStage *stage = wal_check_new(SYSTEM, SEGMENT, NULL);
    error_clear(err);
    io_reset(stage);
    wal_check_set(stage, 3, START);
    for (size_t at = 0; at < len; at += piece)
        if (!io_write(stage, segment + at, len - at < piece ? len - at : piece, err))
            return false;
    return io_finish(stage, err);
}

static void wrong(const char *says)
{
    Error err = ERROR_INIT;
    assert_false(check(SEGMENT, SEGMENT, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_non_null(strstr(err.message, "000000030000000000000005"));
    assert_non_null(strstr(err.message, says));
    assert_false(check(SEGMENT, 1000, &err));
    assert_non_null(strstr(err.message, says));
}

static void test_pages(void **state)
{
    (void) state;
    Error err = ERROR_INIT;
    static const size_t pieces[] = {SEGMENT, 1, 7, 40, 8191, 8192, 8193, 131072};
    for (int swapped = 0; swapped < 2; swapped++)
    {
        make_segment(swapped != 0);
        for (size_t i = 0; i < LENGTH_OF(pieces); i++)
            assert_true(check(SEGMENT, pieces[i], &err));
    }
    /* A switch leaves the rest empty, but for what was there of the page. */
    make_segment(false);
    memset(segment + (size_t) 3 * PAGE + 100, 0, SEGMENT - (size_t) 3 * PAGE - 100);
    assert_true(check(SEGMENT, SEGMENT, &err));
    assert_false(check(SEGMENT - 1, SEGMENT, &err));
    assert_non_null(strstr(err.message, "ends too early"));
}

/* The segment in which a timeline began has pages of the one before it first, and never again. */
static void test_timelines(void **state)
{
    Error err = ERROR_INIT;
    uint32_t before = 2;
    uint32_t behind = 4;
    (void) state;
    make_segment(false);
    assert_true(check(SEGMENT, SEGMENT, &err));
    put(SEGMENT / 2 + (size_t) 9 * PAGE + 4, &before, 4, false);
    wrong("another timeline");
    make_segment(false);
    put((size_t) 9 * PAGE + 4, &behind, 4, false);
    wrong("another timeline");
}

static void test_damage(void **state)
{
    (void) state;
    static const struct
    {
        size_t at;
        const char *says;
    } damages[] = {
        {1, "no WAL"},
        {2, "no WAL"},
        {26, "another server"},
        {33, "other sizes"},
        {37, "other sizes"},
        {PAGE, "no WAL"},
        {PAGE + 10, "elsewhere"},
        {9, "elsewhere"},
        {5, "timeline"},
        {PAGE + 7, "timeline"},
        {SEGMENT - PAGE + 1, "no WAL"},
    };
    for (size_t i = 0; i < LENGTH_OF(damages); i++)
    {
        make_segment(false);
        segment[damages[i].at] ^= 0x42;
        wrong(damages[i].says);
    }
    /* An empty page ends it. */
    make_segment(false);
    memset(segment + PAGE, 0, PAGE);
    wrong("something behind its end");
    /* Zeros alone are no segment. */
    memset(segment, 0, sizeof(segment));
    wrong("no WAL");
}

static void test_names(void **state)
{
    (void) state;
    char name[WAL_NAME_LEN];
    char history[WAL_HISTORY_LEN];
    uint32_t timeline;
    uint64_t start;
    const uint64_t mb = 1024 * 1024;
    assert_string_equal(wal_name_format(name, 1, UINT64_C(0x1FFFFFFFF), 16 * mb),
                        "0000000100000001000000FF");
    assert_true(wal_name_parse(name, 16 * mb, &timeline, &start));
    assert_int_equal(timeline, 1);
    assert_int_equal(start, UINT64_C(0x1FF000000));
    assert_string_equal(wal_name_format(name, 10, UINT64_C(0x100000000), mb),
                        "0000000A0000000100000000");
    assert_string_equal(wal_history_format(history, 10), "0000000A.history");
    static const char *const bad[] = {"", "0000000A000000010000000", "0000000a0000000100000000",
                                      "000000000000000100000000",
                                      "0000000100000001000000FF.partial"};
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
        assert_false(wal_name_parse(bad[i], 16 * mb, &timeline, &start));
    assert_false(wal_name_parse("000000010000000100000100", 16 * mb, &timeline, &start));
    assert_true(wal_name_parse("000000010000000100000100", mb, &timeline, &start));
    assert_true(wal_name_is_history("0000000A.history"));
    assert_false(wal_name_is_history("0000000A.histori"));
    assert_true(wal_segment_size_sound(mb) && wal_segment_size_sound(1024 * mb));
    assert_false(wal_segment_size_sound(3 * mb) || wal_segment_size_sound(2048 * mb) ||
                 wal_segment_size_sound(mb / 2));
}

/* ---- storing ---- */

typedef struct Stored
{
    int count;
    char name[64];
    char object[128];
    uint64_t logical, stored;
    char xxh3[TAP_HEX_LEN], sha256[TAP_HEX_LEN];
} Stored;

static bool on_stored(void *arg, const WalRecord *record, Error *err)
{
    Stored *s = arg;
    (void) err;
    s->count++;
    snprintf(s->name, sizeof(s->name), "%s", record->name);
    snprintf(s->object, sizeof(s->object), "%s", record->object);
    s->logical = record->logical;
    s->stored = record->stored;
    memcpy(s->xxh3, record->xxh3, TAP_HEX_LEN);
    memcpy(s->sha256, record->sha256, TAP_HEX_LEN);
    return true;
}

static bool compare(void *arg, const void *data, size_t len, Error *err)
{
    size_t *at = arg;
    (void) err;
    assert_true(*at + len <= SEGMENT);
    assert_memory_equal(segment + *at, data, len);
    *at += len;
    return true;
}

static WalStoreSpec spec_of(Storage *st, bool lasting, Stored *stored)
{
    return (WalStoreSpec){.storage = st,
                          .base = "wal",
                          .dir = "1",
                          .grouped = lasting,
                          .lasting = lasting,
                          .compress = {.method = COMPRESS_ZSTD, .level = 1},
                          .system_identifier = SYSTEM,
                          .segment_size = SEGMENT,
                          .content = 4,
                          .on_stored = on_stored,
                          .arg = stored};
}

static StorageKind kind_of(Storage *st, const char *path)
{
    StorageInfo info;
    Error err = ERROR_INIT;
    assert_true(storage_stat(st, path, &info, &err));
    return info.kind;
}

#define OBJECT  "1/0000000300000000/000000030000000000000005.zst"
#define PARTIAL "wal/1/0000000300000000/000000030000000000000005.partial"

/* It has so many of the segment's first bytes. */
static void partial_is(Storage *st, void *ctx, size_t size)
{
    Error err = ERROR_INIT;
    char *data;
    size_t len;
    assert_true(storage_read_all(st, ctx, PARTIAL, SEGMENT, &data, &len, &err));
    assert_int_equal(len, size);
    assert_memory_equal(data, segment, size);
}

static void test_store(void **state)
{
    (void) state;
    char dir[] = "/tmp/pgark-test-wal-XXXXXX";
    Error err = ERROR_INIT;
    Stored stored = {.count = 0};
    void *ctx = mem_context(NULL, "test");
    assert_non_null(mkdtemp(dir));
    Storage *st = storage_open(ctx, dir, &err);
    const WalStoreSpec spec = spec_of(st, true, &stored);
    make_segment(false);
    memset(segment + 10 * PAGE, 0, SEGMENT - 10 * PAGE);
    /* What has come is there while it comes, and when the process is gone. */
    WalStore *w = wal_store_new(&spec);
    assert_int_equal(wal_store_room(w), 0);
    assert_true(wal_store_begin(w, 3, START, &err));
    assert_true(wal_store_write(w, segment, 3 * PAGE, &err));
    assert_true(wal_store_sync(w, &err));
    assert_int_equal(wal_store_room(w), SEGMENT - 3 * PAGE);
    wal_store_free(w);
    assert_int_equal(kind_of(st, PARTIAL), STORAGE_FILE);
    assert_int_equal(kind_of(st, "wal/" OBJECT), STORAGE_MISSING);
    /* Who receives it again, and less of it, loses nothing of what was there. */
    w = wal_store_new(&spec);
    assert_true(wal_store_begin(w, 3, START, &err));
    partial_is(st, ctx, 3 * PAGE);
    assert_true(wal_store_write(w, segment, PAGE, &err));
    assert_true(wal_store_sync(w, &err));
    wal_store_free(w);
    partial_is(st, ctx, 3 * PAGE);
    /* Again, to its end; what is missing are zeros. */
    w = wal_store_new(&spec);
    assert_true(wal_store_begin(w, 3, START, &err));
    assert_true(wal_store_write(w, segment, 10 * PAGE, &err));
    assert_int_equal(stored.count, 0);
    assert_true(wal_store_end(w, &err));
    assert_int_equal(stored.count, 1);
    assert_string_equal(stored.name, "000000030000000000000005");
    assert_string_equal(stored.object, OBJECT);
    assert_int_equal(kind_of(st, PARTIAL), STORAGE_MISSING);
    size_t at = 0;
    AUTO(io_free) IoStage *sink = io_sink_new(compare, &at);
    StoredObject object = {.object = stored.object,
                           .logical = stored.logical,
                           .xxh3 = stored.xxh3,
                           .stored = stored.stored,
                           .sha256 = stored.sha256};
    assert_true(object_read(st, "wal", &object, COMPRESS_ZSTD, sink, NULL, &err));
    assert_int_equal(at, SEGMENT);
    /* A finished one that was not told of is replaced. */
    assert_true(wal_store_begin(w, 3, START, &err));
    assert_true(wal_store_write(w, segment, SEGMENT, &err));
    assert_true(wal_store_end(w, &err));
    /* A page that belongs elsewhere is not stored. */
    segment[PAGE + 8] ^= 1;
    assert_true(wal_store_begin(w, 3, START, &err));
    assert_false(wal_store_write(w, segment, SEGMENT, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    error_clear(&err);
    assert_true(wal_store_history(w, 3, "1\t0/5000000\tx\n", 14, &err));
    assert_string_equal(stored.object, "1/00000003.history.zst");
    wal_store_free(w);
    /* In a set a name is new. */
    const WalStoreSpec once = spec_of(st, false, &stored);
    make_segment(false);
    w = wal_store_new(&once);
    assert_true(wal_store_begin(w, 3, START, &err) && wal_store_write(w, segment, SEGMENT, &err) &&
                wal_store_end(w, &err) && wal_store_sync_names(w, &err));
    assert_string_equal(stored.object, "1/000000030000000000000005.zst");
    assert_false(wal_store_begin(w, 3, START, &err));
    assert_int_equal(err.code, ERR_EXISTS);
    wal_store_free(w);
    error_clear(&err);
    assert_true(storage_remove_tree(st, "wal", &err));
    rmdir(dir);
    mem_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),  cmocka_unit_test(test_timelines),
        cmocka_unit_test(test_damage), cmocka_unit_test(test_names),
        cmocka_unit_test(test_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

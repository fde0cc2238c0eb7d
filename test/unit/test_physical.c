/*
 * test/unit/test_physical.c - what a base backup is looked at with: tar streams, checksums, the server's manifest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "base/lsn.h"
#include "base/str.h"
#include "io/tap.h"
#include "io/worker.h"
#include "physical/base_store.h"
#include "physical/incremental_file.h"
#include "physical/manifest_check.h"
#include "physical/manifest_make.h"
#include "physical/name_set.h"
#include "physical/page_check.h"
#include "physical/restore_room.h"
#include "physical/tar_stream.h"

#define PAGE 8192

/* ---- places in WAL ---- */

static void test_lsn(void **state UNUSED)
{
    static const char *const bad[] = {"",     "/",           "1/",          "/1",   "1",
                                      "1/g",  "x/1",         "1/2 ",        " 1/2", "1//2",
                                      "-1/2", "1/123456789", "123456789/1", "1/2/3"};
    char text[LSN_TEXT_LEN];
    uint64_t lsn;
    assert_true(lsn_parse("16/B374D848", &lsn));
    assert_int_equal(lsn, 0x16B374D848);
    assert_string_equal(lsn_format(text, lsn), "16/B374D848");
    assert_true(lsn_parse("0/0", &lsn));
    assert_string_equal(lsn_format(text, UINT64_MAX), "FFFFFFFF/FFFFFFFF");
    assert_true(lsn_parse(text, &lsn));
    assert_true(lsn == UINT64_MAX);
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
        assert_false(lsn_parse(bad[i], &lsn));
}

/* ---- CRC-32C: values of RFC 3720, B.4 ---- */

/* Bit by bit, as the polynomial says. */
static uint32_t slow_crc32c(const unsigned char *data, size_t len)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < 8 * len; i++)
    {
        uint32_t bit = (crc ^ (uint32_t) data[i / 8] >> i % 8) & 1;
        crc = crc >> 1 ^ (bit != 0 ? 0x82F63B78U : 0);
    }
    return ~crc;
}

static void test_crc32c(void **state UNUSED)
{
    static unsigned char data[20000];
    memset(data, 0, 32);
    assert_int_equal(crc32c_extend(0, "", 0), 0);
    assert_int_equal(crc32c_extend(0, data, 32), 0x8A9136AA);
    memset(data, 0xff, 32);
    assert_int_equal(crc32c_extend(0, data, 32), 0x62A8AB43);
    assert_int_equal(crc32c_extend(0, "123456789", 9), 0xE3069283);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char) (i * 7 + i / 256);
    for (size_t len = 0; len < sizeof(data); len += len < 1000 ? 13 : 97)
    {
        uint32_t whole = crc32c_extend(0, data + 1, len);
        assert_int_equal(whole, slow_crc32c(data + 1, len));
        assert_int_equal(whole, crc32c_extend(crc32c_extend(0, data + 1, len / 3),
                                              data + 1 + len / 3, len - len / 3));
    }
}

/* ---- pages ---- */

static void fill_page(unsigned char *page, uint32_t seed)
{
    for (size_t i = 0; i < PAGE; i++)
    {
        seed = seed * 1103515245U + 12345U;
        page[i] = (unsigned char) (seed >> 16);
    }
}

/* What PostgreSQL's own function says of such pages. */
static void test_page_checksum(void **state UNUSED)
{
    static const uint16_t want[] = {0x780D, 0xB5DA, 0x206B};
    unsigned char page[PAGE];
    for (uint32_t i = 0; i < LENGTH_OF(want); i++)
    {
        fill_page(page, 12345 + i);
        assert_int_equal(page_checksum(page, PAGE, i * 70000), want[i]);
    }
}

/* A page with an LSN, in use, whose checksum is right. */
static void make_page(unsigned char *page, uint64_t lsn, uint32_t block)
{
    uint32_t high = (uint32_t) (lsn >> 32), low = (uint32_t) lsn;
    uint16_t upper = 4000, sum;
    fill_page(page, block);
    memcpy(page, &high, 4);
    memcpy(page + 4, &low, 4);
    memcpy(page + 14, &upper, 2);
    sum = page_checksum(page, PAGE, block);
    memcpy(page + 8, &sum, 2);
}

static void test_page_look(void **state UNUSED)
{
    unsigned char page[PAGE];
    uint16_t sums[2];
    make_page(page, 0x100000200, 7);
    assert_int_equal(page_look(page, PAGE, 7, 0x100000201, sums), PAGE_GOOD);
    assert_int_equal(page_look(page, PAGE, 8, 0x100000201, sums), PAGE_BAD);
    assert_int_not_equal(sums[0], sums[1]);
    assert_int_equal(page_look(page, PAGE, 8, 0x100000200, NULL), PAGE_LATER);
    page[5000] ^= 1;
    assert_int_equal(page_look(page, PAGE, 7, 0x100000201, NULL), PAGE_BAD);
    memset(page, 0, PAGE);
    assert_int_equal(page_look(page, PAGE, 7, 0x100000201, NULL), PAGE_NEW);
}

static void test_page_files(void **state UNUSED)
{
    static const char *const yes[] = {"global/1260",      "base/5/2619",
                                      "base/5/2619_fsm",  "base/5/2619_vm",
                                      "base/5/2619_init", "PG_15_202209061/5/16384"};
    static const char *const no[] = {"global/pg_control",
                                     "global/pg_filenode.map",
                                     "base/5/PG_VERSION",
                                     "base/5/pg_internal.init",
                                     "pg_xact/0000",
                                     "base/2619",
                                     "base/5/2619_fsm_vm",
                                     "base/5/2619.",
                                     "base/5/2619.x",
                                     "base/5/2619.1234567890",
                                     "base/5/t3_16384",
                                     "PG_VERSION",
                                     "base/x/1",
                                     "pg_wal/1",
                                     ""};
    uint32_t segment;
    for (size_t i = 0; i < LENGTH_OF(yes); i++)
    {
        assert_true(page_file_segment(yes[i], &segment));
        assert_int_equal(segment, 0);
    }
    for (size_t i = 0; i < LENGTH_OF(no); i++)
        assert_false(page_file_segment(no[i], &segment));
    assert_true(page_file_segment("base/5/2619.12", &segment));
    assert_int_equal(segment, 12);
    assert_true(page_file_segment("base/5/2619_fsm.3", &segment));
    assert_int_equal(segment, 3);
}

typedef struct Bad
{
    int count;
    uint32_t segment, block;
} Bad;

static void on_bad(void *arg, const char *path, uint32_t segment, uint32_t block)
{
    Bad *bad = arg;
    assert_string_equal(path, "base/5/16384.2");
    bad->count++;
    bad->segment = segment;
    bad->block = block;
}

/* Pages come in pieces of any size; blocks are counted over all segments; half a page at the end is none. */
static void test_page_pieces(void **state UNUSED)
{
    static const size_t steps[] = {1, 100, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE, 100000};
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "pages");
    unsigned char *file = mem_array(ctx, unsigned char, 5 * PAGE + 100);
    for (uint32_t b = 0; b < 5; b++)
        make_page(file + b * PAGE, 0x50, 2 * 131072 + b);
    file[3 * PAGE + 77] ^= 4;
    for (size_t s = 0; s < LENGTH_OF(steps); s++)
    {
        Bad bad = {.count = 0};
        PageCheck *c = page_check_new(ctx, PAGE, 131072, on_bad, &bad);
        page_check_start(c, 0x100);
        page_check_begin(c, "base/5/16384.2", 5 * PAGE + 100);
        for (size_t at = 0; at < 5 * PAGE + 100; at += steps[s])
        {
            size_t left = 5 * PAGE + 100 - at;
            page_check_data(c, file + at, left < steps[s] ? left : steps[s]);
        }
        assert_int_equal(bad.count, 1);
        assert_int_equal(bad.segment, 2);
        assert_int_equal(bad.block, 3);
        page_check_begin(c, "pg_xact/0000", PAGE);
        page_check_data(c, file + 3 * PAGE, PAGE);
        assert_int_equal(bad.count, 1);
    }
}

/* ---- files of changed blocks ---- */

/* places: of count blocks, each filled with its place. */
static Str *make_changes(void *ctx, uint32_t keep, const uint32_t *places, uint32_t count)
{
    Str *file = str_new(ctx);
    unsigned char page[PAGE];
    const uint32_t head[] = {0xd3ae1f0d, count, keep};
    str_addn(file, (const char *) head, sizeof(head));
    str_addn(file, (const char *) places, count * sizeof(uint32_t));
    while (count > 0 && file->len % PAGE != 0)
        str_addc(file, '\0');
    for (uint32_t i = 0; i < count; i++)
    {
        make_page(page, 0x50, places[i]);
        str_addn(file, (const char *) page, PAGE);
    }
    return file;
}

static bool told_keep(void *arg, uint32_t blocks, Error *err UNUSED)
{
    str_addf(arg, "keep %" PRIu32, blocks);
    return true;
}

static bool told_block(void *arg, uint32_t block, const void *page, Error *err UNUSED)
{
    bool good = page_look(page, PAGE, block, 0x100, NULL) == PAGE_GOOD;
    str_addf(arg, " %" PRIu32 "%s", block, good ? "" : "!");
    return true;
}

static bool read_changes(void *ctx, const Str *file, uint64_t size, size_t step, Str *story,
                         Error *err)
{
    const IncrementalEvents events = {.keep = told_keep, .block = told_block, .arg = story};
    IncrementalFile *f = incremental_file_new(ctx, PAGE, &events);
    incremental_file_begin(f, size);
    for (size_t at = 0; at < file->len; at += step)
    {
        size_t len = file->len - at < step ? file->len - at : step;
        if (!incremental_file_write(f, file->data + at, len, err))
            return false;
    }
    return incremental_file_end(f, err);
}

static void test_changes(void **state UNUSED)
{
    static const size_t steps[] = {1, 3, 100, PAGE - 1, PAGE, PAGE + 1, 100000};
    static const uint32_t places[] = {3, 70, 71, 131071};
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "changes");
    Str *file = make_changes(ctx, 100, places, LENGTH_OF(places));
    Str *none = make_changes(ctx, 7, NULL, 0);
    Error err = ERROR_INIT;
    assert_int_equal(none->len, 12);
    for (size_t i = 0; i < LENGTH_OF(steps); i++)
    {
        Str *story = str_new(ctx);
        assert_true(read_changes(ctx, file, file->len, steps[i], story, &err));
        assert_string_equal(story->data, "keep 100 3 70 71 131071");
        str_clear(story);
        assert_true(read_changes(ctx, none, none->len, steps[i], story, &err));
        assert_string_equal(story->data, "keep 7");
    }
}

static void test_changes_damage(void **state UNUSED)
{
    static const uint32_t places[] = {3, 4};
    static const struct
    {
        size_t at;
        uint32_t value;
        const char *says;
    } cases[] = {{0, 0xd3ae1f0c, "does not begin"},
                 {4, 3, "another length"},
                 {4, 4294967295, "impossible number"},
                 {8, 4194305, "impossible number"},
                 {12, 4194304, "impossible block"}};
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "changes");
    Str *story = str_new(ctx);
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        Error err = ERROR_INIT;
        Str *file = make_changes(ctx, 9, places, LENGTH_OF(places));
        memcpy(file->data + cases[i].at, &cases[i].value, 4);
        assert_false(read_changes(ctx, file, file->len, 100, story, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_non_null(strstr(err.message, cases[i].says));
    }
    Str *file = make_changes(ctx, 9, places, LENGTH_OF(places));
    Error err = ERROR_INIT;
    assert_false(read_changes(ctx, file, file->len + 1, 100, story, &err));
    file->len--;
    Error short_err = ERROR_INIT;
    assert_false(read_changes(ctx, file, file->len + 1, 100, story, &short_err));
    assert_non_null(strstr(short_err.message, "is not complete"));
    file->len = 8;
    Error head_err = ERROR_INIT;
    assert_false(read_changes(ctx, file, 8, 100, story, &head_err));
    assert_int_equal(head_err.code, ERR_CORRUPT);
}

static void test_changes_name(void **state UNUSED)
{
    static const char *const no[] = {"base/5/16384",         "INCREMENTAL.",
                                     "base/INCREMENTAL./5",  "base/5/INCREMENTAL",
                                     "base/INCREMENTAL.5/6", "",
                                     "INCREMENTAL.1",        "base/5/INCREMENTAL.conf",
                                     "my/INCREMENTAL.5.old", "my/INCREMENTAL.5-1"};
    char whole[40];
    assert_true(incremental_file_whole("base/5/INCREMENTAL.16384.1", whole, sizeof(whole)));
    assert_string_equal(whole, "base/5/16384.1");
    assert_true(incremental_file_whole("PG_17_202406281/5/INCREMENTAL.7_vm", whole, sizeof(whole)));
    assert_string_equal(whole, "PG_17_202406281/5/7_vm");
    assert_false(incremental_file_whole("base/5/INCREMENTAL.16384.12345678", whole, 20));
    for (size_t i = 0; i < LENGTH_OF(no); i++)
        assert_false(incremental_file_whole(no[i], whole, sizeof(whole)));
}

/* The blocks say where they are; the file and block that are bad are those of the whole file. */
static void test_changes_pages(void **state UNUSED)
{
    static const uint32_t places[] = {1, 3, 4};
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "changes");
    Str *file = make_changes(ctx, 9, places, LENGTH_OF(places));
    unsigned char page[PAGE];
    Bad bad = {.count = 0};
    PageCheck *c = page_check_new(ctx, PAGE, 131072, on_bad, &bad);
    for (uint32_t i = 0; i < LENGTH_OF(places); i++)
    {
        make_page(page, 0x50, 2 * 131072 + places[i]);
        memcpy(file->data + (i + 1) * PAGE, page, PAGE);
    }
    file->data[2 * PAGE + 1000] ^= 1;
    page_check_start(c, 0x100);
    page_check_begin(c, "base/5/INCREMENTAL.16384.2", file->len);
    page_check_data(c, file->data, file->len);
    assert_int_equal(bad.count, 1);
    assert_int_equal(bad.segment, 2);
    assert_int_equal(bad.block, 3);
}

static void test_name_set(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "names");
    NameSet *s = name_set_new(ctx);
    char name[32];
    assert_false(name_set_has(s, ""));
    for (int i = 0; i < 1000; i += 2)
    {
        snprintf(name, sizeof(name), "base/5/%d", i);
        name_set_add(s, name);
    }
    for (int i = 0; i < 1000; i++)
    {
        snprintf(name, sizeof(name), "base/5/%d", i);
        assert_int_equal(name_set_has(s, name), i % 2 == 0);
    }
    name_set_add(s, "later");
    assert_true(name_set_has(s, "later"));
    name_set_clear(s);
    assert_false(name_set_has(s, "later"));
}

/* ---- tar ---- */

static void octal(unsigned char *field, size_t size, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "%0*" PRIo64, (int) size - 1, value);
    memcpy(field, text, size);
}

static void seal(unsigned char *header)
{
    uint64_t sum = 0;
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += header[i];
    octal(header + 148, 7, sum);
}

static void add_header(Str *tar, const char *name, char type, uint64_t size, const char *link)
{
    unsigned char h[TAR_BLOCK] = {0};
    memcpy(h, name, strlen(name));
    octal(h + 100, 8, type == '5' ? 0700 : 0600);
    octal(h + 124, 12, size);
    octal(h + 136, 12, 1700000000);
    h[156] = (unsigned char) type;
    memcpy(h + 157, link, strlen(link));
    memcpy(h + 257, "ustar\00000", 8);
    seal(h);
    str_addn(tar, (const char *) h, TAR_BLOCK);
}

static void add_data(Str *tar, size_t size)
{
    for (size_t i = 0; i < size; i++)
        str_addc(tar, (char) ('a' + i % 26));
    while (tar->len % TAR_BLOCK != 0)
        str_addc(tar, '\0');
}

static Str *sample_tar(void *ctx)
{
    Str *tar = str_new(ctx);
    add_header(tar, "backup_label", '0', 5, "");
    add_data(tar, 5);
    add_header(tar, "pg_tblspc/", '5', 0, "");
    add_header(tar, "pg_tblspc/16384", '2', 0, "/srv/space");
    add_header(tar, "base/1/2619", '0', 1024, "");
    add_data(tar, 1024);
    add_header(tar, "empty", '0', 0, "");
    return tar;
}

static bool told(void *arg, const TarMember *m, Error *err UNUSED)
{
    str_addf(arg, "[%d %s %s %" PRIu64 " %o @%" PRIu64 " ", (int) m->kind, m->name, m->link,
             m->size, m->mode, m->offset);
    return true;
}

static bool told_data(void *arg, const void *data, size_t len, Error *err UNUSED)
{
    str_addn(arg, data, len);
    return true;
}

static bool told_end(void *arg, const TarMember *m UNUSED, Error *err UNUSED)
{
    str_addc(arg, ']');
    return true;
}

/* Takes tar in steps; *ret_boundaries counts. */
static bool take(const Str *tar, size_t step, Str *story, int *ret_boundaries, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "tar");
    const TarEvents events = {.begin = told, .data = told_data, .end = told_end, .arg = story};
    TarStream *t = tar_stream_new(ctx, &events);
    *ret_boundaries = 0;
    for (size_t at = 0; at < tar->len; at += step)
    {
        size_t len = tar->len - at < step ? tar->len - at : step;
        for (size_t done = 0, n = 0; done < len; done += n)
        {
            if (!tar_stream_take(t, tar->data + at + done, len - done, &n, err))
                return false;
            assert_int_not_equal(n, 0);
            *ret_boundaries += tar_stream_boundary(t) ? 1 : 0;
        }
    }
    return tar_stream_finish(t, err);
}

static void test_tar(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Str *tar = sample_tar(ctx);
    Str *first = str_new(ctx);
    Error err = ERROR_INIT;
    int boundaries;
    assert_true(take(tar, tar->len, first, &boundaries, &err));
    assert_int_equal(boundaries, 5);
    assert_true(strncmp(first->data,
                        "[0 backup_label  5 600 @0 abcde][1 pg_tblspc  0 700 @1024 ]"
                        "[2 pg_tblspc/16384 /srv/space 0 600 @1536 ]"
                        "[0 base/1/2619  1024 600 @2048 abc",
                        60) == 0);
    for (size_t step = 1; step < tar->len; step += 1 + step / 7)
    {
        Str *story = str_new(ctx);
        assert_true(take(tar, step, story, &boundaries, &err));
        assert_string_equal(story->data, first->data);
        assert_int_equal(boundaries, 5);
    }
}

static bool fails(const Str *tar)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Error err = ERROR_INIT;
    int boundaries;
    bool failed = !take(tar, 700, str_new(ctx), &boundaries, &err);
    assert_true(!failed || err.code == ERR_CORRUPT);
    return failed;
}

static void test_tar_damage(void **state UNUSED)
{
    static const char *const names[] = {"/etc/passwd", "../x", "a/../b", "a//b", "a/./b", "", "."};
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Str *tar = sample_tar(ctx);
    /* Every byte of a header is covered by its sum, but for what the sum's own field has behind its digits. */
    for (size_t i = 0; i < TAR_BLOCK; i++)
    {
        tar->data[i] ^= 0x10;
        assert_true(fails(tar) || (i >= 148 && i < 156));
        tar->data[i] ^= 0x10;
    }
    size_t whole = tar->len;
    tar->len = whole - 100;
    assert_true(fails(tar));
    tar->len = whole;
    for (size_t i = 0; i < LENGTH_OF(names); i++)
    {
        Str *bad = str_new(ctx);
        add_header(bad, names[i], '0', 0, "");
        assert_true(fails(bad));
    }
    Str *kind = str_new(ctx);
    add_header(kind, "x", 'x', 0, "");
    assert_true(fails(kind));
    /* Nothing comes behind the end. */
    for (size_t i = 0; i < 2 * TAR_BLOCK; i++)
        str_addc(tar, '\0');
    assert_false(fails(tar));
    add_header(tar, "late", '0', 0, "");
    assert_true(fails(tar));
}

/* Sizes of more than eight gigabytes are in base 256. */
static void test_tar_large(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Str *tar = str_new(ctx);
    Str *story = str_new(ctx);
    Error err = ERROR_INIT;
    int boundaries;
    add_header(tar, "large", '0', 0, "");
    unsigned char *h = (unsigned char *) tar->data;
    memset(h + 124, 0, 12);
    h[124] = 0x80;
    h[131] = 0x03; /* 3 * 2^32 */
    seal(h);
    assert_false(take(tar, 100, story, &boundaries, &err));
    assert_true(strncmp(story->data, "[0 large  12884901888 ", 22) == 0);
    memset(h + 124, 0xff, 12);
    seal(h);
    assert_true(fails(tar));
}

/* ---- the server's manifest ---- */

static void sum_lines(Str *manifest)
{
    char hex[TAP_HEX_LEN];
    tap_hash_memory(TAP_SHA256, manifest->data, manifest->len, hex);
    str_addf(manifest, "\"Manifest-Checksum\": \"%s\"}\n", hex);
}

static Str *sample_manifest(void *ctx)
{
    Str *m = str_new(ctx);
    str_add(
        m,
        "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [\n"
        "{ \"Path\": \"backup_label\", \"Size\": 9, \"Last-Modified\": \"2026-11-20 23:15:02 GMT\","
        " \"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"839206e3\" },\n"
        "{ \"Encoded-Path\": \"62617365ff\", \"Size\": 0, \"Last-Modified\": \"x ] } \\\" \","
        " \"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"00000000\" },\n"
        "{ \"Path\": \"later\", \"Size\": 3, \"Last-Modified\": \"x\" }\n],\n"
        "\"WAL-Ranges\": [\n{ \"Timeline\": 1, \"Start-LSN\": \"0/2000028\", \"End-LSN\": "
        "\"0/2000100\" }\n],\n");
    return m;
}

static const uint32_t crc_label = 0xE3069283, crc_none = 0;

static ManifestCheck *sample_files(uint64_t size, uint32_t crc)
{
    ManifestCheck *c = manifest_check_new();
    manifest_check_file(c, "later", 3, &crc_label);
    manifest_check_file(c, "backup_label", size, &crc);
    manifest_check_file(c, "base\xff", 0, &crc_none);
    return c;
}

static bool check(ManifestCheck *c, const Str *m, size_t step, Error *err)
{
    bool ok = true;
    for (size_t at = 0; ok && at < m->len; at += step)
        ok = manifest_check_write(c, m->data + at, m->len - at < step ? m->len - at : step, err);
    ok = ok && manifest_check_finish(c, err);
    manifest_check_free(c);
    return ok;
}

static void test_manifest(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Str *m = sample_manifest(ctx);
    sum_lines(m);
    for (size_t step = 1; step <= m->len; step += 1 + step / 3)
    {
        Error err = ERROR_INIT;
        if (!check(sample_files(9, crc_label), m, step, &err))
            fail_msg("%s", err.message);
    }
}

static void expect(ManifestCheck *c, const Str *m, const char *text)
{
    Error err = ERROR_INIT;
    assert_false(check(c, m, 100, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    if (strstr(err.message, text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, err.message);
}

static void test_manifest_damage(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Str *m = sample_manifest(ctx);
    ManifestCheck *c;
    sum_lines(m);
    expect(sample_files(8, crc_label), m, "\"backup_label\" came with another length");
    expect(sample_files(9, crc_none), m, "\"backup_label\" came with another checksum");
    expect(manifest_check_new(), m, "did not come");
    c = sample_files(9, crc_label);
    manifest_check_file(c, "more", 1, &crc_none);
    expect(c, m, "1 files came that are not in the server's manifest");
    m->data[m->len - 20] = m->data[m->len - 20] == '0' ? '1' : '0';
    expect(sample_files(9, crc_label), m, "checksum of the server's manifest");
    m->len -= 3;
    expect(sample_files(9, crc_label), m, "not complete");
    /* A byte that is changed is noticed wherever it is: by the sum at least. */
    for (size_t i = 0; i < m->len; i++)
    {
        Error err = ERROR_INIT;
        Str *other = sample_manifest(ctx);
        sum_lines(other);
        if (i >= other->len - 1)
            break;
        other->data[i] ^= 1;
        assert_false(check(sample_files(9, crc_label), other, 64, &err));
    }
}

/* ---- a manifest of our own ---- */

static bool gather(void *arg, const void *data, size_t len, Error *err UNUSED)
{
    str_addn(arg, data, len);
    return true;
}

static Str *made(void *ctx, ManifestMake *m)
{
    const ManifestWal wal = {.timeline = 1, .start = 0x2000028, .end = 0x2000100};
    Error err = ERROR_INIT;
    Str *text = str_new(ctx);
    assert_true(manifest_make_finish(m, &wal, gather, text, &err));
    return text;
}

/* As servers write it, to the letter. */
static void test_made(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Error err = ERROR_INIT;
    AUTO(manifest_make_free) ManifestMake *m = manifest_make_new(&err);
    assert_non_null(m);
    assert_true(manifest_make_file(m, "backup_label", 9, 1795216502, crc_label, &err));
    assert_true(manifest_make_file(m, "base\xff", 0, 0, crc_none, &err));
    assert_true(manifest_make_file(m, "quote\"d", 3, 0, crc_label, &err));
    Str *want = str_new(ctx);
    str_add(want, "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [\n"
                  "{ \"Path\": \"backup_label\", \"Size\": 9, \"Last-Modified\":"
                  " \"2026-11-20 23:15:02 GMT\", \"Checksum-Algorithm\": \"CRC32C\","
                  " \"Checksum\": \"839206e3\" },\n"
                  "{ \"Encoded-Path\": \"62617365ff\", \"Size\": 0, \"Last-Modified\":"
                  " \"1970-01-01 00:00:00 GMT\", \"Checksum-Algorithm\": \"CRC32C\","
                  " \"Checksum\": \"00000000\" },\n"
                  "{ \"Encoded-Path\": \"71756f74652264\", \"Size\": 3, \"Last-Modified\":"
                  " \"1970-01-01 00:00:00 GMT\", \"Checksum-Algorithm\": \"CRC32C\","
                  " \"Checksum\": \"839206e3\" }\n],\n"
                  "\"WAL-Ranges\": [\n{ \"Timeline\": 1, \"Start-LSN\": \"0/2000028\","
                  " \"End-LSN\": \"0/2000100\" }\n],\n");
    sum_lines(want);
    assert_string_equal(made(ctx, m)->data, want->data);
}

/* More than is kept in memory, or none. */
static void test_made_many(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    for (int count = 0; count <= 5000; count += 2500)
    {
        char path[32];
        Error err = ERROR_INIT;
        AUTO(manifest_make_free) ManifestMake *m = manifest_make_new(&err);
        ManifestCheck *c = manifest_check_new();
        for (int i = 0; i < count; i++)
        {
            uint32_t crc = 1000003U * (uint32_t) i;
            snprintf(path, sizeof(path), "base/1/%d", i);
            manifest_check_file(c, path, (uint64_t) i, &crc);
            assert_true(manifest_make_file(m, path, (uint64_t) i, i, crc, &err));
        }
        if (!check(c, made(ctx, m), 1000, &err))
            fail_msg("%s", err.message);
    }
}

/* ---- a chain on a thread of its own ---- */

static bool add(void *arg, const void *data, size_t len, Error *err)
{
    Str *s = arg;
    if (s->len + len > 5000000)
        return error_set(err, ERR_STORAGE, "full");
    str_addn(s, data, len);
    return true;
}

static void test_worker(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Str *want = str_new(ctx);
    Str *got = str_new(ctx);
    Error err = ERROR_INIT;
    AUTO(io_free) IoStage *chain = io_worker_new(3, io_sink_new(add, got), &err);
    assert_non_null(chain);
    for (int round = 0; round < 2; round++)
    {
        str_clear(want);
        str_clear(got);
        for (uint64_t i = 0; want->len < 3000000; i++)
            str_addf(want, "%" PRIu64 ",", i * i);
        for (size_t at = 0, n = 1; at < want->len; at += n, n = n * 3 % 700001 + 1)
            assert_true(
                io_write(chain, want->data + at, want->len - at < n ? want->len - at : n, &err));
        assert_true(io_finish(chain, &err));
        assert_int_equal(got->len, want->len);
        assert_memory_equal(got->data, want->data, want->len);
        io_reset(chain);
    }
    /* A failure behind is told by a later write, or by the end; and is gone with a reset. */
    bool ok = true;
    str_clear(got);
    for (int i = 0; ok && i < 3; i++)
        ok = io_write(chain, want->data, want->len, &err);
    ok = ok && io_finish(chain, &err);
    assert_false(ok);
    assert_int_equal(err.code, ERR_STORAGE);
    str_clear(got);
    io_reset(chain);
    error_clear(&err);
    assert_true(io_write(chain, "x", 1, &err) && io_finish(chain, &err));
    assert_string_equal(got->data, "x");
}

/* ---- room for a chain ---- */

/* A set of one node: what comes in its data directory and in tablespace 7, and what is noted of both. */
static void add_set(void *ctx, Chain *chain, const uint64_t base[3], const uint64_t space[3])
{
    Manifest *m = mem_new(ctx, Manifest);
    *mem_push(ctx, m->physicals, m->physical_count, m->physical_capacity, PhysicalRecord) =
        (PhysicalRecord){.content = 3, .restored_bytes = base[1], .added_bytes = base[2]};
    /* In two parts; and one of another node. */
    for (int i = 0; i < 3; i++)
        *mem_push(ctx, m->parts, m->part_count, m->part_capacity,
                  PartRecord) = (PartRecord){.content = i < 2 ? 3 : 4,
                                             .stream = mem_strdup(ctx, PART_BASE),
                                             .logical = i == 0 ? base[0] - 1 : 1};
    if (space != NULL)
    {
        *mem_push(ctx, m->tablespaces, m->tablespace_count, m->tablespace_capacity,
                  TablespaceRecord) = (TablespaceRecord){
            .content = 3, .oid = 7, .restored_bytes = space[1], .added_bytes = space[2]};
        *mem_push(ctx, m->parts, m->part_count, m->part_capacity, PartRecord) = (PartRecord){
            .content = 3, .stream = mem_strdup(ctx, "7"), .logical = space[0]};
    }
    chain->sets[chain->count++].m = m;
}

static void test_room(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "room");
    Chain chain = {.sets = mem_array(ctx, ChainSet, 4)};
    add_set(ctx, &chain, (const uint64_t[]){1000, 0, 0}, (const uint64_t[]){100, 0, 0});
    assert_int_equal(restore_room_need(&chain, 3, PART_BASE), 1000);
    assert_int_equal(restore_room_need(&chain, 3, "7"), 100);
    assert_int_equal(restore_room_need(&chain, 3, "8"), 0);
    /* 300 come, of which 20 are new; of the tablespace all that comes may be. */
    add_set(ctx, &chain, (const uint64_t[]){300, 1010, 20}, (const uint64_t[]){50, 0, 0});
    assert_int_equal(restore_room_need(&chain, 3, PART_BASE), 1020);
    assert_int_equal(restore_room_need(&chain, 3, "7"), 150);
    /* Much goes: the most is what was there before. What is said to be new is never more than what comes. */
    add_set(ctx, &chain, (const uint64_t[]){5, 200, 900}, NULL);
    assert_int_equal(restore_room_need(&chain, 3, PART_BASE), 1020);
    add_set(ctx, &chain, (const uint64_t[]){1000, 1150, 950}, (const uint64_t[]){60, 60, 60});
    assert_int_equal(restore_room_need(&chain, 3, PART_BASE), 1150);
    assert_int_equal(restore_room_need(&chain, 3, "7"), 210);
}

/* What an incremental backup's files make of those before them is noted while they pass. */
static void test_room_noted(void **state UNUSED)
{
    static const uint32_t places[] = {1, 12};
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "noted");
    char dir[] = "/tmp/pgark-noted-XXXXXX";
    Error err = ERROR_INIT;
    assert_non_null(mkdtemp(dir));
    ProgressNode progress = {.label = ""};
    BaseStoreSpec spec = {.storage = storage_open(ctx, dir, &err),
                          .set_dir = "set",
                          .dir = "node",
                          .no_sync = true,
                          .part_size = 1 << 20,
                          .block_size = PAGE,
                          .segment_blocks = 131072,
                          .progress = &progress};
    assert_true(storage_make_dir(spec.storage, "set/node", false, &err));
    BaseBackupTablespace spaces[] = {{.oid = 7}, {.oid = 0}};
    const BaseBackupStart start = {.tablespaces = spaces, .count = 2};
    AUTO(base_store_free) BaseStore *store = base_store_new(&spec, &err);
    BaseBackupSink sink = base_store_sink(store);
    Str *changes = make_changes(ctx, 10, places, LENGTH_OF(places));
    Str *tar = sample_tar(ctx);
    Str *broken = str_new(ctx);
    add_header(tar, "base/1/INCREMENTAL.2620", '0', changes->len, "");
    str_addn(tar, changes->data, changes->len);
    add_header(broken, "PG_17_1/1/INCREMENTAL.9", '0', 5, "");
    add_data(broken, 5);
    assert_true(sink.begin(sink.arg, &start, &err) && sink.archive(sink.arg, 0, &err) &&
                sink.data(sink.arg, broken->data, broken->len, &err) &&
                sink.archive(sink.arg, 1, &err) && sink.data(sink.arg, tar->data, tar->len, &err) &&
                base_store_finish(store, &err));
    const BaseStreamBytes *bytes = base_store_result(store)->bytes;
    assert_true(bytes[0].unknown);
    assert_false(bytes[1].unknown);
    /* backup_label, a directory, a link, two files, one of 13 blocks of which 10 were there. */
    assert_int_equal(bytes[1].restored, 6 * TAR_BLOCK + TAR_BLOCK + 1024 + 13 * PAGE);
    assert_int_equal(bytes[1].added, 3 * TAR_BLOCK + TAR_BLOCK + 1024 + 3 * PAGE);
    assert_true(storage_remove_tree(spec.storage, "set", &err));
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lsn),           cmocka_unit_test(test_crc32c),
        cmocka_unit_test(test_page_checksum), cmocka_unit_test(test_page_look),
        cmocka_unit_test(test_page_files),    cmocka_unit_test(test_page_pieces),
        cmocka_unit_test(test_changes),       cmocka_unit_test(test_changes_damage),
        cmocka_unit_test(test_changes_name),  cmocka_unit_test(test_changes_pages),
        cmocka_unit_test(test_name_set),      cmocka_unit_test(test_tar),
        cmocka_unit_test(test_tar_damage),    cmocka_unit_test(test_tar_large),
        cmocka_unit_test(test_manifest),      cmocka_unit_test(test_manifest_damage),
        cmocka_unit_test(test_made),          cmocka_unit_test(test_made_many),
        cmocka_unit_test(test_worker),        cmocka_unit_test(test_room),
        cmocka_unit_test(test_room_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

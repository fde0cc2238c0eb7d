/*
 * test/unit/test_io.c - the stages: round trips, damage, reuse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zstd.h>

#include "base/str.h"
#include "io/compress.h"
#include "io/limit.h"
#include "io/rows.h"
#include "io/tap.h"

static const Compress all_codecs[] = {
    {COMPRESS_NONE, 0}, {COMPRESS_ZSTD, 1}, {COMPRESS_ZSTD, 9},
    {COMPRESS_LZ4, 1},  {COMPRESS_LZ4, 3},  {COMPRESS_LZ4, 12},
    {COMPRESS_GZIP, 1}, {COMPRESS_GZIP, 6}, {COMPRESS_GZIP, 9},
};

static bool sink_str(void *arg, const void *data, size_t len, Error *err UNUSED)
{
    str_addn(arg, data, len);
    return true;
}

static bool sink_fail(void *arg, const void *data UNUSED, size_t len, Error *err)
{
    size_t *left = arg;

    if (len > *left)
        return error_set(err, ERR_QUERY, "the sink is full");
    *left -= len;
    return true;
}

/* A mixture that compresses partly. */
static char *make_data(void *ctx, size_t len)
{
    char *data = mem_array(ctx, char, len + 1);
    uint32_t x = 12345;

    for (size_t i = 0; i < len; i++)
    {
        x = x * 1664525 + 1013904223;
        data[i] = (i / 1000) % 3 == 0 ? (char) (x >> 24) : (char) ('a' + i % 17);
    }
    return data;
}

#define MEGABYTE ((size_t) 1048576)

static void push(IoStage *chain, const char *data, size_t len, size_t step)
{
    Error err = ERROR_INIT;

    for (size_t i = 0; i < len; i += step)
        assert_true(io_write(chain, data + i, len - i < step ? len - i : step, &err));
    assert_true(io_finish(chain, &err));
}

static void round_trip_threads(Compress codec, int threads, size_t len, size_t step)
{
    void *ctx = mem_context(NULL, "test");
    char *data = make_data(ctx, len);
    Str *stored = str_new(ctx), *back = str_new(ctx);
    IoStage *out = io_buffer_new(
        io_compress_stored_new(codec, threads, io_sink_new(sink_str, stored)));
    IoStage *in = io_decompress_new(codec.method, io_sink_new(sink_str, back));

    /* Twice, so that reset is seen to work. */
    for (int round = 0; round < 2; round++)
    {
        str_clear(stored);
        str_clear(back);
        push(out, data, len, step);
        push(in, stored->data, stored->len, step);
        assert_int_equal(back->len, len);
        assert_memory_equal(back->data, data, len);
        io_reset(out);
        io_reset(in);
    }
    io_free(out);
    io_free(in);
    mem_free(ctx);
}

static void round_trip(Compress codec, size_t len, size_t step)
{
    round_trip_threads(codec, 0, len, step);
}

static void test_threads(void **state UNUSED)
{
    for (size_t i = 0; i < LENGTH_OF(all_codecs); i++)
        round_trip_threads(all_codecs[i], 3, 1, 1);
    /* More than a thread takes at a time. */
    round_trip_threads((Compress){COMPRESS_ZSTD, 1}, 3, (size_t) 9 * 1024 * 1024 + 1, 100003);
    round_trip_threads((Compress){COMPRESS_ZSTD, 9}, 3, (size_t) 5 * 1024 * 1024 + 1, 100003);
}

static void test_round_trip(void **state UNUSED)
{
    for (size_t i = 0; i < LENGTH_OF(all_codecs); i++)
    {
        round_trip(all_codecs[i], 0, 1);
        round_trip(all_codecs[i], 1, 1);
        round_trip(all_codecs[i], 5000, 1);
        round_trip(all_codecs[i], IO_BUFFER_SIZE, IO_BUFFER_SIZE);
        round_trip(all_codecs[i], 3 * IO_BUFFER_SIZE + 17, 4099);
        round_trip(all_codecs[i], 3 * MEGABYTE + 1, 2 * MEGABYTE);
    }
    for (int level = 1; level <= 4; level++)
    {
        const Compress codec = {COMPRESS_ZSTD, level};
        round_trip(codec, MEGABYTE - 1, 30011);
        round_trip(codec, MEGABYTE, MEGABYTE);
        round_trip(codec, 2 * MEGABYTE, 30011);
        round_trip(codec, 3 * MEGABYTE + 1, 3 * MEGABYTE + 1);
    }
    /* Once only: this level takes hundreds of megabytes. */
    round_trip((Compress){COMPRESS_ZSTD, 22}, 100000, 1000);
}

/* A reset in the middle of an object must not leak into the next one. */
static void test_reset_midway(void **state UNUSED)
{
    void *ctx = mem_context(NULL, "test");
    char *data = make_data(ctx, 400000);

    for (size_t i = 0; i < LENGTH_OF(all_codecs); i++)
    {
        Str *stored = str_new(ctx), *back = str_new(ctx);
        IoStage *out = io_buffer_new(io_compress_new(all_codecs[i], io_sink_new(sink_str, stored)));
        IoStage *in = io_decompress_new(all_codecs[i].method, io_sink_new(sink_str, back));
        Error err = ERROR_INIT;

        assert_true(io_write(out, data, 300000, &err));
        io_reset(out);
        str_clear(stored);
        push(out, data, 1000, 1000);
        assert_true(io_write(in, stored->data, stored->len / 2, &err));
        io_reset(in);
        str_clear(back);
        push(in, stored->data, stored->len, 7);
        assert_int_equal(back->len, 1000);
        assert_memory_equal(back->data, data, 1000);
        io_free(out);
        io_free(in);
    }
    mem_free(ctx);
}

/* A chain that stored bytes go through as in the chunk reader: length and hash are compared. */
typedef struct Decoder
{
    IoStage *in, *limit, *tap;
    uint64_t want_len;
    char want_hash[TAP_HEX_LEN];
} Decoder;

static Decoder new_decoder(CompressMethod method, const char *data, size_t len)
{
    Decoder d = {.want_len = len};

    tap_hash_memory(TAP_XXH3_128, data, len, d.want_hash);
    d.tap = io_tap_new(TAP_XXH3_128, NULL);
    d.limit = io_limit_new(len, d.tap);
    d.in = io_decompress_new(method, d.limit);
    return d;
}

static bool decode(Decoder *d, const char *stored, size_t len, size_t step, Error *err)
{
    char hash[TAP_HEX_LEN];
    uint64_t bytes;

    error_clear(err);
    io_reset(d->in);
    for (size_t i = 0; i < len; i += step)
    {
        if (!io_write(d->in, stored + i, len - i < step ? len - i : step, err))
            return false;
    }
    if (!io_finish(d->in, err))
        return false;
    io_tap_result(d->tap, &bytes, hash);
    return (bytes == d->want_len && strcmp(hash, d->want_hash) == 0) ||
           error_set(err, ERR_CORRUPT, "differs");
}

static void refuse(Decoder *d, const char *stored, size_t len, size_t step)
{
    Error err;

    assert_false(decode(d, stored, len, step, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
}

static void damage(Compress codec)
{
    void *ctx = mem_context(NULL, "test");
    const size_t len = 1500;
    char *data = make_data(ctx, len);
    Str *stored = str_new(ctx);
    IoStage *out = io_compress_new(codec, io_sink_new(sink_str, stored));
    Decoder d = new_decoder(codec.method, data, len);
    Error err;

    push(out, data, len, len);
    io_free(out);
    assert_true(decode(&d, stored->data, stored->len, 1, &err));
    for (size_t cut = 0; cut < stored->len; cut++)
        refuse(&d, stored->data, cut, 100);
    for (size_t at = 0; at < stored->len * 8; at++)
    {
        char bit = (char) (1 << at % 8);

        /* Some bits mean nothing (gzip's time stamp): then the data is right all the same. */
        stored->data[at / 8] ^= bit;
        if (!decode(&d, stored->data, stored->len, 64, &err))
            assert_int_equal(err.code, ERR_CORRUPT);
        stored->data[at / 8] ^= bit;
    }
    str_addc(stored, '\0');
    refuse(&d, stored->data, stored->len, 1);
    refuse(&d, stored->data, stored->len, stored->len);
    assert_true(decode(&d, stored->data, stored->len - 1, 1, &err));
    io_free(d.in);
    mem_free(ctx);
}

static void test_damage(void **state UNUSED)
{
    damage((Compress){COMPRESS_ZSTD, 1});
    damage((Compress){COMPRESS_LZ4, 1});
    damage((Compress){COMPRESS_GZIP, 6});
}

/* Frames of a megabyte: what a repository has of the fast levels. */
static void test_frames(void **state UNUSED)
{
    void *ctx = mem_context(NULL, "test");
    const size_t len = 2 * MEGABYTE + 5;
    char *data = make_data(ctx, len);
    Str *stored = str_new(ctx);
    IoStage *out = io_compress_stored_new((Compress){COMPRESS_ZSTD, 1}, 0,
                                          io_sink_new(sink_str, stored));
    Decoder d = new_decoder(COMPRESS_ZSTD, data, len);
    size_t at = 0;
    Error err;

    push(out, data, len, len);
    io_free(out);
    for (size_t i = 0; i < 3; i++)
    {
        const char *frame = stored->data + at;
        assert_int_equal(ZSTD_getFrameContentSize(frame, stored->len - at), i < 2 ? MEGABYTE : 5);
        at += ZSTD_findFrameCompressedSize(frame, stored->len - at);
        if (i < 2) /* one that is not there is found by the length */
            refuse(&d, stored->data, at, at);
    }
    assert_int_equal(at, stored->len);
    assert_true(decode(&d, stored->data, stored->len, 4099, &err));
    refuse(&d, stored->data, stored->len - 1, 4099);
    io_free(d.in);
    mem_free(ctx);
}

/* A second frame is what stock tools accept; pgark makes it with zstd only. */
static void test_second_frame(void **state UNUSED)
{
    void *ctx = mem_context(NULL, "test");

    for (size_t i = 1; i < LENGTH_OF(all_codecs); i++)
    {
        Str *stored = str_new(ctx);
        IoStage *out = io_compress_new(all_codecs[i], io_sink_new(sink_str, stored));
        Decoder d = new_decoder(all_codecs[i].method, "abcabc", 6);
        Error err;

        push(out, "abc", 3, 3);
        io_reset(out);
        push(out, "abc", 3, 3);
        io_free(out);
        if (all_codecs[i].method == COMPRESS_ZSTD)
            assert_true(decode(&d, stored->data, stored->len, 5, &err) &&
                        decode(&d, stored->data, stored->len, stored->len, &err));
        else
        {
            refuse(&d, stored->data, stored->len, 5);
            refuse(&d, stored->data, stored->len, stored->len);
        }
        io_free(d.in);
    }
    mem_free(ctx);
}

static void test_sink_error(void **state UNUSED)
{
    void *ctx = mem_context(NULL, "test");
    char *data = make_data(ctx, 2000000);

    for (size_t i = 0; i < LENGTH_OF(all_codecs); i++)
    {
        for (size_t room = 0; room < 300000; room += 100000)
        {
            size_t left = room;
            IoStage *out = io_buffer_new(
                io_compress_new(all_codecs[i], io_sink_new(sink_fail, &left)));
            Error err = ERROR_INIT;

            assert_false(io_write(out, data, 2000000, &err) && io_finish(out, &err));
            assert_int_equal(err.code, ERR_QUERY);
            assert_string_equal(err.message, "the sink is full");
            io_free(out);
        }
    }
    mem_free(ctx);
}

static void test_tap(void **state UNUSED)
{
    IoStage *sha = io_tap_new(TAP_SHA256, NULL), *xxh = io_tap_new(TAP_XXH3_128, sha);
    char hex[TAP_HEX_LEN], other[TAP_HEX_LEN];
    uint64_t bytes;

    for (int round = 0; round < 2; round++)
    {
        push(xxh, "abc", 3, 1);
        io_tap_result(sha, &bytes, hex);
        assert_int_equal(bytes, 3);
        assert_string_equal(hex,
                            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        io_tap_result(xxh, &bytes, hex);
        assert_int_equal(bytes, 3);
        assert_string_equal(hex, "06b05ab6733a618578af5f94892f3950");
        io_reset(xxh);
    }
    tap_hash_memory(TAP_XXH3_128, "", 0, hex);
    assert_string_equal(hex, "99aa06d3014798d86001c324468d497f");
    tap_hash_memory(TAP_SHA256, "", 0, other);
    assert_string_equal(other, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    io_free(xxh);
}

static void test_limit(void **state UNUSED)
{
    IoStage *limit = io_limit_new(5, NULL);
    Error err = ERROR_INIT;

    assert_true(io_write(limit, "12345", 5, &err));
    assert_false(io_write(limit, "6", 1, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    error_clear(&err);
    io_limit_set(limit, 2);
    assert_true(io_write(limit, "12", 2, &err));
    io_reset(limit);
    assert_true(io_write(limit, "12", 2, &err));
    io_free(limit);
}

/* ---- rows ---- */

static bool count_rows(bool binary, const char *data, size_t len, size_t step, uint64_t *ret_rows,
                       Error *err)
{
    IoStage *rows = io_rows_new(binary, NULL);
    bool ok = true;

    error_clear(err);
    for (size_t i = 0; ok && i < len; i += step)
        ok = io_write(rows, data + i, len - i < step ? len - i : step, err);
    ok = ok && io_finish(rows, err);
    *ret_rows = io_rows_count(rows);
    io_free(rows);
    return ok;
}

static void test_text_rows(void **state UNUSED)
{
    void *ctx = mem_context(NULL, "test");
    Str *text = str_new(ctx);
    Error err = ERROR_INIT;
    uint64_t rows, want = 0;

    assert_true(count_rows(false, "", 0, 1, &rows, &err));
    assert_int_equal(rows, 0);
    assert_false(count_rows(false, "1\n2", 3, 1, &rows, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    for (int i = 0; i < 60000; i++)
    {
        str_addf(text, "%.*s\n", i % 23, "\x0b\x8a\x09 abcdefghijklmnopqrst");
        want++;
    }
    for (size_t step = 1; step < 100000; step = step * 3 + 1)
    {
        assert_true(count_rows(false, text->data, text->len, step, &rows, &err));
        assert_int_equal(rows, want);
    }
    /* Every column of the eight-byte scan, and counters near their overflow. */
    str_clear(text);
    for (int i = 0; i < 100000; i++)
        str_addc(text, '\n');
    assert_true(count_rows(false, text->data, text->len, text->len, &rows, &err));
    assert_int_equal(rows, 100000);
    mem_free(ctx);
}

#define BINARY_HEADER "PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"

static void test_binary_rows(void **state UNUSED)
{
    static const char good[] = BINARY_HEADER
        "\0\2\0\0\0\4abcd\xff\xff\xff\xff" /* a value and a null */
        "\0\0"                             /* a row without columns */
        "\0\1\0\0\0\0"                     /* an empty value */
        "\xff\xff";
    static const char extended[] = "PGCOPY\n\xff\r\n\0\0\0\0\1\0\0\0\3xyz\xff\xff";
    static const char oids[] = "PGCOPY\n\xff\r\n\0\0\1\0\0\0\0\0\0\xff\xff";
    static const char negative[] = BINARY_HEADER "\0\1\xff\xff\xff\xfe\xff\xff";
    static const char bad_count[] = BINARY_HEADER "\x80\0\xff\xff";
    Error err = ERROR_INIT;
    uint64_t rows;

    for (size_t step = 1; step < sizeof(good); step++)
    {
        assert_true(count_rows(true, good, sizeof(good) - 1, step, &rows, &err));
        assert_int_equal(rows, 3);
        for (size_t cut = 0; cut < sizeof(good) - 1; cut++)
        {
            assert_false(count_rows(true, good, cut, step, &rows, &err));
            assert_int_equal(err.code, ERR_CORRUPT);
        }
        assert_false(count_rows(true, good, sizeof(good), step, &rows, &err)); /* one more */
        assert_int_equal(err.code, ERR_CORRUPT);
    }
    assert_true(count_rows(true, extended, sizeof(extended) - 1, 1, &rows, &err));
    assert_int_equal(rows, 0);
    assert_false(count_rows(true, oids, sizeof(oids) - 1, 4, &rows, &err));
    assert_false(count_rows(true, negative, sizeof(negative) - 1, 4, &rows, &err));
    assert_false(count_rows(true, bad_count, sizeof(bad_count) - 1, 4, &rows, &err));
    assert_false(count_rows(true, "1\t2\n", 4, 4, &rows, &err));
}

/* ---- names ---- */

static void test_parse(void **state UNUSED)
{
    static const struct
    {
        const char *text;
        CompressMethod method;
        int level;
    } good[] = {
        {"none", COMPRESS_NONE, 0},   {"zstd", COMPRESS_ZSTD, 1},
        {"zstd:3", COMPRESS_ZSTD, 3}, {"zstd:level=22", COMPRESS_ZSTD, 22},
        {"lz4", COMPRESS_LZ4, 1},     {"lz4:12", COMPRESS_LZ4, 12},
        {"gzip", COMPRESS_GZIP, 6},   {"gzip:9", COMPRESS_GZIP, 9},
        {"0", COMPRESS_NONE, 0},      {"1", COMPRESS_GZIP, 1},
        {"9", COMPRESS_GZIP, 9},
    };
    static const char *const bad[] = {
        "",        "10",      "zstd:0",      "zstd:23",       "zstd:",     "zstd:x",
        "zstd:-1", "zstd:1x", "lz4:13",      "gzip:10",       "gzip:0",    "none:1",
        "bzip2",   "ZSTD",    "zstd:level=", "zstd:level=99", "zstd:long", "zstdzstdzstd:1",
        " zstd",   "zstd:+1",
    };

    for (size_t i = 0; i < LENGTH_OF(good); i++)
    {
        Compress c;
        Error err = ERROR_INIT;

        assert_true(compress_parse(good[i].text, &c, &err));
        assert_int_equal(c.method, good[i].method);
        assert_int_equal(c.level, good[i].level);
    }
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
    {
        Compress c;
        Error err = ERROR_INIT;

        assert_false(compress_parse(bad[i], &c, &err));
        assert_int_equal(err.code, ERR_USAGE);
    }
    for (int method = COMPRESS_NONE; method <= COMPRESS_GZIP; method++)
    {
        CompressMethod again;

        assert_true(compress_method_by_name(compress_name((CompressMethod) method), &again));
        assert_int_equal(again, method);
    }
    assert_string_equal(compress_suffix(COMPRESS_ZSTD), ".zst");
    assert_string_equal(compress_suffix(COMPRESS_NONE), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),      cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_reset_midway), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_second_frame), cmocka_unit_test(test_frames),
        cmocka_unit_test(test_sink_error),   cmocka_unit_test(test_tap),
        cmocka_unit_test(test_limit),        cmocka_unit_test(test_text_rows),
        cmocka_unit_test(test_binary_rows),  cmocka_unit_test(test_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test/unit/test_str.c - growing strings and what makes text fit for people.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/str.h"

static void test_grows(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Str *s = str_new(ctx);
    for (int i = 0; i < 1000; i++)
        str_addf(s, "%03d,", i);
    assert_int_equal(s->len, 4000);
    assert_int_equal(strlen(s->data), 4000);
    assert_memory_equal(s->data + 3996, "999,", 5);
    str_clear(s);
    assert_string_equal(s->data, "");
    str_addn(s, "a\0b", 3);
    str_addc(s, '!');
    assert_int_equal(s->len, 4);
    assert_memory_equal(s->data, "a\0b!", 5);
}

static void test_numbers(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Str *s = str_new(ctx);
    str_addu(s, 0, 1);
    str_addu(s, 7, 3);
    str_addu(s, 1234, 2);
    str_addu(s, UINT64_MAX, 20);
    str_addu(s, 0, 0);
    str_addi(s, 0);
    str_addi(s, -5);
    str_addi(s, INT64_MIN);
    str_addi(s, INT64_MAX);
    assert_string_equal(s->data, "0007123418446744073709551615"
                                 "0-5-92233720368547758089223372036854775807");
}

static void test_bytes(void **state UNUSED)
{
    static const struct
    {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0 bytes"},
                 {1023, "1023 bytes"},
                 {1024, "1.0 kB"},
                 {1536, "1.5 kB"},
                 {(uint64_t) 427 << 20, "427.0 MB"},
                 {UINT64_MAX, "16384.0 PB"}};
    char buf[STR_BYTES_LEN];
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        assert_string_equal(str_format_bytes(buf, cases[i].bytes), cases[i].text);
}

static void test_duration(void **state UNUSED)
{
    static const struct
    {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "0.00 s"},      {420, "0.42 s"},       {9999, "10.00 s"},   {10000, "10.0 s"},
                 {59949, "59.9 s"},  {60000, "1m00s"},      {3599999, "59m59s"}, {3600000, "1h00m"},
                 {7380000, "2h03m"}, {360000000, "100h00m"}};
    char buf[STR_BYTES_LEN];
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        assert_string_equal(str_format_duration(buf, cases[i].ms), cases[i].text);
}

static void test_equal(void **state UNUSED)
{
    assert_true(str_equal(NULL, NULL));
    assert_false(str_equal(NULL, ""));
    assert_false(str_equal("", NULL));
    assert_true(str_equal("a", "a"));
    assert_false(str_equal("a", "A"));
}

static void test_hex(void **state UNUSED)
{
    char out[7];
    str_hex(out, "\x00\x9f\xff", 3);
    assert_string_equal(out, "009fff");
}

/* Whatever the size, the result ends within it, and never inside of a character. */
static void test_one_line_cut(void **state UNUSED)
{
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x98z\xc3\xbc";
    static const size_t starts[] = {0, 1, 3, 6, 10, 11, 13};
    for (size_t size = 4; size <= sizeof(text) + 2; size++)
    {
        char buf[32];
        memset(buf, '#', sizeof(buf));
        str_one_line(buf, size, text);
        assert_in_range(strlen(buf), 0, size - 1);
        assert_int_equal(buf[size], '#');
        if (size >= sizeof(text))
        {
            assert_string_equal(buf, text);
            continue;
        }
        size_t n = strlen(buf) - 3;
        bool at_start = false;
        for (size_t i = 0; i < LENGTH_OF(starts); i++)
            at_start = at_start || starts[i] == n;
        assert_true(at_start);
        assert_memory_equal(buf, text, n);
        assert_string_equal(buf + n, "...");
    }
}

static void test_one_line_controls(void **state UNUSED)
{
    char buf[32];
    assert_string_equal(str_one_line(buf, sizeof(buf), "a\nb\tc\x1b[0m\x7f"), "a b c [0m ");
}

static void test_random(void **state UNUSED)
{
    char one[2 * RANDOM_HEX_MAX + 1];
    char other[sizeof(one)];
    Error err = ERROR_INIT;

    memset(one, 'x', sizeof(one));
    assert_true(random_hex(one, 4, &err));
    assert_int_equal(strlen(one), 8);
    assert_true(random_hex(one, RANDOM_HEX_MAX, &err) && random_hex(other, RANDOM_HEX_MAX, &err));
    assert_int_equal(strspn(one, "0123456789abcdef"), 2 * RANDOM_HEX_MAX);
    assert_string_not_equal(one, other);
    assert_false(random_hex(one, RANDOM_HEX_MAX + 1, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_one_line_cut),
        cmocka_unit_test(test_one_line_controls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test/unit/test_binary_text.c - binary values as text, and nothing read beyond the end of a value.
 *
 * The list was made by a server; that every value's text is the server's is proved by 015_export.t.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/binary_text.h"
#include "export/float_text.h"

#define STREAM_MAX 1024

/* A type as the manifest has it, the bytes in hexadecimal digits, the text in COPY's form. */
static const struct
{
    const char *type;
    const char *hex;
    const char *text;
} values[] = {
    {"int2", "8000", "-32768"},
    {"int4", "ffffffff", "-1"},
    {"int8", "7fffffffffffffff", "9223372036854775807"},
    {"oid", "ffffffff", "4294967295"},
    {"bool", "01", "t"},
    {"char", "41", "A"},
    {"text", "6109620a5c", "a\\tb\\n\\\\"},
    {"text", "", ""},
    {"varchar", "78", "x"},
    {"bpchar", "79", "y"},
    {"name", "6e", "n"},
    {"bytea", "00ff5c", "\\\\x00ff5c"},
    {"json", "5b315d", "[1]"},
    {"jsonb", "017b7d", "{}"},
    {"jsonpath", "01242e226122", "$.\"a\""},
    {"numeric", "0000000000000000", "0"},
    {"numeric", "0000000000000002", "0.00"},
    {"numeric", "00020000000000020001157c", "1.55"},
    {"numeric", "0001000140000000000c", "-120000"},
    {"numeric", "0001fffe000000080064", "0.00000100"},
    {"numeric", "0005000300000004000c0d801ed204d2162e", "12345678901234.5678"},
    {"numeric", "00000000c0000000", "NaN"},
    {"numeric", "00000000f0000020", "-Infinity"},
    {"float4", "3f8ccccd", "1.1"},
    {"float8", "81a56e1fc2f8f359", "-1e-300"},
    {"date", "00000000", "2000-01-01"},
    {"date", "fff4dbf8", "0001-12-31 BC"},
    {"date", "7fffffff", "infinity"},
    {"time", "000000141dd76000", "24:00:00"},
    {"timetz", "0000000000000001ffffb1a7", "00:00:00.000001+05:34:17"},
    {"timestamp", "ffffffffffffffff", "1999-12-31 23:59:59.999999"},
    {"timestamptz", "00000000000f4240", "2000-01-01 00:00:01+00"},
    {"timestamptz", "8000000000000000", "-infinity"},
    {"interval", "00000000000000000000000000000000", "00:00:00"},
    {"interval", "ffffffffffffffff00000001fffffff3", "-1 years -1 mons +1 day -00:00:00.000001"},
    {"uuid", "000102030405060708090a0b0c0d0e0f", "00010203-0405-0607-0809-0a0b0c0d0e0f"},
    {"inet", "022000040a000001", "10.0.0.1"},
    {"cidr", "020801040a000000", "10.0.0.0/8"},
    {"inet", "0380001000000000000000000000000000000001", "::1"},
    {"inet", "0340001020010db8000000000000ffff00000000", "2001:db8::ffff:0:0/64"},
    {"inet", "0380001000000000000000000000ffff01020304", "::ffff:1.2.3.4"},
    {"macaddr", "08002b010203", "08:00:2b:01:02:03"},
    {"macaddr8", "08002b0102030405", "08:00:2b:01:02:03:04:05"},
    {"varbit", "0000000aaa80", "1010101010"},
    {"point", "3ff8000000000000c000000000000000", "(1.5,-2)"},
    {"line", "3ff000000000000040000000000000004008000000000000", "{1,2,3}"},
    {"lseg", "3ff0000000000000400000000000000040080000000000004010000000000000", "[(1,2),(3,4)]"},
    {"box", "400800000000000040100000000000003ff00000000000004000000000000000", "(3,4),(1,2)"},
    {"path", "00000000023ff0000000000000400000000000000040080000000000004010000000000000",
     "[(1,2),(3,4)]"},
    {"polygon", "000000023ff0000000000000400000000000000040080000000000004010000000000000",
     "((1,2),(3,4))"},
    {"circle", "3ff000000000000040000000000000004008000000000000", "<(1,2),3>"},
    {"tsvector", "0000000261000002c001000262000000", "'a':1A,2 'b'"},
    {"tsquery", "00000008020202040001010000640002030201010801630001000062000100006100",
     "'a' & ( 'b' | !'c':*A ) <-> 'd'"},
    {"tid", "000000010002", "(1,2)"},
    {"pg_lsn", "0000000100000002", "1/2"},
    {"xid8", "ffffffffffffffff", "18446744073709551615"},
    {"txid_snapshot", "00000002000000000000000a0000000000000014000000000000000a000000000000000e",
     "10:20:10,14"},
    {"int2vector", "0000000100000000000000150000000200000000000000020001000000020002", "1 2"},
    {"oidvector", "00000001000000000000001a0000000000000000", ""},
    {"array(int4)", "000000000000000000000017", "{}"},
    {"array(int4)",
     "00000001000000010000001700000003fffffffd0000000400000001ffffffff0000000400000003",
     "[-3:-1]={1,NULL,3}"},
    {"array(text)",
     "0000000200000001000000190000000200000001000000020000000100000003612062ffffffff000000000000000"
     "44e554c4c",
     "{{\"a b\",NULL},{\"\",\"NULL\"}}"},
    {"array(box)",
     "00000001000000000000025b0000000200000001000000203ff00000000000003ff00000000000000000000000000"
     "000000000000000000000000020400000000000000040000000000000003ff00000000000003ff0000000000000",
     "{(1,1),(0,0);(2,2),(1,1)}"},
    {"range(int4)", "0200000004000000010000000400000005", "[1,5)"},
    {"range(numeric)", "01", "empty"},
    {"multirange(int4)",
     "0000000200000011020000000400000001000000040000000300000009120000000400000005",
     "{[1,3),[5,)}"},
    {"row(int4,text,int4,text)",
     "00000004000000170000000400000001000000190000000a78202279222c205c207a00000017ffffffff000000190"
     "0000000",
     "(1,\"x \"\"y\"\", \\\\\\\\ z\",,\"\")"},
    {"enum", "736164", "sad"},
    {"array(enum)", "0000000100000000000040030000000200000001000000037361640000000769742773206f6b",
     "{sad,\"it's ok\"}"},
};

static bool gather(void *arg, const void *data, size_t len, Error *err UNUSED)
{
    str_addn(arg, data, len);
    return true;
}

static size_t from_hex(uint8_t *out, const char *hex)
{
    size_t len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++)
    {
        char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (uint8_t) strtoul(two, NULL, 16);
    }
    return len;
}

static void put_number(uint8_t *out, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t) (number >> (24 - 8 * i));
}

/* A COPY BINARY stream of one row with one column. */
static size_t make_stream(uint8_t out[STREAM_MAX], const uint8_t *value, size_t len)
{
    static const uint8_t head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1";
    memcpy(out, head, 21);
    put_number(out + 21, (uint32_t) len);
    if (len > 0)
        memcpy(out + 25, value, len);
    memset(out + 25 + len, 0xff, 2);
    return 27 + len;
}

/* Converts a stream that comes in pieces of step bytes; out gets the text. */
static bool convert(const char *type, const uint8_t *stream, size_t len, size_t step, Str *out,
                    Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "convert");
    const TypeText *parsed = type_text_parse(ctx, type);
    assert_non_null(parsed);
    ValueType *value = value_type_new(ctx, parsed);
    assert_non_null(value);
    AUTO(binary_text_free) BinaryText *t = binary_text_new(&value, 1, 150000, gather, out);
    binary_text_begin(t);
    for (size_t i = 0; i < len; i += step)
    {
        if (!binary_text_write(t, stream + i, len - i < step ? len - i : step, err))
            return false;
    }
    return binary_text_finish(t, err);
}

static void test_values(void **state UNUSED)
{
    for (size_t i = 0; i < LENGTH_OF(values); i++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        uint8_t value[STREAM_MAX];
        uint8_t stream[STREAM_MAX];
        size_t len = make_stream(stream, value, from_hex(value, values[i].hex));
        for (size_t step = 1; step <= len; step = step < 4 ? step + 1 : step * 3)
        {
            Error err = ERROR_INIT;
            Str *out = str_new(ctx);
            if (!convert(values[i].type, stream, len, step, out, &err))
                fail_msg("%s %s: %s", values[i].type, values[i].text, err.message);
            assert_int_equal(out->data[out->len - 1], '\n');
            out->data[out->len - 1] = '\0';
            assert_string_equal(out->data, values[i].text);
        }
    }
}

/* A value that is cut, or longer, is either refused or another value; what is never allowed is to
 * read beyond it, which the sanitizers watch: each is in memory of its own. */
static void test_damaged(void **state UNUSED)
{
    for (size_t i = 0; i < LENGTH_OF(values); i++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        const TypeText *parsed = type_text_parse(ctx, values[i].type);
        ValueType *type = value_type_new(ctx, parsed);
        uint8_t value[STREAM_MAX];
        size_t len = from_hex(value, values[i].hex);
        for (size_t cut = 0; cut < len; cut++)
        {
            uint8_t *bytes = malloc(cut == 0 ? 1 : cut);
            memcpy(bytes, value, cut);
            ValueReader r = {.pos = bytes, .end = bytes + cut, .server_version_num = 150000};
            type->text(&r, type, str_new(ctx));
            free(bytes);
        }
        for (size_t at = 0; at < len; at++)
        {
            for (int bit = 0; bit < 8; bit++)
            {
                uint8_t *bytes = malloc(len);
                memcpy(bytes, value, len);
                bytes[at] ^= (uint8_t) (1 << bit);
                ValueReader r = {.pos = bytes, .end = bytes + len, .server_version_num = 170000};
                type->text(&r, type, str_new(ctx));
                free(bytes);
            }
        }
    }
}

static void expect_corrupt(const char *type, const char *hex, const char *message)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    uint8_t stream[STREAM_MAX];
    Error err = ERROR_INIT;
    size_t len = from_hex(stream, hex);
    assert_false(convert(type, stream, len, len, str_new(ctx), &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_non_null(strstr(err.message, message));
}

#define HEAD "5047434f50590aff0d0a000000000000000000"

static void test_streams(void **state UNUSED)
{
    expect_corrupt("int4", "5047434f50590aff0d0b000000000000000000ffff", "does not begin");
    expect_corrupt("int4", HEAD, "too early");
    expect_corrupt("int4", HEAD "0001000000040000", "too early");
    expect_corrupt("int4", HEAD "0002", "2 columns");
    expect_corrupt("int4", HEAD "0001fffffffe", "malformed");
    expect_corrupt("int4", HEAD "00010000000300000000", "malformed");
    expect_corrupt("int4", HEAD "0001000000050000000000", "malformed");
    expect_corrupt("text", HEAD "000100000003610062", "malformed");
    expect_corrupt("jsonb", HEAD "000100000000", "malformed");
    expect_corrupt("jsonb", HEAD "000100000003027b7d", "malformed");
    expect_corrupt("int4", HEAD "ffff00", "behind its end");
    expect_corrupt("numeric", HEAD "00010000000a00010000000000002711", "malformed");
    /* a dimension of 2^31-1 elements in an array of no bytes */
    expect_corrupt("array(int4)",
                   HEAD "000100000014000000010000000000000017"
                        "7fffffff00000001",
                   "malformed");
}

static void test_types(void **state UNUSED)
{
    static const char *const malformed[] = {"",          "(",          "array",       "array(",
                                            "array()",   "array(int4", "int4)",       "array(a,b)",
                                            "row(int4,", "enum()",     "Int4",        "row(,)",
                                            "range(",    "int4 ",      "multirange()"};
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    char deep[1024] = "";
    for (size_t i = 0; i < LENGTH_OF(malformed); i++)
        assert_null(type_text_parse(ctx, malformed[i]));
    for (size_t len = 0; len < 600; len += 6)
        memcpy(deep + len, "array(", 7);
    assert_null(type_text_parse(ctx, deep));
    const TypeText *row = type_text_parse(ctx, "row(array(int4),row(),enum)");
    assert_int_equal(row->part_count, 3);
    assert_int_equal(row->parts[1]->kind, TYPE_ROW);
    assert_null(value_type_new(ctx, type_text_parse(ctx, "array(money)")));
    assert_null(value_type_new(ctx, type_text_parse(ctx, "row(int4,other)")));
    assert_true(type_text_is_user("array(enum)"));
    assert_true(type_text_is_user("other"));
    assert_false(type_text_is_user("range(int4)"));
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static void test_floats(void **state UNUSED)
{
    static const struct
    {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1.0, "1"},
        {0.1, "0.1"},
        {1e14, "100000000000000"},
        {1e15, "1e+15"},
        {123456789012345.0, "123456789012345"},
        {0.0001, "0.0001"},
        {0.00001, "1e-05"},
        {-1.5e300, "-1.5e+300"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {0x1p-44, "5.684341886080802e-14"}, /* the nearest of 16 digits is not read back */
        {9007199254740993.0, "9.007199254740992e+15"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {1e23, "9.999999999999999e+22"}, /* 1e23 lies half way to the next one */
    };
    char buf[FLOAT_TEXT_LEN];
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        assert_string_equal(float_text_8(buf, bits_of(cases[i].value)), cases[i].text);
    assert_string_equal(float_text_4(buf, 0x3dcccccd), "0.1");
    assert_string_equal(float_text_4(buf, 0x49742400), "1e+06");
    assert_string_equal(float_text_4(buf, 0x7f7fffff), "3.4028235e+38");
    assert_string_equal(float_text_4(buf, 1), "1e-45");
    assert_string_equal(float_text_4(buf, 0xff800000), "-Infinity");
}

/* Whatever the bits, the text is read back as the same number, and no shorter one would be. */
static void test_float_property(void **state UNUSED)
{
    uint64_t random = 42;
    for (int i = 0; i < 200000; i++)
    {
        char buf[FLOAT_TEXT_LEN];
        char shorter[64];
        random = random * 6364136223846793005 + 1442695040888963407;
        uint64_t bits = random ^ random >> 29;
        double value;
        memcpy(&value, &bits, sizeof(value));
        if (value != value || value - value != 0)
            continue;
        float_text_8(buf, bits);
        assert_true(bits_of(strtod(buf, NULL)) == bits);
        size_t digits = 0; /* from the first to the last that is not 0 */
        size_t zeros = 0;
        for (const char *c = buf; *c != '\0' && *c != 'e'; c++)
        {
            zeros = *c == '0' && digits > 0 ? zeros + 1 : *c == '.' ? zeros : 0;
            if (*c > '0' && *c <= '9')
                digits++;
            else if (*c == '0' && digits > 0)
                digits++;
        }
        digits -= zeros;
        snprintf(shorter, sizeof(shorter), "%.*e", digits > 1 ? (int) digits - 2 : 0, value);
        /* Above 2^53 a decimal can lie half way to the next number, which does not count as its own. */
        bool half_way = value >= 0x1p53 || value <= -0x1p53;
        assert_true(half_way || digits <= 1 || strtod(shorter, NULL) != value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_streams), cmocka_unit_test(test_types),
        cmocka_unit_test(test_floats),  cmocka_unit_test(test_float_property),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

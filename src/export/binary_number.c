/* export/binary_number.c - numbers; the contract is in binary_value.h. */
#include "export/binary_value.h"
#include "export/float_text.h"

/* Source: utils/numeric.h and adt/numeric.c, "external representation". */
#define NUMERIC_NEGATIVE     0x4000
#define NUMERIC_NAN          0xC000
#define NUMERIC_INFINITY     0xD000
#define NUMERIC_NEG_INFINITY 0xF000
#define NUMERIC_SCALE_MAX    0x3FFF

void value_int2(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    str_addi(out, (int16_t) value_u16(r));
}

void value_int4(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    str_addi(out, value_i32(r));
}

void value_int8(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    str_addi(out, value_i64(r));
}

void value_oid(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    str_addu(out, value_u32(r), 1);
}

void value_xid8(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    str_addu(out, value_u64(r), 1);
}

void value_float4(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    char buf[FLOAT_TEXT_LEN];
    str_add(out, float_text_4(buf, value_u32(r)));
}

void value_float8(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    char buf[FLOAT_TEXT_LEN];
    str_add(out, float_text_8(buf, value_u64(r)));
}

/* Digits to the base 10000; the one with index 0 counts 10000^weight. */
typedef struct Numeric
{
    const uint8_t *digits;
    int count;
    int weight;
    int scale; /* decimal digits behind the point */
} Numeric;

static int digit_at(ValueReader *r, const Numeric *n, int i)
{
    if (i < 0 || i >= n->count)
        return 0;
    int digit = n->digits[2 * i] << 8 | n->digits[2 * i + 1];
    r->bad = r->bad || digit > 9999;
    return r->bad ? 0 : digit;
}

static void add_numeric(ValueReader *r, const Numeric *n, Str *out)
{
    if (n->weight < 0)
        str_addc(out, '0');
    for (int i = 0; i <= n->weight; i++)
        str_addu(out, (uint64_t) digit_at(r, n, i), i == 0 ? 1 : 4);
    if (n->scale > 0)
        str_addc(out, '.');
    static const int tens[] = {1, 10, 100, 1000};
    for (int done = 0, i = n->weight + 1; done < n->scale; done += 4, i++)
    {
        int len = n->scale - done < 4 ? n->scale - done : 4;
        str_addu(out, (uint64_t) (digit_at(r, n, i) / tens[4 - len]), len);
    }
}

void value_numeric(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    Numeric n = {.count = value_u16(r), .weight = (int16_t) value_u16(r)};
    int sign = value_u16(r);
    n.scale = value_u16(r);
    n.digits = value_bytes(r, (size_t) n.count * 2);
    if (sign == NUMERIC_NAN)
        str_add(out, "NaN");
    else if (sign == NUMERIC_INFINITY)
        str_add(out, "Infinity");
    else if (sign == NUMERIC_NEG_INFINITY)
        str_add(out, "-Infinity");
    else if (n.digits == NULL || n.scale > NUMERIC_SCALE_MAX ||
             (sign != 0 && sign != NUMERIC_NEGATIVE))
        r->bad = true;
    else
    {
        str_add(out, sign == NUMERIC_NEGATIVE ? "-" : "");
        add_numeric(r, &n, out);
    }
}

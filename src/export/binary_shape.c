/* export/binary_shape.c - geometric types; the contract is in binary_value.h. */
#include "export/binary_value.h"

static void add_number(ValueReader *r, Str *out)
{
    value_float8(r, NULL, out);
}

void value_point(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    str_addc(out, '(');
    add_number(r, out);
    str_addc(out, ',');
    add_number(r, out);
    str_addc(out, ')');
}

static void add_points(ValueReader *r, size_t count, Str *out)
{
    for (size_t i = 0; i < count && !r->bad; i++)
    {
        str_add(out, i == 0 ? "" : ",");
        value_point(r, NULL, out);
    }
}

/* A count of points that there are. */
static size_t point_count(ValueReader *r)
{
    uint32_t count = value_u32(r);
    r->bad = r->bad || count == 0 || count > value_left(r) / 16;
    return r->bad ? 0 : count;
}

void value_line(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    for (int i = 0; i < 3; i++)
    {
        str_addc(out, i == 0 ? '{' : ',');
        add_number(r, out);
    }
    str_addc(out, '}');
}

void value_lseg(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    str_addc(out, '[');
    add_points(r, 2, out);
    str_addc(out, ']');
}

void value_box(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    add_points(r, 2, out);
}

void value_path(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    bool closed = value_u8(r) != 0;
    str_addc(out, closed ? '(' : '[');
    add_points(r, point_count(r), out);
    str_addc(out, closed ? ')' : ']');
}

void value_polygon(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    str_addc(out, '(');
    add_points(r, point_count(r), out);
    str_addc(out, ')');
}

void value_circle(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    str_addc(out, '<');
    value_point(r, NULL, out);
    str_addc(out, ',');
    add_number(r, out);
    str_addc(out, '>');
}

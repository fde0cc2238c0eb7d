/* export/binary_nested.c - values made of values; the contract is in binary_value.h. */
#include <strings.h>

#include "export/binary_value.h"

/* Source: utils/array.h, utils/rangetypes.h. */
#define DIMENSIONS_MAX  6
#define RANGE_EMPTY     0x01
#define RANGE_LOWER_INC 0x02
#define RANGE_UPPER_INC 0x04
#define RANGE_LOWER_INF 0x08
#define RANGE_UPPER_INF 0x10

/* Appends the text of a value whose length comes first; *ret_null: it is -1. */
static void add_value(ValueReader *r, const ValueType *type, Str *out, bool *ret_null)
{
    int32_t len = value_i32(r);
    *ret_null = len == -1;
    if (len < -1)
        r->bad = true;
    else if (len >= 0)
        value_part(r, type, (size_t) len, out);
}

static bool needs_quotes(const Str *value, const char *specials)
{
    return value->len == 0 || strpbrk(value->data, specials) != NULL;
}

/* ---- arrays ---- */

typedef struct Array
{
    const ValueType *element;
    int dimensions;
    int32_t sizes[DIMENSIONS_MAX];
    int32_t firsts[DIMENSIONS_MAX]; /* lower bounds */
    char specials[16];              /* characters that a value is quoted for */
    Str *value;
} Array;

static void add_element(ValueReader *r, Array *a, Str *out)
{
    bool null;
    str_clear(a->value);
    add_value(r, a->element, a->value, &null);
    const char *text = a->value->data;
    if (null)
        str_add(out, "NULL");
    else if (!needs_quotes(a->value, a->specials) && strcasecmp(text, "NULL") != 0)
        str_addn(out, text, a->value->len);
    else
    {
        str_addc(out, '"');
        for (; *text != '\0'; text++)
        {
            if (*text == '"' || *text == '\\')
                str_addc(out, '\\');
            str_addc(out, *text);
        }
        str_addc(out, '"');
    }
}

static void add_dimension(ValueReader *r, Array *a, int dimension, Str *out)
{
    str_addc(out, '{');
    for (int32_t i = 0; i < a->sizes[dimension] && !r->bad; i++)
    {
        if (i > 0)
            str_addc(out, a->element->delimiter);
        if (dimension + 1 < a->dimensions)
            add_dimension(r, a, dimension + 1, out);
        else
            add_element(r, a, out);
    }
    str_addc(out, '}');
}

/* Every element has four bytes at least, which bounds what the sizes may multiply to. */
static void read_head(ValueReader *r, Array *a)
{
    uint64_t count = 1;
    a->dimensions = value_i32(r);
    value_u32(r); /* whether there are nulls */
    value_u32(r); /* oid of the element's type */
    r->bad = r->bad || a->dimensions < 0 || a->dimensions > DIMENSIONS_MAX;
    for (int i = 0; i < a->dimensions && !r->bad; i++)
    {
        a->sizes[i] = value_i32(r);
        a->firsts[i] = value_i32(r);
        if (a->sizes[i] < 0 || (count *= (uint64_t) a->sizes[i]) > value_left(r) / 4)
            r->bad = true;
    }
    if (count == 0) /* an empty vector has a dimension, of size 0 */
        a->dimensions = 0;
}

void value_array(ValueReader *r, const ValueType *type, Str *out)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "array");
    Array a = {.element = type->parts[0], .value = str_new(tmp)};
    bool bounds = false;
    snprintf(a.specials, sizeof(a.specials), "\"\\{}%c \t\n\r\v\f", a.element->delimiter);
    read_head(r, &a);
    if (r->bad)
        return;
    for (int i = 0; i < a.dimensions; i++)
        bounds = bounds || a.firsts[i] != 1;
    for (int i = 0; bounds && i < a.dimensions; i++)
        str_addf(out, "[%" PRId32 ":%" PRId64 "]%s", a.firsts[i],
                 (int64_t) a.firsts[i] + a.sizes[i] - 1, i + 1 == a.dimensions ? "=" : "");
    if (a.dimensions == 0)
        str_add(out, "{}");
    else
        add_dimension(r, &a, 0, out);
}

/* int2vector and oidvector: sent as arrays, printed without braces. */
void value_vector(ValueReader *r, const ValueType *type, Str *out)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "vector");
    Array a = {.element = type->parts[0], .value = str_new(tmp)};
    read_head(r, &a);
    r->bad = r->bad || a.dimensions > 1;
    for (int32_t i = 0; !r->bad && a.dimensions == 1 && i < a.sizes[0]; i++)
    {
        str_add(out, i == 0 ? "" : " ");
        add_element(r, &a, out);
    }
}

/* ---- ranges ---- */

/* In ranges and rows a quote and a backslash are doubled. */
static void add_doubled(Str *out, const Str *value, const char *specials)
{
    bool quote = needs_quotes(value, specials);
    str_add(out, quote ? "\"" : "");
    for (const char *c = value->data; *c != '\0'; c++)
    {
        if (*c == '"' || *c == '\\')
            str_addc(out, *c);
        str_addc(out, *c);
    }
    str_add(out, quote ? "\"" : "");
}

static void add_bound(ValueReader *r, const ValueType *subtype, Str *out)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "bound");
    Str *value = str_new(tmp);
    bool null;
    add_value(r, subtype, value, &null);
    r->bad = r->bad || null;
    add_doubled(out, value, "\"\\()[], \t\n\r\v\f");
}

void value_range(ValueReader *r, const ValueType *type, Str *out)
{
    int flags = value_u8(r);
    if ((flags & RANGE_EMPTY) != 0)
    {
        str_add(out, "empty");
        return;
    }
    str_addc(out, (flags & RANGE_LOWER_INC) != 0 ? '[' : '(');
    if ((flags & RANGE_LOWER_INF) == 0)
        add_bound(r, type->parts[0], out);
    str_addc(out, ',');
    if ((flags & RANGE_UPPER_INF) == 0)
        add_bound(r, type->parts[0], out);
    str_addc(out, (flags & RANGE_UPPER_INC) != 0 ? ']' : ')');
}

void value_multirange(ValueReader *r, const ValueType *type, Str *out)
{
    uint32_t count = value_u32(r);
    /* A ValueType of the range itself: its parts are the multirange's own. */
    ValueType range = {.text = value_range, .parts = type->parts, .part_count = type->part_count};
    str_addc(out, '{');
    for (uint32_t i = 0; i < count && !r->bad; i++)
    {
        bool null;
        str_add(out, i == 0 ? "" : ",");
        add_value(r, &range, out, &null);
        r->bad = r->bad || null;
    }
    str_addc(out, '}');
}

/* ---- rows ---- */

void value_row(ValueReader *r, const ValueType *type, Str *out)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "row");
    Str *value = str_new(tmp);
    r->bad = value_u32(r) != type->part_count || r->bad;
    str_addc(out, '(');
    for (size_t i = 0; i < type->part_count && !r->bad; i++)
    {
        bool null;
        str_add(out, i == 0 ? "" : ",");
        str_clear(value);
        value_u32(r); /* oid of the column's type */
        add_value(r, type->parts[i], value, &null);
        if (!null)
            add_doubled(out, value, "\"\\(), \t\n\r\v\f");
    }
    str_addc(out, ')');
}

/* export/binary_value.c - the contract is in binary_value.h. */
#include "export/binary_value.h"

#define DEPTH_MAX 64

size_t value_left(const ValueReader *r)
{
    return (size_t) (r->end - r->pos);
}

const uint8_t *value_bytes(ValueReader *r, size_t n)
{
    if (r->bad || n > value_left(r))
    {
        r->bad = true;
        return NULL;
    }
    r->pos += n;
    return r->pos - n;
}

const char *value_string(ValueReader *r)
{
    const uint8_t *nul = r->bad ? NULL : memchr(r->pos, 0, value_left(r));
    const char *text = (const char *) r->pos;
    if (nul == NULL)
    {
        r->bad = true;
        return NULL;
    }
    r->pos = nul + 1;
    return text;
}

static uint64_t read_number(ValueReader *r, size_t n)
{
    const uint8_t *bytes = value_bytes(r, n);
    uint64_t value = 0;
    for (size_t i = 0; bytes != NULL && i < n; i++)
        value = value << 8 | bytes[i];
    return value;
}

uint8_t value_u8(ValueReader *r)
{
    return (uint8_t) read_number(r, 1);
}

uint16_t value_u16(ValueReader *r)
{
    return (uint16_t) read_number(r, 2);
}

uint32_t value_u32(ValueReader *r)
{
    return (uint32_t) read_number(r, 4);
}

uint64_t value_u64(ValueReader *r)
{
    return read_number(r, 8);
}

int32_t value_i32(ValueReader *r)
{
    return (int32_t) value_u32(r);
}

int64_t value_i64(ValueReader *r)
{
    return (int64_t) value_u64(r);
}

void value_part(ValueReader *r, const ValueType *type, size_t len, Str *out)
{
    const uint8_t *bytes = value_bytes(r, len);
    if (bytes == NULL || r->depth > DEPTH_MAX)
    {
        r->bad = true;
        return;
    }
    ValueReader part = {.pos = bytes,
                        .end = bytes + len,
                        .depth = r->depth + 1,
                        .server_version_num = r->server_version_num};
    type->text(&part, type, out);
    r->bad = part.bad || part.pos != part.end;
}

/* A type without parts of its own, but for the vectors'. */
static bool set_base(ValueType *v, const char *name)
{
    v->text = value_base_text(name, &v->stream);
    v->delimiter = strcmp(name, "box") == 0 ? ';' : ',';
    if (v->text != value_vector)
        return v->text != NULL;
    ValueType *element = mem_new(v, ValueType);
    v->parts = mem_array(v, ValueType *, 1);
    v->parts[0] = element;
    v->part_count = 1;
    return set_base(element, strcmp(name, "int2vector") == 0 ? "int2" : "oid");
}

static bool set_parts(ValueType *v, const TypeText *type)
{
    v->parts = mem_array(v, ValueType *, type->part_count);
    v->part_count = type->part_count;
    for (size_t i = 0; i < type->part_count; i++)
    {
        v->parts[i] = value_type_new(v, type->parts[i]);
        if (v->parts[i] == NULL)
            return false;
    }
    return true;
}

static bool set_type(ValueType *v, const TypeText *type)
{
    static const ValueText texts[] = {[TYPE_ARRAY] = value_array,
                                      [TYPE_RANGE] = value_range,
                                      [TYPE_MULTIRANGE] = value_multirange,
                                      [TYPE_ROW] = value_row};
    v->delimiter = ',';
    switch (type->kind)
    {
    case TYPE_BASE:
        return set_base(v, type->name);
    case TYPE_ENUM:
        return set_base(v, "enum");
    case TYPE_OTHER:
        return false;
    case TYPE_ARRAY:
    case TYPE_RANGE:
    case TYPE_MULTIRANGE:
    case TYPE_ROW:
        break;
    }
    v->text = texts[type->kind];
    return set_parts(v, type);
}

ValueType *value_type_new(void *ctx, const TypeText *type)
{
    ValueType *v = mem_new(ctx, ValueType);
    if (set_type(v, type))
        return v;
    mem_free(v);
    return NULL;
}

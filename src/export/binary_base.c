/* export/binary_base.c - built-in types by name, and those of one line; see binary_value.h. */
#include "export/binary_value.h"

static void value_bool(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    str_addc(out, value_u8(r) != 0 ? 't' : 'f');
}

static void value_text(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    size_t len = value_left(r);
    const uint8_t *text = value_bytes(r, len);
    if (text == NULL || memchr(text, 0, len) != NULL)
        r->bad = true;
    else
        str_addn(out, (const char *) text, len);
}

/* Since 16 a byte that is not ASCII is shown by its octal digits. */
static void value_char(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    int c = value_u8(r);
    if (c >= 0x80 && r->server_version_num >= 160000)
        str_addf(out, "\\%03o", (unsigned) c);
    else if (c != 0)
        str_addc(out, (char) c);
}

static void value_bytea(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    static const char digits[] = "0123456789abcdef";
    str_add(out, "\\x");
    while (r->pos < r->end)
    {
        str_addc(out, digits[*r->pos >> 4]);
        str_addc(out, digits[*r->pos++ & 15]);
    }
}

/* jsonb and jsonpath: version 1 of their binary form is their text. */
static void value_versioned(ValueReader *r, const ValueType *type, Str *out)
{
    r->bad = value_u8(r) != 1 || r->bad;
    if (!r->bad)
        value_text(r, type, out);
}

static void value_bits(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    uint32_t count = value_u32(r);
    const uint8_t *bits = value_bytes(r, ((size_t) count + 7) / 8);
    for (uint32_t i = 0; bits != NULL && i < count; i++)
        str_addc(out, (bits[i / 8] & 0x80 >> i % 8) != 0 ? '1' : '0');
}

static void value_tid(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    uint32_t block = value_u32(r);
    str_addf(out, "(%" PRIu32 ",%d)", block, value_u16(r));
}

static void value_lsn(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    uint32_t high = value_u32(r);
    str_addf(out, "%" PRIX32 "/%" PRIX32, high, value_u32(r));
}

static void value_snapshot(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    uint32_t count = value_u32(r);
    uint64_t min = value_u64(r);
    str_addf(out, "%" PRIu64 ":%" PRIu64 ":", min, value_u64(r));
    for (uint32_t i = 0; i < count && !r->bad; i++)
        str_addf(out, "%s%" PRIu64, i == 0 ? "" : ",", value_u64(r));
}

ValueText value_base_text(const char *name, ValueStream *ret_stream)
{
    static const struct
    {
        const char *name;
        ValueText text;
        ValueStream stream;
    } types[] = {
        {"bit", value_bits, STREAM_NONE},
        {"bool", value_bool, STREAM_NONE},
        {"box", value_box, STREAM_NONE},
        {"bpchar", value_text, STREAM_TEXT},
        {"bytea", value_bytea, STREAM_BYTEA},
        {"char", value_char, STREAM_NONE},
        {"cid", value_oid, STREAM_NONE},
        {"cidr", value_inet, STREAM_NONE},
        {"circle", value_circle, STREAM_NONE},
        {"date", value_date, STREAM_NONE},
        {"enum", value_text, STREAM_TEXT},
        {"float4", value_float4, STREAM_NONE},
        {"float8", value_float8, STREAM_NONE},
        {"inet", value_inet, STREAM_NONE},
        {"int2", value_int2, STREAM_NONE},
        {"int2vector", value_vector, STREAM_NONE},
        {"int4", value_int4, STREAM_NONE},
        {"int8", value_int8, STREAM_NONE},
        {"interval", value_interval, STREAM_NONE},
        {"json", value_text, STREAM_TEXT},
        {"jsonb", value_versioned, STREAM_JSON},
        {"jsonpath", value_versioned, STREAM_JSON},
        {"line", value_line, STREAM_NONE},
        {"lseg", value_lseg, STREAM_NONE},
        {"macaddr", value_macaddr, STREAM_NONE},
        {"macaddr8", value_macaddr8, STREAM_NONE},
        {"name", value_text, STREAM_TEXT},
        {"numeric", value_numeric, STREAM_NONE},
        {"oid", value_oid, STREAM_NONE},
        {"oidvector", value_vector, STREAM_NONE},
        {"path", value_path, STREAM_NONE},
        {"pg_lsn", value_lsn, STREAM_NONE},
        {"pg_snapshot", value_snapshot, STREAM_NONE},
        {"point", value_point, STREAM_NONE},
        {"polygon", value_polygon, STREAM_NONE},
        {"refcursor", value_text, STREAM_TEXT},
        {"text", value_text, STREAM_TEXT},
        {"tid", value_tid, STREAM_NONE},
        {"time", value_time, STREAM_NONE},
        {"timestamp", value_timestamp, STREAM_NONE},
        {"timestamptz", value_timestamptz, STREAM_NONE},
        {"timetz", value_timetz, STREAM_NONE},
        {"tsquery", value_tsquery, STREAM_NONE},
        {"tsvector", value_tsvector, STREAM_NONE},
        {"txid_snapshot", value_snapshot, STREAM_NONE},
        {"unknown", value_text, STREAM_TEXT},
        {"uuid", value_uuid, STREAM_NONE},
        {"varbit", value_bits, STREAM_NONE},
        {"varchar", value_text, STREAM_TEXT},
        {"xid", value_oid, STREAM_NONE},
        {"xid8", value_xid8, STREAM_NONE},
        {"xml", value_text, STREAM_TEXT},
    };
    for (size_t i = 0; i < LENGTH_OF(types); i++)
    {
        if (strcmp(types[i].name, name) != 0)
            continue;
        *ret_stream = types[i].stream;
        return types[i].text;
    }
    return NULL;
}

/*
 * export/binary_value.h - one value in a type's binary form becomes its text.
 *
 * Source of the forms: the send functions of PostgreSQL 13 to 18 (utils/adt: int4send,
 * numeric_send, array_send ...); of the texts: their output functions, with DateStyle ISO,
 * IntervalStyle postgres, extra_float_digits above 0, bytea_output hex and, for what has a time
 * zone, UTC. The bytes are hostile: nothing is read beyond them.
 */
#ifndef PGARK_EXPORT_BINARY_VALUE_H
#define PGARK_EXPORT_BINARY_VALUE_H

#include "base/str.h"
#include "export/type_text.h"

/* What is left of a value. Reading beyond its end gives zeros and sets bad, which stays. */
typedef struct ValueReader
{
    const uint8_t *pos;
    const uint8_t *end;
    bool bad;
    int depth;              /* of values inside values */
    int server_version_num; /* whose binary form and output it is */
} ValueReader;

uint8_t value_u8(ValueReader *r);
uint16_t value_u16(ValueReader *r);
uint32_t value_u32(ValueReader *r);
uint64_t value_u64(ValueReader *r);
int32_t value_i32(ValueReader *r);
int64_t value_i64(ValueReader *r);

/* value_bytes: the next n bytes, or NULL; value_string: up to a NUL, or NULL. */
const uint8_t *value_bytes(ValueReader *r, size_t n);
const char *value_string(ValueReader *r);

/* value_left: how many bytes there still are. */
size_t value_left(const ValueReader *r);

typedef struct ValueType ValueType;

/* A ValueText appends the text of what r holds; it sets r->bad where that is malformed. */
typedef void (*ValueText)(ValueReader *r, const ValueType *type, Str *out);

/* How the bytes of a long value can be rewritten piece by piece. */
typedef enum ValueStream
{
    STREAM_NONE,  /* the value must be whole */
    STREAM_TEXT,  /* they are the text */
    STREAM_BYTEA, /* each becomes two digits behind \x */
    STREAM_JSON,  /* a version byte, 1, then the text */
} ValueStream;

struct ValueType
{
    ValueText text;
    ValueStream stream;
    char delimiter;    /* between its values in an array */
    ValueType **parts; /* element, subtype, fields */
    size_t part_count;
};

/* value_type_new: below ctx; NULL: the binary form of type, or of a part of it, is not known. */
ValueType *value_type_new(void *ctx, const TypeText *type);

/* value_part appends the text of the next len bytes, a value of another type; all of them must be
 * used. */
void value_part(ValueReader *r, const ValueType *type, size_t len, Str *out);

/* binary_base.c */
ValueText value_base_text(const char *name, ValueStream *ret_stream);

/* binary_number.c */
void value_int2(ValueReader *r, const ValueType *type, Str *out);
void value_int4(ValueReader *r, const ValueType *type, Str *out);
void value_int8(ValueReader *r, const ValueType *type, Str *out);
void value_oid(ValueReader *r, const ValueType *type, Str *out);
void value_xid8(ValueReader *r, const ValueType *type, Str *out);
void value_float4(ValueReader *r, const ValueType *type, Str *out);
void value_float8(ValueReader *r, const ValueType *type, Str *out);
void value_numeric(ValueReader *r, const ValueType *type, Str *out);

/* binary_time.c */
void value_date(ValueReader *r, const ValueType *type, Str *out);
void value_time(ValueReader *r, const ValueType *type, Str *out);
void value_timetz(ValueReader *r, const ValueType *type, Str *out);
void value_timestamp(ValueReader *r, const ValueType *type, Str *out);
void value_timestamptz(ValueReader *r, const ValueType *type, Str *out);
void value_interval(ValueReader *r, const ValueType *type, Str *out);

/* binary_net.c */
void value_inet(ValueReader *r, const ValueType *type, Str *out);
void value_macaddr(ValueReader *r, const ValueType *type, Str *out);
void value_macaddr8(ValueReader *r, const ValueType *type, Str *out);
void value_uuid(ValueReader *r, const ValueType *type, Str *out);

/* binary_shape.c */
void value_point(ValueReader *r, const ValueType *type, Str *out);
void value_line(ValueReader *r, const ValueType *type, Str *out);
void value_lseg(ValueReader *r, const ValueType *type, Str *out);
void value_box(ValueReader *r, const ValueType *type, Str *out);
void value_path(ValueReader *r, const ValueType *type, Str *out);
void value_polygon(ValueReader *r, const ValueType *type, Str *out);
void value_circle(ValueReader *r, const ValueType *type, Str *out);

/* binary_search.c */
void value_tsvector(ValueReader *r, const ValueType *type, Str *out);
void value_tsquery(ValueReader *r, const ValueType *type, Str *out);

/* binary_nested.c */
void value_array(ValueReader *r, const ValueType *type, Str *out);
void value_vector(ValueReader *r, const ValueType *type, Str *out);
void value_range(ValueReader *r, const ValueType *type, Str *out);
void value_multirange(ValueReader *r, const ValueType *type, Str *out);
void value_row(ValueReader *r, const ValueType *type, Str *out);

#endif

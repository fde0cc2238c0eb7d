/*
 * repo/record.c - the fields of every record type, and how each kind of field is written and read.
 */
#include "repo/record.h"

#include "base/str.h"
#include "repo/repo.h"

#define PATH_LEN_MAX 1024
#define SHA256_HEX   64
#define XXH3_HEX     32

typedef enum FieldKind
{
    FIELD_FORMAT, /* the format's number: no member of the record */
    FIELD_INT,
    FIELD_I64,
    FIELD_U32,
    FIELD_U64,
    FIELD_BOOL,
    FIELD_TEXT,     /* char *, not NULL */
    FIELD_NAME,     /* char *, NULL is null */
    FIELD_TEXTS,    /* char **, with its count at other_offset */
    FIELD_PATH,     /* char *, may be NULL */
    FIELD_KEY,      /* char[SET_KEY_LEN] */
    FIELD_SHA256,   /* char[TAP_HEX_LEN], "" is null */
    FIELD_XXH3,     /* the same */
    FIELD_LETTER,   /* char */
    FIELD_COMPRESS, /* Compress */
    FIELD_OBJECT,   /* ObjectRecord */
} FieldKind;

typedef struct Field
{
    const char *name;
    FieldKind kind;
    size_t offset;
    size_t other_offset;
    int64_t min, max; /* of a number */
} Field;

#define NUMBER(T, kind, member, lo, hi)                                                            \
    {                                                                                              \
#member, kind, offsetof(T, member), 0, lo, hi                                              \
    }
#define OTHER(T, kind, member)                                                                     \
    {                                                                                              \
#member, kind, offsetof(T, member), 0, 0, 0                                                \
    }
#define TEXTS(T, member, count)                                                                    \
    {                                                                                              \
#member, FIELD_TEXTS, offsetof(T, member), offsetof(T, count), 0, 0                        \
    }

static const Field object_fields[] = {
    OTHER(ObjectRecord, FIELD_PATH, path),
    NUMBER(ObjectRecord, FIELD_U64, bytes, 0, INT64_MAX),
    OTHER(ObjectRecord, FIELD_SHA256, sha256),
};

static const Field set_fields[] = {
    {"format", FIELD_FORMAT, 0, 0, MANIFEST_FORMAT, MANIFEST_FORMAT},
    OTHER(SetRecord, FIELD_KEY, key),
    OTHER(SetRecord, FIELD_TEXT, version),
    OTHER(SetRecord, FIELD_TEXT, fleet),
    OTHER(SetRecord, FIELD_TEXT, topology),
    NUMBER(SetRecord, FIELD_I64, started_us, 0, INT64_MAX),
    NUMBER(SetRecord, FIELD_I64, finished_us, 0, INT64_MAX),
    OTHER(SetRecord, FIELD_COMPRESS, compress),
    {"copy_format", FIELD_TEXT, offsetof(SetRecord, format), 0, 0, 0},
    NUMBER(SetRecord, FIELD_U64, chunk_size, 0, INT64_MAX),
    NUMBER(SetRecord, FIELD_INT, jobs, 0, INT_MAX),
    NUMBER(SetRecord, FIELD_INT, sections, 0, 7),
    TEXTS(SetRecord, selection, selection_count),
};

static const Field node_fields[] = {
    NUMBER(NodeRecord, FIELD_INT, content, -1, INT_MAX),
    NUMBER(NodeRecord, FIELD_INT, dbid, 0, INT_MAX),
    OTHER(NodeRecord, FIELD_TEXT, host),
    NUMBER(NodeRecord, FIELD_INT, port, 0, 65535),
    OTHER(NodeRecord, FIELD_TEXT, database),
    OTHER(NodeRecord, FIELD_TEXT, system_identifier),
    OTHER(NodeRecord, FIELD_TEXT, server_version),
    NUMBER(NodeRecord, FIELD_INT, server_version_num, 0, INT_MAX),
    OTHER(NodeRecord, FIELD_BOOL, in_recovery),
    OTHER(NodeRecord, FIELD_TEXT, encoding),
    OTHER(NodeRecord, FIELD_TEXT, snapshot),
    NUMBER(NodeRecord, FIELD_I64, dump_ms, 0, INT64_MAX),
    OTHER(NodeRecord, FIELD_OBJECT, schema),
    OTHER(NodeRecord, FIELD_OBJECT, chunks),
    OTHER(NodeRecord, FIELD_OBJECT, globals),
    TEXTS(NodeRecord, warnings, warning_count),
};

static const Field cut_fields[] = {
    OTHER(CutRecord, FIELD_TEXT, method),
    NUMBER(CutRecord, FIELD_INT, tries, 0, INT_MAX),
    NUMBER(CutRecord, FIELD_I64, window_us, 0, INT64_MAX),
    NUMBER(CutRecord, FIELD_I64, stall_us, 0, INT64_MAX),
    NUMBER(CutRecord, FIELD_I64, at_us, 0, INT64_MAX),
};

static const Field table_fields[] = {
    NUMBER(TableRecord, FIELD_INT, content, -1, INT_MAX),
    OTHER(TableRecord, FIELD_TEXT, database),
    NUMBER(TableRecord, FIELD_U32, oid, 1, UINT32_MAX),
    OTHER(TableRecord, FIELD_TEXT, schema),
    OTHER(TableRecord, FIELD_TEXT, name),
    OTHER(TableRecord, FIELD_LETTER, kind),
    OTHER(TableRecord, FIELD_NAME, extension),
    OTHER(TableRecord, FIELD_BOOL, unlogged),
    OTHER(TableRecord, FIELD_BOOL, populated),
    TEXTS(TableRecord, columns, column_count),
    TEXTS(TableRecord, types, type_count),
    OTHER(TableRecord, FIELD_BOOL, binary),
    NUMBER(TableRecord, FIELD_U64, chunks, 0, UINT32_MAX),
    NUMBER(TableRecord, FIELD_U64, rows, 0, INT64_MAX),
    NUMBER(TableRecord, FIELD_U64, logical, 0, INT64_MAX),
    NUMBER(TableRecord, FIELD_U64, stored, 0, INT64_MAX),
    NUMBER(TableRecord, FIELD_I64, worker_us, 0, INT64_MAX),
};

static const Field sequence_fields[] = {
    NUMBER(SequenceRecord, FIELD_INT, content, -1, INT_MAX),
    OTHER(SequenceRecord, FIELD_TEXT, database),
    OTHER(SequenceRecord, FIELD_TEXT, schema),
    OTHER(SequenceRecord, FIELD_TEXT, name),
    NUMBER(SequenceRecord, FIELD_I64, last_value, INT64_MIN, INT64_MAX),
    OTHER(SequenceRecord, FIELD_BOOL, is_called),
};

static const Field chunk_fields[] = {
    NUMBER(ChunkRecord, FIELD_U32, table_oid, 1, UINT32_MAX),
    NUMBER(ChunkRecord, FIELD_U32, chunk, 0, UINT32_MAX),
    NUMBER(ChunkRecord, FIELD_U64, from_block, 0, UINT32_MAX),
    NUMBER(ChunkRecord, FIELD_U64, to_block, 0, (int64_t) UINT32_MAX + 1),
    OTHER(ChunkRecord, FIELD_PATH, object),
    NUMBER(ChunkRecord, FIELD_U64, offset, 0, INT64_MAX),
    NUMBER(ChunkRecord, FIELD_U64, stored, 0, INT64_MAX),
    OTHER(ChunkRecord, FIELD_SHA256, sha256),
    NUMBER(ChunkRecord, FIELD_U64, logical, 0, INT64_MAX),
    OTHER(ChunkRecord, FIELD_XXH3, xxh3),
    NUMBER(ChunkRecord, FIELD_U64, rows, 0, INT64_MAX),
    NUMBER(ChunkRecord, FIELD_I64, us, 0, INT64_MAX),
};

static const Field totals_fields[] = {
    NUMBER(TotalsRecord, FIELD_U64, tables, 0, INT64_MAX),
    NUMBER(TotalsRecord, FIELD_U64, sequences, 0, INT64_MAX),
    NUMBER(TotalsRecord, FIELD_U64, chunks, 0, INT64_MAX),
    NUMBER(TotalsRecord, FIELD_U64, objects, 0, INT64_MAX),
    NUMBER(TotalsRecord, FIELD_U64, rows, 0, INT64_MAX),
    NUMBER(TotalsRecord, FIELD_U64, logical, 0, INT64_MAX),
    NUMBER(TotalsRecord, FIELD_U64, stored, 0, INT64_MAX),
};

typedef struct EndRecord
{
    char sha256[TAP_HEX_LEN];
} EndRecord;

static const Field end_fields[] = {OTHER(EndRecord, FIELD_SHA256, sha256)};

static const struct RecordType
{
    const char *name;
    const Field *fields;
    size_t count;
} types[] = {
    [LINE_SET] = {"set", set_fields, LENGTH_OF(set_fields)},
    [LINE_NODE] = {"node", node_fields, LENGTH_OF(node_fields)},
    [LINE_CUT] = {"cut", cut_fields, LENGTH_OF(cut_fields)},
    [LINE_TABLE] = {"table", table_fields, LENGTH_OF(table_fields)},
    [LINE_SEQUENCE] = {"sequence", sequence_fields, LENGTH_OF(sequence_fields)},
    [LINE_CHUNK] = {"chunk", chunk_fields, LENGTH_OF(chunk_fields)},
    [LINE_TOTALS] = {"totals", totals_fields, LENGTH_OF(totals_fields)},
    [LINE_END] = {"end", end_fields, LENGTH_OF(end_fields)},
};

const char *record_type_name(ManifestLineType type)
{
    return types[type].name;
}

/* ---- checks that both directions share ---- */

/* Object paths hold only what repo_escape() leaves, and no part begins with '.': nothing can lead
 * out of the set, and nothing can be a temporary file. */
static bool path_is_sound(const char *path)
{
    size_t len = strlen(path);

    if (len == 0 || len > PATH_LEN_MAX || path[len - 1] == '/')
        return false;
    for (const char *p = path; *p != '\0'; p++)
    {
        bool part_start = p == path || p[-1] == '/';

        if (part_start && (*p == '.' || *p == '/'))
            return false;
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.%/", *p) ==
            NULL)
            return false;
    }
    return true;
}

static bool path_is_data(const char *path)
{
    return path != NULL && strncmp(path, "db/", 3) == 0;
}

static bool hex_is_sound(const char *hex, size_t len)
{
    return strlen(hex) == len && strspn(hex, "0123456789abcdef") == len;
}

static const char *check_chunk(const ChunkRecord *c)
{
    if (c->to_block != 0 && c->to_block <= c->from_block)
        return "an empty block range";
    if (c->object == NULL)
    {
        if (c->offset != 0 || c->stored != 0 || c->logical != 0 || c->rows != 0 ||
            c->sha256[0] != '\0' || c->xxh3[0] != '\0')
            return "data without an object";
        return NULL;
    }
    if (!path_is_data(c->object))
        return "an object outside db/";
    if (c->stored == 0 || c->sha256[0] == '\0' || c->xxh3[0] == '\0')
        return "an object without length or hashes";
    if (c->offset > (uint64_t) INT64_MAX - c->stored)
        return "an impossible offset";
    return NULL;
}

static const char *check_node(const NodeRecord *n)
{
    const char *name = n->chunks.path == NULL ? NULL : strrchr(n->chunks.path, '/');
    char want[32];

    snprintf(want, sizeof(want), "node%d.jsonl", n->content);
    name = name == NULL ? n->chunks.path : name + 1;
    if (n->schema.path == NULL || n->schema.sha256[0] == '\0' || !path_is_data(n->schema.path))
        return "a schema archive outside db/ or without a hash";
    if (name == NULL || n->chunks.sha256[0] == '\0' || strcmp(name, want) != 0)
        return "a chunk file of another name or without a hash";
    if (n->globals.path != NULL && n->globals.sha256[0] == '\0')
        return "globals without a hash";
    if (n->globals.path == NULL && (n->globals.bytes > 0 || n->globals.sha256[0] != '\0'))
        return "globals without a file";
    return NULL;
}

/* check_record looks at what the fields mean together; NULL when it is sound. */
static const char *check_record(ManifestLineType type, const void *record)
{
    switch (type)
    {
    case LINE_SET:
    {
        const char *format = ((const SetRecord *) record)->format;

        if (strcmp(format, "auto") != 0 && strcmp(format, "text") != 0 &&
            strcmp(format, "binary") != 0)
            return "an unknown copy format";
        return NULL;
    }
    case LINE_NODE:
        return check_node(record);
    case LINE_CHUNK:
        return check_chunk(record);
    case LINE_END:
        return ((const EndRecord *) record)->sha256[0] == '\0' ? "no hash" : NULL;
    case LINE_TABLE:
        if (((const TableRecord *) record)->type_count !=
            ((const TableRecord *) record)->column_count)
            return "not as many types as columns";
        return NULL;
    case LINE_CUT:
    case LINE_SEQUENCE:
    case LINE_TOTALS:
        break;
    }
    return NULL;
}

/* ---- writing ---- */

/* Text that is not UTF-8 (names in an SQL_ASCII database) stands as {"hex":"<its bytes>"}. */
static json_t *encode_text(const char *text)
{
    json_t *string = text != NULL ? json_string(text) : NULL, *object;
    size_t len;
    char *hex;

    if (string != NULL || text == NULL)
        return string;
    len = strlen(text);
    hex = mem_array(NULL, char, 2 * len + 1);
    str_hex(hex, text, len);
    object = json_pack("{s:s}", "hex", hex);
    mem_free(hex);
    return object;
}

static json_t *encode_texts(char **texts, size_t count)
{
    json_t *array = mem_check(json_array());

    for (size_t i = 0; i < count; i++)
    {
        if (json_array_append_new(array, encode_text(texts[i])) != 0)
        {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *encode_number(const Field *f, const void *member)
{
    int64_t value;

    switch (f->kind)
    {
    case FIELD_FORMAT:
        return json_integer(MANIFEST_FORMAT);
    case FIELD_INT:
        value = *(const int *) member;
        break;
    case FIELD_U32:
        value = *(const uint32_t *) member;
        break;
    case FIELD_U64:
        if (*(const uint64_t *) member > INT64_MAX)
            return NULL;
        value = (int64_t) * (const uint64_t *) member;
        break;
    default:
        value = *(const int64_t *) member;
        break;
    }
    return value < f->min || value > f->max ? NULL : json_integer(value);
}

static json_t *encode_hex(const char *hex, size_t len)
{
    if (hex[0] == '\0')
        return json_null();
    return hex_is_sound(hex, len) ? json_string(hex) : NULL;
}

static json_t *encode_compress(const Compress *compress)
{
    if (compress->method == COMPRESS_NONE)
        return json_string("none");
    return json_sprintf("%s:%d", compress_name(compress->method), compress->level);
}

static json_t *encode_fields(const Field *fields, size_t count, json_t *object, const char *record,
                             const char **ret_bad);

static json_t *encode_field(const Field *f, const char *record, const char **ret_bad)
{
    const void *member = record + f->offset;
    const char *path;

    switch (f->kind)
    {
    case FIELD_BOOL:
        return json_boolean(*(const bool *) member);
    case FIELD_TEXT:
        return encode_text(*(char *const *) member);
    case FIELD_NAME:
        return *(char *const *) member == NULL ? json_null() : encode_text(*(char *const *) member);
    case FIELD_TEXTS:
        return encode_texts(*(char **const *) member,
                            *(const size_t *) (const void *) (record + f->other_offset));
    case FIELD_PATH:
        path = *(char *const *) member;
        return path == NULL ? json_null() : path_is_sound(path) ? json_string(path) : NULL;
    case FIELD_KEY:
        return json_string(member);
    case FIELD_SHA256:
        return encode_hex(member, SHA256_HEX);
    case FIELD_XXH3:
        return encode_hex(member, XXH3_HEX);
    case FIELD_LETTER:
        return json_stringn(member, 1);
    case FIELD_COMPRESS:
        return encode_compress(member);
    case FIELD_OBJECT:
        return encode_fields(object_fields, LENGTH_OF(object_fields), mem_check(json_object()),
                             member, ret_bad);
    default:
        return encode_number(f, member);
    }
}

/* encode_fields adds the fields to object, which it returns, or gives back when one is bad. */
static json_t *encode_fields(const Field *fields, size_t count, json_t *object, const char *record,
                             const char **ret_bad)
{
    for (size_t i = 0; i < count; i++)
    {
        json_t *value = encode_field(&fields[i], record, ret_bad);

        if (value == NULL || json_object_set_new_nocheck(object, fields[i].name, value) != 0)
        {
            *ret_bad = fields[i].name;
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

json_t *record_encode(ManifestLineType type, const void *record, Error *err)
{
    json_t *object = mem_check(json_pack("{s:s}", "type", types[type].name));
    const char *bad = NULL;

    object = encode_fields(types[type].fields, types[type].count, object, record, &bad);
    if (object == NULL)
    {
        error_set(err, ERR_INTERNAL, "%s record with a bad \"%s\"", types[type].name, bad);
        return NULL;
    }
    bad = check_record(type, record);
    if (bad != NULL)
    {
        json_decref(object);
        error_set(err, ERR_INTERNAL, "%s record with %s", types[type].name, bad);
        return NULL;
    }
    return object;
}

/* ---- reading ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* decode_hex_text turns {"hex":"..."} into its bytes; NULL when it is anything else. */
static char *decode_hex_text(void *ctx, json_t *value)
{
    json_t *hex_value = json_object_get(value, "hex");
    const char *hex = json_string_value(hex_value);
    size_t len = json_string_length(hex_value);
    char *text;

    if (hex == NULL || json_object_size(value) != 1 || len % 2 != 0)
        return NULL;
    text = mem_array(ctx, char, len / 2 + 1);
    for (size_t i = 0; i < len / 2; i++)
    {
        int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return NULL;
        text[i] = (char) (high * 16 + low);
    }
    return text;
}

static char *decode_text(void *ctx, json_t *value)
{
    if (json_is_string(value))
        return mem_strndup(ctx, json_string_value(value), json_string_length(value));
    return json_is_object(value) ? decode_hex_text(ctx, value) : NULL;
}

static bool decode_texts(void *ctx, json_t *value, char ***ret_texts, size_t *ret_count)
{
    size_t count = json_array_size(value);

    if (!json_is_array(value))
        return false;
    *ret_texts = mem_array(ctx, char *, count);
    *ret_count = count;
    for (size_t i = 0; i < count; i++)
    {
        (*ret_texts)[i] = decode_text(*ret_texts, json_array_get(value, i));
        if ((*ret_texts)[i] == NULL)
            return false;
    }
    return true;
}

static bool decode_number(const Field *f, json_t *value, void *member)
{
    int64_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < f->min || number > f->max)
        return false;
    switch (f->kind)
    {
    case FIELD_FORMAT:
        break;
    case FIELD_INT:
        *(int *) member = (int) number;
        break;
    case FIELD_U32:
        *(uint32_t *) member = (uint32_t) number;
        break;
    case FIELD_U64:
        *(uint64_t *) member = (uint64_t) number;
        break;
    default:
        *(int64_t *) member = number;
        break;
    }
    return true;
}

static bool decode_hex(json_t *value, size_t len, char hex[TAP_HEX_LEN])
{
    hex[0] = '\0';
    if (json_is_null(value))
        return true;
    if (!json_is_string(value) || !hex_is_sound(json_string_value(value), len))
        return false;
    memcpy(hex, json_string_value(value), len + 1);
    return true;
}

static bool decode_path(void *ctx, json_t *value, char **ret_path)
{
    *ret_path = NULL;
    if (json_is_null(value))
        return true;
    if (!json_is_string(value) || !path_is_sound(json_string_value(value)))
        return false;
    *ret_path = mem_strdup(ctx, json_string_value(value));
    return true;
}

static bool decode_key(json_t *value, char key[SET_KEY_LEN])
{
    if (!json_is_string(value) || !repo_key_is_date(json_string_value(value)))
        return false;
    memcpy(key, json_string_value(value), SET_KEY_LEN);
    return true;
}

static bool decode_letter(json_t *value, char *ret_letter)
{
    const char *text = json_string_value(value);

    if (text == NULL || strlen(text) != 1 || text[0] <= ' ' || text[0] > '~')
        return false;
    *ret_letter = text[0];
    return true;
}

static bool decode_fields(void *ctx, const Field *fields, size_t count, size_t extra,
                          json_t *object, char *record, Error *err);

static bool decode_field(void *ctx, const Field *f, json_t *value, char *record, Error *err)
{
    void *member = record + f->offset;

    switch (f->kind)
    {
    case FIELD_BOOL:
        *(bool *) member = json_is_true(value);
        return json_is_boolean(value);
    case FIELD_TEXT:
        return (*(char **) member = decode_text(ctx, value)) != NULL;
    case FIELD_NAME:
        return json_is_null(value) || (*(char **) member = decode_text(ctx, value)) != NULL;
    case FIELD_TEXTS:
        return decode_texts(ctx, value, member, (size_t *) (void *) (record + f->other_offset));
    case FIELD_PATH:
        return decode_path(ctx, value, member);
    case FIELD_KEY:
        return decode_key(value, member);
    case FIELD_SHA256:
        return decode_hex(value, SHA256_HEX, member);
    case FIELD_XXH3:
        return decode_hex(value, XXH3_HEX, member);
    case FIELD_LETTER:
        return decode_letter(value, member);
    case FIELD_COMPRESS:
        return json_is_string(value) && compress_parse(json_string_value(value), member, NULL);
    case FIELD_OBJECT:
        return decode_fields(ctx, object_fields, LENGTH_OF(object_fields), 0, value, member, err);
    default:
        return decode_number(f, value, member);
    }
}

/* decode_fields reads the fields and makes sure that there are none besides (but extra others,
 * which the caller knows). */
static bool decode_fields(void *ctx, const Field *fields, size_t count, size_t extra,
                          json_t *object, char *record, Error *err)
{
    for (size_t i = 0; i < count; i++)
    {
        json_t *value = json_object_get(object, fields[i].name);

        if (value == NULL)
            return error_set(err, ERR_CORRUPT, "field \"%s\" is missing", fields[i].name);
        if (!decode_field(ctx, &fields[i], value, record, err))
            return error_set(err, ERR_CORRUPT, "field \"%s\" is not valid", fields[i].name);
    }
    if (json_object_size(object) != count + extra)
        return error_set(err, ERR_CORRUPT, "there are unknown fields");
    return true;
}

bool record_decode(void *ctx, json_t *object, ManifestLine *ret, Error *err)
{
    const char *name = json_string_value(json_object_get(object, "type"));
    const char *bad;

    for (size_t i = 0; name != NULL && i < LENGTH_OF(types); i++)
    {
        if (strcmp(types[i].name, name) != 0)
            continue;
        ret->type = (ManifestLineType) i;
        if (!decode_fields(ctx, types[i].fields, types[i].count, 1, object, (char *) &ret->u, err))
            return error_prefix(err, "%s record", name);
        bad = check_record(ret->type, &ret->u);
        if (bad != NULL)
            return error_set(err, ERR_CORRUPT, "%s record with %s", name, bad);
        return true;
    }
    return error_set(err, ERR_CORRUPT, "a record of no known type");
}

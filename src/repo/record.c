/*
 * repo/record.c - how each kind of field is written and read; which fields there are: record_fields.c.
 */
#include "repo/record.h"

#include "base/lsn.h"
#include "base/str.h"
#include "repo/record_fields.h"
#include "repo/repo.h"

const char *record_type_name(ManifestLineType type)
{
    return record_fields_of(type)->name;
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
        return json_integer(f->max);
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
    return record_fields_hex_sound(hex, len) ? json_string(hex) : NULL;
}

static json_t *encode_compress(const Compress *compress)
{
    if (compress->method == COMPRESS_NONE)
        return json_string("none");
    return json_sprintf("%s:%d", compress_name(compress->method), compress->level);
}

static json_t *encode_lsn(uint64_t lsn)
{
    char text[LSN_TEXT_LEN];
    return json_string(lsn_format(text, lsn));
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
        return path == NULL                     ? json_null()
               : record_fields_path_sound(path) ? json_string(path)
                                                : NULL;
    case FIELD_KEY:
        return json_string(member);
    case FIELD_SHA256:
        return encode_hex(member, RECORD_SHA256_HEX);
    case FIELD_XXH3:
        return encode_hex(member, RECORD_XXH3_HEX);
    case FIELD_LETTER:
        return json_stringn(member, 1);
    case FIELD_LSN:
        return encode_lsn(*(const uint64_t *) member);
    case FIELD_COMPRESS:
        return encode_compress(member);
    case FIELD_OBJECT:
        return encode_fields(record_fields_object()->fields, record_fields_object()->count,
                             mem_check(json_object()), member, ret_bad);
    default:
        return encode_number(f, member);
    }
}

static bool is_absent(const Field *f, const char *record)
{
    const void *member = record + f->offset;

    if (!f->optional)
        return false;
    switch (f->kind)
    {
    case FIELD_KEY:
        return *(const char *) member == '\0';
    case FIELD_U32:
        return *(const uint32_t *) member == 0;
    case FIELD_U64:
        return *(const uint64_t *) member == 0;
    case FIELD_TEXTS:
        return *(const size_t *) (const void *) (record + f->other_offset) == 0;
    default:
        return *(char *const *) member == NULL;
    }
}

/* encode_fields adds the fields to object, which it returns, or gives back when one is bad. */
static json_t *encode_fields(const Field *fields, size_t count, json_t *object, const char *record,
                             const char **ret_bad)
{
    for (size_t i = 0; i < count; i++)
    {
        json_t *value;

        if (is_absent(&fields[i], record))
            continue;
        value = encode_field(&fields[i], record, ret_bad);
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
    const RecordType *t = record_fields_of(type);
    json_t *object = mem_check(json_pack("{s:s}", "type", t->name));
    const char *bad = NULL;

    object = encode_fields(t->fields, t->count, object, record, &bad);
    if (object == NULL)
    {
        error_set(err, ERR_INTERNAL, "%s record with a bad \"%s\"", t->name, bad);
        return NULL;
    }
    bad = record_fields_check(type, record);
    if (bad != NULL)
    {
        json_decref(object);
        error_set(err, ERR_INTERNAL, "%s record with %s", t->name, bad);
        return NULL;
    }
    return object;
}

char *record_line(void *ctx, ManifestLineType type, const void *record, Error *err)
{
    json_t *object = record_encode(type, record, err);
    if (object == NULL)
        return NULL;
    char *text = mem_check(json_dumps(object, JSON_COMPACT));
    char *line = mem_printf(ctx, "%s\n", text);
    json_decref(object);
    free(text);
    return line;
}

/* ---- reading ---- */

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
        int high = str_hex_digit(hex[2 * i]), low = str_hex_digit(hex[2 * i + 1]);

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
    if (!json_is_string(value) || !record_fields_hex_sound(json_string_value(value), len))
        return false;
    memcpy(hex, json_string_value(value), len + 1);
    return true;
}

static bool decode_path(void *ctx, json_t *value, char **ret_path)
{
    *ret_path = NULL;
    if (json_is_null(value))
        return true;
    if (!json_is_string(value) || !record_fields_path_sound(json_string_value(value)))
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
        return decode_hex(value, RECORD_SHA256_HEX, member);
    case FIELD_XXH3:
        return decode_hex(value, RECORD_XXH3_HEX, member);
    case FIELD_LETTER:
        return decode_letter(value, member);
    case FIELD_LSN:
        return json_is_string(value) && lsn_parse(json_string_value(value), member);
    case FIELD_COMPRESS:
        return json_is_string(value) && compress_parse(json_string_value(value), member, NULL);
    case FIELD_OBJECT:
        return decode_fields(ctx, record_fields_object()->fields, record_fields_object()->count, 0,
                             value, member, err);
    default:
        return decode_number(f, value, member);
    }
}

static bool is_newer(const Field *f, json_t *value)
{
    return f->kind == FIELD_FORMAT && json_is_integer(value) && json_integer_value(value) > f->max;
}

static bool refuse_newer(const Field *f, json_t *value, Error *err)
{
    error_set(err, ERR_USAGE,
              "format %" JSON_INTEGER_FORMAT " is newer than %" PRId64
              ", which is the newest that this pgark reads",
              json_integer_value(value), f->max);
    return error_hint(err, "Use a newer pgark for this set.");
}

/* decode_fields reads the fields and makes sure that there are none besides (but extra others,
 * which the caller knows). */
static bool decode_fields(void *ctx, const Field *fields, size_t count, size_t extra,
                          json_t *object, char *record, Error *err)
{
    size_t absent = 0;
    for (size_t i = 0; i < count; i++)
    {
        json_t *value = json_object_get(object, fields[i].name);

        if (value == NULL && fields[i].optional)
        {
            absent++;
            continue;
        }
        if (value == NULL)
            return error_set(err, ERR_CORRUPT, "field \"%s\" is missing", fields[i].name);
        if (is_newer(&fields[i], value))
            return refuse_newer(&fields[i], value, err);
        if (!decode_field(ctx, &fields[i], value, record, err))
            return error_set(err, ERR_CORRUPT, "field \"%s\" is not valid", fields[i].name);
    }
    if (json_object_size(object) != count - absent + extra)
        return error_set(err, ERR_CORRUPT, "there are unknown fields");
    return true;
}

bool record_decode(void *ctx, json_t *object, ManifestLine *ret, Error *err)
{
    const char *name = json_string_value(json_object_get(object, "type"));
    const RecordType *t = NULL;
    ManifestLineType type = LINE_SET;
    const char *bad;

    while (name != NULL && (t = record_fields_of(type)) != NULL && strcmp(t->name, name) != 0)
        type++;
    if (t == NULL)
        return error_set(err, ERR_CORRUPT, "a record of no known type");
    ret->type = type;
    if (!decode_fields(ctx, t->fields, t->count, 1, object, (char *) &ret->u, err))
        return error_prefix(err, "%s record", name);
    bad = record_fields_check(ret->type, &ret->u);
    return bad == NULL || error_set(err, ERR_CORRUPT, "%s record with %s", name, bad);
}

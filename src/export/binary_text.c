/* export/binary_text.c - the contract is in binary_text.h. */
#include "export/binary_text.h"

#include "export/copy_escape.h"

/* Source: "Binary Format" in COPY's documentation. */
#define SIGNATURE_LEN 11
#define HEAD_LEN      19 /* signature, flags, length of the extension */
#define OUT_MAX       ((size_t) 64 * 1024)

typedef enum TextState
{
    STATE_HEAD,
    STATE_EXTENSION,
    STATE_ROW,    /* the number of fields */
    STATE_LENGTH, /* of a field */
    STATE_WHOLE,  /* a field that is gathered */
    STATE_STREAM, /* one that is rewritten as it comes */
    STATE_END,
} TextState;

struct BinaryText
{
    ValueType *const *types;
    size_t count;
    int server_version_num;
    IoSinkWrite sink;
    void *arg;
    TextState state;
    Str *gathered; /* bytes of the part of the stream that state is about */
    uint32_t left; /* bytes of an extension or a field still to come */
    size_t column; /* of the row */
    bool first;    /* nothing of a streamed value has been written */
    Str *value;    /* text of a value */
    Str *out;
};

static const char signature[SIGNATURE_LEN] = "PGCOPY\n\377\r\n";

BinaryText *binary_text_new(ValueType *const *types, size_t count, int server_version_num,
                            IoSinkWrite sink, void *arg)
{
    BinaryText *t = mem_new(NULL, BinaryText);
    t->types = types;
    t->count = count;
    t->server_version_num = server_version_num;
    t->sink = sink;
    t->arg = arg;
    t->gathered = str_new(t);
    t->value = str_new(t);
    t->out = str_new(t);
    return t;
}

void binary_text_free(BinaryText *t)
{
    mem_free(t);
}

void binary_text_begin(BinaryText *t)
{
    t->state = STATE_HEAD;
    str_clear(t->gathered);
    str_clear(t->out);
}

static bool flush(BinaryText *t, Error *err)
{
    bool ok = t->out->len == 0 || t->sink(t->arg, t->out->data, t->out->len, err);
    str_clear(t->out);
    return ok;
}

static bool malformed(const BinaryText *t, Error *err)
{
    return error_set(err, ERR_CORRUPT, "column %zu has a malformed binary value", t->column + 1);
}

/* Gathers until there are wanted bytes; false: there are not so many yet. */
static bool gather(BinaryText *t, const uint8_t **data, size_t *len, size_t wanted)
{
    size_t n = wanted - t->gathered->len;
    if (n > *len)
        n = *len;
    str_addn(t->gathered, (const char *) *data, n);
    *data += n;
    *len -= n;
    return t->gathered->len == wanted;
}

static uint32_t gathered_number(const BinaryText *t, size_t at, size_t bytes)
{
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | (uint8_t) t->gathered->data[at + i];
    return value;
}

static bool take_head(BinaryText *t, Error *err)
{
    bool ok = memcmp(t->gathered->data, signature, SIGNATURE_LEN) == 0 &&
              gathered_number(t, SIGNATURE_LEN, 4) == 0;
    t->left = gathered_number(t, SIGNATURE_LEN + 4, 4);
    t->state = STATE_EXTENSION;
    return ok || error_set(err, ERR_CORRUPT, "the chunk does not begin as a COPY BINARY stream");
}

static bool take_row(BinaryText *t, Error *err)
{
    uint32_t fields = gathered_number(t, 0, 2);
    if (fields == 0xffff)
    {
        t->state = STATE_END;
        return true;
    }
    if (fields != t->count)
        return error_set(err, ERR_CORRUPT, "a row has %u columns and its table %zu", fields,
                         t->count);
    t->column = 0;
    t->state = STATE_LENGTH;
    if (fields == 0)
    {
        str_addc(t->out, '\n');
        t->state = STATE_ROW;
    }
    return t->out->len < OUT_MAX || flush(t, err);
}

static bool end_field(BinaryText *t, Error *err)
{
    bool last = ++t->column == t->count;
    str_addc(t->out, last ? '\n' : '\t');
    t->state = last ? STATE_ROW : STATE_LENGTH;
    return t->out->len < OUT_MAX || flush(t, err);
}

static bool take_whole(BinaryText *t, Error *err)
{
    const uint8_t *bytes = (const uint8_t *) t->gathered->data;
    const ValueType *type = t->types[t->column];
    ValueReader r = {
        .pos = bytes, .end = bytes + t->gathered->len, .server_version_num = t->server_version_num};
    str_clear(t->value);
    type->text(&r, type, t->value);
    if (r.bad || r.pos != r.end)
        return malformed(t, err);
    copy_escape(t->out, t->value->data, t->value->len);
    return end_field(t, err);
}

static bool take_length(BinaryText *t, Error *err)
{
    int32_t len = (int32_t) gathered_number(t, 0, 4);
    if (len == -1)
    {
        str_add(t->out, "\\N");
        return end_field(t, err);
    }
    if (len < 0)
        return malformed(t, err);
    t->left = (uint32_t) len;
    t->first = true;
    t->state = t->types[t->column]->stream == STREAM_NONE ? STATE_WHOLE : STATE_STREAM;
    if (t->state == STATE_WHOLE && t->left > BINARY_VALUE_MAX)
    {
        error_set(err, ERR_USAGE, "column %zu has a value of more than %zu MB in binary form",
                  t->column + 1, BINARY_VALUE_MAX / 1024 / 1024);
        return error_hint(err, "Restore the set into a server instead.");
    }
    return true;
}

/* The next n bytes of a value that need not be whole. */
static bool stream_bytes(BinaryText *t, const uint8_t *data, size_t n, Error *err)
{
    ValueStream stream = t->types[t->column]->stream;
    static const char digits[] = "0123456789abcdef";
    if (stream == STREAM_JSON && t->first && n > 0)
    {
        if (*data++ != 1)
            return malformed(t, err);
        n--;
        t->left--;
        t->first = false;
    }
    if (stream != STREAM_BYTEA)
    {
        if (memchr(data, 0, n) != NULL)
            return malformed(t, err);
        copy_escape(t->out, (const char *) data, n);
        t->left -= (uint32_t) n;
        return true;
    }
    for (size_t i = 0; i < n; i++)
    {
        str_addc(t->out, digits[data[i] >> 4]);
        str_addc(t->out, digits[data[i] & 15]);
    }
    t->left -= (uint32_t) n;
    return true;
}

static bool take_stream(BinaryText *t, const uint8_t **data, size_t *len, Error *err)
{
    ValueStream stream = t->types[t->column]->stream;
    if (t->first && stream == STREAM_BYTEA)
    {
        str_add(t->out, "\\\\x");
        t->first = false;
    }
    if (t->first && stream == STREAM_JSON && t->left == 0)
        return malformed(t, err);
    size_t n = t->left < *len ? t->left : *len;
    if (n > OUT_MAX)
        n = OUT_MAX;
    if (!stream_bytes(t, *data, n, err))
        return false;
    *data += n;
    *len -= n;
    if (t->left == 0)
        return end_field(t, err);
    return t->out->len < OUT_MAX || flush(t, err);
}

/* Drops the head's extension, of which there is none today. */
static void skip_extension(BinaryText *t, const uint8_t **data, size_t *len)
{
    size_t n = t->left < *len ? t->left : *len;
    *data += n;
    *len -= n;
    t->left -= (uint32_t) n;
    if (t->left == 0)
        t->state = STATE_ROW;
}

static size_t wanted_bytes(const BinaryText *t)
{
    switch (t->state)
    {
    case STATE_HEAD:
        return HEAD_LEN;
    case STATE_ROW:
        return 2;
    case STATE_LENGTH:
        return 4;
    case STATE_WHOLE:
        return t->left;
    case STATE_EXTENSION:
    case STATE_STREAM:
    case STATE_END:
        break;
    }
    return 0;
}

static bool take_gathered(BinaryText *t, Error *err)
{
    bool ok = t->state == STATE_HEAD     ? take_head(t, err)
              : t->state == STATE_ROW    ? take_row(t, err)
              : t->state == STATE_LENGTH ? take_length(t, err)
                                         : take_whole(t, err);
    str_clear(t->gathered);
    return ok;
}

/* States that can end without another byte are gone through even when there is none. */
static bool step(BinaryText *t, const uint8_t **data, size_t *len, bool *ret_more, Error *err)
{
    *ret_more = true;
    switch (t->state)
    {
    case STATE_EXTENSION:
        *ret_more = t->left == 0 || *len > 0;
        skip_extension(t, data, len);
        return true;
    case STATE_STREAM:
        *ret_more = t->left == 0 || *len > 0;
        return !*ret_more || take_stream(t, data, len, err);
    case STATE_END:
        *ret_more = false;
        return *len == 0 || error_set(err, ERR_CORRUPT, "the chunk goes on behind its end");
    case STATE_HEAD:
    case STATE_ROW:
    case STATE_LENGTH:
    case STATE_WHOLE:
        break;
    }
    *ret_more = gather(t, data, len, wanted_bytes(t));
    return !*ret_more || take_gathered(t, err);
}

bool binary_text_write(void *arg, const void *data, size_t len, Error *err)
{
    BinaryText *t = arg;
    const uint8_t *pos = data;
    bool more = true;
    while (more)
    {
        if (!step(t, &pos, &len, &more, err))
            return false;
    }
    return true;
}

bool binary_text_finish(BinaryText *t, Error *err)
{
    if (t->state != STATE_END)
        return error_set(err, ERR_CORRUPT, "the chunk ends too early");
    return flush(t, err);
}

/*
 * test/fuzz/fuzz_binary_text.c - a type and a COPY BINARY stream from anywhere.
 *
 * The input is a type as a manifest has it, a newline, and the stream, which must be judged the same
 * in pieces as in one.
 */
#include "export/binary_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool gather(void *arg, const void *data, size_t len, Error *err UNUSED)
{
    str_addn(arg, data, len);
    return true;
}

static bool convert(ValueType *type, const uint8_t *data, size_t size, size_t step, Str *out)
{
    AUTO(binary_text_free) BinaryText *t = binary_text_new(&type, 1, 170000, gather, out);
    Error err = ERROR_INIT;
    bool ok = true;
    binary_text_begin(t);
    for (size_t i = 0; ok && i < size; i += step)
        ok = binary_text_write(t, data + i, size - i < step ? size - i : step, &err);
    ok = ok && binary_text_finish(t, &err);
    if (!ok && err.code != ERR_CORRUPT && err.code != ERR_USAGE)
        abort();
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size == 0 ? NULL : memchr(data, '\n', size);
    if (newline == NULL)
        return 0;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "fuzz");
    const char *text = mem_strndup(ctx, (const char *) data, (size_t) (newline - data));
    const TypeText *parsed = type_text_parse(ctx, text);
    ValueType *type = parsed == NULL ? NULL : value_type_new(ctx, parsed);
    if (type == NULL)
        return 0;
    size_t len = (size_t) (data + size - newline - 1);
    Str *whole = str_new(ctx);
    Str *pieces = str_new(ctx);
    bool ok = convert(type, newline + 1, len, len == 0 ? 1 : len, whole);
    if (convert(type, newline + 1, len, 3, pieces) != ok)
        abort();
    if (ok && (whole->len != pieces->len || memcmp(whole->data, pieces->data, whole->len) != 0))
        abort();
    return 0;
}

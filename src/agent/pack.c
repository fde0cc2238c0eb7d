/* agent/pack.c - bytes as text; the contract is in pack.h. */
#include "agent/pack.h"

#include <openssl/evp.h>

#include "base/str.h"
#include "io/compress.h"

/* Multiples of 3 bytes and of 4 letters: what each call makes can stand behind what the last one made. */
#define ENCODE_STEP ((size_t) 3 << 20)
#define DECODE_STEP ((size_t) 4 << 20)

static bool gather(void *arg, const void *data, size_t len, Error *err)
{
    Str *s = arg;
    if (s->len + len > AGENT_PACK_MAX)
        return error_set(err, ERR_CORRUPT, "a packed text holds more than %zu bytes",
                         AGENT_PACK_MAX);
    str_addn(s, data, len);
    return true;
}

static char *to_base64(void *ctx, const Str *bytes)
{
    char *text = mem_array(ctx, char, bytes->len / 3 * 4 + 5);
    size_t at = 0;
    for (size_t done = 0; done < bytes->len; done += ENCODE_STEP)
    {
        size_t step = bytes->len - done < ENCODE_STEP ? bytes->len - done : ENCODE_STEP;
        at += (size_t) EVP_EncodeBlock((unsigned char *) text + at,
                                       (const unsigned char *) bytes->data + done, (int) step);
    }
    return text;
}

char *agent_pack(void *ctx, const void *data, size_t len, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "pack");
    Str *packed = str_new(tmp);
    AUTO(io_free)
    IoStage *chain = io_compress_new((Compress){.method = COMPRESS_ZSTD, .level = 1},
                                     io_sink_new(gather, packed));
    if (len > AGENT_PACK_MAX)
        error_set(err, ERR_INTERNAL, "%zu bytes are too much to be sent", len);
    else if (io_write(chain, data, len, err) && io_finish(chain, err))
        return to_base64(ctx, packed);
    return NULL;
}

/* EVP_DecodeBlock gives zeros for the padding. */
static size_t padding(const char *text, size_t len)
{
    size_t n = 0;
    while (n < 2 && n < len && text[len - 1 - n] == '=')
        n++;
    return n;
}

static bool from_base64(void *ctx, const char *text, size_t len, unsigned char **ret_bytes,
                        size_t *ret_len, Error *err)
{
    *ret_bytes = mem_array(ctx, unsigned char, len / 4 * 3 + 3);
    *ret_len = 0;
    bool ok = len % 4 == 0;
    for (size_t done = 0; ok && done < len; done += DECODE_STEP)
    {
        size_t step = len - done < DECODE_STEP ? len - done : DECODE_STEP;
        int n = EVP_DecodeBlock(*ret_bytes + *ret_len, (const unsigned char *) text + done,
                                (int) step);
        ok = n >= 0;
        *ret_len += ok ? (size_t) n : 0;
    }
    if (!ok)
        return error_set(err, ERR_CORRUPT, "a packed text is no base64");
    *ret_len -= padding(text, len);
    return true;
}

bool agent_unpack(void *ctx, const char *text, char **ret_data, size_t *ret_len, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "unpack");
    Str *data = str_new(ctx);
    AUTO(io_free) IoStage *chain = io_decompress_new(COMPRESS_ZSTD, io_sink_new(gather, data));
    unsigned char *bytes;
    size_t len = strlen(text);
    if (len / 4 * 3 > AGENT_PACK_MAX)
        return error_set(err, ERR_CORRUPT, "a packed text is too long");
    if (!from_base64(tmp, text, len, &bytes, &len, err) || !io_write(chain, bytes, len, err) ||
        !io_finish(chain, err))
        return false;
    *ret_data = data->data;
    *ret_len = data->len;
    return true;
}

/*
 * io/tap.c - counting and hashing what passes.
 *
 * The hash state is made once and reused over io_reset(): a chain that carries thousands of small
 * chunks does not allocate for each of them.
 */
#include "io/tap.h"

#include <openssl/evp.h>
#ifdef HAVE_XXHASH_DISPATCH
#include <xxh_x86dispatch.h> /* what this processor is best at, in the place of what every x86-64 can */
#else
#include <xxhash.h>
#endif

#include "base/str.h"

#define SHA256_BYTES 32

typedef struct Tap
{
    IoStage stage;
    TapHash hash;
    uint64_t bytes;
    XXH3_state_t *xxh3;
    EVP_MD *md; /* fetched once: a fetch at every start costs more than hashing a small chunk */
    EVP_MD_CTX *sha256;
    char hex[TAP_HEX_LEN];
} Tap;

static void tap_start(Tap *tap)
{
    tap->bytes = 0;
    tap->hex[0] = '\0';
    if (tap->hash == TAP_XXH3_128)
        XXH3_128bits_reset(tap->xxh3);
    else if (EVP_DigestInit_ex2(tap->sha256, tap->md, NULL) != 1)
        mem_check(NULL); /* only memory can be lacking here */
}

static bool tap_write(IoStage *stage, const void *data, size_t len, Error *err)
{
    Tap *tap = (Tap *) stage;

    tap->bytes += len;
    if (tap->hash == TAP_XXH3_128)
        XXH3_128bits_update(tap->xxh3, data, len);
    else if (EVP_DigestUpdate(tap->sha256, data, len) != 1)
        return error_set(err, ERR_INTERNAL, "SHA-256 failed");
    return io_write(stage->next, data, len, err);
}

static void xxh3_hex(XXH128_hash_t value, char hex[TAP_HEX_LEN])
{
    XXH128_canonical_t canonical;

    XXH128_canonicalFromHash(&canonical, value);
    str_hex(hex, canonical.digest, sizeof(canonical.digest));
}

static bool tap_finish(IoStage *stage, Error *err)
{
    Tap *tap = (Tap *) stage;
    unsigned char digest[SHA256_BYTES];

    if (tap->hash == TAP_XXH3_128)
    {
        xxh3_hex(XXH3_128bits_digest(tap->xxh3), tap->hex);
        return true;
    }
    if (EVP_DigestFinal_ex(tap->sha256, digest, NULL) != 1)
        return error_set(err, ERR_INTERNAL, "SHA-256 failed");
    str_hex(tap->hex, digest, sizeof(digest));
    return true;
}

static void tap_reset(IoStage *stage)
{
    tap_start((Tap *) stage);
}

static void tap_free(IoStage *stage)
{
    Tap *tap = (Tap *) stage;

    if (tap->xxh3 != NULL)
        XXH3_freeState(tap->xxh3);
    EVP_MD_CTX_free(tap->sha256);
    EVP_MD_free(tap->md);
    mem_free(tap);
}

static const IoStageOps tap_ops = {
    .name = "tap",
    .write = tap_write,
    .finish = tap_finish,
    .reset = tap_reset,
    .free = tap_free,
};

IoStage *io_tap_new(TapHash hash, IoStage *next)
{
    Tap *tap = mem_new(NULL, Tap);

    tap->stage.ops = &tap_ops;
    tap->stage.next = next;
    tap->hash = hash;
    if (hash == TAP_XXH3_128)
        tap->xxh3 = mem_check(XXH3_createState());
    else
    {
        tap->md = mem_check(EVP_MD_fetch(NULL, "SHA256", NULL));
        tap->sha256 = mem_check(EVP_MD_CTX_new());
    }
    tap_start(tap);
    return &tap->stage;
}

void io_tap_result(IoStage *stage, uint64_t *ret_bytes, char hex[TAP_HEX_LEN])
{
    const Tap *tap = (const Tap *) stage;

    *ret_bytes = tap->bytes;
    memcpy(hex, tap->hex, TAP_HEX_LEN);
}

void tap_hash_memory(TapHash hash, const void *data, size_t len, char hex[TAP_HEX_LEN])
{
    unsigned char digest[SHA256_BYTES];

    if (hash == TAP_XXH3_128)
    {
        xxh3_hex(XXH3_128bits(data, len), hex);
        return;
    }
    if (EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL) != 1)
        mem_check(NULL);
    str_hex(hex, digest, sizeof(digest));
}

/*
 * io/tap.h - a stage that only looks: counts bytes and hashes them.
 */
#ifndef PGARK_IO_TAP_H
#define PGARK_IO_TAP_H

#include "io/stage.h"

typedef enum TapHash
{
    TAP_XXH3_128, /* logical bytes: speed */
    TAP_SHA256,   /* stored bytes: proof */
} TapHash;

#define TAP_HEX_LEN 65 /* enough for either, with its NUL */

/* io_tap_new hashes and counts what passes; with next NULL it is a sink that keeps nothing. */
IoStage *io_tap_new(TapHash hash, IoStage *next);

/* io_tap_result, after io_finish: bytes seen and the hash in lower-case hex (canonical big-endian
 * form for XXH3-128, as xxhsum -H2 prints it). */
void io_tap_result(IoStage *stage, uint64_t *ret_bytes, char hex[TAP_HEX_LEN]);

/* tap_hash_memory hashes a block of memory at once, the same way. */
void tap_hash_memory(TapHash hash, const void *data, size_t len, char hex[TAP_HEX_LEN]);

#endif

/*
 * agent/pack.h - bytes as a text that may stand in JSON, and is short: zstd, then base64.
 *
 * What coordinator and agents send each other in bulk (records of tables, manifests) goes through a
 * server's jsonb. As ASCII it passes there whatever the database's encoding is.
 */
#ifndef PGARK_AGENT_PACK_H
#define PGARK_AGENT_PACK_H

#include "base/error.h"
#include "base/mem.h"

/* The most bytes that are packed or unpacked: some two million tables. */
#define AGENT_PACK_MAX ((size_t) 512 * 1024 * 1024)

/* agent_pack gives the text below ctx; NULL with ERR_INTERNAL: there are more than AGENT_PACK_MAX bytes. */
char *agent_pack(void *ctx, const void *data, size_t len, Error *err);

/* agent_unpack is the reverse; NUL-terminated, below ctx. ERR_CORRUPT: that is no such text, or more than
 * AGENT_PACK_MAX bytes come out of it. */
bool agent_unpack(void *ctx, const char *text, char **ret_data, size_t *ret_len, Error *err)
    MUST_CHECK;

#endif

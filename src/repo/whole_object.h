/*
 * repo/whole_object.h - an object of a set that is metadata, read at once and proven.
 */
#ifndef PGARK_REPO_WHOLE_OBJECT_H
#define PGARK_REPO_WHOLE_OBJECT_H

#include "repo/manifest.h"
#include "storage/storage.h"

/* whole_object_read gives the bytes of an object, with a NUL behind them, below ctx. ERR_CORRUPT: it is
 * larger than max, or its length or SHA-256 is not what the record says. */
bool whole_object_read(Storage *st, void *ctx, const char *set_dir, const ObjectRecord *object,
                       uint64_t max, char **ret_data, size_t *ret_len, Error *err) MUST_CHECK;

/* whole_object_sha256 hashes an object of any size; path is below st's root. */
bool whole_object_sha256(Storage *st, const char *path, char ret_sha256[TAP_HEX_LEN], Error *err)
    MUST_CHECK;

#endif

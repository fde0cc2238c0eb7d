/*
 * physical/manifest_check.h - the server's backup_manifest against the files that came.
 *
 * Source: PostgreSQL documentation, "Backup Manifest Format".
 */
#ifndef PGARK_PHYSICAL_MANIFEST_CHECK_H
#define PGARK_PHYSICAL_MANIFEST_CHECK_H

#include "base/error.h"
#include "base/mem.h"

typedef struct ManifestCheck ManifestCheck;

ManifestCheck *manifest_check_new(void);
void manifest_check_free(ManifestCheck *c);
DEFINE_AUTO(ManifestCheck, manifest_check_free)

/* manifest_check_file: a file has come; path relative to the data directory, crc its CRC-32C (NULL: not known).
 * 24 bytes are kept of each. */
void manifest_check_file(ManifestCheck *c, const char *path, uint64_t size, const uint32_t *crc);

/* manifest_check_write takes the next piece of the manifest, once all files have come. ERR_CORRUPT: it is not of
 * the form that is documented; it names a file that has not come, or has another length or checksum. */
bool manifest_check_write(ManifestCheck *c, const void *data, size_t len, Error *err) MUST_CHECK;

/* manifest_check_finish, behind the last piece: the manifest's own checksum is right, and all files are in it
 * that have come. ERR_CORRUPT. */
bool manifest_check_finish(ManifestCheck *c, Error *err) MUST_CHECK;

#endif

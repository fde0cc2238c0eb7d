/*
 * physical/manifest_make.h - a backup_manifest of the files that came, where the server makes none.
 *
 * Source: PostgreSQL documentation, "Backup Manifest Format". Servers make one from version 13 on, Greenplum 6 does
 * not. One that pgark makes says what has come, not what the server meant to send: it proves what is stored, and what
 * is restored of it.
 */
#ifndef PGARK_PHYSICAL_MANIFEST_MAKE_H
#define PGARK_PHYSICAL_MANIFEST_MAKE_H

#include "base/error.h"
#include "base/mem.h"

typedef struct ManifestMake ManifestMake;

/* manifest_make_new: NULL with err set: there is no place for a temporary file, in which the entries wait. */
ManifestMake *manifest_make_new(Error *err);
void manifest_make_free(ManifestMake *m);
DEFINE_AUTO(ManifestMake, manifest_make_free)

/* manifest_make_file adds a file that has come: path relative to the data directory, mtime in seconds, crc its
 * CRC-32C. */
bool manifest_make_file(ManifestMake *m, const char *path, uint64_t size, int64_t mtime,
                        uint32_t crc, Error *err) MUST_CHECK;

/* The WAL that the backup needs. */
typedef struct ManifestWal
{
    uint32_t timeline;
    uint64_t start;
    uint64_t end;
} ManifestWal;

/* manifest_make_finish gives the whole manifest to take, piece by piece. To be called once. */
bool manifest_make_finish(ManifestMake *m, const ManifestWal *wal,
                          bool (*take)(void *arg, const void *data, size_t len, Error *err),
                          void *arg, Error *err) MUST_CHECK;

#endif

/*
 * physical/wal_read.h - WAL of a set, proven while it is read.
 */
#ifndef PGARK_PHYSICAL_WAL_READ_H
#define PGARK_PHYSICAL_WAL_READ_H

#include "base/cancel.h"
#include "repo/manifest.h"

/* wal_read_of_set pushes a file of WAL through sink (NULL: only reads it), which it frees. Its hashes prove that it is
 * what was stored; the headers of a segment's pages that it is this server's and of this place. ERR_CORRUPT. */
bool wal_read_of_set(Storage *st, const char *set_dir, const Manifest *m, const WalRecord *wal,
                     IoStage *sink, const Cancel *cancel, Error *err) MUST_CHECK;

/* wal_read_check_records tells whether the set has all WAL of a node that its recovery will want, from the start of the
 * base backup up to the restore point, by the manifest alone. ERR_CORRUPT names what is missing. */
bool wal_read_check_records(const Manifest *m, const PhysicalRecord *physical, Error *err)
    MUST_CHECK;

#endif

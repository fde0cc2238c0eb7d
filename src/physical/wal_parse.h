/*
 * physical/wal_parse.h - the records of a node's WAL, read by pg_waldump; of Greenplum 6 by its pg_xlogdump.
 */
#ifndef PGARK_PHYSICAL_WAL_PARSE_H
#define PGARK_PHYSICAL_WAL_PARSE_H

#include "base/cancel.h"
#include "repo/manifest.h"

typedef struct WalParseResult
{
    bool read;     /* false: this host has no such pg_waldump */
    char *problem; /* what is wrong, below ctx; NULL: nothing is */
} WalParseResult;

/* wal_parse has that program, of the major version of node's server, read all records from the start of the base
 * backup to the restore point, a few segments at a time, which are decompressed into a temporary directory
 * (TMPDIR). */
bool wal_parse(Storage *st, void *ctx, const char *set_dir, const Manifest *m, size_t node,
               const Cancel *cancel, WalParseResult *ret, Error *err) MUST_CHECK;

#endif

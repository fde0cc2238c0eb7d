/*
 * physical/set_verify.h - proves a physical set without a server.
 */
#ifndef PGARK_PHYSICAL_SET_VERIFY_H
#define PGARK_PHYSICAL_SET_VERIFY_H

#include "repo/verify.h"

typedef struct SetVerifyResult
{
    VerifyResult common; /* problems, objects, bytes; no chunks and rows */
    size_t sets;         /* of its chain, itself counted, over which all is summed up */
    uint64_t parts;
    uint64_t files; /* of the servers, in the parts */
    uint64_t segments;
    bool records_read; /* pg_waldump has read the WAL of all nodes up to their restore points */
} SetVerifyResult;

/* set_verify reads every object of a physical set with jobs threads: lengths and hashes of what is stored and
 * of what it is decompressed to; that the parts are tar archives, whose files are those of the server's own
 * manifest, with their lengths and checksums; that WAL has no gap from the start of the backup to the restore
 * point, each of its pages is of that server and place, and - where a pg_waldump of the server's major version
 * is on this host, and quick is not set - that its records can be read up to the restore point, which is there.
 * Of an incremental set all that it is incremental to is read likewise, and must be there and fit (physical/chain.h).
 * quick: presence, sizes and names only. As for the rest as verify_set. */
bool set_verify(Repo *repo, void *ctx, const char *set_dir, bool quick, int jobs, Cancel *cancel,
                void (*progress)(void *arg, uint64_t bytes), void *arg, SetVerifyResult *ret,
                Error *err) MUST_CHECK;

#endif

/*
 * physical/basebackup.h - one server's base backup as a directory, plain or of tar archives: what pg_basebackup
 * makes.
 */
#ifndef PGARK_PHYSICAL_BASEBACKUP_H
#define PGARK_PHYSICAL_BASEBACKUP_H

#include "base/cancel.h"
#include "io/compress.h"
#include "pg/conn.h"
#include "report/progress.h"

typedef enum BasebackupWal
{
    BASEBACKUP_WAL_NONE,
    BASEBACKUP_WAL_FETCH,  /* at the end, with the data directory */
    BASEBACKUP_WAL_STREAM, /* beside it */
} BasebackupWal;

/* OLD=NEW: a tablespace that is at OLD on the server goes to NEW here. */
typedef struct BasebackupMap
{
    const char *from;
    const char *to;
} BasebackupMap;

typedef struct BasebackupRequest
{
    const PgConnSpec *spec;
    const char *directory; /* NULL: standard output; with tar, and WAL not streamed */
    bool tar;
    BasebackupWal wal;
    bool fast_checkpoint;
    const char *label;
    bool write_recovery; /* standby.signal, and how to reach the server */
    const char *slot;    /* NULL: a temporary one */
    bool create_slot;
    bool no_slot;
    uint64_t max_rate; /* bytes per second, 0: any */
    int64_t status_ms; /* between reports on streamed WAL; 0: when the server asks */
    Compress compress; /* of tar archives, here */
    CompressMethod
        server_compress; /* of what the server sends, by the server; none; not with compress */
    const char *server_detail;      /* in its own words: level, workers; NULL */
    bool no_estimate;               /* by the server, of the size */
    const char *manifest_checksums; /* NULL: no manifest */
    bool manifest_encode;           /* all names in it as hexadecimal digits */
    bool no_verify;
    const char *incremental; /* file: the manifest of the backup that it is incremental to; NULL */
    const BasebackupMap *maps; /* not with tar */
    size_t map_count;
    const char *wal_directory; /* pg_wal is a link to it; NULL: it is not; not with tar */
    bool no_sync;
    bool no_clean;
} BasebackupRequest;

typedef struct BasebackupResult
{
    uint64_t start_lsn, stop_lsn;
    uint32_t timeline;
    uint64_t bytes; /* that the server has sent */
} BasebackupResult;

/* basebackup_run takes it. The directory must be empty or not there (ERR_EXISTS); after a failure it is again,
 * unless no_clean. ERR_USAGE: the earlier manifest cannot be read, or the server does not do what is asked. What has gone to standard output by then is not a whole archive. Blocks. */
bool basebackup_run(const BasebackupRequest *request, Cancel *cancel, Progress *progress,
                    BasebackupResult *ret, Error *err) MUST_CHECK;

#endif

/*
 * pg/base_backup.h - BASE_BACKUP: the command, and the streams that answer it.
 *
 * Source: PostgreSQL documentation, "Streaming Replication Protocol", BASE_BACKUP. Servers from 15 on send all
 * archives and the manifest through one COPY, whose messages begin with a letter: n a new archive, m the
 * manifest, d data, p progress. Older ones send a COPY for each archive, in the order in which the tablespaces
 * were listed, and one more for the manifest. Those of version 9.4, which Greenplum 6 has in it, have no
 * manifest, no map of tablespaces, and check no pages: these options must not be asked of them.
 */
#ifndef PGARK_PG_BASE_BACKUP_H
#define PGARK_PG_BASE_BACKUP_H

#include "pg/replication.h"

/* What is asked for; see the documentation. */
typedef struct BaseBackupOptions
{
    const char *label;
    bool fast;                      /* checkpoint at once, not spread */
    bool wal;                       /* with the segments of WAL that the backup needs */
    bool wait;                      /* until the last of them is archived */
    bool tablespace_map;            /* a file of that name in the place of symbolic links */
    uint64_t max_rate;              /* bytes per second, 0: any; the server wants 32 kB to 1 GB */
    bool no_verify;                 /* the server does not check pages */
    bool no_estimate;               /* the server does not look first how much it will send */
    const char *manifest_checksums; /* algorithm; NULL: no manifest */
    bool manifest_encode;           /* all names in the manifest as hexadecimal digits */
    bool incremental;               /* to the backup whose manifest has been uploaded; from 17 on */
    const char *compression;        /* by the server, from 15 on; NULL: none */
    const char *compression_detail;
} BaseBackupOptions;

typedef struct BaseBackupTablespace
{
    uint32_t oid; /* 0: the data directory */
    char *location;
    uint64_t bytes; /* the server's estimate */
} BaseBackupTablespace;

typedef struct BaseBackupStart
{
    uint64_t lsn;
    uint32_t timeline;
    BaseBackupTablespace *tablespaces; /* all, and the data directory */
    size_t count;
} BaseBackupStart;

/* Where it goes, from the thread that runs it: begin first; then each archive - tablespace is its place
 * in the list - and its data; the manifest behind all archives, and its data. */
typedef struct BaseBackupSink
{
    bool (*begin)(void *arg, const BaseBackupStart *start, Error *err);
    bool (*archive)(void *arg, size_t tablespace, Error *err);
    bool (*manifest)(void *arg, Error *err);
    bool (*data)(void *arg, const void *data, size_t len, Error *err);
    /* NULL; how many bytes the server has read so far, which it compresses, from 15 on */
    void (*progress)(void *arg, uint64_t bytes);
    void *arg;
} BaseBackupSink;

typedef struct BaseBackupEnd
{
    uint64_t lsn;
    uint32_t timeline;
} BaseBackupEnd;

/* base_backup_upload_begin, base_backup_upload as often as wanted, base_backup_upload_end: the server gets the
 * manifest of an earlier backup, as it made it, for one that is incremental to that; from 17 on. ERR_QUERY: it
 * will have none of it, as of another server's. conn of the second is a PgConn, so that it can be a sink's function. */
bool base_backup_upload_begin(PgConn *conn, Error *err) MUST_CHECK;
bool base_backup_upload(void *conn, const void *data, size_t len, Error *err) MUST_CHECK;
bool base_backup_upload_end(PgConn *conn, Error *err) MUST_CHECK;

/* base_backup_run takes a base backup through a walsender; what the server calls a failure of checksums comes
 * as an error, when everything has been sent. After a failure the connection is of no more use.
 * ERR_QUERY, also for an answer of another shape; with the server's hint, or one of ours. */
bool base_backup_run(PgConn *conn, const BaseBackupOptions *options, const BaseBackupSink *sink,
                     BaseBackupEnd *ret, Error *err) MUST_CHECK;

#endif

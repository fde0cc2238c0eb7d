/*
 * physical/base_node.h - one server's part of a physical backup: its base backup, and its WAL until the end.
 *
 * Two walsenders: one for the base backup; and one that streams WAL from the segment of the start on, on a
 * thread of its own (physical/wal_receive.h). The temporary slot of the second is there before the backup begins, and
 * keeps WAL on the server that has not been received, until that connection ends, however it ends.
 *
 * Greenplum 6 is PostgreSQL 9.4, with one walsender and no slot. It knows no slot that ends with its connection; one that
 * stays, when a run is killed, would keep WAL on every segment until its disk is full. So WAL is read from the start of the
 * backup on, out of the server's files, for which nobody waits (argued in pg/wal_files.h): it has to be removed within the
 * second in which it was written for a backup to fail, and then it says so. The coordinator keeps it all the same as long
 * as the walsender of the base backup is there (and lets go of commits that wait for its standby at the moment in which any
 * walsender ends, whoever had it). And there is no manifest: pgark makes one of what comes. Nothing of either
 * is left on the servers.
 */
#ifndef PGARK_PHYSICAL_BASE_NODE_H
#define PGARK_PHYSICAL_BASE_NODE_H

#include "physical/base_store.h"
#include "physical/wal_receive.h"

/* What the server is like, as its SQL says. */
typedef struct BaseServer
{
    uint32_t block_size;
    uint32_t segment_blocks; /* of a relation's file */
    uint64_t wal_segment_size;
    bool data_checksums;
    bool greenplum; /* version 6 */
} BaseServer;

/* The earlier backup of the same server that one is incremental to. */
typedef struct BaseEarlier
{
    const char *key;              /* of its set, */
    const char *set_dir;          /* which lies there in the same storage, */
    CompressMethod method;        /* and is compressed so */
    const PhysicalRecord *record; /* the node's there */
} BaseEarlier;

typedef struct BaseNode
{
    /* Given by the caller before base_node_open: */
    const PhysicalRequest *request;
    const PgConnSpec *spec; /* of that very server */
    PgConn *probe;          /* to it, for SQL; the caller's */
    const char *label;
    int content;
    const char *system_identifier;
    Cancel *cancel;
    ProgressNode *progress;
    Compress compress;
    uint64_t rate_limit; /* bytes per second, 0: none */
    size_t nodes;        /* of the run */
    bool no_sync;
    bool incremental; /* where there is an earlier backup to build on */

    /* Before base_node_copy: */
    const BaseEarlier *earlier; /* NULL: the backup is whole */

    /* Filled as it goes on: */
    void *ctx;
    BaseServer server;
    PgConn *walsender;
    uint32_t timeline; /* before the backup */
    char *dir;         /* "physical/node<content>", within the set */
    BaseStoreSpec store_spec;
    BaseStore *store;
    BaseBackupSink to; /* the store's */
    PgConn *wal_conn;  /* until wal has taken it over */
    char slot[64];     /* its own */
    WalReceiveRequest wal_request;
    WalReceive *wal;
    void *wal_ctx;
    WalRecord *wals; /* below wal_ctx: the receiving thread's, until base_node_finish */
    size_t wal_count, wal_capacity;
    PhysicalRecord record; /* without the restore point until base_node_finish */
} BaseNode;

/* base_node_open checks what the server has to offer - ERR_USAGE with a hint: its wal_level, the role's right,
 * summaries of WAL where the backup is to be incremental -
 * and connects the walsender. Nothing is begun. */
bool base_node_open(BaseNode *node, Error *err) MUST_CHECK;

/* base_node_copy takes the base backup into the set (key, directory within st); WAL comes beside it from then
 * on. */
bool base_node_copy(BaseNode *node, Storage *st, const char *key, const char *set_dir, Error *err)
    MUST_CHECK;

/* base_node_finish waits until WAL up to the restore point is stored, and all of the node is durable but for the
 * names of its directories. */
bool base_node_finish(BaseNode *node, const char *restore_point, uint64_t restore_lsn, Error *err)
    MUST_CHECK;

/* base_node_stored gives parts, tablespaces and manifest, once that is done. */
const BaseStored *base_node_stored(const BaseNode *node);

/* base_node_close ends connections and threads and frees all; what the caller gave stays. */
void base_node_close(BaseNode *node);

#endif

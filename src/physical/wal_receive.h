/*
 * physical/wal_receive.h - WAL of one node, from the server's stream, or its files, into stored segments.
 *
 * Whole segments only: a stream begins where a segment does. What has been stored is told by the store's
 * on_stored, from the thread that receives.
 */
#ifndef PGARK_PHYSICAL_WAL_RECEIVE_H
#define PGARK_PHYSICAL_WAL_RECEIVE_H

#include "base/cancel.h"
#include "pg/conn.h"
#include "physical/wal_store.h"

#define WAL_STATUS_NEVER INT64_MAX /* see status_ms */

typedef struct WalReceiveRequest
{
    const PgConnSpec *spec; /* of the node; a replication connection of its own is made */
    PgConn *conn;           /* in the place of that: one that is open, and is taken over; NULL */
    const char *label;      /* of the node, in errors; may be NULL */
    const char *slot;       /* NULL: without one; one that is temporary belongs to conn */
    bool
        files; /* read the server's files by SQL (pg/wal_files.h), over a connection of that kind: no stream */
    uint64_t start_lsn; /* rounded down to its segment */
    uint32_t timeline;
    int64_t
        status_ms; /* between reports of what has come; 0: so often that no server gives up by its defaults;
                          WAL_STATUS_NEVER: only when it asks */
    bool
        follow; /* to the next timeline where this one ends, and its history file is stored; else that is an
                    error (ERR_CHANGED) */
    WalStoreSpec store;
} WalReceiveRequest;

typedef struct WalReceive WalReceive;

/* wal_receive_start connects, makes sure that the server is the one that the store is for (ERR_USAGE),
 * stores the history file of the timeline where that is not the first, and starts the stream; returns, with a
 * thread that goes on with it, once the server has agreed to send. WAL that the server has removed is
 * ERR_NOT_FOUND, by then or later. A failure of that thread raises cancel with itself as
 * the cause; raised by others, cancel ends the thread. What the request points to must outlive the result. */
WalReceive *wal_receive_start(const WalReceiveRequest *request, Cancel *cancel, Error *err);

/* wal_receive_finish waits until everything before lsn has come and is stored, the last segment with zeros
 * behind it where no more of it has come, the names durable; the thread has ended then. A server sends what
 * it has flushed only: see to it that lsn is (a commit, or pg_switch_wal() behind it). To be called once, by
 * the thread that called wal_receive_start. */
bool wal_receive_finish(WalReceive *r, uint64_t lsn, Error *err) MUST_CHECK;

/* wal_receive_at tells how far the stream has come; from any thread. */
uint64_t wal_receive_at(const WalReceive *r);

/* wal_receive_free ends the thread (NULL is fine). The segment at hand is lost, but for its .partial. */
void wal_receive_free(WalReceive *r);
DEFINE_AUTO(WalReceive, wal_receive_free)

/* wal_receive_run is the same on the calling thread: from wal_receive_start to a failure, which it returns, or
 * cancel (ERR_CANCELLED), with all that has come durable. started (may be NULL) is called once the server has
 * agreed to send. */
bool wal_receive_run(const WalReceiveRequest *request, Cancel *cancel, void (*started)(void *arg),
                     void *arg, Error *err) MUST_CHECK;

#endif

/*
 * pg/wal_stream.h - WAL from a server, over a connection to a WAL sender (pg/replication.h).
 *
 * Source of everything here: PostgreSQL documentation, "Streaming Replication Protocol": the commands, the
 * messages inside the COPY that goes both ways, what follows the end of a timeline. libpq: "Functions
 * Associated with the COPY Command".
 *
 * A PgConn belongs to one thread. Failures are ERR_QUERY with the server's words, ERR_CONNECT when the
 * connection broke or the server ended the stream, ERR_CANCELLED.
 */
#ifndef PGARK_PG_WAL_STREAM_H
#define PGARK_PG_WAL_STREAM_H

#include "pg/replication.h"

/* wal_stream_segment_size runs SHOW wal_segment_size; bytes. */
bool wal_stream_segment_size(PgConn *conn, uint64_t *ret_bytes, Error *err) MUST_CHECK;

/* wal_stream_history runs TIMELINE_HISTORY: the bytes of that timeline's history file, below ctx. */
bool wal_stream_history(PgConn *conn, void *ctx, uint32_t timeline, char **ret_data,
                        size_t *ret_len, Error *err) MUST_CHECK;

/* Where a timeline ended, and which one goes on there. */
typedef struct WalTurn
{
    uint32_t timeline; /* 0: none does */
    uint64_t lsn;
} WalTurn;

/* wal_stream_start runs START_REPLICATION PHYSICAL from lsn on, of timeline; slot NULL: without one. With a
 * turn, nothing is left of that timeline, and the stream has not begun. */
bool wal_stream_start(PgConn *conn, const char *slot, uint64_t lsn, uint32_t timeline,
                      WalTurn *ret_turn, Error *err) MUST_CHECK;

typedef enum WalEvent
{
    WAL_NOTHING, /* what has arrived is read: wait for the socket */
    WAL_DATA,
    WAL_KEEPALIVE,
    WAL_ENDED, /* the server ended the stream: wal_stream_turn says why */
} WalEvent;

typedef struct WalMessage
{
    WalEvent event;
    uint64_t start; /* of the data */
    uint64_t server_end;
    bool reply; /* the server wants to hear from us at once */
    const char *data;
    size_t len;
    char *raw; /* to be given back */
} WalMessage;

/* wal_stream_read takes the next message, without waiting; to be given back with wal_stream_release. What does
 * not look like one is ERR_CORRUPT. */
bool wal_stream_read(PgConn *conn, WalMessage *ret, Error *err) MUST_CHECK;
void wal_stream_release(WalMessage *message);

/* wal_stream_status tells the server what was received and what is durable (0: nothing is said of that). */
bool wal_stream_status(PgConn *conn, uint64_t written, uint64_t flushed, Error *err) MUST_CHECK;

/* wal_stream_turn ends a stream that the server has ended: the turn, or none when it is being shut down. The
 * connection can be used for other commands then. */
bool wal_stream_turn(PgConn *conn, WalTurn *ret, Error *err) MUST_CHECK;

/* wal_stream_stop ends the stream from our side and reads what is left of it; failures do not matter. */
void wal_stream_stop(PgConn *conn);

#endif

/*
 * pg/copy.h - COPY in both directions, cancellable, in bounded memory.
 */
#ifndef PGARK_PG_COPY_H
#define PGARK_PG_COPY_H

#include "pg/conn.h"

/* COPY's data is handed on in blocks of this many bytes (the last is shorter), wherever a row ends. */
#define PG_COPY_BLOCK ((size_t) 131072)

/* Where a block goes; false stops the COPY. */
typedef bool (*PgCopyWrite)(void *arg, const void *data, size_t len, Error *err);

/* pg_copy_out runs sql, which is one COPY ... TO STDOUT with statements before and behind it if
 * wanted (BEGIN; SET TRANSACTION SNAPSHOT; LOCK; COPY; COMMIT: one round trip). *ret_rows is the
 * server's count. *ret_started (may be NULL) tells, also on failure, whether the COPY had begun.
 * After a failure the connection may be inside a failed transaction. */
bool pg_copy_out(PgConn *conn, const char *sql, PgCopyWrite write, void *arg, uint64_t *ret_rows,
                 bool *ret_started, Error *err) MUST_CHECK;

/* pg_copy_in_begin starts a COPY ... FROM STDIN (sql may have statements before it); pg_copy_in_put
 * sends data, waiting when the server is slower; pg_copy_in_end completes it and gives the server's
 * row count; with abort (a reason) it makes the server forget the rows instead, and always succeeds
 * when the server answers. */
bool pg_copy_in_begin(PgConn *conn, const char *sql, Error *err) MUST_CHECK;
bool pg_copy_in_put(PgConn *conn, const void *data, size_t len, Error *err) MUST_CHECK;
bool pg_copy_in_end(PgConn *conn, const char *abort, uint64_t *ret_rows, Error *err) MUST_CHECK;

#endif

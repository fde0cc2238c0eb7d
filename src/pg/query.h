/*
 * pg/query.h - statements and their results.
 *
 * All block, cancellably (pg/conn.h). Failures are ERR_QUERY with the sqlstate, ERR_CONNECT when
 * the connection broke, ERR_CANCELLED.
 */
#ifndef PGARK_PG_QUERY_H
#define PGARK_PG_QUERY_H

#include "pg/conn.h"

/* pg_exec runs one or more statements and drops their rows. */
bool pg_exec(PgConn *conn, const char *sql, Error *err) MUST_CHECK;

/* pg_query runs one statement with text parameters; the result is the caller's (PQclear). */
PGresult *pg_query(PgConn *conn, const char *sql, int count, const char *const *params, Error *err);

/* pg_query_binary is the same with a result in binary form. */
PGresult *pg_query_binary(PgConn *conn, const char *sql, int count, const char *const *params,
                          Error *err);

/* pg_send starts statements without waiting; pg_collect waits until deadline_ms (clock_ms(), 0:
 * none) for the last of their results (NULL with err set on failure; a passed deadline is
 * ERR_CONNECT). For steps that go to all nodes at once: send to all, then collect from all. */
bool pg_send(PgConn *conn, const char *sql, Error *err) MUST_CHECK;
PGresult *pg_collect(PgConn *conn, int64_t deadline_ms, Error *err);

/* pg_flush waits until the server has taken all that libpq still holds for it; what begins the message of a
 * failure. */
bool pg_flush(PgConn *conn, const char *what, Error *err) MUST_CHECK;

/* pg_next_result waits for one result of what was sent: the building block of COPY. NULL with
 * *ret_ok true: there are no more; with *ret_ok false: err is set. */
PGresult *pg_next_result(PgConn *conn, int64_t deadline_ms, bool *ret_ok, Error *err);

/* pg_rollback ends a failed transaction or does nothing; failures do not matter to the caller. */
void pg_rollback(PgConn *conn);

/* Cells of a result. pg_cell is "" for NULL; pg_cell_null tells; numbers are 0 when malformed. */
const char *pg_cell(const PGresult *res, int row, int column);
bool pg_cell_null(const PGresult *res, int row, int column);
int64_t pg_cell_int(const PGresult *res, int row, int column);
bool pg_cell_bool(const PGresult *res, int row, int column);

/* pg_server_identity tells this run of a server from every other one, and from copies of it; below ctx. */
char *pg_server_identity(PgConn *conn, void *ctx, Error *err);

/* pg_find_named gives the row of an answer whose first two cells are these names, -1: none. The rows are
 * sorted by both, byte by byte (COLLATE "C"). */
int pg_find_named(const PGresult *res, const char *schema, const char *name);

/* pg_quote_ident, pg_quote_literal: libpq's quoting, below ctx. pg_quote_table: "schema"."name".
 * The text must be valid in the connection's encoding: otherwise NULL with err set. */
char *pg_quote_ident(void *ctx, PgConn *conn, const char *text, Error *err);
char *pg_quote_literal(void *ctx, PgConn *conn, const char *text, Error *err);
char *pg_quote_table(void *ctx, PgConn *conn, const char *schema, const char *name, Error *err);

/* pg_sqlstate_is compares an error's sqlstate. */
#define PG_STATE_LOCK_NOT_AVAILABLE "55P03"
#define PG_STATE_UNDEFINED_TABLE    "42P01"
#define PG_STATE_UNDEFINED_OBJECT   "42704"
#define PG_STATE_NO_SCHEMA          "3F000"
#define PG_STATE_DEADLOCK           "40P01"
#define PG_STATE_NO_PRIVILEGE       "42501"
#define PG_STATE_OUT_OF_MEMORY      "53200"
bool pg_sqlstate_is(const Error *err, const char *state);

#endif

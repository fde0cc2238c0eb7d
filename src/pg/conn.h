/*
 * pg/conn.h - one connection to one server, cancellable at every wait.
 *
 * libpq is used in its asynchronous form only, and every wait polls the run's cancel flag beside
 * the socket: when the flag is raised the thread that waits sends PQcancel for its own statement,
 * so all nodes stop at once and nobody cancels a connection that another thread uses.
 * A PgConn belongs to one thread at a time.
 */
#ifndef PGARK_PG_CONN_H
#define PGARK_PG_CONN_H

#include <libpq-fe.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "pg/server_version.h"

DEFINE_AUTO(PGresult, PQclear)

/* How to reach a database. Strings live as long as the spec. */
typedef struct PgConnSpec
{
    const char *conninfo; /* URI, key=value, database name, or NULL: libpq's environment */
    const char *host;     /* overrides what conninfo says, NULL: does not */
    const char *hostaddr;
    const char *port;
    const char *user;
    const char *database;
    const char *password; /* from a prompt; never printed */
    const char *options;  /* libpq's parameter options, in the place of any others; NULL */
    const char *role;     /* SET ROLE once connected, NULL: none */
    const char *setup;    /* statements that every session begins with, NULL: none */
    const char
        *program_options; /* for libpq's parameter options in child programs, which set nothing
                                    up by themselves; NULL: none. Lives as long as connections do */
    bool replication;     /* a walsender: no session is set up, SQL is not understood */
    bool row_security;    /* on: policies hide rows; off: what they would hide is an error */
} PgConnSpec;

typedef struct PgConn
{
    PGconn *raw;
    ServerVersion server;
    const Cancel *cancel;
    const char *program_options;
    char *copy_block; /* of the COPY that runs; made by the first one */
    char label[160];  /* names the node in errors: "node 1 (db2:5432)" */
} PgConn;

/* pg_conn_open connects and sets the session up: application_name, client_encoding equal to the
 * database's (so that nothing is ever converted), ISO dates, extra_float_digits 3, no timeouts,
 * empty search_path, row_security off; a walsender is left as it is. label may be NULL: made from host and port. ERR_CONNECT
 * names host, port and reason, and is also for a server that is too old; ERR_CANCELLED. Blocks up to connect_timeout (30 s when the spec has
 * none). */
PgConn *pg_conn_open(const PgConnSpec *spec, const char *label, const char *application,
                     const Cancel *cancel, Error *err);
void pg_conn_close(PgConn *conn);
DEFINE_AUTO(PgConn, pg_conn_close)

/* pg_conn_spec_database: the database that a spec names, below ctx, without connecting; "" where libpq's
 * environment decides. */
char *pg_conn_spec_database(void *ctx, const PgConnSpec *spec);

/* pg_conn_default_database: what it decides for then: PGDATABASE, a service's, or the user's name; "" when that
 * cannot be told. Below ctx. */
char *pg_conn_default_database(void *ctx, const PgConnSpec *spec);

/* pg_conn_pin returns a spec below ctx for more connections to the same server and database: of a
 * conninfo with several hosts, the one that answered. */
PgConnSpec *pg_conn_pin(void *ctx, const PgConn *conn, const PgConnSpec *spec);

/* pg_conn_needs_password tells whether an ERR_CONNECT failure was a missing password: the caller
 * may prompt for one. */
bool pg_conn_spec_needs_password(const PgConnSpec *spec);

/* pg_conn_dsn returns a key=value string for child programs: everything in force, and what the spec has
 * for them, but the password, which *ret_password gets (below ctx, NULL when there is none). */
char *pg_conn_dsn(void *ctx, const PgConn *conn, const char **ret_password);

/* pg_conn_error fills err from a result (or the connection, res NULL): sqlstate, message, detail,
 * the node's label. what says what was being done. Returns false. */
bool pg_conn_error(const PgConn *conn, const PGresult *res, Error *err, const char *what);

/* pg_conn_wait blocks until the socket is readable (or writable, with for_write) or deadline_ms
 * (clock_ms(), 0: none) passes: *ret_timeout, when not NULL, tells the latter; when NULL a passed
 * deadline is an error. On cancellation the running statement is cancelled on the server:
 * ERR_CANCELLED. */
bool pg_conn_wait(PgConn *conn, bool for_write, int64_t deadline_ms, bool *ret_timeout, Error *err)
    MUST_CHECK;

/* pg_conn_cancel asks the server to cancel what the connection runs; never fails visibly. */
void pg_conn_cancel(PgConn *conn);

#endif

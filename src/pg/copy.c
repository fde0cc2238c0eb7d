/* pg/copy.c - COPY in both directions; the contract is in copy.h. */
#include "pg/copy.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "pg/query.h"

#define DRAIN_MS 2000

/* Rows are sent in messages that stay in a processor's cache on their way, and the server is woken once
 * per so many bytes rather than whenever a few are there. */
#define SEND_PIECE  32768
#define SEND_BUFFER (1 << 20)

/* Hands on what is gathered. The statement must stop when nobody wants its rows, or its end would be
 * waited for. */
static bool hand_on(PgConn *conn, PgCopyWrite write, void *arg, size_t *len, Error *err)
{
    bool ok = *len == 0 || write(arg, conn->copy_block, *len, err);
    *len = 0;
    if (!ok)
        pg_conn_cancel(conn);
    return ok;
}

/* Reads the rows of a running COPY OUT.
 *
 * PQgetlineAsync() copies from libpq's buffer straight into ours, where PQgetCopyData() allocates
 * every row. What its documentation says against it does not touch us: it gives a row in parts when
 * there is no room for all of it, but we look at no row; and it ends alike whether the COPY is
 * complete or broken, but then PQgetResult() tells which, and the caller asks it. */
static bool copy_rows(PgConn *conn, PgCopyWrite write, void *arg, Error *err)
{
    size_t len = 0;
    /* Mostly there is more to read at once: ask the socket before asking poll(). */
    bool asked = false;
    for (;;)
    {
        int n = PQgetlineAsync(conn->raw, conn->copy_block + len, (int) (PG_COPY_BLOCK - len));
        if (n > 0)
        {
            len += (size_t) n;
            asked = false;
            if (len == PG_COPY_BLOCK && !hand_on(conn, write, arg, &len, err))
                return false;
        }
        else if (n == 0)
        {
            if ((asked || cancel_is_raised(conn->cancel)) &&
                !pg_conn_wait(conn, false, 0, NULL, err))
                return false;
            if (PQconsumeInput(conn->raw) == 0)
                return pg_conn_error(conn, NULL, err, "lost the connection during COPY");
            asked = true;
        }
        else
            return hand_on(conn, write, arg, &len, err);
    }
}

/* Waits for input, whatever the cancel flag says; false: none came in time, or never will. */
static bool more_input(PgConn *conn, int64_t deadline_ms)
{
    int64_t left = deadline_ms - clock_ms();
    struct pollfd fd = {.fd = PQsocket(conn->raw), .events = POLLIN};
    return left > 0 && poll(&fd, 1, (int) left) > 0 && PQconsumeInput(conn->raw) == 1;
}

/* Takes what is left of the results of a failed statement, so that the connection can be used. Not
 * for ever: a server that is gone must not keep the run from its end. */
static void drain(PgConn *conn)
{
    int64_t deadline_ms = clock_ms() + DRAIN_MS;
    bool copying = false;
    while (PQstatus(conn->raw) == CONNECTION_OK)
    {
        char *row = NULL;
        int len = copying ? PQgetCopyData(conn->raw, &row, 1) : -1;
        PQfreemem(row);
        if (len > 0)
            continue;
        if (len == 0 || PQisBusy(conn->raw))
        {
            if (!more_input(conn, deadline_ms))
                return;
            continue;
        }
        AUTO(PQclear) PGresult *res = PQgetResult(conn->raw);
        if (res == NULL)
            return;
        copying = PQresultStatus(res) == PGRES_COPY_OUT;
    }
}

/* The count of a COPY's command tag; other statements around it have no such tag. */
static void take_rows(PGresult *res, uint64_t *ret_rows)
{
    if (strncmp(PQcmdStatus(res), "COPY ", 5) == 0)
        *ret_rows = strtoull(PQcmdTuples(res), NULL, 10);
}

static bool copy_out_results(PgConn *conn, PgCopyWrite write, void *arg, uint64_t *ret_rows,
                             bool *started, Error *err)
{
    for (;;)
    {
        bool ok;
        AUTO(PQclear) PGresult *res = pg_next_result(conn, 0, &ok, err);
        if (!ok)
            return false;
        if (res == NULL)
            return true;
        switch (PQresultStatus(res))
        {
        case PGRES_COPY_OUT:
            *started = true;
            if (!copy_rows(conn, write, arg, err))
                return false;
            break;
        case PGRES_COMMAND_OK:
            take_rows(res, ret_rows);
            break;
        case PGRES_TUPLES_OK:
            break;
        default:
            return pg_conn_error(conn, res, err, "COPY failed");
        }
    }
}

bool pg_copy_out(PgConn *conn, const char *sql, PgCopyWrite write, void *arg, uint64_t *ret_rows,
                 bool *ret_started, Error *err)
{
    bool started = false;
    *ret_rows = 0;
    if (conn->copy_block == NULL)
        conn->copy_block = mem_array(conn, char, PG_COPY_BLOCK);
    bool ok = pg_send(conn, sql, err) &&
              copy_out_results(conn, write, arg, ret_rows, &started, err);
    if (!ok)
        drain(conn);
    if (ret_started != NULL)
        *ret_started = started;
    return ok;
}

/* TCP finds the size of its buffers better than we can. */
static void enlarge_buffer(const PgConn *conn)
{
    const char *host = PQhost(conn->raw);
    int size = SEND_BUFFER;
    if (host != NULL && (host[0] == '/' || host[0] == '@') &&
        setsockopt(PQsocket(conn->raw), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) != 0)
        log_debug("%s: SO_SNDBUF: %s", conn->label, strerror(errno));
}

bool pg_copy_in_begin(PgConn *conn, const char *sql, Error *err)
{
    if (!pg_send(conn, sql, err))
        return false;
    for (;;)
    {
        bool ok;
        AUTO(PQclear) PGresult *res = pg_next_result(conn, 0, &ok, err);
        if (!ok)
            return false;
        if (res != NULL && PQresultStatus(res) == PGRES_COPY_IN)
        {
            enlarge_buffer(conn);
            return true;
        }
        if (res == NULL)
            return error_set(err, ERR_INTERNAL, "the server did not start a COPY");
        if (PQresultStatus(res) != PGRES_COMMAND_OK && PQresultStatus(res) != PGRES_TUPLES_OK)
        {
            pg_conn_error(conn, res, err, "could not start COPY");
            drain(conn);
            return false;
        }
    }
}

/* The server reports a bad row while we are still sending: its message says more than ours, so
 * the copy is ended to get it. */
static bool copy_in_broken(PgConn *conn, Error *err)
{
    Error server = ERROR_INIT;
    bool ok = false;
    if (PQputCopyEnd(conn->raw, "stopped") >= 0)
    {
        AUTO(PQclear) PGresult *res = pg_next_result(conn, 0, &ok, &server);
        if (ok && res != NULL && PQresultStatus(res) == PGRES_FATAL_ERROR)
            return pg_conn_error(conn, res, err, "COPY failed");
    }
    return pg_conn_error(conn, NULL, err, "could not send COPY data");
}

bool pg_copy_in_put(PgConn *conn, const void *data, size_t len, Error *err)
{
    const char *p = data;
    while (len > 0)
    {
        int n = len > SEND_PIECE ? SEND_PIECE : (int) len;
        int rc = PQputCopyData(conn->raw, p, n);
        if (rc < 0)
            return copy_in_broken(conn, err);
        if (rc == 1)
        {
            p += n;
            len -= (size_t) n;
        }
        /* Keep libpq's own buffer small: what cannot be sent now is waited for. */
        if (!pg_flush(conn, "could not send COPY data", err))
            return false;
    }
    return true;
}

static bool copy_in_finish(PgConn *conn, bool aborted, uint64_t *ret_rows, Error *err)
{
    bool failed = false;
    for (;;)
    {
        bool ok;
        AUTO(PQclear) PGresult *res = pg_next_result(conn, 0, &ok, err);
        if (!ok)
            return false;
        if (res == NULL)
            return !failed;
        if (PQresultStatus(res) == PGRES_COMMAND_OK)
            take_rows(res, ret_rows);
        else if (!aborted)
        {
            failed = true;
            pg_conn_error(conn, res, err, "COPY failed");
        }
    }
}

bool pg_copy_in_end(PgConn *conn, const char *abort, uint64_t *ret_rows, Error *err)
{
    *ret_rows = 0;
    int rc;
    while ((rc = PQputCopyEnd(conn->raw, abort)) == 0)
    {
        if (!pg_flush(conn, "could not end COPY", err))
            return false;
    }
    if (rc < 0)
        return pg_conn_error(conn, NULL, err, "could not end COPY");
    if (!pg_flush(conn, "could not end COPY", err))
        return false;
    return copy_in_finish(conn, abort != NULL, ret_rows, err);
}

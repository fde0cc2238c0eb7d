/* pg/wal_stream.c - the replication protocol's WAL; the contract is in wal_stream.h. */
#include "pg/wal_stream.h"

#include <endian.h>

#include "base/clock.h"
#include "base/lsn.h"
#include "pg/query.h"

#define DATA_HEADER    25 /* 'w', start, end, time */
#define KEEPALIVE_SIZE 18 /* 'k', end, time, reply wanted */
#define STATUS_SIZE    34 /* 'r', written, flushed, applied, time, reply wanted */
#define STOP_MS        2000
#define EPOCH_2000_US  (INT64_C(946684800) * 1000000)

static uint64_t get_u64(const char *p)
{
    uint64_t value;
    memcpy(&value, p, sizeof(value));
    return be64toh(value);
}

static void put_u64(char *p, uint64_t value)
{
    value = htobe64(value);
    memcpy(p, &value, sizeof(value));
}

/* Runs a command that answers with at least one row of so many columns. */
static PGresult *command(PgConn *conn, const char *sql, int columns, Error *err)
{
    PGresult *res = pg_send(conn, sql, err) ? pg_collect(conn, 0, err) : NULL;
    if (res == NULL || (PQntuples(res) >= 1 && PQnfields(res) >= columns))
        return res;
    PQclear(res);
    error_set(err, ERR_QUERY, "the server did not answer \"%s\" as expected", sql);
    error_node(err, conn->label);
    return NULL;
}

/* "16MB", "1GB". */
static uint64_t parse_size(const char *text)
{
    char *unit;
    uint64_t value = strtoull(text, &unit, 10);
    if (value == 0 || value > 1024)
        return 0;
    if (strcmp(unit, "MB") == 0)
        return value * 1024 * 1024;
    return strcmp(unit, "GB") == 0 ? value * 1024 * 1024 * 1024 : 0;
}

bool wal_stream_segment_size(PgConn *conn, uint64_t *ret_bytes, Error *err)
{
    AUTO(PQclear) PGresult *res = command(conn, "SHOW wal_segment_size", 1, err);
    if (res == NULL)
        return false;
    *ret_bytes = parse_size(pg_cell(res, 0, 0));
    if (*ret_bytes != 0)
        return true;
    error_set(err, ERR_QUERY, "the server's wal_segment_size is not understood");
    return error_node(err, conn->label);
}

bool wal_stream_history(PgConn *conn, void *ctx, uint32_t timeline, char **ret_data,
                        size_t *ret_len, Error *err)
{
    char sql[64];
    snprintf(sql, sizeof(sql), "TIMELINE_HISTORY %" PRIu32, timeline);
    AUTO(PQclear) PGresult *res = command(conn, sql, 2, err);
    if (res == NULL)
        return false;
    *ret_len = (size_t) PQgetlength(res, 0, 1);
    *ret_data = mem_block(ctx, *ret_len + 1);
    memcpy(*ret_data, pg_cell(res, 0, 1), *ret_len + 1);
    return true;
}

/* A slot's name may hold lower-case letters, digits and underscores only, but this is read by the server. */
static char *start_command(void *ctx, PgConn *conn, const char *slot, uint64_t lsn,
                           uint32_t timeline, Error *err)
{
    char text[LSN_TEXT_LEN];
    char *quoted = slot == NULL ? NULL : pg_quote_ident(ctx, conn, slot, err);
    if (slot != NULL && quoted == NULL)
        return NULL;
    return mem_printf(ctx, "START_REPLICATION %s%s PHYSICAL %s TIMELINE %" PRIu32,
                      slot == NULL ? "" : "SLOT ", slot == NULL ? "" : quoted,
                      lsn_format(text, lsn), timeline);
}

static bool malformed(const PgConn *conn, Error *err)
{
    error_set(err, ERR_CORRUPT,
              "the server sent a message that is none of the replication protocol");
    return error_node(err, conn->label);
}

static bool parse(const PgConn *conn, WalMessage *m, size_t len, Error *err)
{
    if (m->raw[0] == 'w' && len >= DATA_HEADER)
    {
        m->event = WAL_DATA;
        m->start = get_u64(m->raw + 1);
        m->server_end = get_u64(m->raw + 9);
        m->data = m->raw + DATA_HEADER;
        m->len = len - DATA_HEADER;
        return true;
    }
    if (m->raw[0] != 'k' || len < KEEPALIVE_SIZE)
        return malformed(conn, err);
    m->event = WAL_KEEPALIVE;
    m->server_end = get_u64(m->raw + 1);
    m->reply = m->raw[17] != 0;
    return true;
}

bool wal_stream_read(PgConn *conn, WalMessage *ret, Error *err)
{
    *ret = (WalMessage){.event = WAL_NOTHING};
    int n = PQgetCopyData(conn->raw, &ret->raw, 1);
    if (n == 0)
    {
        if (PQconsumeInput(conn->raw) == 0)
            return pg_conn_error(conn, NULL, err, "lost the connection");
        n = PQgetCopyData(conn->raw, &ret->raw, 1);
    }
    if (n > 0)
        return parse(conn, ret, (size_t) n, err);
    if (n == -1)
        ret->event = WAL_ENDED;
    return n >= -1 || pg_conn_error(conn, NULL, err, "lost the connection");
}

void wal_stream_release(WalMessage *message)
{
    PQfreemem(message->raw);
    message->raw = NULL;
}

bool wal_stream_status(PgConn *conn, uint64_t written, uint64_t flushed, Error *err)
{
    char status[STATUS_SIZE] = {'r'};
    put_u64(status + 1, written);
    put_u64(status + 9, flushed);
    put_u64(status + 17, 0);
    put_u64(status + 25, (uint64_t) (clock_wall_us() - EPOCH_2000_US));
    if (PQputCopyData(conn->raw, status, STATUS_SIZE) != 1)
        return pg_conn_error(conn, NULL, err, "could not tell the server what was received");
    return pg_flush(conn, "could not tell the server what was received", err);
}

static bool take_turn(PgConn *conn, const PGresult *res, WalTurn *ret, Error *err)
{
    if (PQntuples(res) != 1 || PQnfields(res) != 2 || !lsn_parse(pg_cell(res, 0, 1), &ret->lsn))
        return malformed(conn, err);
    ret->timeline = (uint32_t) pg_cell_int(res, 0, 0);
    return ret->timeline != 0 || malformed(conn, err);
}

/* Reads all that follows a stream. */
static bool read_end(PgConn *conn, WalTurn *ret, Error *err)
{
    for (bool good = true;;)
    {
        bool ok = false;
        AUTO(PQclear) PGresult *res = pg_next_result(conn, 0, &ok, err);
        ExecStatusType status = PQresultStatus(res);
        if (!ok || res == NULL)
            return ok && good;
        if (status == PGRES_TUPLES_OK)
            good = take_turn(conn, res, ret, err) && good;
        else if (status != PGRES_COMMAND_OK && status != PGRES_COPY_IN)
            good = pg_conn_error(conn, res, err, "the server ended the stream");
    }
}

bool wal_stream_turn(PgConn *conn, WalTurn *ret, Error *err)
{
    *ret = (WalTurn){.timeline = 0};
    if (PQputCopyEnd(conn->raw, NULL) != 1 && PQstatus(conn->raw) != CONNECTION_OK)
        return pg_conn_error(conn, NULL, err, "lost the connection");
    return pg_flush(conn, "could not end the stream", err) && read_end(conn, ret, err);
}

bool wal_stream_start(PgConn *conn, const char *slot, uint64_t lsn, uint32_t timeline,
                      WalTurn *ret_turn, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "command");
    const char *sql = start_command(tmp, conn, slot, lsn, timeline, err);
    bool ok = false;
    *ret_turn = (WalTurn){.timeline = 0};
    if (sql == NULL || !pg_send(conn, sql, err))
        return false;
    AUTO(PQclear) PGresult *res = pg_next_result(conn, 0, &ok, err);
    if (!ok || PQresultStatus(res) == PGRES_COPY_BOTH)
        return ok;
    /* From the end of a timeline on there is nothing to send: its end follows at once. */
    if (PQresultStatus(res) == PGRES_TUPLES_OK)
        return take_turn(conn, res, ret_turn, err) && read_end(conn, ret_turn, err);
    return pg_conn_error(conn, res, err, "the server does not send WAL");
}

void wal_stream_stop(PgConn *conn)
{
    Error ignored = ERROR_INIT;
    int64_t deadline = clock_ms() + STOP_MS;
    if (PQstatus(conn->raw) != CONNECTION_OK || PQputCopyEnd(conn->raw, NULL) != 1 ||
        PQflush(conn->raw) < 0)
        return;
    while (clock_ms() < deadline)
    {
        bool timeout = false;
        WalMessage m;
        if (!wal_stream_read(conn, &m, &ignored) || m.event == WAL_ENDED)
            return;
        bool idle = m.event == WAL_NOTHING;
        wal_stream_release(&m);
        if (idle && (!pg_conn_wait(conn, false, deadline, &timeout, &ignored) || timeout))
            return;
    }
}

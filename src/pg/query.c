/* pg/query.c - statements and their results; the contract is in query.h. */
#include "pg/query.h"

#include "base/search.h"
#include "pg/dialect.h"

bool pg_flush(PgConn *conn, const char *what, Error *err)
{
    for (;;)
    {
        int rc = PQflush(conn->raw);
        if (rc == 0)
            return true;
        if (rc < 0)
            return pg_conn_error(conn, NULL, err, what);
        if (!pg_conn_wait(conn, true, 0, NULL, err))
            return false;
        if (PQconsumeInput(conn->raw) == 0)
            return pg_conn_error(conn, NULL, err, what);
    }
}

bool pg_send(PgConn *conn, const char *sql, Error *err)
{
    if (PQsendQuery(conn->raw, sql) == 0)
        return pg_conn_error(conn, NULL, err, "could not send a statement");
    return pg_flush(conn, "could not send a statement", err);
}

PGresult *pg_next_result(PgConn *conn, int64_t deadline_ms, bool *ret_ok, Error *err)
{
    *ret_ok = false;
    while (PQisBusy(conn->raw))
    {
        if (!pg_conn_wait(conn, false, deadline_ms, NULL, err))
            return NULL;
        if (PQconsumeInput(conn->raw) == 0)
        {
            pg_conn_error(conn, NULL, err, "lost the connection");
            return NULL;
        }
    }
    *ret_ok = true;
    return PQgetResult(conn->raw);
}

static bool result_failed(const PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);
    return status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY;
}

PGresult *pg_collect(PgConn *conn, int64_t deadline_ms, Error *err)
{
    PGresult *last = NULL;
    bool failed = false;
    for (;;)
    {
        bool ok;
        PGresult *res = pg_next_result(conn, deadline_ms, &ok, err);
        if (!ok)
        {
            PQclear(last);
            return NULL;
        }
        if (res == NULL)
            break;
        if (result_failed(res) && !failed)
        {
            failed = true;
            pg_conn_error(conn, res, err, "server error");
        }
        /* A COPY here would be a bug; leave the copy state or PQgetResult never ends. */
        bool copying = PQresultStatus(res) == PGRES_COPY_IN ||
                       PQresultStatus(res) == PGRES_COPY_OUT;
        PQclear(last);
        last = res;
        if (copying || PQstatus(conn->raw) == CONNECTION_BAD)
            break;
    }
    if (!failed && last != NULL)
        return last;
    PQclear(last);
    if (!failed)
        pg_conn_error(conn, NULL, err, "lost the connection");
    return NULL;
}

bool pg_exec(PgConn *conn, const char *sql, Error *err)
{
    if (!pg_send(conn, sql, err))
        return false;
    PGresult *res = pg_collect(conn, 0, err);
    PQclear(res);
    return res != NULL;
}

static PGresult *query(PgConn *conn, const char *sql, int count, const char *const *params,
                       int format, Error *err)
{
    if (PQsendQueryParams(conn->raw, sql, count, NULL, params, NULL, NULL, format) == 0)
    {
        pg_conn_error(conn, NULL, err, "could not send a statement");
        return NULL;
    }
    return pg_flush(conn, "could not send a statement", err) ? pg_collect(conn, 0, err) : NULL;
}

PGresult *pg_query(PgConn *conn, const char *sql, int count, const char *const *params, Error *err)
{
    return query(conn, sql, count, params, 0, err);
}

PGresult *pg_query_binary(PgConn *conn, const char *sql, int count, const char *const *params,
                          Error *err)
{
    return query(conn, sql, count, params, 1, err);
}

void pg_rollback(PgConn *conn)
{
    if (conn == NULL || PQstatus(conn->raw) != CONNECTION_OK ||
        PQtransactionStatus(conn->raw) == PQTRANS_IDLE)
        return;
    Error ignored = ERROR_INIT;
    if (!pg_exec(conn, "ROLLBACK", &ignored))
        log_debug("%s: rollback: %s", conn->label, ignored.message);
}

const char *pg_cell(const PGresult *res, int row, int column)
{
    return PQgetvalue(res, row, column);
}

bool pg_cell_null(const PGresult *res, int row, int column)
{
    return PQgetisnull(res, row, column) == 1;
}

int64_t pg_cell_int(const PGresult *res, int row, int column)
{
    return strtoll(PQgetvalue(res, row, column), NULL, 10);
}

bool pg_cell_bool(const PGresult *res, int row, int column)
{
    return PQgetvalue(res, row, column)[0] == 't';
}

char *pg_server_identity(PgConn *conn, void *ctx, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "identity");
    const char *sql = mem_printf(
        tmp,
        "SELECT %s || ' ' || (pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())"
        " * 1000000)::bigint",
        dialect_system_identifier(conn));
    AUTO(PQclear) PGresult *res = pg_query(conn, sql, 0, NULL, err);
    if (res != NULL)
        return mem_strdup(ctx, pg_cell(res, 0, 0));
    error_prefix(err, "could not ask the server who it is");
    return NULL;
}

static int compare_named(const PGresult *res, size_t row, const char *schema, const char *name)
{
    int c = strcmp(pg_cell(res, (int) row, 0), schema);
    return c != 0 ? c : strcmp(pg_cell(res, (int) row, 1), name);
}

static bool named_before(const void *res, size_t row, const void *names)
{
    const char *const *both = names;
    return compare_named(res, row, both[0], both[1]) < 0;
}

int pg_find_named(const PGresult *res, const char *schema, const char *name)
{
    const char *names[] = {schema, name};
    size_t rows = (size_t) PQntuples(res);
    size_t row = search_first(res, rows, named_before, names);
    return row < rows && compare_named(res, row, schema, name) == 0 ? (int) row : -1;
}

static char *own(void *ctx, PgConn *conn, char *quoted, Error *err)
{
    if (quoted == NULL)
    {
        pg_conn_error(conn, NULL, err, "could not quote a name");
        return NULL;
    }
    char *copy = mem_strdup(ctx, quoted);
    PQfreemem(quoted);
    return copy;
}

char *pg_quote_ident(void *ctx, PgConn *conn, const char *text, Error *err)
{
    return own(ctx, conn, PQescapeIdentifier(conn->raw, text, strlen(text)), err);
}

char *pg_quote_literal(void *ctx, PgConn *conn, const char *text, Error *err)
{
    return own(ctx, conn, PQescapeLiteral(conn->raw, text, strlen(text)), err);
}

char *pg_quote_table(void *ctx, PgConn *conn, const char *schema, const char *name, Error *err)
{
    char *s = pg_quote_ident(ctx, conn, schema, err);
    char *n = s == NULL ? NULL : pg_quote_ident(ctx, conn, name, err);
    return n == NULL ? NULL : mem_printf(ctx, "%s.%s", s, n);
}

bool pg_sqlstate_is(const Error *err, const char *state)
{
    return strcmp(err->sqlstate, state) == 0;
}

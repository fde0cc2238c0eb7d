/* compat/gpcrondump_history.c - public.gpcrondump_history; see gpcrondump_parts.h. */
#include <time.h>

#include "compat/gpcrondump_parts.h"
#include "pg/query.h"

#define TABLE "public.gpcrondump_history"

static PgConn *open_conn(const CronRun *run, Error *err)
{
    const PgConnSpec spec = {.conninfo = run->conninfo};
    PgConn *conn = pg_conn_open(&spec, NULL, "gpcrondump history", NULL, err);
    if (conn != NULL &&
        pg_exec(conn, "SET client_encoding = 'UTF8'; SET statement_timeout = '30s'", err))
        return conn;
    pg_conn_close(conn);
    return NULL;
}

/* The table is as the old program made it. */
static bool make_table(const CronRun *run, PgConn *conn, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(
        conn,
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN"
        " pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname ="
        " 'public' AND c.relname = 'gpcrondump_history')",
        0, NULL, err);
    if (res == NULL)
        return false;
    if (pg_cell_bool(res, 0, 0))
        return true;
    return pg_exec(conn,
                   mem_printf(run->ctx,
                              "CREATE TABLE " TABLE " (rec_date timestamp, start_time char(8),"
                              " end_time char(8), options text, dump_key varchar(20),"
                              " dump_exit_status smallint, script_exit_status smallint,"
                              " exit_text varchar(10))%s",
                              run->greenplum ? " DISTRIBUTED BY (rec_date)" : ""),
                   err);
}

static const char *clock_text(void *ctx, int64_t us)
{
    char text[16];
    time_t seconds = (time_t) (us / 1000000);
    struct tm tm;
    localtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%H:%M:%S", &tm);
    return mem_strdup(ctx, text);
}

bool cron_history_add(const CronRun *run, Error *err)
{
    static const char *const ends[] = {"COMPLETED", "WARNING", "FATAL"};
    AUTO(pg_conn_close) PgConn *conn = open_conn(run, err);
    const char *values[] = {
        clock_text(run->ctx, run->started_us),
        clock_text(run->ctx, run->finished_us),
        run->cron->line,
        run->key,
        run->manifest != NULL ? "0" : "1",
        "0",
        ends[run->exit],
    };
    if (conn == NULL || !make_table(run, conn, err))
        return false;
    AUTO(PQclear)
    PGresult *res = pg_query(conn,
                             "INSERT INTO " TABLE " (rec_date, start_time, end_time, options,"
                             " dump_key, dump_exit_status, script_exit_status, exit_text)"
                             " VALUES (pg_catalog.now(), $1, $2, $3, $4, $5, $6, $7)",
                             (int) LENGTH_OF(values), values, err);
    return res != NULL;
}

bool cron_history_script(const CronRun *run, int code, Error *err)
{
    AUTO(pg_conn_close) PgConn *conn = open_conn(run, err);
    const char *values[] = {mem_printf(run->ctx, "%d", code), run->key};
    if (conn == NULL)
        return false;
    AUTO(PQclear)
    PGresult *res = pg_query(conn,
                             "UPDATE " TABLE " SET script_exit_status = $1 WHERE dump_key = $2",
                             (int) LENGTH_OF(values), values, err);
    return res != NULL;
}

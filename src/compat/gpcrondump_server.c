/* compat/gpcrondump_server.c - what the database is asked before the dump; see gpcrondump_parts.h. */
#include "base/str.h"
#include "compat/gpcrondump_parts.h"
#include "pg/query.h"

/* Which of the names there is nothing of. */
static PGresult *missing(const CronRun *run, PgConn *conn, const LegacyNames *names, Error *err)
{
    if (names->items[0].schema == NULL)
    {
        const char *params[] = {legacy_names_array(run->ctx, names, false)};
        return pg_query(conn,
                        "SELECT NULL, x FROM pg_catalog.unnest($1::text[]) x WHERE NOT EXISTS"
                        " (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = x)",
                        1, params, err);
    }
    const char *params[] = {legacy_names_array(run->ctx, names, true),
                            legacy_names_array(run->ctx, names, false)};
    return pg_query(
        conn,
        "SELECT s.a[i], t.a[i] FROM (SELECT $1::text[] AS a) s, (SELECT $2::text[] AS a) t,"
        " pg_catalog.generate_series(1, pg_catalog.array_upper($1::text[], 1)) i"
        " WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN"
        " pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = s.a[i]"
        " AND c.relname = t.a[i] AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S'))",
        2, params, err);
}

/* Whoever wants what is not there shall know before anything is done; whoever wants to be without it has
 * that. */
static bool look_for(const CronRun *run, PgConn *conn, const LegacyNames *names, bool wanted,
                     Error *err)
{
    char shown[160];
    if (names->count == 0)
        return true;
    AUTO(PQclear) PGresult *res = missing(run, conn, names, err);
    if (res == NULL)
        return error_prefix(err, "could not look for what is to be dumped");
    for (int i = 0; i < PQntuples(res); i++)
    {
        bool table = !pg_cell_null(res, i, 0);
        const char *name = mem_printf(run->ctx, "%s%s%s", pg_cell(res, i, 0), table ? "." : "",
                                      pg_cell(res, i, 1));
        str_one_line(shown, sizeof(shown), name);
        if (wanted)
            return error_set(err, ERR_NOT_FOUND, "database \"%s\" has no %s %s", run->database,
                             table ? "table" : "schema", shown);
        log_warning("%s %s, which is to be left out, is not in database \"%s\"",
                    table ? "table" : "schema", shown, run->database);
    }
    return true;
}

static bool check_encoding(const CronRun *run, PgConn *conn, Error *err)
{
    const char *encoding = legacy_options_string(run->cron->o, CRON_ENCODING);
    char shown[80];
    const char *params[] = {encoding};
    if (encoding == NULL)
        return true;
    AUTO(PQclear)
    PGresult *res = pg_query(conn,
                             "SELECT pg_catalog.pg_char_to_encoding($1) >= 0,"
                             " pg_catalog.getdatabaseencoding()",
                             1, params, err);
    if (res == NULL)
        return false;
    str_one_line(shown, sizeof(shown), encoding);
    if (!pg_cell_bool(res, 0, 0))
        return error_set(err, ERR_USAGE, "%s: there is no encoding \"%s\"",
                         legacy_options_called(run->cron->o, CRON_ENCODING), shown);
    log_info("Rows are stored in the database's encoding, %s; a restore converts them to that of "
             "its database",
             pg_cell(res, 0, 1));
    return true;
}

/* Where the rows are in shards, so are their statistics, and those of the coordinator's tables say nothing. */
static bool check_statistics(const CronRun *run, PgConn *conn, Error *err)
{
    if (!cron_given(run->cron, CRON_DUMP_STATS))
        return true;
    AUTO(PQclear)
    PGresult *res = pg_query(conn,
                             "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_statistic',"
                             " 'SELECT'), EXISTS (SELECT 1 FROM pg_catalog.pg_extension WHERE"
                             " extname = 'citus')",
                             0, NULL, err);
    if (res == NULL)
        return false;
    const char *called = legacy_options_called(run->cron->o, CRON_DUMP_STATS);
    if (pg_cell_bool(res, 0, 1))
    {
        error_set(err, ERR_USAGE, "%s: statistics of a Citus cluster are those of its shards",
                  called);
        return error_hint(err, "Leave it out: a restore ends with ANALYZE.");
    }
    if (pg_cell_bool(res, 0, 0))
        return true;
    error_set(err, ERR_USAGE, "%s needs a role that may read pg_statistic, as a superuser does",
              called);
    return error_hint(err, "Without it, a restore ends with ANALYZE.");
}

/* Names come from a command line or a file, in whatever encoding; they are compared byte by byte, as they are when
 * they choose objects. */
static bool look(CronRun *run, PgConn *conn, Error *err)
{
    const CronFilter *f = &run->filter;
    return look_for(run, conn, &f->schemas, true, err) &&
           look_for(run, conn, &f->tables, true, err) &&
           look_for(run, conn, &f->not_schemas, false, err) &&
           look_for(run, conn, &f->not_tables, false, err) && check_encoding(run, conn, err) &&
           check_statistics(run, conn, err);
}

bool cron_server_look(CronRun *run, Error *err)
{
    const PgConnSpec spec = {.conninfo = run->conninfo};
    AUTO(pg_conn_close) PgConn *conn = pg_conn_open(&spec, NULL, "gpcrondump", NULL, err);
    if (conn == NULL)
        return false;
    run->host = mem_strdup(run->ctx, PQhost(conn->raw));
    run->port = (int) strtol(PQport(conn->raw), NULL, 10);
    run->greenplum = conn->server.product != SERVER_POSTGRESQL;
    return look(run, conn, err) && cron_states_read(run, conn, err);
}

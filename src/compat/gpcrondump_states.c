/* compat/gpcrondump_states.c - what Greenplum counts of its append-only tables; see gpcrondump_parts.h.
 *
 * Whoever compares two of these files wants to be told of every change since the first. So they are read before
 * the dump: what changes until its cut is told twice, and nothing is missed. */
#include "base/str.h"
#include "compat/gpcrondump_parts.h"
#include "pg/query.h"

#define BATCH 200 /* tables whose counters are asked for at a time */

static void add_line(Str *s, const char *schema, const char *table, const char *comma)
{
    legacy_names_add_part(s, schema);
    str_add(s, comma);
    legacy_names_add_part(s, table);
    str_add(s, comma);
}

/* The leaves of partitioned tables, which alone have rows, and tables that are none. */
static PGresult *list_tables(PgConn *conn, Error *err)
{
    return pg_query(conn,
                    "SELECT n.nspname, c.relname, a.columnstore, a.segrelid::pg_catalog.regclass"
                    " FROM pg_catalog.pg_appendonly a"
                    " JOIN pg_catalog.pg_class c ON c.oid = a.relid"
                    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                    " WHERE n.nspname !~ '^pg_(toast_)?temp_' AND NOT EXISTS (SELECT 1 FROM"
                    " pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) ORDER BY 1, 2",
                    0, NULL, err);
}

static PGresult *count_changes(void *ctx, PgConn *conn, const PGresult *tables, int first,
                               int count, Error *err)
{
    Str *sql = str_new(ctx);
    for (int i = first; i < first + count; i++)
        str_addf(sql, "%sSELECT %d, coalesce(pg_catalog.sum(modcount), 0) FROM %s",
                 i > first ? " UNION ALL " : "", i, pg_cell(tables, i, 3));
    str_add(sql, " ORDER BY 1");
    return pg_query(conn, sql->data, 0, NULL, err);
}

static bool read_counters(const CronRun *run, PgConn *conn, Str *rows, Str *columns, Error *err)
{
    AUTO(PQclear) PGresult *tables = list_tables(conn, err);
    for (int first = 0; tables != NULL && first < PQntuples(tables); first += BATCH)
    {
        int left = PQntuples(tables) - first;
        AUTO(PQclear)
        PGresult *res = count_changes(run->ctx, conn, tables, first, left < BATCH ? left : BATCH,
                                      err);
        for (int i = 0; res != NULL && i < PQntuples(res); i++)
        {
            Str *s = pg_cell_bool(tables, first + i, 2) ? columns : rows;
            add_line(s, pg_cell(tables, first + i, 0), pg_cell(tables, first + i, 1), ", ");
            str_addf(s, "%s\n", pg_cell(res, i, 1));
        }
        if (res == NULL)
            return false;
    }
    return tables != NULL;
}

static bool read_operations(PgConn *conn, Str *s, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(conn,
                             "SELECT n.nspname, c.relname, o.objid, o.staactionname, o.stasubtype,"
                             " o.statime FROM pg_catalog.pg_stat_last_operation o"
                             " JOIN pg_catalog.pg_appendonly a ON a.relid = o.objid"
                             " JOIN pg_catalog.pg_class c ON c.oid = o.objid"
                             " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                             " WHERE o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
                             " AND o.staactionname IN ('CREATE', 'ALTER', 'TRUNCATE')"
                             " AND n.nspname !~ '^pg_(toast_)?temp_' ORDER BY 1, 2, 4, 5",
                             0, NULL, err);
    for (int i = 0; res != NULL && i < PQntuples(res); i++)
    {
        add_line(s, pg_cell(res, i, 0), pg_cell(res, i, 1), ",");
        str_addf(s, "%s,%s,%s,%s\n", pg_cell(res, i, 2), pg_cell(res, i, 3), pg_cell(res, i, 4),
                 pg_cell(res, i, 5));
    }
    return res != NULL;
}

bool cron_states_read(CronRun *run, PgConn *conn, Error *err)
{
    Str *rows = str_new(run->ctx);
    Str *columns = str_new(run->ctx);
    Str *operations = str_new(run->ctx);
    bool counted = conn->server.product == SERVER_GREENPLUM && conn->server.major == 6;
    if (counted &&
        (!read_counters(run, conn, rows, columns, err) || !read_operations(conn, operations, err)))
        return error_prefix(err, "could not read the counters of append-only tables");
    run->states = !run->greenplum || counted;
    run->ao_state = rows->data;
    run->co_state = columns->data;
    run->last_operation = operations->data;
    return true;
}

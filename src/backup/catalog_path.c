/* backup/catalog_path.c - which relations are found without a schema; the contract is in catalog.h. */
#include "backup/catalog.h"

/* With a path that somebody else has set every operator would be open to him: nothing but the one
 * question is asked while it is in force. */
static bool use_path(PgConn *conn, const char *sql, Error *err)
{
    AUTO(PQclear) PGresult *res = pg_query(conn, sql, 0, NULL, err);
    return res != NULL;
}

static void mark(const PGresult *res, SelectionItem *items, size_t count)
{
    int row = 0;
    int rows = PQntuples(res);
    for (size_t i = 0; i < count; i++)
    {
        while (row < rows && (uint32_t) pg_cell_int(res, row, 0) < items[i].oid)
            row++;
        items[i].hidden = row == rows || (uint32_t) pg_cell_int(res, row, 0) != items[i].oid;
    }
}

bool catalog_mark_hidden(PgConn *conn, SelectionItem *items, size_t count, Error *err)
{
    if (!use_path(conn,
                  "SELECT pg_catalog.set_config('search_path', reset_val, false)"
                  " FROM pg_catalog.pg_settings WHERE name = 'search_path'",
                  err))
        return false;
    AUTO(PQclear)
    PGresult *res = pg_query(conn,
                             "SELECT c.oid FROM pg_catalog.pg_class c"
                             " WHERE pg_catalog.pg_table_is_visible(c.oid) ORDER BY c.oid",
                             0, NULL, err);
    if (res == NULL)
        return false;
    mark(res, items, count);
    return use_path(conn, "SELECT pg_catalog.set_config('search_path', '', false)", err);
}

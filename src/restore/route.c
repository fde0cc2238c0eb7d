/* restore/route.c - rows that must find their partition anew; the contract is in route.h. */
#include "restore/route.h"

bool route_tables(RestoreNode *node, Error *err)
{
    const char *params[] = {node->request->via_root ? "t" : "f"};
    /* Partitions that are no tables of their own never had their rows stored as such. */
    if (PQserverVersion(node->main->raw) < 100000)
        return true;
    AUTO(PQclear)
    PGresult *res = pg_query(
        node->main,
        "WITH RECURSIVE up(leaf, ancestor, level) AS ("
        " SELECT c.oid, i.inhparent, 1 FROM pg_catalog.pg_class c"
        "  JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid"
        "  WHERE c.relispartition AND c.relkind = 'r'"
        " UNION ALL SELECT up.leaf, i.inhparent, up.level + 1 FROM up"
        "  JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.ancestor),"
        " route AS (SELECT DISTINCT ON (up.leaf) up.leaf, up.ancestor FROM up"
        "  JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = up.ancestor"
        "  WHERE $1 OR (p.partstrat = 'h' AND (p.partexprs IS NOT NULL OR EXISTS ("
        "   SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = p.partrelid"
        "   AND a.attnum = ANY (p.partattrs) AND a.atttypid >= 16384)))"
        "  ORDER BY up.leaf, up.level DESC)"
        " SELECT n.nspname, c.relname, m.nspname, d.relname FROM route r"
        " JOIN pg_catalog.pg_class c ON c.oid = r.leaf"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_catalog.pg_class d ON d.oid = r.ancestor"
        " JOIN pg_catalog.pg_namespace m ON m.oid = d.relnamespace"
        " ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"",
        1, params, err);
    if (res == NULL)
        return error_prefix(err, "could not look at the partitions");
    for (size_t i = 0; PQntuples(res) > 0 && i < node->table_count; i++)
    {
        int row = pg_find_named(res, node->tables[i].schema, node->tables[i].record->name);
        if (row < 0)
            continue;
        node->tables[i].route = pg_quote_table(node->ctx, node->main, pg_cell(res, row, 2),
                                               pg_cell(res, row, 3), err);
        if (node->tables[i].route == NULL)
            return false;
    }
    return true;
}

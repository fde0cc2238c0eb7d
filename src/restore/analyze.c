/* restore/analyze.c - which tables get ANALYZE; the contract is in analyze.h. */
#include "restore/analyze.h"

#include "base/search.h"
#include "pg/dialect.h"

/* A row per table with storage: the table that ANALYZE is to name, and the table itself, both quoted
 * as pg_quote_table does it, rows of one root together. */
static const char *list_sql(void *ctx, const PgConn *conn)
{
    return mem_printf(
        ctx,
        "WITH RECURSIVE tree(root, rel) AS ("
        " SELECT c.oid, c.oid FROM pg_catalog.pg_class c"
        "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        "  WHERE c.relkind IN ('r', 'p') AND NOT %s AND c.relpersistence <> 't'"
        "  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
        " UNION ALL SELECT tree.root, i.inhrelid FROM tree"
        "  JOIN pg_catalog.pg_class p ON p.oid = tree.rel AND p.relkind = 'p'"
        "  JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.rel),"
        " known AS (SELECT tree.root, tree.rel, c.relkind, pg_catalog.bool_or(c.relkind = 'f')"
        "  OVER (PARTITION BY tree.root) AS remote"
        "  FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.rel),"
        " far(rel) AS ("
        " SELECT i.inhparent FROM pg_catalog.pg_inherits i"
        "  JOIN pg_catalog.pg_class f ON f.oid = i.inhrelid AND f.relkind = 'f'"
        " UNION SELECT i.inhparent FROM far JOIN pg_catalog.pg_inherits i ON i.inhrelid = far.rel),"
        " named AS (SELECT c.oid, '\"' || pg_catalog.replace(n.nspname, '\"', '\"\"') || '\".\"' ||"
        "  pg_catalog.replace(c.relname, '\"', '\"\"') || '\"' AS name"
        "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        "  WHERE c.relkind IN ('r', 'p'))"
        " SELECT a.name, b.name FROM known k"
        " JOIN named a ON a.oid = CASE WHEN k.remote THEN k.rel ELSE k.root END"
        " JOIN named b ON b.oid = k.rel WHERE k.relkind = 'r'"
        " AND NOT EXISTS (SELECT FROM far WHERE far.rel = k.rel) ORDER BY 1, 2",
        dialect_is_partition(conn));
}

static int by_quoted(const void *a, const void *b)
{
    return strcmp((*(RestoreTable *const *) a)->quoted, (*(RestoreTable *const *) b)->quoted);
}

static bool quoted_before(const void *sorted, size_t i, const void *quoted)
{
    return strcmp(((RestoreTable *const *) sorted)[i]->quoted, quoted) < 0;
}

static RestoreTable *find(RestoreTable **sorted, size_t count, const char *quoted)
{
    size_t at = search_first(sorted, count, quoted_before, quoted); /* NOLINT: pointers */
    return at < count && strcmp(sorted[at]->quoted, quoted) == 0 ? sorted[at] : NULL;
}

bool analyze_list(RestoreNode *node, AnalyzeList *ret, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "analyze");
    AUTO(PQclear) PGresult *res = pg_query(node->main, list_sql(tmp, node->main), 0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not list the tables to analyze");
    RestoreTable **sorted = mem_array(tmp, RestoreTable *, node->table_count);
    for (size_t i = 0; i < node->table_count; i++)
        sorted[i] = &node->tables[i];
    if (node->table_count > 1)
        qsort(sorted, node->table_count, sizeof(RestoreTable *), by_quoted);
    size_t target_capacity = 0;
    size_t table_capacity = 0;
    *ret = (AnalyzeList){0};
    for (int i = 0; i < PQntuples(res); i++)
    {
        const RestoreTable *table = find(sorted, node->table_count, pg_cell(res, i, 1));
        if (table == NULL)
            continue;
        const char *name = pg_cell(res, i, 0);
        if (ret->target_count == 0 || strcmp(ret->targets[ret->target_count - 1].quoted, name) != 0)
        {
            AnalyzeTarget *target = mem_push(node->ctx, ret->targets, ret->target_count,
                                             target_capacity, AnalyzeTarget);
            target->quoted = mem_strdup(node->ctx, name);
            target->first = ret->table_count;
        }
        ret->targets[ret->target_count - 1].count++;
        *mem_push(node->ctx, ret->tables, ret->table_count, table_capacity,
                  uint32_t) = (uint32_t) (table - node->tables);
    }
    return true;
}

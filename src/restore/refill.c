/* restore/refill.c - rows for tables that are there already; the contract is in refill.h. */
#include "restore/refill.h"

#include "base/search.h"
#include "base/str.h"
#include "restore/journal.h"

#define NAMES_SHOWN 5

/* A smaller table is not emptied twice only to be frozen. */
#define FREEZE_FLOOR ((uint64_t) 1024 * 1024)

/* The tables that are there, as they are named to the server: oids {1,2,3}. */
static char *oid_array(const RestoreNode *node, void *ctx, size_t *ret_count)
{
    Str *s = str_new(ctx);

    *ret_count = 0;
    str_addc(s, '{');
    for (size_t i = 0; i < node->table_count; i++)
        if (!node->tables[i].made)
            str_addf(s, "%s%u", (*ret_count)++ == 0 ? "" : ",", node->tables[i].target_oid);
    str_addc(s, '}');
    return s->data;
}

/* all_tables: those tables, and the partitioned ones all of whose leaves are among them. */
#define ALL_TABLES                                                                                 \
    "WITH given AS (SELECT pg_catalog.unnest($1::pg_catalog.oid[]) AS oid),"                       \
    " above AS (SELECT DISTINCT a.relid AS oid FROM given g"                                       \
    "  JOIN pg_catalog.pg_class c ON c.oid = g.oid AND c.relispartition,"                          \
    "  LATERAL pg_catalog.pg_partition_ancestors(g.oid) a WHERE a.relid <> g.oid),"                \
    " whole AS (SELECT b.oid FROM above b WHERE NOT EXISTS (SELECT 1"                              \
    "  FROM pg_catalog.pg_partition_tree(b.oid) t WHERE t.isleaf"                                  \
    "  AND t.relid NOT IN (SELECT oid FROM given))),"                                              \
    " all_tables AS (SELECT oid FROM given UNION SELECT oid FROM whole)"

/* Partitions that are no tables of their own are emptied with their tables, which are listed as
 * partitioned ones. */
static const char *list_all(void *ctx, const PgConn *conn, const char *rest)
{
    return PQserverVersion(conn->raw) >= 100000
               ? mem_printf(ctx, ALL_TABLES " %s", rest)
               : mem_printf(ctx,
                            "WITH all_tables AS (SELECT pg_catalog.unnest($1::pg_catalog.oid[])"
                            " AS oid) %s",
                            rest);
}

/* The pg_class.relkind of c that TRUNCATE goes by. */
static const char *kind_of(const PgConn *conn)
{
    return PQserverVersion(conn->raw) >= 100000
               ? "c.relkind"
               : "CASE WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_partition x"
                 " WHERE x.parrelid = c.oid) THEN 'p' ELSE c.relkind END";
}

typedef struct WantedTarget
{
    const RestoreTable *tables;
    uint32_t oid;
} WantedTarget;

static bool target_before(const void *sorted, size_t i, const void *key)
{
    const WantedTarget *w = key;
    return w->tables[((const uint32_t *) sorted)[i]].target_oid < w->oid;
}

static bool find_target(const RestoreNode *node, uint32_t target_oid, const uint32_t *sorted,
                        size_t count, uint32_t *ret)
{
    WantedTarget wanted = {.tables = node->tables, .oid = target_oid};
    size_t at = search_first(sorted, count, target_before, &wanted);
    if (at == count || node->tables[sorted[at]].target_oid != target_oid)
        return false;
    *ret = sorted[at];
    return true;
}

static int target_order(const void *a, const void *b, void *arg)
{
    const RestoreTable *tables = arg;
    uint32_t x = tables[*(const uint32_t *) a].target_oid;
    uint32_t y = tables[*(const uint32_t *) b].target_oid;
    return (x > y) - (x < y);
}

static uint32_t *sort_targets(const RestoreNode *node, void *ctx, size_t *ret_count)
{
    uint32_t *list = mem_array(ctx, uint32_t, node->table_count);

    *ret_count = 0;
    for (uint32_t i = 0; i < node->table_count; i++)
        if (!node->tables[i].made)
            list[(*ret_count)++] = i;
    if (*ret_count > 1)
        qsort_r(list, *ret_count, sizeof(uint32_t), target_order, node->tables);
    return list;
}

/* ---- foreign keys ---- */

/* Every key of one of the tables that refers to one of them, or to a partitioned table above one. A
 * table that any key refers to cannot be emptied by itself. */
static PGresult *foreign_keys(RestoreNode *node, const char *oids, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "keys");
    const char *params[] = {oids};
    const char *ancestors = PQserverVersion(node->main->raw) < 100000
                                ? ""
                                : "  UNION SELECT g.oid, a.relid FROM given g"
                                  "  JOIN pg_catalog.pg_class c ON c.oid = g.oid AND"
                                  "   c.relispartition,"
                                  "  LATERAL pg_catalog.pg_partition_ancestors(g.oid) a";
    const char *sql = mem_printf(
        tmp,
        "WITH given AS (SELECT pg_catalog.unnest($1::pg_catalog.oid[]) AS oid),"
        " up AS (SELECT g.oid AS leaf, g.oid AS oid FROM given g%s)"
        " SELECT u.leaf, f.conrelid, f.conname, c.relname FROM pg_catalog.pg_constraint f"
        " JOIN up u ON u.oid = f.confrelid JOIN pg_catalog.pg_class c ON c.oid = f.conrelid"
        " WHERE f.contype = 'f' ORDER BY 1, 2",
        ancestors);
    PGresult *res = pg_query(node->main, sql, 1, params, err);
    if (res == NULL)
        error_prefix(err, "could not look at the target's foreign keys");
    return res;
}

static bool refers_to_itself(const RestoreTable *t, const char *key, Error *err)
{
    error_set(err, ERR_USAGE,
              "table %s.%s refers to itself by foreign key \"%s\" and has %zu chunks, so its rows "
              "may come before those they refer to",
              t->schema, t->record->name, key, t->chunk_count);
    return error_hint(err, "Use --disable-triggers, or drop the foreign key for the restore.");
}

static bool add_key(RestoreNode *node, const PGresult *res, int row, const uint32_t *sorted,
                    size_t count, Error *err)
{
    uint32_t parent;
    uint32_t child;

    if (!find_target(node, (uint32_t) pg_cell_int(res, row, 0), sorted, count, &parent))
        return true;
    RestoreTable *t = &node->tables[parent];
    t->fresh = false;
    if (node->request->disable_triggers ||
        !find_target(node, (uint32_t) pg_cell_int(res, row, 1), sorted, count, &child))
        return true;
    if (child == parent)
        return t->chunk_count < 2 || refers_to_itself(t, pg_cell(res, row, 2), err);
    if (node->tables[parent].chunk_count == 0 || node->tables[child].chunk_count == 0)
        return true;
    *mem_push(node->ctx, node->orders, node->order_count, node->order_capacity,
              TableOrder) = (TableOrder){parent, child};
    return true;
}

static bool circle(const RestoreNode *node, const size_t *missing, Error *err)
{
    for (size_t i = 0; i < node->table_count; i++)
        if (missing[i] > 0)
        {
            error_set(err, ERR_USAGE, "the foreign keys of table %s.%s and others form a circle",
                      node->tables[i].schema, node->tables[i].record->name);
            break;
        }
    return error_hint(err, "Use --disable-triggers, or drop one of them for the restore.");
}

/* Takes away tables that wait for nothing, until there are none. */
static bool check_circles(const RestoreNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "circles");
    size_t n = node->table_count;
    size_t *missing = mem_array(tmp, size_t, n);
    size_t *first = mem_array(tmp, size_t, n + 2);
    uint32_t *after = mem_array(tmp, uint32_t, node->order_count);
    uint32_t *queue = mem_array(tmp, uint32_t, n);
    size_t head = 0;
    size_t tail = 0;

    for (size_t i = 0; i < node->order_count; i++)
    {
        missing[node->orders[i].after]++;
        first[node->orders[i].before + 2]++;
    }
    for (size_t i = 2; i < n + 2; i++)
        first[i] += first[i - 1];
    for (size_t i = 0; i < node->order_count; i++)
        after[first[node->orders[i].before + 1]++] = node->orders[i].after;
    for (uint32_t i = 0; i < n; i++)
        if (missing[i] == 0)
            queue[tail++] = i;
    while (head < tail)
    {
        uint32_t done = queue[head++];
        for (size_t k = first[done]; k < first[done + 1]; k++)
            if (--missing[after[k]] == 0)
                queue[tail++] = after[k];
    }
    return tail == n || circle(node, missing, err);
}

static bool order_tables(RestoreNode *node, const char *oids, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "keys");
    size_t count;
    const uint32_t *sorted = sort_targets(node, tmp, &count);
    AUTO(PQclear) PGresult *res = foreign_keys(node, oids, err);

    if (res == NULL)
        return false;
    for (int i = 0; i < PQntuples(res); i++)
        if (!add_key(node, res, i, sorted, count, err))
            return false;
    return check_circles(node, err);
}

/* ---- emptying ---- */

static bool check_truncate(RestoreNode *node, const char *oids, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "truncate");
    const char *params[] = {oids};
    Str *list = str_new(tmp);
    const char *sql = list_all(
        tmp, node->main,
        "SELECT DISTINCT n.nspname || '.' || c.relname, m.nspname || '.' || d.relname"
        " FROM pg_catalog.pg_constraint f"
        " JOIN pg_catalog.pg_class c ON c.oid = f.conrelid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_catalog.pg_class d ON d.oid = f.confrelid"
        " JOIN pg_catalog.pg_namespace m ON m.oid = d.relnamespace"
        " WHERE f.contype = 'f' AND f.confrelid IN (SELECT oid FROM all_tables)"
        " AND f.conrelid NOT IN (SELECT oid FROM all_tables) ORDER BY 1, 2");
    AUTO(PQclear) PGresult *res = pg_query(node->main, sql, 1, params, err);
    if (res == NULL)
        return false;
    if (PQntuples(res) == 0)
        return true;
    for (int i = 0; i < PQntuples(res) && i < NAMES_SHOWN; i++)
    {
        char one[160];
        char other[160];
        str_addf(list, "%s%s (to %s)", i == 0 ? "" : ", ",
                 str_one_line(one, sizeof(one), pg_cell(res, i, 0)),
                 str_one_line(other, sizeof(other), pg_cell(res, i, 1)));
    }
    if (PQntuples(res) > NAMES_SHOWN)
        str_addf(list, " and %d more", PQntuples(res) - NAMES_SHOWN);
    error_set(err, ERR_USAGE,
              "tables that are not to be emptied have foreign keys to some that "
              "are: %s",
              list->data);
    return error_hint(err, "Restore those tables, too, or drop their foreign keys first.");
}

bool refill_truncate(RestoreNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "truncate");
    size_t count;
    const char *params[] = {oid_array(node, tmp, &count)};
    Str *sql = str_new(tmp);

    if (!node->request->truncate || count == 0 || journal_is(node->journal, JOURNAL_EMPTIED))
        return true;
    const char *list = list_all(
        tmp, node->main,
        mem_printf(tmp,
                   "SELECT n.nspname, c.relname, %s FROM all_tables a"
                   " JOIN pg_catalog.pg_class c ON c.oid = a.oid"
                   " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
                   kind_of(node->main)));
    AUTO(PQclear) PGresult *res = pg_query(node->main, list, 1, params, err);
    if (res == NULL)
        return false;
    JournalItem emptied = {.kind = JOURNAL_STEP, .id = JOURNAL_EMPTIED};
    str_add(sql, journal_note(tmp, node->journal, emptied));
    for (int i = 0; i < PQntuples(res); i++)
    {
        const char *name = pg_quote_table(tmp, node->main, pg_cell(res, i, 0), pg_cell(res, i, 1),
                                          err);
        if (name == NULL)
            return false;
        str_addf(sql, "%s%s%s", i == 0 ? "TRUNCATE " : ", ",
                 *pg_cell(res, i, 2) == 'p' ? "" : "ONLY ", name);
    }
    if (pg_exec(node->main, sql->data, err))
        return true;
    error_prefix(err, "could not empty the tables");
    if (pg_sqlstate_is(err, PG_STATE_OUT_OF_MEMORY))
        error_hint(err, "Raise max_locks_per_transaction of the target, or restore the tables in "
                        "several runs.");
    return false;
}

/* ---- triggers ---- */

/* Those that fire in a replica's session, too, are switched off one by one, and on again as they
 * were, by the same transaction. */
static bool add_trigger(RestoreNode *node, const PGresult *res, int row, RestoreTable *t,
                        Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "trigger");
    const char *table = pg_quote_table(tmp, node->main, t->schema, t->record->name, err);
    const char *name = table == NULL ? NULL
                                     : pg_quote_ident(tmp, node->main, pg_cell(res, row, 1), err);

    if (name == NULL)
        return false;
    t->before = mem_printf(node->ctx, "%sALTER TABLE %s DISABLE TRIGGER %s; ", t->before, table,
                           name);
    t->after = mem_printf(node->ctx, "%sALTER TABLE %s ENABLE %s TRIGGER %s; ",
                          t->after == NULL ? "" : t->after, table,
                          *pg_cell(res, row, 2) == 'A' ? "ALWAYS" : "REPLICA", name);
    return true;
}

static bool disable_triggers(RestoreNode *node, const char *oids, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "triggers");
    const char *params[] = {oids};
    size_t count;
    const uint32_t *sorted = sort_targets(node, tmp, &count);

    if (!pg_exec(node->main, "SET session_replication_role = replica", err) ||
        !pg_exec(node->main, "RESET session_replication_role", err))
    {
        error_prefix(err, "--disable-triggers");
        return error_hint(err, "It is for superusers and roles that may set "
                               "session_replication_role.");
    }
    AUTO(PQclear)
    PGresult *res = pg_query(node->main,
                             "SELECT tgrelid, tgname, tgenabled FROM pg_catalog.pg_trigger"
                             " WHERE tgrelid = ANY ($1::pg_catalog.oid[])"
                             " AND tgenabled IN ('A', 'R') AND NOT tgisinternal",
                             1, params, err);
    if (res == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        node->tables[sorted[i]].before = "SET LOCAL session_replication_role = replica; ";
    for (int i = 0; i < PQntuples(res); i++)
    {
        uint32_t at;
        if (find_target(node, (uint32_t) pg_cell_int(res, i, 0), sorted, count, &at) &&
            !add_trigger(node, res, i, &node->tables[at], err))
            return false;
    }
    return true;
}

bool refill_prepare(RestoreNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "refill");
    size_t count;
    const char *oids = oid_array(node, tmp, &count);

    if (count == 0)
        return true;
    /* What was emptied by this run may be emptied again, to be frozen: where that is worth it. */
    for (size_t i = 0; i < node->table_count; i++)
        if (!node->tables[i].made)
            node->tables[i].fresh = node->request->truncate &&
                                    node->main->server.product == SERVER_POSTGRESQL &&
                                    node->tables[i].record->kind == 'r' &&
                                    node->tables[i].record->logical >= FREEZE_FLOOR;
    return order_tables(node, oids, err) &&
           (!node->request->truncate || check_truncate(node, oids, err)) &&
           (!node->request->disable_triggers || disable_triggers(node, oids, err));
}

/* fleet/greenplum_map.c - which relations of which segments hold a Greenplum cluster's rows
 * (FleetEngine.map). */
#include "base/oids.h"
#include "base/str.h"
#include "fleet/greenplum.h"

typedef struct PartList
{
    ScopePart *parts;
    size_t count, capacity;
} PartList;

typedef struct Mapper
{
    EngineMap *map;
    const BackupNode *nodes;
    size_t count;
    PgConn *conn;
    Catalog all;      /* of the coordinator, as the selection wants it */
    PartList *lists;  /* per node */
    size_t hidden;    /* partitions */
    const char *hide; /* NodeScope.hide */
} Mapper;

/* What comes with every database (gp_toolkit), and partitions that are parts of their tables. */
#define HIDE_TOOLKIT "c.oid < 16384"
#define HIDE_PARTITIONS                                                                            \
    "(c.oid < 16384 OR EXISTS (SELECT 1 FROM pg_catalog.pg_partition_rule r"                       \
    " WHERE r.parchildrelid = c.oid))"

/* ---- how tables are spread ---- */

enum
{
    COL_OID,
    COL_POLICY,
    COL_SEGMENTS,
    COL_COLUMN,
    COL_OPCLASS,
};

static void add_text(void *ctx, char ***list, size_t *count, const char *text)
{
    *list = mem_grow(ctx, *list, char *, *count + 1);
    (*list)[(*count)++] = mem_strdup(ctx, text);
}

static DistributionRecord make_distribution(const Mapper *m, const PGresult *res, int row,
                                            bool hash)
{
    bool replicated = pg_cell(res, row, COL_POLICY)[0] == 'r';
    const char *method = replicated ? "replicated" : hash ? "hash" : "random";
    return (DistributionRecord){.content = m->nodes[0].content,
                                .database = mem_strdup(m->map, m->nodes[0].record.database),
                                .table_oid = (uint32_t) pg_cell_int(res, row, COL_OID),
                                .method = mem_strdup(m->map, method),
                                .shards = (uint64_t) pg_cell_int(res, row, COL_SEGMENTS)};
}

static void take_distribution(Mapper *m, const PGresult *res, int row)
{
    EngineMap *map = m->map;
    size_t last = map->distribution_count;
    uint32_t oid = (uint32_t) pg_cell_int(res, row, COL_OID);
    bool hash = !pg_cell_null(res, row, COL_COLUMN);
    if (last == 0 || map->distributions[last - 1].table_oid != oid)
        map->distributions[map->distribution_count++] = make_distribution(m, res, row, hash);
    DistributionRecord *d = &map->distributions[map->distribution_count - 1];
    if (!hash)
        return;
    add_text(map, &d->columns, &d->column_count, pg_cell(res, row, COL_COLUMN));
    add_text(map, &d->opclasses, &d->opclass_count, pg_cell(res, row, COL_OPCLASS));
}

/* A row per column of a distribution key, in the key's order; one for a table without. distkey and
 * distclass count from 0. */
static bool read_distributions(Mapper *m, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(m->conn,
                             "SELECT p.localoid, p.policytype, p.numsegments, a.attname,"
                             " n.nspname || '.' || o.opcname"
                             " FROM pg_catalog.gp_distribution_policy p"
                             " LEFT JOIN LATERAL pg_catalog.generate_series(0,"
                             "  pg_catalog.array_upper(p.distkey::int2[], 1)) i ON true"
                             " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = p.localoid AND "
                             "a.attnum = p.distkey[i]"
                             " LEFT JOIN pg_catalog.pg_opclass o ON o.oid = p.distclass[i]"
                             " LEFT JOIN pg_catalog.pg_namespace n ON n.oid = o.opcnamespace"
                             " ORDER BY p.localoid, i",
                             0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not read how tables are distributed");
    m->map->distributions = mem_array(m->map, DistributionRecord, PQntuples(res));
    for (int i = 0; i < PQntuples(res); i++)
        if (catalog_find(&m->all, (uint32_t) pg_cell_int(res, i, COL_OID)) != NULL)
            take_distribution(m, res, i);
    return true;
}

/* ---- where their rows are ---- */

/* Relations with rows of their own: not the upper levels of partitioned tables, which the server says
 * are empty without an error, and no external tables. table: the relation that pg_dump knows. */
#define PARTS_OF_6                                                                                 \
    "SELECT c.oid, n.nspname, c.relname, coalesce(t.parrelid, c.oid), p.policytype, p.numsegments" \
    " FROM pg_catalog.gp_distribution_policy p"                                                    \
    " JOIN pg_catalog.pg_class c ON c.oid = p.localoid"                                            \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                                    \
    " LEFT JOIN pg_catalog.pg_partition_rule r ON r.parchildrelid = c.oid"                         \
    " LEFT JOIN pg_catalog.pg_partition t ON t.oid = r.paroid"                                     \
    " WHERE c.relkind = 'r' AND c.relstorage IN ('h', 'a', 'c')"                                   \
    " AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_partition x WHERE x.parrelid = c.oid)"           \
    " AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_partition_rule k"                                \
    "  WHERE r.oid IS NOT NULL AND k.parparentrule = r.oid) ORDER BY c.oid"
#define PARTS                                                                                      \
    "SELECT c.oid, n.nspname, c.relname, c.oid, p.policytype, p.numsegments"                       \
    " FROM pg_catalog.gp_distribution_policy p"                                                    \
    " JOIN pg_catalog.pg_class c ON c.oid = p.localoid"                                            \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                                    \
    " WHERE c.relkind = 'r' ORDER BY c.oid"

static void add_part(Mapper *m, size_t node, const PGresult *res, int row)
{
    PartList *list = &m->lists[node];
    ScopePart *part = mem_push(m->map, list->parts, list->count, list->capacity, ScopePart);
    *part = (ScopePart){.schema = mem_strdup(m->map, pg_cell(res, row, 1)),
                        .name = mem_strdup(m->map, pg_cell(res, row, 2)),
                        .table_oid = (uint32_t) pg_cell_int(res, row, 3),
                        .shard_id = m->nodes[node].content};
}

/* On every segment that the table lies on; of a replicated table on one, another for each. */
static bool take_relation(Mapper *m, const PGresult *res, int row, Error *err)
{
    size_t segments = (size_t) pg_cell_int(res, row, 5);
    if (segments == 0 || segments > m->count - 1)
        return error_set(err, ERR_CHANGED, "table \"%s.%s\" lies on %zu segments, there are %zu",
                         pg_cell(res, row, 1), pg_cell(res, row, 2), segments, m->count - 1);
    bool copies = pg_cell(res, row, 4)[0] == 'r';
    size_t first = copies ? (size_t) pg_cell_int(res, row, 0) % segments : 0;
    size_t end = copies ? first + 1 : segments;
    for (size_t i = first; i < end; i++)
        add_part(m, i + 1, res, row);
    return true;
}

static bool read_parts(Mapper *m, Error *err)
{
    bool partitions = greenplum_partitions(m->conn);
    AUTO(PQclear) PGresult *res = pg_query(m->conn, partitions ? PARTS_OF_6 : PARTS, 0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not read where the rows of tables are");
    for (int i = 0; i < PQntuples(res); i++)
    {
        uint32_t table = (uint32_t) pg_cell_int(res, i, 3);
        m->hidden += table != (uint32_t) pg_cell_int(res, i, 0) ? 1 : 0;
        if (catalog_wants_rows(&m->all, table) && !take_relation(m, res, i, err))
            return false;
    }
    return true;
}

/* ---- the whole ---- */

/* Nothing but catalogues, and what an extension has as its configuration, is read from the coordinator,
 * which has no rows of its own. */
static uint32_t *list_spread(const Mapper *m, size_t *ret_count)
{
    uint32_t *spread = mem_array(m->map, uint32_t, m->all.count);
    *ret_count = 0;
    for (size_t i = 0; i < m->all.count; i++)
    {
        const Relation *r = &m->all.items[i];
        if (r->kind == 'r' && r->extension == NULL && r->data != DATA_CATALOG)
            spread[(*ret_count)++] = r->oid;
    }
    oids_sort(spread, *ret_count);
    return spread;
}

static void make_scopes(Mapper *m)
{
    NodeScope *scopes = m->map->scopes;
    size_t spread_count;
    const uint32_t *spread = list_spread(m, &spread_count);
    scopes[0] = (NodeScope){.catalogue = true,
                            .hide = m->hide,
                            .trees = true,
                            .hidden_count = m->hidden,
                            .whole_tables = true,
                            .spread = spread,
                            .spread_count = spread_count};
    for (size_t i = 1; i < m->count; i++)
    {
        scope_sort(m->lists[i].parts, m->lists[i].count);
        scopes[i] = (NodeScope){
            .whole_tables = true, .parts = m->lists[i].parts, .part_count = m->lists[i].count};
    }
}

EngineMap *greenplum_map(void *ctx, const BackupNode *nodes, size_t count, PgConn *conn, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "greenplum map");
    EngineMap *map = mem_new(ctx, EngineMap);
    Mapper m = {.map = map,
                .nodes = nodes,
                .count = count,
                .conn = conn,
                .lists = mem_array(tmp, PartList, count),
                .hide = greenplum_partitions(conn) ? HIDE_PARTITIONS : HIDE_TOOLKIT};
    map->scopes = mem_array(map, NodeScope, count);
    if (!catalog_read_relations(conn, tmp, nodes[0].request->selection, m.hide, &m.all, err) ||
        !read_distributions(&m, err) || !read_parts(&m, err))
    {
        error_node(err, nodes[0].label);
        mem_free(map);
        return NULL;
    }
    make_scopes(&m);
    return map;
}

/* fleet/citus_map.c - which relations of which nodes hold a Citus cluster's rows (FleetEngine.map). */
#include "base/log.h"
#include "base/str.h"
#include "fleet/citus.h"

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
    const char *database;
    Catalog all;     /* of the coordinator, as the selection wants it */
    PartList *lists; /* per node */
} Mapper;

static bool has_relation(PgConn *conn, const char *name, bool *ret_has, Error *err)
{
    const char *params[] = {name};
    AUTO(PQclear)
    PGresult *res = pg_query(conn, "SELECT pg_catalog.to_regclass($1) IS NOT NULL", 1, params, err);
    *ret_has = res != NULL && pg_cell_bool(res, 0, 0);
    return res != NULL;
}

/* pg_dist_partition's partmethod, repmodel and colocationid, by one word. A table without a
 * distribution column is a reference table by its replication by two-phase commit; else one with a
 * colocation group has one shard somewhere, and one without is the coordinator's own. */
static const char *method_name(char partmethod, char repmodel, int64_t colocation)
{
    switch (partmethod)
    {
    case 'h':
        return "hash";
    case 'r':
        return "range";
    case 'a':
        return "append";
    default:
        return repmodel == 't' ? "reference" : colocation != 0 ? "single" : "local";
    }
}

/* Tenant schemas are those of pg_dist_schema, where there is one. */
static bool read_distributions(Mapper *m, bool schemas, Error *err)
{
    const char *tenant = schemas ? "(SELECT n.nspname FROM pg_catalog.pg_dist_schema d"
                                   " JOIN pg_catalog.pg_namespace n ON n.oid = d.schemaid"
                                   " WHERE d.schemaid = c.relnamespace)"
                                 : "NULL";
    const char *sql = mem_printf(
        m->map,
        "SELECT p.logicalrelid::oid, p.partmethod, p.repmodel, p.colocationid,"
        " CASE WHEN p.partkey IS NOT NULL"
        "  THEN pg_catalog.column_to_column_name(p.logicalrelid, p.partkey::text) END,"
        " %s, (SELECT count(*) FROM pg_catalog.pg_dist_shard s"
        "  WHERE s.logicalrelid = p.logicalrelid),"
        " (SELECT coalesce(pg_catalog.max(c.copies), 0) FROM"
        "  (SELECT count(*) AS copies FROM pg_catalog.pg_dist_shard s"
        "   JOIN pg_catalog.pg_dist_placement l ON l.shardid = s.shardid AND l.shardstate = 1"
        "   WHERE s.logicalrelid = p.logicalrelid GROUP BY s.shardid) c)"
        " FROM pg_catalog.pg_dist_partition p"
        " JOIN pg_catalog.pg_class c ON c.oid = p.logicalrelid::oid ORDER BY 1",
        tenant);
    AUTO(PQclear) PGresult *res = pg_query(m->conn, sql, 0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not read which tables are distributed");
    EngineMap *map = m->map;
    map->distribution_count = (size_t) PQntuples(res);
    map->distributions = mem_array(map, DistributionRecord, map->distribution_count);
    for (int i = 0; i < PQntuples(res); i++)
    {
        DistributionRecord *d = &map->distributions[i];
        char method = pg_cell(res, i, 1)[0];
        int64_t colocation = pg_cell_int(res, i, 3);
        d->content = m->nodes[0].content;
        d->database = mem_strdup(map, m->database);
        d->table_oid = (uint32_t) pg_cell_int(res, i, 0);
        d->method = mem_strdup(map, method_name(method, pg_cell(res, i, 2)[0], colocation));
        d->column = pg_cell_null(res, i, 4) ? NULL : mem_strdup(map, pg_cell(res, i, 4));
        d->colocation = (uint32_t) colocation;
        d->tenant_schema = pg_cell_null(res, i, 5) ? NULL : mem_strdup(map, pg_cell(res, i, 5));
        d->shards = (uint64_t) pg_cell_int(res, i, 6);
        d->placements = (uint64_t) pg_cell_int(res, i, 7);
    }
    return true;
}

static size_t node_of_group(const Mapper *m, int64_t group)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->nodes[i].dbid == group)
            return i;
    return m->count;
}

static char *text_or_null(void *ctx, const PGresult *res, int row, int column)
{
    return pg_cell_null(res, row, column) ? NULL : mem_strdup(ctx, pg_cell(res, row, column));
}

static bool take_shard(Mapper *m, const PGresult *res, int row, Error *err)
{
    size_t at = node_of_group(m, pg_cell_int(res, row, 6));
    if (pg_cell_null(res, row, 6))
        return error_set(err, ERR_CHANGED, "shard %s of table %s has no active placement",
                         pg_cell(res, row, 1), pg_cell(res, row, 5));
    if (at == m->count)
        return error_set(err, ERR_CHANGED, "shard %s lies on node group %s, which has come since",
                         pg_cell(res, row, 1), pg_cell(res, row, 6));
    PartList *list = &m->lists[at];
    ScopePart *part = mem_push(m->map, list->parts, list->count, list->capacity, ScopePart);
    part->table_oid = (uint32_t) pg_cell_int(res, row, 0);
    part->shard_id = pg_cell_int(res, row, 1);
    part->min = text_or_null(m->map, res, row, 2);
    part->max = text_or_null(m->map, res, row, 3);
    part->schema = mem_strdup(m->map, pg_cell(res, row, 4));
    part->name = mem_strdup(m->map, pg_cell(res, row, 5));
    return true;
}

/* One placement of each shard; of a reference table the coordinator's, if it has one, as groups are
 * in order. shard_name() quotes, and leaves out "public". */
static bool read_shards(Mapper *m, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(
        m->conn,
        "SELECT s.logicalrelid::oid, s.shardid, s.shardminvalue, s.shardmaxvalue, n.nspname,"
        " (SELECT i[pg_catalog.array_upper(i, 1)] FROM pg_catalog.parse_ident("
        "  pg_catalog.shard_name(s.logicalrelid, s.shardid)) i),"
        " (SELECT pg_catalog.min(p.groupid) FROM pg_catalog.pg_dist_placement p"
        "  WHERE p.shardid = s.shardid AND p.shardstate = 1)"
        " FROM pg_catalog.pg_dist_shard s"
        " JOIN pg_catalog.pg_class c ON c.oid = s.logicalrelid::oid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY s.shardid",
        0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not read where the shards are");
    for (int i = 0; i < PQntuples(res); i++)
    {
        if (catalog_wants_rows(&m->all, (uint32_t) pg_cell_int(res, i, 0)) &&
            !take_shard(m, res, i, err))
            return false;
    }
    return true;
}

static bool read_schemas(Mapper *m, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(m->conn,
                             "SELECT n.nspname FROM pg_catalog.pg_dist_schema d"
                             " JOIN pg_catalog.pg_namespace n ON n.oid = d.schemaid ORDER BY 1",
                             0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not read the distributed schemas");
    m->map->schema_count = (size_t) PQntuples(res);
    m->map->schemas = mem_array(m->map, DistributedSchemaRecord, m->map->schema_count);
    for (int i = 0; i < PQntuples(res); i++)
        m->map->schemas[i] = (DistributedSchemaRecord){
            .content = m->nodes[0].content,
            .database = mem_strdup(m->map, m->database),
            .schema = mem_strdup(m->map, pg_cell(res, i, 0))};
    return true;
}

/* Functions that every node has anyhow need no record: what is said of some is where they are called. */
static bool read_functions(Mapper *m, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(
        m->conn,
        "SELECT n.nspname, p.proname, pg_catalog.oidvectortypes(p.proargtypes),"
        " '$' || (o.distribution_argument_index + 1), coalesce(o.colocationid, 0),"
        " coalesce(o.force_delegation, false)"
        " FROM pg_catalog.pg_dist_object o JOIN pg_catalog.pg_proc p ON p.oid = o.objid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
        " WHERE o.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass"
        " AND (o.distribution_argument_index IS NOT NULL OR coalesce(o.colocationid, 0) <> 0"
        "  OR coalesce(o.force_delegation, false))"
        " ORDER BY 1, 2, 3",
        0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not read the distributed functions");
    m->map->function_count = (size_t) PQntuples(res);
    m->map->functions = mem_array(m->map, DistributedFunctionRecord, m->map->function_count);
    for (int i = 0; i < PQntuples(res); i++)
        m->map->functions[i] = (DistributedFunctionRecord){
            .content = m->nodes[0].content,
            .database = mem_strdup(m->map, m->database),
            .schema = mem_strdup(m->map, pg_cell(res, i, 0)),
            .name = mem_strdup(m->map, pg_cell(res, i, 1)),
            .arguments = mem_strdup(m->map, pg_cell(res, i, 2)),
            .argument = text_or_null(m->map, res, i, 3),
            .colocation = (uint32_t) pg_cell_int(res, i, 4),
            .force_delegation = pg_cell_bool(res, i, 5)};
    return true;
}

/* A worker gives out numbers of its own range: nextval() there never asks the coordinator. */
static void list_sequences(const Mapper *m, ScopeName **ret, size_t *ret_count)
{
    *ret_count = m->all.sequence_count;
    *ret = mem_array(m->map, ScopeName, *ret_count);
    for (size_t i = 0; i < *ret_count; i++)
        (*ret)[i] = (ScopeName){mem_strdup(m->map, m->all.sequences[i].schema),
                                mem_strdup(m->map, m->all.sequences[i].name)};
}

static void make_scopes(Mapper *m)
{
    EngineMap *map = m->map;
    uint32_t *spread = mem_array(map, uint32_t, map->distribution_count);
    ScopeName *sequences;
    size_t sequence_count;
    for (size_t i = 0; i < map->distribution_count; i++)
        spread[i] = map->distributions[i].table_oid;
    list_sequences(m, &sequences, &sequence_count);
    for (size_t i = 0; i < m->count; i++)
    {
        scope_sort(m->lists[i].parts, m->lists[i].count);
        map->scopes[i] = (NodeScope){.catalogue = i == 0,
                                     .hide = CITUS_HIDE_SHARDS,
                                     .spread = spread,
                                     .spread_count = map->distribution_count,
                                     .parts = m->lists[i].parts,
                                     .part_count = m->lists[i].count,
                                     .sequences = i == 0 ? NULL : sequences,
                                     .sequence_count = i == 0 ? 0 : sequence_count};
    }
}

EngineMap *citus_map(void *ctx, const BackupNode *nodes, size_t count, PgConn *conn, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "citus map");
    EngineMap *map = mem_new(ctx, EngineMap);
    Mapper m = {.map = map,
                .nodes = nodes,
                .count = count,
                .conn = conn,
                .database = nodes[0].record.database,
                .lists = mem_array(tmp, PartList, count)};
    bool schemas;
    map->scopes = mem_array(map, NodeScope, count);
    if (!catalog_read_relations(conn, tmp, nodes[0].request->selection, CITUS_HIDE_SHARDS, &m.all,
                                err) ||
        !has_relation(conn, "pg_catalog.pg_dist_schema", &schemas, err) ||
        !read_distributions(&m, schemas, err) || !read_shards(&m, err) ||
        (schemas && !read_schemas(&m, err)) || !read_functions(&m, err))
    {
        error_node(err, nodes[0].label);
        mem_free(map);
        return NULL;
    }
    make_scopes(&m);
    return map;
}

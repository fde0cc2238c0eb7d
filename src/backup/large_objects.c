/* backup/large_objects.c - large objects as relations; the contract is in large_objects.h. */
#include "backup/large_objects.h"

#include "repo/large_object_tables.h"

/* Where lists and fallback may be cut; more chunks than that are not needed to keep any number of
 * workers busy. The places come from a sample of so many blocks. */
#define CUTS          256
#define SAMPLE_BLOCKS 2000

/* The fallback's piece: a multiple of the server's page (LOBLKSIZE, at most 8 kB) that makes the
 * calls few and is held in memory a few times only. */
#define PIECE "262144"

#define CLASS "'pg_catalog.pg_largeobject'::pg_catalog.regclass"

/* What is asked once: column by column of the result. */
enum
{
    COL_MAY_READ,
    COL_COMMENTS,
    COL_LABELS,
    COL_DATA_BYTES,
    COL_LIST_BYTES,
    COL_BLOCK_SIZE,
    COL_DATA_FILE,
    COL_LIST_FILE,
};

static PGresult *ask(PgConn *conn, Error *err)
{
    return pg_query(conn,
                    "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_largeobject', 'SELECT'),"
                    " EXISTS (SELECT FROM pg_catalog.pg_description WHERE classoid = " CLASS "),"
                    " EXISTS (SELECT FROM pg_catalog.pg_seclabel WHERE classoid = " CLASS "),"
                    " pg_catalog.pg_relation_size('pg_catalog.pg_largeobject'),"
                    " pg_catalog.pg_relation_size('pg_catalog.pg_largeobject_metadata'),"
                    " pg_catalog.current_setting('block_size'),"
                    " pg_catalog.pg_relation_filenode('pg_catalog.pg_largeobject'),"
                    " pg_catalog.pg_relation_filenode('pg_catalog.pg_largeobject_metadata')"
                    " WHERE EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)",
                    0, NULL, err);
}

/* Before anything is stored, and not when its chunk comes: of pg_dump's faults one is to fail on
 * the last object. The server's own check is pg_largeobject_aclcheck. */
static bool check_readable(PgConn *conn, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(
        conn,
        "SELECT m.oid, current_user FROM pg_catalog.pg_largeobject_metadata m"
        " WHERE NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE')"
        " AND NOT pg_catalog.current_setting('lo_compat_privileges')::boolean"
        " AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(m.lomacl) a"
        "  WHERE a.privilege_type = 'SELECT'"
        "  AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE'))) LIMIT 1",
        0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not look at the rights on large objects");
    if (PQntuples(res) == 0)
        return true;
    error_set(err, ERR_USAGE, "role \"%s\" may not read large object %s", pg_cell(res, 0, 1),
              pg_cell(res, 0, 0));
    return error_hint(err, "Grant it SELECT on the large object, or leave large objects out with "
                           "--no-large-objects.");
}

/* Any places will do, as long as they divide the objects about evenly. */
static bool read_cuts(PgConn *conn, Relation *list, void *ctx, Error *err)
{
    char sql[512];
    double percent = list->blocks <= SAMPLE_BLOCKS ? 100.0
                                                   : 100.0 * SAMPLE_BLOCKS / (double) list->blocks;
    snprintf(sql, sizeof(sql),
             "SELECT DISTINCT c.oid FROM pg_catalog.unnest((SELECT pg_catalog.percentile_disc("
             "(SELECT pg_catalog.array_agg(i / %d.0) FROM pg_catalog.generate_series(1, %d) i))"
             " WITHIN GROUP (ORDER BY m.oid)"
             " FROM pg_catalog.pg_largeobject_metadata m TABLESAMPLE SYSTEM (%.6f) REPEATABLE (1)))"
             " c(oid) WHERE c.oid IS NOT NULL ORDER BY 1",
             CUTS, CUTS - 1, percent);
    AUTO(PQclear) PGresult *res = pg_query(conn, sql, 0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not divide the large objects");
    list->cut_count = (size_t) PQntuples(res);
    list->cuts = mem_array(ctx, uint32_t, list->cut_count);
    for (size_t i = 0; i < list->cut_count; i++)
        list->cuts[i] = (uint32_t) pg_cell_int(res, (int) i, 0);
    return true;
}

static Relation *add_relation(void *ctx, Catalog *catalog, uint32_t oid, const char *name,
                              const char *const (*columns)[2], size_t count)
{
    Relation *r = mem_push(ctx, catalog->items, catalog->count, catalog->capacity, Relation);
    r->oid = oid;
    r->kind = 'r';
    r->schema = mem_strdup(ctx, LARGE_OBJECT_SCHEMA);
    r->name = mem_strdup(ctx, name);
    r->quoted = mem_printf(ctx, "\"" LARGE_OBJECT_SCHEMA "\".\"%s\"", name);
    r->data = DATA_CATALOG;
    r->columns = mem_array(ctx, char *, count);
    r->types = mem_array(ctx, char *, count);
    r->column_count = count;
    for (size_t i = 0; i < count; i++)
    {
        r->columns[i] = mem_strdup(ctx, columns[i][0]);
        r->types[i] = mem_strdup(ctx, columns[i][1]);
    }
    return r;
}

static Relation *add_data(void *ctx, Catalog *catalog, const PGresult *res)
{
    static const char *const columns[][2] = {
        {"loid", "oid"}, {"offset", "int8"}, {"data", "bytea"}};
    Relation *r = add_relation(ctx, catalog, LARGE_OBJECT_DATA_OID, LARGE_OBJECT_DATA_NAME, columns,
                               LENGTH_OF(columns));
    r->relfilenode = (uint32_t) pg_cell_int(res, 0, COL_DATA_FILE);
    r->bytes = (uint64_t) pg_cell_int(res, 0, COL_DATA_BYTES);
    r->blocks = r->bytes / (uint64_t) pg_cell_int(res, 0, COL_BLOCK_SIZE);
    r->binary = true;
    if (pg_cell_bool(res, 0, COL_MAY_READ))
    {
        r->lock = true;
        r->heap = true;
        /* A page of a large object is a quarter of the server's (LOBLKSIZE in large_object.h). */
        r->column_list = mem_printf(ctx, "loid, pageno::bigint * %" PRId64 ", data",
                                    pg_cell_int(res, 0, COL_BLOCK_SIZE) / 4);
        return r;
    }
    /* The objects come out of the inner query one by one, each closed before its pieces are read:
     * OFFSET 0 keeps the server from computing an open or a close twice, or at another place. */
    r->column_list = mem_strdup(ctx, "m.oid, p.o, pg_catalog.lo_get(m.oid, p.o, " PIECE ")");
    r->from = "(SELECT s.oid, s.bytes, pg_catalog.lo_close(s.fd) FROM (SELECT f.oid, f.fd,"
              " pg_catalog.lo_lseek64(f.fd, 0, 2) AS bytes FROM (SELECT l.oid,"
              " pg_catalog.lo_open(l.oid, 262144) AS fd"
              " FROM pg_catalog.pg_largeobject_metadata l";
    r->from_end = " OFFSET 0) f OFFSET 0) s OFFSET 0) m,"
                  " LATERAL pg_catalog.generate_series(0, m.bytes - 1, " PIECE ") p(o)";
    return r;
}

static Relation *add_list(void *ctx, Catalog *catalog, const PGresult *res,
                          const Selection *selection)
{
    static const char *const columns[][2] = {{"oid", "oid"},
                                             {"owner", "name"},
                                             {"acl", "text"},
                                             {"comment", "text"},
                                             {"labels", "text"}};
    bool acl = (selection->without & WITHOUT_PRIVILEGES) == 0;
    bool comments = (selection->without & WITHOUT_COMMENTS) == 0 &&
                    pg_cell_bool(res, 0, COL_COMMENTS);
    bool labels = (selection->without & WITHOUT_SECURITY_LABELS) == 0 &&
                  pg_cell_bool(res, 0, COL_LABELS);
    Relation *r = add_relation(ctx, catalog, LARGE_OBJECT_LIST_OID, LARGE_OBJECT_LIST_NAME, columns,
                               LENGTH_OF(columns));
    r->relfilenode = (uint32_t) pg_cell_int(res, 0, COL_LIST_FILE);
    r->bytes = (uint64_t) pg_cell_int(res, 0, COL_LIST_BYTES);
    r->blocks = r->bytes / (uint64_t) pg_cell_int(res, 0, COL_BLOCK_SIZE);
    /* What no object has costs nothing to look for. */
    r->column_list = mem_printf(
        ctx, "l.oid, pg_catalog.pg_get_userbyid(l.lomowner), %s, %s, %s",
        acl ? "l.lomacl::pg_catalog.text" : "NULL",
        comments ? "(SELECT d.description FROM pg_catalog.pg_description d WHERE d.objoid = l.oid"
                   " AND d.classoid = " CLASS " AND d.objsubid = 0)"
                 : "NULL",
        labels ? "(SELECT pg_catalog.json_object_agg(e.provider, e.label) FROM"
                 " pg_catalog.pg_seclabel e WHERE e.objoid = l.oid AND e.classoid = " CLASS
                 " AND e.objsubid = 0)"
               : "NULL");
    r->from = "pg_catalog.pg_largeobject_metadata l";
    r->from_end = "";
    return r;
}

bool large_objects_add(PgConn *conn, void *ctx, const Selection *selection, Catalog *catalog,
                       Error *err)
{
    if (!selection_wants_blobs(selection) || (selection->sections & SELECT_DATA) == 0)
        return true;
    AUTO(PQclear) PGresult *res = ask(conn, err);
    if (res == NULL)
        return error_prefix(err, "could not look for large objects");
    if (PQntuples(res) == 0)
        return true;
    bool fallback = !pg_cell_bool(res, 0, COL_MAY_READ);
    if (fallback && !check_readable(conn, err))
        return false;
    add_data(ctx, catalog, res);
    /* Only now: the vector may have moved. */
    Relation *list = add_list(ctx, catalog, res, selection);
    if (!read_cuts(conn, list, ctx, err))
        return false;
    if (fallback)
    {
        catalog->items[0].cuts = list->cuts;
        catalog->items[0].cut_count = list->cut_count;
    }
    return true;
}

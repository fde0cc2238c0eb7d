/*
 * backup/catalog_types.c - which column types have a binary form that any other database of the
 * same or a newer version reads as the same value.
 *
 * Not portable: the reg* types (their text form is a name, their binary form an oid of this
 * database), arrays and composites whose stream carries the oid of a user-defined type (array_send
 * and record_send write element and column type oids), types without send or receive functions,
 * base types defined by users or extensions (their binary form is the extension version's own), xml
 * (receiving it parses and may rewrite the declaration). Built-in oids are the same everywhere.
 */
#include "backup/catalog.h"

#define FIRST_USER_OID 16384
#define DEPTH_MAX      32

typedef struct TypeEntry
{
    uint32_t oid;
    bool portable;
} TypeEntry;

struct TypeCache
{
    PgConn *conn;
    TypeEntry *items;
    size_t count;
    size_t capacity;
};

TypeCache *type_cache_new(void *ctx, PgConn *conn)
{
    TypeCache *cache = mem_new(ctx, TypeCache);
    cache->conn = conn;
    return cache;
}

static bool resolve(TypeCache *cache, uint32_t oid, int depth, bool *ret, Error *err);

static bool builtin_refused(const char *name)
{
    static const char *const refused[] = {
        "regproc",   "regprocedure",  "regoper",      "regoperator",    "regclass",     "regtype",
        "regconfig", "regdictionary", "regnamespace", "regrole",        "regcollation", "xml",
        "aclitem",   "pg_node_tree",  "anyarray",     "pg_ddl_command", "regdatabase"};
    for (size_t i = 0; i < LENGTH_OF(refused); i++)
    {
        if (strcmp(name, refused[i]) == 0)
            return true;
    }
    return false;
}

/* What array_send and record_send name by oid must be built-in. */
static bool embedded(TypeCache *cache, uint32_t oid, int depth, bool *ret, Error *err)
{
    *ret = false;
    return oid >= FIRST_USER_OID ? true : resolve(cache, oid, depth + 1, ret, err);
}

static bool composite(TypeCache *cache, const char *fields, int depth, bool *ret, Error *err)
{
    *ret = true;
    for (const char *p = fields; *p != '\0' && *ret;)
    {
        char *end;
        uint32_t oid = (uint32_t) strtoul(p, &end, 10);
        if (!embedded(cache, oid, depth, ret, err))
            return false;
        p = *end == ',' ? end + 1 : end;
    }
    return true;
}

static bool judge(TypeCache *cache, const PGresult *res, uint32_t oid, int depth, bool *ret,
                  Error *err)
{
    char kind = pg_cell(res, 0, 1)[0];
    uint32_t element = (uint32_t) pg_cell_int(res, 0, 2);
    bool array = pg_cell(res, 0, 3)[0] == 'A';
    uint32_t base = (uint32_t) pg_cell_int(res, 0, 4);
    bool functions = pg_cell_bool(res, 0, 5);
    uint32_t subtype = (uint32_t) pg_cell_int(res, 0, 6);
    *ret = false;
    if (!functions || builtin_refused(pg_cell(res, 0, 0)))
        return true;
    if (kind == 'd')
        return resolve(cache, base, depth + 1, ret, err);
    if (kind == 'r' || kind == 'm')
        return resolve(cache, subtype, depth + 1, ret, err);
    if (kind == 'c')
        return composite(cache, pg_cell(res, 0, 7), depth, ret, err);
    if (kind == 'b' && array && element != 0)
        return embedded(cache, element, depth, ret, err);
    *ret = kind == 'e' || (kind == 'b' && oid < FIRST_USER_OID);
    return true;
}

static bool resolve(TypeCache *cache, uint32_t oid, int depth, bool *ret, Error *err)
{
    for (size_t i = 0; i < cache->count; i++)
    {
        if (cache->items[i].oid == oid)
        {
            *ret = cache->items[i].portable;
            return true;
        }
    }
    if (depth > DEPTH_MAX)
    {
        *ret = false;
        return true;
    }
    char text[16];
    snprintf(text, sizeof(text), "%u", oid);
    const char *params[] = {text};
    const char *range_match = PQserverVersion(cache->conn->raw) >= 140000
                                  ? "r.rngtypid = t.oid OR r.rngmultitypid = t.oid"
                                  : "r.rngtypid = t.oid";
    char sql[1024];
    snprintf(sql, sizeof(sql),
             "SELECT t.typname, t.typtype, t.typelem, t.typcategory, t.typbasetype,"
             " t.typsend::oid <> 0 AND t.typreceive::oid <> 0,"
             " (SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE %s),"
             " (SELECT string_agg(a.atttypid::text, ',') FROM pg_catalog.pg_attribute a"
             "  WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)"
             " FROM pg_catalog.pg_type t WHERE t.oid = $1::oid",
             range_match);
    AUTO(PQclear) PGresult *res = pg_query(cache->conn, sql, 1, params, err);
    if (res == NULL)
        return error_prefix(err, "could not look at type %u", oid);
    *ret = false;
    if (PQntuples(res) == 1 && !judge(cache, res, oid, depth, ret, err))
        return false;
    TypeEntry *entry = mem_push(cache, cache->items, cache->count, cache->capacity, TypeEntry);
    entry->oid = oid;
    entry->portable = *ret;
    return true;
}

bool type_is_portable(TypeCache *cache, uint32_t oid, bool *ret_portable, Error *err)
{
    return resolve(cache, oid, 0, ret_portable, err);
}

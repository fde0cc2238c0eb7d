/*
 * backup/catalog_types.c - which column types have a binary form that any other database of the
 * same or a newer version reads as the same value.
 *
 * Not portable: the reg* types (their text form is a name, their binary form an oid of this
 * database), arrays and composites whose stream carries the oid of a user-defined type (array_send
 * and record_send write element and column type oids), types without send or receive functions,
 * base types defined by users or extensions (their binary form is the extension version's own), xml
 * (receiving it parses and may rewrite the declaration), money (how many of its digits are behind
 * the point is the database's lc_monetary). Built-in oids are the same everywhere.
 *
 * The same look at a type gives its text for the manifest (doc/format.md, 2.1).
 */
#include "backup/catalog.h"

#include "base/str.h"

#define FIRST_USER_OID 16384
#define DEPTH_MAX      32

typedef struct TypeEntry
{
    uint32_t oid;
    bool portable;
    char *text; /* for the manifest */
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

static bool resolve(TypeCache *cache, uint32_t oid, int depth, TypeEntry *ret, Error *err);

static bool builtin_refused(const char *name)
{
    static const char *const refused[] = {
        "regproc",   "regprocedure",  "regoper",      "regoperator",    "regclass",     "regtype",
        "regconfig", "regdictionary", "regnamespace", "regrole",        "regcollation", "xml",
        "aclitem",   "pg_node_tree",  "anyarray",     "pg_ddl_command", "regdatabase",  "money"};
    for (size_t i = 0; i < LENGTH_OF(refused); i++)
    {
        if (strcmp(name, refused[i]) == 0)
            return true;
    }
    return false;
}

/* What array_send and record_send name by oid must be built-in. */
static bool embedded(TypeCache *cache, uint32_t oid, int depth, TypeEntry *ret, Error *err)
{
    if (!resolve(cache, oid, depth + 1, ret, err))
        return false;
    ret->portable = ret->portable && oid < FIRST_USER_OID;
    return true;
}

static bool composite(TypeCache *cache, const char *fields, int depth, TypeEntry *ret, Error *err)
{
    Str *text = str_new(cache);
    str_add(text, "row(");
    ret->portable = true;
    for (const char *p = fields; *p != '\0';)
    {
        char *end;
        TypeEntry field;
        uint32_t oid = (uint32_t) strtoul(p, &end, 10);
        if (!embedded(cache, oid, depth, &field, err))
            return false;
        ret->portable = ret->portable && field.portable;
        str_addf(text, "%s%s", p == fields ? "" : ",", field.text);
        p = *end == ',' ? end + 1 : end;
    }
    str_addc(text, ')');
    ret->text = text->data;
    return true;
}

/* A type that is made of another one: "array(int4)". */
static void wrap(TypeCache *cache, const char *word, const TypeEntry *part, TypeEntry *ret)
{
    ret->portable = part->portable;
    ret->text = mem_printf(cache, "%s(%s)", word, part->text);
}

/* These two have an element type and are no arrays in any other way. */
static bool is_vector(const char *name)
{
    return strcmp(name, "int2vector") == 0 || strcmp(name, "oidvector") == 0;
}

static bool judge_parts(TypeCache *cache, const PGresult *res, int depth, TypeEntry *ret,
                        Error *err)
{
    char kind = pg_cell(res, 0, 1)[0];
    uint32_t element = (uint32_t) pg_cell_int(res, 0, 2);
    bool array = pg_cell(res, 0, 3)[0] == 'A' && element != 0 && !is_vector(pg_cell(res, 0, 0));
    uint32_t subtype = (uint32_t) pg_cell_int(res, 0, 6);
    TypeEntry part;
    if (kind == 'd')
        return resolve(cache, (uint32_t) pg_cell_int(res, 0, 4), depth + 1, ret, err);
    if (kind == 'c')
        return composite(cache, pg_cell(res, 0, 7), depth, ret, err);
    if (kind == 'r' || kind == 'm')
    {
        if (!resolve(cache, subtype, depth + 1, &part, err))
            return false;
        wrap(cache, kind == 'r' ? "range" : "multirange", &part, ret);
    }
    else if (kind == 'b' && array)
    {
        if (!embedded(cache, element, depth, &part, err))
            return false;
        wrap(cache, "array", &part, ret);
    }
    return true;
}

static bool judge(TypeCache *cache, const PGresult *res, uint32_t oid, int depth, TypeEntry *ret,
                  Error *err)
{
    char kind = pg_cell(res, 0, 1)[0];
    bool base = kind == 'b' && oid < FIRST_USER_OID;
    const char *name = pg_cell(res, 0, 0);
    ret->portable = kind == 'e' || base;
    ret->text = mem_strdup(cache, kind == 'e' ? "enum" : base ? name : "other");
    if (!judge_parts(cache, res, depth, ret, err))
        return false;
    if (!pg_cell_bool(res, 0, 5) || builtin_refused(name))
        ret->portable = false;
    return true;
}

static const TypeEntry *cached(const TypeCache *cache, uint32_t oid)
{
    for (size_t i = 0; i < cache->count; i++)
    {
        if (cache->items[i].oid == oid)
            return &cache->items[i];
    }
    return NULL;
}

static bool look_up(TypeCache *cache, uint32_t oid, int depth, TypeEntry *ret, Error *err)
{
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
             " (SELECT string_agg(a.atttypid::text, ',' ORDER BY a.attnum)"
             "  FROM pg_catalog.pg_attribute a"
             "  WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)"
             " FROM pg_catalog.pg_type t WHERE t.oid = $1::oid",
             range_match);
    AUTO(PQclear) PGresult *res = pg_query(cache->conn, sql, 1, params, err);
    if (res == NULL)
        return error_prefix(err, "could not look at type %u", oid);
    return PQntuples(res) != 1 || judge(cache, res, oid, depth, ret, err);
}

static bool resolve(TypeCache *cache, uint32_t oid, int depth, TypeEntry *ret, Error *err)
{
    const TypeEntry *known = cached(cache, oid);
    *ret = known != NULL ? *known : (TypeEntry){.oid = oid, .text = mem_strdup(cache, "other")};
    if (known != NULL || depth > DEPTH_MAX)
        return true;
    if (!look_up(cache, oid, depth, ret, err))
        return false;
    ret->oid = oid;
    *mem_push(cache, cache->items, cache->count, cache->capacity, TypeEntry) = *ret;
    return true;
}

bool type_look_up(TypeCache *cache, uint32_t oid, bool *ret_portable, char **ret_text, Error *err)
{
    TypeEntry entry;
    if (!resolve(cache, oid, 0, &entry, err))
        return false;
    *ret_portable = entry.portable;
    *ret_text = entry.text;
    return true;
}

/* backup/catalog.c - what a database holds; the contract is in catalog.h. */
#include "backup/catalog.h"

#include "base/str.h"

/* Members of extensions are recreated by CREATE EXTENSION. */
#define NOT_OF_EXTENSION                                                                           \
    " AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d"                                        \
    " WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid"            \
    " AND d.objsubid = 0 AND d.deptype = 'e')"
/* A standby has the definition of what is unlogged, and nothing else. */
#define NOT_LOST " AND NOT (c.relpersistence = 'u' AND pg_catalog.pg_is_in_recovery())"
#define USER_SCHEMA                                                                                \
    " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'"

bool catalog_read_relations(PgConn *conn, void *ctx, Catalog *ret, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(conn,
                             "SELECT c.oid, n.nspname, c.relname, c.relkind"
                             " FROM pg_catalog.pg_class c"
                             " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                             " WHERE c.relkind IN ('r', 'p')" USER_SCHEMA NOT_OF_EXTENSION
                             " ORDER BY c.oid",
                             0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not list the tables");
    int rows = PQntuples(res);
    ret->items = mem_array(ctx, Relation, rows);
    ret->count = ret->capacity = (size_t) rows;
    for (int i = 0; i < rows; i++)
    {
        Relation *r = &ret->items[i];
        r->oid = (uint32_t) pg_cell_int(res, i, 0);
        r->schema = mem_strdup(ret->items, pg_cell(res, i, 1));
        r->name = mem_strdup(ret->items, pg_cell(res, i, 2));
        r->kind = pg_cell(res, i, 3)[0];
        r->quoted = pg_quote_table(ret->items, conn, r->schema, r->name, err);
        if (r->quoted == NULL)
            return false;
    }
    return true;
}

static Relation *find(const Catalog *catalog, uint32_t oid)
{
    size_t low = 0;
    size_t high = catalog->count;
    while (low < high)
    {
        size_t middle = low + (high - low) / 2;
        if (catalog->items[middle].oid < oid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < catalog->count && catalog->items[low].oid == oid ? &catalog->items[low] : NULL;
}

void catalog_missing(void *ctx, const Catalog *now, const Catalog *locked, Catalog *ret_missing)
{
    memset(ret_missing, 0, sizeof(*ret_missing));
    for (size_t i = 0; i < now->count; i++)
    {
        const Relation *there = find(locked, now->items[i].oid);
        if (there == NULL || strcmp(there->quoted, now->items[i].quoted) != 0)
            *mem_push(ctx, ret_missing->items, ret_missing->count, ret_missing->capacity,
                      Relation) = now->items[i];
    }
}

static bool read_sizes(PgConn *conn, Catalog *catalog, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(
        conn,
        "SELECT c.oid, coalesce(a.amname, ''), pg_catalog.pg_relation_size(c.oid),"
        " CASE WHEN c.reltoastrelid = 0 THEN 0"
        " ELSE pg_catalog.pg_relation_size(c.reltoastrelid) END,"
        " pg_catalog.current_setting('block_size')"
        " FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam"
        " WHERE c.relkind = 'r'" USER_SCHEMA NOT_OF_EXTENSION,
        0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not read the sizes of the tables");
    for (int i = 0; i < PQntuples(res); i++)
    {
        Relation *r = find(catalog, (uint32_t) pg_cell_int(res, i, 0));
        if (r == NULL)
            continue;
        uint64_t heap = (uint64_t) pg_cell_int(res, i, 2);
        r->heap = strcmp(pg_cell(res, i, 1), "heap") == 0;
        r->blocks = heap / (uint64_t) pg_cell_int(res, i, 4);
        r->bytes = heap + (uint64_t) pg_cell_int(res, i, 3);
    }
    return true;
}

static bool add_column(PgConn *conn, void *ctx, Relation *r, const char *name, size_t *capacity,
                       Str *list, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "column");
    char *quoted = pg_quote_ident(tmp, conn, name, err);
    if (quoted == NULL)
        return false;
    *mem_push(ctx, r->columns, r->column_count, *capacity, char *) = mem_strdup(ctx, name);
    str_addf(list, "%s%s", list->len == 0 ? "" : ", ", quoted);
    return true;
}

/* res: attrelid, attname, atttypid of all tables, ordered by table and position. */
static bool take_columns(PgConn *conn, const PGresult *res, DataFormat format, Catalog *catalog,
                         Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "columns");
    TypeCache *types = type_cache_new(tmp, conn);
    Str *list = str_new(tmp);
    int rows = PQntuples(res);
    for (int i = 0; i < rows;)
    {
        uint32_t oid = (uint32_t) pg_cell_int(res, i, 0);
        Relation *r = find(catalog, oid);
        size_t capacity = 0;
        str_clear(list);
        for (; i < rows && (uint32_t) pg_cell_int(res, i, 0) == oid; i++)
        {
            bool portable = r != NULL && r->binary;
            if (portable && format == FORMAT_AUTO &&
                !type_is_portable(types, (uint32_t) pg_cell_int(res, i, 2), &portable, err))
                return false;
            if (r == NULL)
                continue;
            r->binary = portable;
            if (!add_column(conn, catalog->items, r, pg_cell(res, i, 1), &capacity, list, err))
                return false;
        }
        if (r != NULL)
            r->column_list = mem_strdup(catalog->items, list->data);
    }
    return true;
}

bool catalog_read_tables(PgConn *conn, DataFormat format, Catalog *catalog, Error *err)
{
    for (size_t i = 0; i < catalog->count; i++)
    {
        catalog->items[i].binary = format != FORMAT_TEXT;
        catalog->items[i].column_list = mem_strdup(catalog->items, "");
    }
    if (!read_sizes(conn, catalog, err))
        return false;
    AUTO(PQclear)
    PGresult *res = pg_query(conn,
                             "SELECT a.attrelid, a.attname, a.atttypid"
                             " FROM pg_catalog.pg_attribute a"
                             " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
                             " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                             " WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
                             " AND a.attgenerated = ''" USER_SCHEMA NOT_OF_EXTENSION
                             " ORDER BY a.attrelid, a.attnum",
                             0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not read the columns of the tables");
    return take_columns(conn, res, format, catalog, err);
}

#define SEQUENCES_PER_QUERY 200

/* One sequence of the list; its oid serves to notice another one of the same name. */
typedef struct ListedSequence
{
    SequenceRecord *record;
    uint32_t oid;
    bool read;
} ListedSequence;

static bool take_values(const PGresult *res, ListedSequence *list, size_t count, Error *err)
{
    for (int i = 0; i < PQntuples(res); i++)
    {
        size_t index = (size_t) pg_cell_int(res, i, 0);
        if (index >= count || list[index].oid != (uint32_t) pg_cell_int(res, i, 3))
            continue;
        list[index].record->last_value = pg_cell_int(res, i, 1);
        list[index].record->is_called = pg_cell_bool(res, i, 2);
        list[index].read = true;
    }
    for (size_t i = 0; i < count; i++)
    {
        if (!list[i].read)
            return error_set(err, ERR_CHANGED, "sequence \"%s.%s\" was replaced by another",
                             list[i].record->schema, list[i].record->name);
    }
    return true;
}

static bool read_values(PgConn *conn, ListedSequence *list, size_t count, void *ctx, Error *err)
{
    Str *sql = str_new(ctx);
    for (size_t i = 0; i < count; i++)
    {
        char *name = pg_quote_table(ctx, conn, list[i].record->schema, list[i].record->name, err);
        if (name == NULL)
            return false;
        str_addf(sql, "%sSELECT %zu, last_value, is_called, tableoid FROM %s",
                 i == 0 ? "" : " UNION ALL ", i, name);
    }
    AUTO(PQclear) PGresult *res = pg_query(conn, sql->data, 0, NULL, err);
    if (res != NULL)
        return take_values(res, list, count, err);
    /* Nothing keeps a sequence that no table owns from being dropped after the snapshot. */
    if (pg_sqlstate_is(err, PG_STATE_UNDEFINED_TABLE) || pg_sqlstate_is(err, PG_STATE_NO_SCHEMA))
        err->code = ERR_CHANGED;
    return error_prefix(err, "could not read the values of the sequences");
}

bool catalog_read_sequences(PgConn *snapshot, PgConn *now, void *ctx, int content,
                            SequenceRecord **ret, size_t *ret_count, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sequences");
    AUTO(PQclear)
    PGresult *res = pg_query(snapshot,
                             "SELECT n.nspname, c.relname, c.oid FROM pg_catalog.pg_class c"
                             " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                             " WHERE c.relkind = 'S'" NOT_LOST USER_SCHEMA NOT_OF_EXTENSION
                             " ORDER BY n.nspname, c.relname",
                             0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not list the sequences");
    size_t count = (size_t) PQntuples(res);
    SequenceRecord *sequences = mem_array(ctx, SequenceRecord, count);
    ListedSequence *list = mem_array(tmp, ListedSequence, count);
    for (size_t i = 0; i < count; i++)
    {
        sequences[i].content = content;
        sequences[i].schema = mem_strdup(sequences, pg_cell(res, (int) i, 0));
        sequences[i].name = mem_strdup(sequences, pg_cell(res, (int) i, 1));
        list[i].record = &sequences[i];
        list[i].oid = (uint32_t) pg_cell_int(res, (int) i, 2);
    }
    for (size_t first = 0; first < count; first += SEQUENCES_PER_QUERY)
    {
        size_t n = count - first < SEQUENCES_PER_QUERY ? count - first : SEQUENCES_PER_QUERY;
        AUTO(mem_context_free) MemContext *names = mem_context(NULL, "names");
        if (!read_values(now, list + first, n, names, err))
            return false;
    }
    *ret = sequences;
    *ret_count = count;
    return true;
}

bool catalog_read_left_out(PgConn *conn, void *ctx, char ***ret, size_t *ret_count, Error *err)
{
    static const char *const texts[] = {
        "%" PRId64 " large objects are not in this set",
        "%" PRId64 " materialized views are stored without their rows (REFRESH fills them)",
        "%" PRId64 " extensions have configuration tables, whose rows are not in this set",
        "%" PRId64 " foreign tables are stored without their rows",
        "%" PRId64 " unlogged tables and sequences are stored without their contents, which a "
        "standby does not have",
    };
    AUTO(PQclear)
    PGresult *res = pg_query(
        conn,
        "SELECT (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata),"
        " (SELECT count(*) FROM pg_catalog.pg_class WHERE relkind = 'm' AND relispopulated),"
        " (SELECT count(*) FROM pg_catalog.pg_extension WHERE extconfig IS NOT NULL),"
        " (SELECT count(*) FROM pg_catalog.pg_class WHERE relkind = 'f'),"
        " (SELECT count(*) FROM pg_catalog.pg_class WHERE relkind IN ('r', 'S')"
        "  AND relpersistence = 'u' AND pg_catalog.pg_is_in_recovery())",
        0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not look for large objects");
    char **list = mem_array(ctx, char *, LENGTH_OF(texts));
    size_t count = 0;
    for (int i = 0; i < (int) LENGTH_OF(texts); i++)
    {
        int64_t n = pg_cell_int(res, 0, i);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        if (n > 0)
            list[count++] = mem_printf(list, texts[i], n);
#pragma GCC diagnostic pop
    }
    *ret = list;
    *ret_count = count;
    return true;
}

/* backup/catalog.c - what a database holds; the contract is in catalog.h. */
#include "backup/catalog.h"

#include "backup/large_objects.h"
#include "base/search.h"
#include "base/str.h"
#include "pg/dialect.h"

/* Every relation that could be selected, with what selection_apply looks at. What an extension owns
 * is in the list only where the extension has it as its configuration, whatever the schema. */
static PGresult *query_relations(PgConn *conn, const char *hide, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "relations");
    const char *sql = mem_printf(
        tmp, "%s%s%s ORDER BY c.oid",
        "SELECT c.oid, c.relkind, n.nspname, c.relname, c.relpersistence, c.relispopulated,"
        " e.extname, e.condition, o.refobjid, s.srvname,"
        " (SELECT pg_catalog.string_agg(i.inhparent::text, ' ') FROM pg_catalog.pg_inherits i"
        "  WHERE i.inhrelid = c.oid), pg_catalog.pg_is_in_recovery(),"
        " o.identity"
        " FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " LEFT JOIN (SELECT d.objid, x.extname, x.extconfig,"
        "  (SELECT x.extcondition[i] FROM pg_catalog.generate_subscripts(x.extconfig, 1) i"
        "   WHERE x.extconfig[i] = d.objid LIMIT 1) AS condition"
        "  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid"
        "  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objsubid = 0"
        "  AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass"
        "  AND d.deptype = 'e') e ON e.objid = c.oid"
        " LEFT JOIN (SELECT d.objid, pg_catalog.min(d.refobjid::bigint) AS refobjid,"
        "  pg_catalog.bool_or(d.deptype = 'i') AS identity"
        "  FROM pg_catalog.pg_depend d"
        "  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objsubid = 0"
        "  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid <> 0"
        "  AND d.deptype IN ('a', 'i') GROUP BY d.objid) o ON o.objid = c.oid AND c.relkind = 'S'"
        " LEFT JOIN (SELECT f.ftrelid, v.srvname FROM pg_catalog.pg_foreign_table f"
        "  JOIN pg_catalog.pg_foreign_server v ON v.oid = f.ftserver) s ON s.ftrelid = c.oid"
        " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'"
        " AND CASE WHEN e.objid IS NULL"
        "  THEN n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
        "  ELSE c.oid = ANY (e.extconfig) END",
        hide == NULL ? "" : " AND NOT ", hide == NULL ? "" : hide);
    return pg_query(conn, sql, 0, NULL, err);
}

enum
{
    COL_OID,
    COL_KIND,
    COL_SCHEMA,
    COL_NAME,
    COL_PERSISTENCE,
    COL_POPULATED,
    COL_EXTENSION,
    COL_CONDITION,
    COL_OWNER_TABLE,
    COL_SERVER,
    COL_PARENTS,
    COL_IN_RECOVERY,
    COL_IDENTITY,
};

static const uint32_t *parse_parents(void *ctx, const char *text, size_t *ret_count)
{
    uint32_t *parents = NULL;
    size_t capacity = 0;
    char *end;
    *ret_count = 0;
    for (const char *p = text; *p != '\0'; p = end)
    {
        unsigned long oid = strtoul(p, &end, 10);
        if (end == p)
            break;
        *mem_push(ctx, parents, *ret_count, capacity, uint32_t) = (uint32_t) oid;
    }
    return parents;
}

/* A copy in the catalogue's pool; NULL of NULL. */
static char *keep(Catalog *c, const char *text)
{
    return text == NULL ? NULL : string_pool_copy(&c->pool, text, strlen(text));
}

static char *text_or_null(Catalog *c, const PGresult *res, int row, int column)
{
    return pg_cell_null(res, row, column) ? NULL : keep(c, pg_cell(res, row, column));
}

static void take_item(Catalog *c, const PGresult *res, int row, SelectionItem *item)
{
    item->oid = (uint32_t) pg_cell_int(res, row, COL_OID);
    item->kind = pg_cell(res, row, COL_KIND)[0];
    item->persistence = pg_cell(res, row, COL_PERSISTENCE)[0];
    item->schema = keep(c, pg_cell(res, row, COL_SCHEMA));
    item->name = keep(c, pg_cell(res, row, COL_NAME));
    item->extension = text_or_null(c, res, row, COL_EXTENSION);
    item->config = item->extension != NULL;
    item->owner_table = (uint32_t) pg_cell_int(res, row, COL_OWNER_TABLE);
    item->identity = pg_cell_bool(res, row, COL_IDENTITY);
    item->server = text_or_null(c, res, row, COL_SERVER);
    item->parents = parse_parents(c->selected, pg_cell(res, row, COL_PARENTS), &item->parent_count);
}

/* The names of one catalogue, for --strict-names. */
static bool read_names(PgConn *conn, void *ctx, const char *sql, SelectionNames *ret, Error *err)
{
    AUTO(PQclear) PGresult *res = pg_query(conn, sql, 0, NULL, err);
    if (res == NULL)
        return false;
    const char **names = mem_array(ctx, const char *, PQntuples(res));
    for (int i = 0; i < PQntuples(res); i++)
        names[i] = mem_strdup(ctx, pg_cell(res, i, 0));
    *ret = (SelectionNames){names, (size_t) PQntuples(res)};
    return true;
}

static bool select_items(PgConn *conn, void *ctx, const Selection *selection, Catalog *ret,
                         Error *err)
{
    SelectionNames schemas;
    SelectionNames extensions;
    if (selection_needs_path(selection) &&
        !catalog_mark_hidden(conn, ret->selected, ret->selected_count, err))
        return false;
    return read_names(conn, ctx,
                      "SELECT nspname FROM pg_catalog.pg_namespace"
                      " WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'",
                      &schemas, err) &&
           read_names(conn, ctx, "SELECT extname FROM pg_catalog.pg_extension", &extensions, err) &&
           selection_apply(selection, PQdb(conn->raw), ret->selected, ret->selected_count, &schemas,
                           &extensions, err);
}

/* Tables are locked when anything of them is wanted, as pg_dump does; a foreign table cannot be. */
static bool take_relation(PgConn *conn, const PGresult *res, int row, const SelectionItem *item,
                          Catalog *ret, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "relation");
    bool table = item->kind == 'r' || item->kind == 'p';
    bool standby = pg_cell_bool(res, row, COL_IN_RECOVERY);
    Relation *r = mem_push(ret->selected, ret->items, ret->count, ret->capacity, Relation);
    r->oid = item->oid;
    r->kind = item->kind;
    r->schema = keep(ret, item->schema);
    r->name = keep(ret, item->name);
    r->lock = table;
    r->unlogged = item->persistence == 'u';
    r->populated = item->kind == 'm' && item->data && pg_cell_bool(res, row, COL_POPULATED);
    r->extension = keep(ret, item->extension);
    r->where = text_or_null(ret, res, row, COL_CONDITION);
    if (r->where != NULL && r->where[0] == '\0')
        r->where = NULL;
    /* A standby has the definition of what is unlogged, and nothing else. */
    if (item->data && (item->kind == 'r' || item->kind == 'f') && !(r->unlogged && standby))
        r->data = item->kind == 'f' || r->where != NULL ? DATA_QUERY : DATA_TABLE;
    r->quoted = keep(ret, pg_quote_table(tmp, conn, r->schema, r->name, err));
    return r->quoted != NULL;
}

static void take_sequence(const SelectionItem *item, Catalog *ret, size_t *capacity)
{
    ListedSequence *s = mem_push(ret->selected, ret->sequences, ret->sequence_count, *capacity,
                                 ListedSequence);
    s->oid = item->oid;
    s->schema = keep(ret, item->schema);
    s->name = keep(ret, item->name);
}

bool catalog_read_relations(PgConn *conn, void *ctx, const Selection *selection, const char *hide,
                            Catalog *ret, Error *err)
{
    size_t sequences = 0;
    memset(ret, 0, sizeof(*ret));
    AUTO(PQclear) PGresult *res = query_relations(conn, hide, err);
    if (res == NULL)
        return error_prefix(err, "could not list the tables");
    ret->selected_count = (size_t) PQntuples(res);
    ret->selected = mem_array(ctx, SelectionItem, ret->selected_count);
    ret->pool = (StringPool){.ctx = ret->selected};
    for (size_t i = 0; i < ret->selected_count; i++)
        take_item(ret, res, (int) i, &ret->selected[i]);
    if (!select_items(conn, ret->selected, selection, ret, err) ||
        !large_objects_add(conn, ret->selected, selection, ret, err))
        return false;
    for (size_t i = 0; i < ret->selected_count; i++)
    {
        const SelectionItem *item = &ret->selected[i];
        bool lost = item->persistence == 'u' && pg_cell_bool(res, (int) i, COL_IN_RECOVERY);
        if (item->kind == 'S' && item->data && !lost)
            take_sequence(item, ret, &sequences);
        else if ((item->definition || item->data) && strchr("rpmf", item->kind) != NULL &&
                 !take_relation(conn, res, (int) i, item, ret, err))
            return false;
    }
    return true;
}

static bool item_before(const void *items, size_t i, const void *oid)
{
    return ((const SelectionItem *) items)[i].oid < *(const uint32_t *) oid;
}

bool catalog_wants_rows(const Catalog *all, uint32_t oid)
{
    size_t at = search_first(all->selected, all->selected_count, item_before, &oid);
    const SelectionItem *item = at < all->selected_count ? &all->selected[at] : NULL;
    return item != NULL && item->oid == oid && item->kind == 'r' && item->data && !item->extension;
}

Catalog catalog_to_lock(void *ctx, const Catalog *all)
{
    Catalog lock = {.items = NULL};
    for (size_t i = 0; i < all->count; i++)
    {
        if (all->items[i].lock)
            *mem_push(ctx, lock.items, lock.count, lock.capacity, Relation) = all->items[i];
    }
    return lock;
}

static bool relation_before(const void *items, size_t i, const void *oid)
{
    return ((const Relation *) items)[i].oid < *(const uint32_t *) oid;
}

Relation *catalog_find(const Catalog *catalog, uint32_t oid)
{
    size_t at = search_first(catalog->items, catalog->count, relation_before, &oid);
    return at < catalog->count && catalog->items[at].oid == oid ? &catalog->items[at] : NULL;
}

void catalog_missing(void *ctx, const Catalog *now, const Catalog *locked, Catalog *ret_missing)
{
    memset(ret_missing, 0, sizeof(*ret_missing));
    for (size_t i = 0; i < now->count; i++)
    {
        const Relation *there = catalog_find(locked, now->items[i].oid);
        if (now->items[i].lock &&
            (there == NULL || strcmp(there->quoted, now->items[i].quoted) != 0))
            *mem_push(ctx, ret_missing->items, ret_missing->count, ret_missing->capacity,
                      Relation) = now->items[i];
    }
}

/* Sizes and columns are asked for of exactly the tables that are to be dumped: there may be a
 * hundred thousand others. */
static const char *wanted_oids(void *ctx, const Catalog *catalog)
{
    Str *oids = str_new(ctx);
    for (size_t i = 0; i < catalog->count; i++)
    {
        const Relation *r = &catalog->items[i];
        if (r->data == DATA_TABLE || r->data == DATA_QUERY)
            str_addf(oids, "%s%u", oids->len == 0 ? "{" : ",", r->oid);
    }
    str_add(oids, oids->len == 0 ? "{}" : "}");
    return oids->data;
}

static bool read_sizes(PgConn *conn, const char *oids, Catalog *catalog, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(
        conn,
        "SELECT c.oid, coalesce(a.amname, ''), pg_catalog.pg_relation_size(c.oid),"
        " CASE WHEN c.reltoastrelid = 0 THEN 0"
        " ELSE pg_catalog.pg_relation_size(c.reltoastrelid) END,"
        " pg_catalog.current_setting('block_size'),"
        " coalesce(pg_catalog.pg_relation_filenode(c.oid), 0),"
        " coalesce(pg_catalog.pg_stat_get_tuples_inserted(c.oid)"
        "  + pg_catalog.pg_stat_get_tuples_updated(c.oid)"
        "  + pg_catalog.pg_stat_get_tuples_deleted(c.oid), 0)"
        " FROM pg_catalog.unnest($1::oid[]) w(oid) JOIN pg_catalog.pg_class c ON c.oid = w.oid"
        " LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam WHERE c.relkind = 'r'",
        1, &oids, err);
    if (res == NULL)
        return error_prefix(err, "could not read the sizes of the tables");
    for (int i = 0; i < PQntuples(res); i++)
    {
        Relation *r = catalog_find(catalog, (uint32_t) pg_cell_int(res, i, 0));
        if (r == NULL)
            continue;
        uint64_t heap = (uint64_t) pg_cell_int(res, i, 2);
        r->heap = strcmp(pg_cell(res, i, 1), "heap") == 0;
        r->blocks = heap / (uint64_t) pg_cell_int(res, i, 4);
        r->bytes = heap + (uint64_t) pg_cell_int(res, i, 3);
        r->relfilenode = (uint32_t) pg_cell_int(res, i, 5);
        r->changes = (uint64_t) pg_cell_int(res, i, 6);
    }
    return true;
}

/* The next column of r, whose arrays have the room. */
static bool add_column(PgConn *conn, Catalog *c, Relation *r, const char *name, char *type,
                       Str *list, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "column");
    char *quoted = pg_quote_ident(tmp, conn, name, err);
    if (quoted == NULL)
        return false;
    r->columns[r->column_count] = keep(c, name);
    r->types[r->column_count++] = type;
    str_addf(list, "%s%s", list->len == 0 ? "" : ", ", quoted);
    return true;
}

/* How many rows from the first on are of its table. */
static int count_columns(const PGresult *res, int first)
{
    int rows = PQntuples(res);
    int i = first;
    while (i < rows && strcmp(pg_cell(res, i, 0), pg_cell(res, first, 0)) == 0)
        i++;
    return i - first;
}

/* res: attrelid, attname, atttypid of all tables, ordered by table and position. */
static bool take_columns(PgConn *conn, const PGresult *res, DataFormat format, Catalog *catalog,
                         Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "columns");
    TypeCache *types = type_cache_new(catalog->selected, conn);
    Str *list = str_new(tmp);
    int count;
    for (int first = 0; first < PQntuples(res); first += count)
    {
        Relation *r = catalog_find(catalog, (uint32_t) pg_cell_int(res, first, 0));
        count = count_columns(res, first);
        if (r == NULL)
            continue;
        str_clear(list);
        r->columns = string_pool_take(&catalog->pool, (size_t) count * sizeof(char *));
        r->types = string_pool_take(&catalog->pool, (size_t) count * sizeof(char *));
        for (int i = first; i < first + count; i++)
        {
            bool portable;
            char *type;
            if (!type_look_up(types, (uint32_t) pg_cell_int(res, i, 2), &portable, &type, err) ||
                !add_column(conn, catalog, r, pg_cell(res, i, 1), type, list, err))
                return false;
            r->binary = r->binary && (portable || format != FORMAT_AUTO);
        }
        r->column_list = keep(catalog, list->data);
    }
    return true;
}

bool catalog_read_tables(PgConn *conn, DataFormat format, Catalog *catalog, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "tables");
    for (size_t i = 0; i < catalog->count; i++)
    {
        Relation *r = &catalog->items[i];
        if (r->data == DATA_CATALOG)
            continue;
        r->binary = format != FORMAT_TEXT && r->data != DATA_NONE;
        r->column_list = keep(catalog, "");
    }
    const char *oids = wanted_oids(tmp, catalog);
    if (!read_sizes(conn, oids, catalog, err))
        return false;
    const char *sql = mem_printf(tmp,
                                 "SELECT a.attrelid, a.attname, a.atttypid"
                                 " FROM pg_catalog.unnest($1::oid[]) w(oid)"
                                 " JOIN pg_catalog.pg_attribute a ON a.attrelid = w.oid"
                                 " WHERE a.attnum > 0 AND NOT a.attisdropped AND NOT %s"
                                 " ORDER BY a.attrelid, a.attnum",
                                 dialect_is_generated(conn));
    AUTO(PQclear) PGresult *res = pg_query(conn, sql, 1, &oids, err);
    if (res == NULL)
        return error_prefix(err, "could not read the columns of the tables");
    return take_columns(conn, res, format, catalog, err);
}

#define SEQUENCES_PER_QUERY 200

/* What a query for values gave for each of a list; the oid serves to notice another sequence of the
 * same name. */
static bool take_values(const PGresult *res, const ListedSequence *list, SequenceRecord *records,
                        bool *read, size_t count, Error *err)
{
    for (int i = 0; i < PQntuples(res); i++)
    {
        size_t index = (size_t) pg_cell_int(res, i, 0);
        if (index >= count || list[index].oid != (uint32_t) pg_cell_int(res, i, 3))
            continue;
        records[index].last_value = pg_cell_int(res, i, 1);
        records[index].is_called = pg_cell_bool(res, i, 2);
        read[index] = true;
    }
    for (size_t i = 0; i < count; i++)
    {
        if (!read[i])
            return error_set(err, ERR_CHANGED, "sequence \"%s.%s\" was replaced by another",
                             list[i].schema, list[i].name);
    }
    return true;
}

static bool read_values(PgConn *conn, const ListedSequence *list, SequenceRecord *records,
                        size_t count, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "names");
    Str *sql = str_new(tmp);
    for (size_t i = 0; i < count; i++)
    {
        char *name = pg_quote_table(tmp, conn, list[i].schema, list[i].name, err);
        if (name == NULL)
            return false;
        str_addf(sql, "%sSELECT %zu, last_value, is_called, tableoid FROM %s",
                 i == 0 ? "" : " UNION ALL ", i, name);
    }
    AUTO(PQclear) PGresult *res = pg_query(conn, sql->data, 0, NULL, err);
    if (res != NULL)
        return take_values(res, list, records, mem_array(tmp, bool, count), count, err);
    /* Nothing keeps a sequence that no table owns from being dropped after the snapshot. */
    if (pg_sqlstate_is(err, PG_STATE_UNDEFINED_TABLE) || pg_sqlstate_is(err, PG_STATE_NO_SCHEMA))
        err->code = ERR_CHANGED;
    return error_prefix(err, "could not read the values of the sequences");
}

bool catalog_read_sequences(const Catalog *catalog, PgConn *now, void *ctx, int content,
                            SequenceRecord **ret, size_t *ret_count, Error *err)
{
    size_t count = catalog->sequence_count;
    SequenceRecord *records = mem_array(ctx, SequenceRecord, count);
    for (size_t i = 0; i < count; i++)
    {
        records[i].content = content;
        records[i].schema = mem_strdup(records, catalog->sequences[i].schema);
        records[i].name = mem_strdup(records, catalog->sequences[i].name);
    }
    for (size_t first = 0; first < count; first += SEQUENCES_PER_QUERY)
    {
        size_t n = count - first < SEQUENCES_PER_QUERY ? count - first : SEQUENCES_PER_QUERY;
        if (!read_values(now, catalog->sequences + first, records + first, n, err))
            return false;
    }
    *ret = records;
    *ret_count = count;
    return true;
}

bool catalog_read_left_out(PgConn *conn, void *ctx, const Selection *selection, char ***ret,
                           size_t *ret_count, Error *err)
{
    static const char *const texts[] = {
        "%" PRId64 " foreign tables are stored without their rows (--include-foreign-data)",
        "%" PRId64 " unlogged tables and sequences are stored without their contents, which a "
        "standby does not have",
    };
    AUTO(PQclear)
    PGresult *res = pg_query(
        conn,
        "SELECT (SELECT count(*) FROM pg_catalog.pg_class WHERE relkind = 'f'),"
        " (SELECT count(*) FROM pg_catalog.pg_class WHERE relkind IN ('r', 'S')"
        "  AND relpersistence = 'u' AND pg_catalog.pg_is_in_recovery())",
        0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not look for what is left out");
    const bool asked[] = {selection_is_all(selection) && selection->foreign_data.count == 0,
                          !selection->no_unlogged_data};
    char **list = mem_array(ctx, char *, LENGTH_OF(texts));
    size_t count = 0;
    for (int i = 0; (selection->sections & SELECT_DATA) != 0 && i < (int) LENGTH_OF(texts); i++)
    {
        int64_t n = asked[i] ? pg_cell_int(res, 0, i) : 0;
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

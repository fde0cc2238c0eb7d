/* backup/scope.c - which relations of a node belong to a backup; the contract is in scope.h. */
#include "backup/scope.h"

#include "base/oids.h"
#include "base/str.h"

static int part_order(const void *a, const void *b)
{
    const ScopePart *x = a;
    const ScopePart *y = b;
    int order = strcmp(x->schema, y->schema);
    return order != 0 ? order : strcmp(x->name, y->name);
}

void scope_sort(ScopePart *parts, size_t count)
{
    if (count > 1)
        qsort(parts, count, sizeof(ScopePart), part_order);
}

const ScopePart *scope_part(const NodeScope *scope, const Relation *relation)
{
    ScopePart key = {.schema = relation->schema, .name = relation->name};
    return scope == NULL || scope->part_count == 0
               ? NULL
               : bsearch(&key, scope->parts, scope->part_count, sizeof(ScopePart), part_order);
}

/* The text of a text[]: every element in quotes. */
static void add_element(Str *array, const char *text)
{
    str_add(array, array->len == 0 ? "{\"" : ",\"");
    for (; *text != '\0'; text++)
    {
        if (*text == '"' || *text == '\\')
            str_addc(array, '\\');
        str_addc(array, *text);
    }
    str_addc(array, '"');
}

static const char *close_array(Str *array)
{
    str_add(array, array->len == 0 ? "{}" : "}");
    return array->data;
}

/* Of relations by their names: place in the list from 1, oid, kind, persistence. */
static PGresult *look_up(PgConn *conn, Str *schemas, Str *names, Error *err)
{
    const char *params[] = {close_array(schemas), close_array(names)};
    return pg_query(
        conn,
        "SELECT w.n, c.oid, c.relkind, c.relpersistence"
        " FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]))"
        "  WITH ORDINALITY w(nspname, relname, n)"
        " JOIN pg_catalog.pg_namespace n ON n.nspname = w.nspname"
        " JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.relname"
        " ORDER BY w.n",
        2, params, err);
}

static bool add_part(PgConn *conn, const PGresult *res, int row, const ScopePart *part,
                     Catalog *ret, Error *err)
{
    Relation *r = mem_push(ret->selected, ret->items, ret->count, ret->capacity, Relation);
    r->oid = (uint32_t) pg_cell_int(res, row, 1);
    r->kind = pg_cell(res, row, 2)[0];
    r->schema = mem_strdup(ret->selected, part->schema);
    r->name = mem_strdup(ret->selected, part->name);
    r->lock = true;
    r->unlogged = pg_cell(res, row, 3)[0] == 'u';
    r->data = DATA_TABLE;
    r->quoted = pg_quote_table(ret->selected, conn, r->schema, r->name, err);
    return r->quoted != NULL;
}

static bool add_parts(PgConn *conn, const NodeScope *scope, Catalog *ret, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "parts");
    Str *schemas = str_new(tmp);
    Str *names = str_new(tmp);
    for (size_t i = 0; i < scope->part_count; i++)
    {
        add_element(schemas, scope->parts[i].schema);
        add_element(names, scope->parts[i].name);
    }
    AUTO(PQclear) PGresult *res = look_up(conn, schemas, names, err);
    if (res == NULL)
        return error_prefix(err, "could not look for the parts of tables");
    for (size_t i = 0; i < scope->part_count; i++)
    {
        const ScopePart *part = &scope->parts[i];
        bool there = (int) i < PQntuples(res) && pg_cell_int(res, (int) i, 0) == (int64_t) i + 1;
        if (!there)
            return error_set(err, ERR_CHANGED, "\"%s.%s\", a part of a table, is not there",
                             part->schema, part->name);
        if (!add_part(conn, res, (int) i, part, ret, err))
            return false;
    }
    return true;
}

static bool add_sequences(PgConn *conn, const NodeScope *scope, Catalog *ret, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sequences");
    Str *schemas = str_new(tmp);
    Str *names = str_new(tmp);
    size_t capacity = ret->sequence_count;
    for (size_t i = 0; i < scope->sequence_count; i++)
    {
        add_element(schemas, scope->sequences[i].schema);
        add_element(names, scope->sequences[i].name);
    }
    AUTO(PQclear) PGresult *res = look_up(conn, schemas, names, err);
    if (res == NULL)
        return error_prefix(err, "could not look for sequences");
    for (int i = 0; i < PQntuples(res); i++)
    {
        const ScopeName *name = &scope->sequences[pg_cell_int(res, i, 0) - 1];
        if (pg_cell(res, i, 2)[0] != 'S')
            continue;
        ListedSequence *s = mem_push(ret->selected, ret->sequences, ret->sequence_count, capacity,
                                     ListedSequence);
        s->oid = (uint32_t) pg_cell_int(res, i, 1);
        s->schema = mem_strdup(ret->selected, name->schema);
        s->name = mem_strdup(ret->selected, name->name);
    }
    return true;
}

static int relation_order(const void *a, const void *b)
{
    return oids_compare(((const Relation *) a)->oid, ((const Relation *) b)->oid);
}

bool scope_read(PgConn *conn, void *ctx, const Selection *selection, const NodeScope *scope,
                Catalog *ret, Error *err)
{
    memset(ret, 0, sizeof(*ret));
    if (scope == NULL)
        return catalog_read_relations(conn, ctx, selection, NULL, ret, err);
    if (!scope->catalogue)
    {
        ret->selected = mem_array(ctx, SelectionItem, 0);
        ret->pool = (StringPool){.ctx = ret->selected};
    }
    else if (!catalog_read_relations(conn, ctx, selection, scope->hide, ret, err))
        return false;
    for (size_t i = 0; i < ret->count; i++)
    {
        Relation *r = &ret->items[i];
        r->lock_tree = scope->trees && r->lock;
        if (oids_have(scope->spread, scope->spread_count, r->oid))
            r->data = DATA_NONE;
    }
    if ((scope->part_count > 0 && !add_parts(conn, scope, ret, err)) ||
        (scope->sequence_count > 0 && !add_sequences(conn, scope, ret, err)))
        return false;
    if (ret->count > 1)
        qsort(ret->items, ret->count, sizeof(Relation), relation_order);
    return true;
}

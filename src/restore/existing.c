/* restore/existing.c - what the target has already; the contract is in existing.h. */
#include "restore/existing.h"

#include "base/oids.h"
#include "base/str.h"
#include "restore/entry.h"
#include "restore/journal.h"
#include "restore/owner.h"
#include "restore/target.h"

#define NAMES_SHOWN 5

static PGresult *relations(RestoreNode *node, Error *err)
{
    PGresult *res = pg_query(
        node->main,
        "SELECT n.nspname, c.relname, c.relkind, c.oid FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
        " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
        " ORDER BY n.nspname::text COLLATE \"C\", c.relname::text COLLATE \"C\"",
        0, NULL, err);
    if (res == NULL)
        error_prefix(err, "could not look what the target has");
    return res;
}

/* Names for a message: the first few, and how many more. */
typedef struct List
{
    Str *text;
    size_t count;
} List;

static void list_add(List *l, const char *what, const char *schema, const char *name)
{
    char buf[120];
    if (l->count++ >= NAMES_SHOWN)
        return;
    str_addf(l->text, "%s%s%s", l->count > 1 ? ", " : "", what, *what == '\0' ? "" : " ");
    str_addf(l->text, "%s.", str_one_line(buf, sizeof(buf), schema));
    str_add(l->text, str_one_line(buf, sizeof(buf), name));
}

static const char *list_text(List *l)
{
    if (l->count > NAMES_SHOWN)
        str_addf(l->text, " and %zu more", l->count - NAMES_SHOWN);
    return l->text->data;
}

/* ---- definitions ---- */

static bool is_whole(const RestoreNode *node)
{
    const RestoreRequest *r = node->request;
    return selection_is_all(&node->selection) && !r->clean && !r->keep_existing &&
           r->schema_map_count == 0 && (node->selection.sections & SELECT_PRE_DATA) != 0;
}

static bool is_kept_relation(const TocEntry *e)
{
    return owner_role(e) == ROLE_RELATION && !(entry_is(e, "SEQUENCE") && owner_is_identity(e));
}

/* What belongs to something that stays, stays with it. Owners stand before what is theirs. */
static bool stays_with(const RestoreNode *node, const TocEntry *e)
{
    const TocEntry *owner = owner_find(node->toc, e);

    if (owner == NULL && entry_is(e, "SEQUENCE") && owner_is_identity(e))
        owner = owner_table(node->toc, e);
    return owner != NULL && owner < e && !node->filter->keep[owner - node->toc->entries];
}

static bool is_drop_wanted(const RestoreNode *node, size_t i)
{
    return node->request->clean && !node->filter->needed[i];
}

/* What a run before this one has made was not in the target when that began. */
static bool is_made(const RestoreNode *node, const TocEntry *e)
{
    return journal_has_any(node->journal, JOURNAL_DEFINITION, e->dump_id);
}

/* Clears keep of what stays as it is in the target, and lists what is in the way. */
static void mark_definitions(RestoreNode *node, const PGresult *present, const PGresult *schemas,
                             List *in_way)
{
    for (size_t i = 0; i < node->toc->entry_count; i++)
    {
        const TocEntry *e = &node->toc->entries[i];
        if (entry_is_about_database(e))
            continue;
        if (entry_is(e, "SCHEMA") && !is_drop_wanted(node, i))
            node->filter->keep[i] = is_made(node, e) || pg_find_named(schemas, e->tag, "") < 0;
        else if (stays_with(node, e))
            node->filter->keep[i] = false;
        else if (is_kept_relation(e) && !is_drop_wanted(node, i) && !is_made(node, e) &&
                 pg_find_named(present, e->schema == NULL ? "" : e->schema, e->tag) >= 0)
        {
            node->filter->keep[i] = !node->filter->needed[i] && !node->request->keep_existing;
            if (node->filter->keep[i])
                list_add(in_way, e->desc, e->schema, e->tag);
        }
    }
}

static int name_order(const void *a, const void *b)
{
    const TocEntry *x = *(const TocEntry *const *) a;
    const TocEntry *y = *(const TocEntry *const *) b;
    int c = strcmp(x->tag, y->tag);
    return c != 0 ? c : strcmp(x->schema, y->schema);
}

static bool has_sequence(const RestoreNode *node, const TocEntry **list, size_t count,
                         const SequenceRecord *s)
{
    TocEntry wanted = {.tag = s->name, .schema = node_schema(node, s->schema)};
    const TocEntry *key = &wanted;
    return count > 0 &&
           bsearch(&key, list, count, sizeof(*list), name_order) != NULL; /* NOLINT: pointers */
}

/* Rows of a table that stays are not restored, nor are values of such a sequence; with
 * keep_existing those are that something asked for. */
static void drop_data(RestoreNode *node)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "stays");
    const Manifest *m = node->manifest;
    size_t n = node->toc->entry_count;
    uint32_t *tables = mem_array(tmp, uint32_t, n);
    const TocEntry **sequences = mem_array(tmp, const TocEntry *, n);
    size_t table_count = 0;
    size_t sequence_count = 0;

    for (size_t i = 0; i < n; i++)
    {
        const TocEntry *e = &node->toc->entries[i];
        if (node->filter->keep[i] || owner_role(e) != ROLE_RELATION || !entry_has_schema(e) ||
            (node->request->keep_existing && !node->filter->needed[i]))
            continue;
        if (entry_is(e, "SEQUENCE"))
            sequences[sequence_count++] = e;
        else
            tables[table_count++] = e->oid;
    }
    oids_sort(tables, table_count);
    if (sequence_count > 1)
        qsort(sequences, sequence_count, sizeof(*sequences), name_order); /* NOLINT: pointers */
    for (size_t i = 0; i < m->table_count; i++)
        if (oids_have(tables, table_count, m->tables[i].oid))
            node->filter->data[i] = false;
    for (size_t i = 0; i < m->sequence_count; i++)
        if (has_sequence(node, sequences, sequence_count, &m->sequences[i]))
            node->filter->sequences[i] = false;
}

/* Whatever else is there already, a function or a type, stays, too (Outcome). */
static void let_all_stay(RestoreNode *node)
{
    for (size_t i = 0; node->request->keep_existing && i < node->toc->entry_count; i++)
        node->filter->needed[i] = true;
}

static bool check_definitions(RestoreNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "existing");
    List in_way = {.text = str_new(tmp)};
    AUTO(PQclear) PGresult *present = relations(node, err);
    if (present == NULL)
        return false;
    AUTO(PQclear)
    PGresult *schemas = pg_query(node->main,
                                 "SELECT nspname, '' FROM pg_catalog.pg_namespace"
                                 " ORDER BY nspname::text COLLATE \"C\"",
                                 0, NULL, err);
    if (schemas == NULL)
        return false;
    mark_definitions(node, present, schemas, &in_way);
    drop_data(node);
    filter_apply(node->filter, node->toc);
    let_all_stay(node);
    if (in_way.count == 0)
        return true;
    error_set(err, ERR_EXISTS, "database \"%s\" has already what would be made: %s", node->database,
              list_text(&in_way));
    return error_hint(
        err, "Use --clean to drop them first, --keep-existing to leave them as they are, -a with "
             "--truncate or --append to restore their rows only, or --schema-map to restore "
             "beside them.");
}

static bool is_there(void *arg, const TocEntry *table)
{
    return pg_find_named(arg, table->schema == NULL ? "" : table->schema, table->tag) >= 0;
}

bool existing_keys(RestoreNode *node, Error *err)
{
    if (node->request->create || node->filter->key_count == 0)
        return true;
    AUTO(PQclear) PGresult *present = relations(node, err);
    if (present == NULL)
        return false;
    filter_return_keys(node->filter, node->toc, is_there, present);
    return true;
}

bool existing_definitions(RestoreNode *node, Error *err)
{
    node->whole = is_whole(node);
    if (node->request->create || (node->whole && node->resumed) ||
        journal_is(node->journal, JOURNAL_COMPLETE))
        return true;
    return node->whole ? target_refuse_content(node, err) : check_definitions(node, err);
}

/* ---- tables ---- */

/* Oids at the source of the tables that toc makes, sorted; *ret_extensions: it makes extensions. */
static uint32_t *made_tables(const RestoreNode *node, void *ctx, size_t *ret_count,
                             bool *ret_extensions)
{
    uint32_t *oids = mem_array(ctx, uint32_t, node->toc->entry_count);

    *ret_count = 0;
    *ret_extensions = false;
    for (size_t i = 0; i < node->toc->entry_count; i++)
    {
        const TocEntry *e = &node->toc->entries[i];
        if (entry_is_relation(e))
            oids[(*ret_count)++] = e->oid;
        *ret_extensions = *ret_extensions || entry_is(e, "EXTENSION");
    }
    oids_sort(oids, *ret_count);
    return oids;
}

typedef struct Findings
{
    List missing, columns, full;
} Findings;

/* Tables that are asked about by one query. */
#define LOOKS_PER_QUERY 100

/* Appends a query for columns of the rows that the table does not have, and whether it has rows. */
static bool add_look(RestoreNode *node, size_t at, Str *sql, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "table");
    const RestoreTable *t = &node->tables[at];
    const char *quoted = pg_quote_table(tmp, node->main, t->schema, t->record->name, err);

    if (quoted == NULL)
        return false;
    /* Where partitions are no tables of their own, their rows are those of the table. */
    str_addf(sql, "%sSELECT %zu, EXISTS (SELECT 1 FROM %s%s),", sql->len == 0 ? "" : " UNION ALL ",
             at, PQserverVersion(node->main->raw) < 100000 ? "" : "ONLY ", quoted);
    str_add(sql, " (SELECT pg_catalog.string_agg(x, ', ') FROM pg_catalog.unnest(ARRAY[");
    for (size_t i = 0; i < t->record->column_count; i++)
    {
        const char *name = pg_quote_literal(tmp, node->main, t->record->columns[i], err);
        if (name == NULL)
            return false;
        str_addf(sql, "%s%s", i == 0 ? "" : ", ", name);
    }
    str_addf(sql,
             "]::pg_catalog.text[]) x WHERE x NOT IN (SELECT attname FROM pg_catalog.pg_attribute"
             " WHERE attrelid = %u AND attnum > 0 AND NOT attisdropped))",
             t->target_oid);
    return true;
}

static bool run_looks(RestoreNode *node, Str *sql, Findings *f, Error *err)
{
    if (sql->len == 0)
        return true;
    AUTO(PQclear) PGresult *res = pg_query(node->main, sql->data, 0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not look at the tables that are there");
    for (int i = 0; i < PQntuples(res); i++)
    {
        const RestoreTable *t = &node->tables[pg_cell_int(res, i, 0)];
        if (!pg_cell_null(res, i, 2))
            list_add(&f->columns, pg_cell(res, i, 2), t->schema, t->record->name);
        if (pg_cell_bool(res, i, 1) && !node->request->truncate && !node->request->append &&
            !node->resumed)
            list_add(&f->full, "", t->schema, t->record->name);
    }
    str_clear(sql);
    return true;
}

static bool check_tables(RestoreNode *node, const PGresult *present, Findings *f, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "looks");
    Str *sql = str_new(tmp);
    size_t looks = 0;

    for (size_t i = 0; i < node->table_count; i++)
    {
        RestoreTable *t = &node->tables[i];
        int row = t->made ? -1 : pg_find_named(present, t->schema, t->record->name);
        if (t->made)
            continue;
        if (row < 0 || strchr("rpf", *pg_cell(present, row, 2)) == NULL)
        {
            list_add(&f->missing, "", t->schema, t->record->name);
            continue;
        }
        t->target_oid = (uint32_t) pg_cell_int(present, row, 3);
        if (!add_look(node, i, sql, err) ||
            (++looks % LOOKS_PER_QUERY == 0 && !run_looks(node, sql, f, err)))
            return false;
    }
    return run_looks(node, sql, f, err);
}

static bool report(const RestoreNode *node, Findings *f, Error *err)
{
    if (f->missing.count > 0)
    {
        error_set(err, ERR_NOT_FOUND,
                  "database \"%s\" lacks tables that rows are to be restored "
                  "into: %s",
                  node->database, list_text(&f->missing));
        return error_hint(err, "Restore their definitions, too, or leave them out with -T.");
    }
    if (f->columns.count > 0)
        return error_set(err, ERR_NOT_FOUND,
                         "columns of the set are missing in database \"%s\" (columns table): %s",
                         node->database, list_text(&f->columns));
    if (f->full.count == 0)
        return true;
    error_set(err, ERR_EXISTS, "tables in database \"%s\" are not empty: %s", node->database,
              list_text(&f->full));
    return error_hint(err, "Use --truncate to empty them first, or --append to add to their rows.");
}

/* Materialized views that are only filled, as their definitions are not restored. */
static void check_views(const RestoreNode *node, const PGresult *present, const uint32_t *made,
                        size_t made_count, Findings *f)
{
    for (size_t i = 0; i < node->manifest->table_count; i++)
    {
        const TableRecord *t = &node->manifest->tables[i];
        const char *schema = node_schema(node, t->schema);
        if (t->kind == 'm' && t->populated && node->filter->data[i] &&
            manifest_has(node->record, t->content, t->database) &&
            !oids_have(made, made_count, t->oid) && pg_find_named(present, schema, t->name) < 0)
            list_add(&f->missing, "materialized view", schema, t->name);
    }
}

bool existing_tables(RestoreNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "existing");
    Findings f = {{str_new(tmp), 0}, {str_new(tmp), 0}, {str_new(tmp), 0}};
    size_t made_count;
    bool extensions;
    const uint32_t *made = made_tables(node, tmp, &made_count, &extensions);
    bool any = false;

    for (size_t i = 0; i < node->table_count; i++)
    {
        RestoreTable *t = &node->tables[i];
        t->made = oids_have(made, made_count, t->record->oid) ||
                  (t->record->extension != NULL && extensions) ||
                  strcmp(t->schema, "pg_catalog") == 0;
        t->fresh = t->made && t->record->extension == NULL && t->record->kind == 'r';
        any = any || !t->made;
    }
    if (!any)
        return true;
    if (node->request->create)
        return error_set(err, ERR_USAGE, "a new database has no tables to restore rows into");
    AUTO(PQclear) PGresult *present = relations(node, err);
    if (present == NULL)
        return false;
    if (!check_tables(node, present, &f, err))
        return false;
    check_views(node, present, made, made_count, &f);
    return report(node, &f, err);
}

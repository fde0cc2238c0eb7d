/* export/plan.c - the contract is in plan.h. */
#include "export/plan.h"

#include "base/log.h"
#include "base/oids.h"
#include "base/str.h"
#include "export/large_object_files.h"
#include "export/large_objects.h"
#include "export/refresh.h"
#include "export/through_root.h"
#include "pg/sql_token.h"
#include "repo/archive.h"
#include "repo/large_object_tables.h"
#include "restore/entry.h"
#include "restore/filter.h"
#include "restore/sql_text.h"

/* Where the archive has an object: sorted, to be found by the manifest's records. */
typedef struct Place
{
    const TocEntry *entry;
} Place;

typedef struct Planner
{
    const ExportSource *source;
    const ExportRequest *request;
    const Cancel *cancel;
    ExportPlan *plan;
    Filter *filter;
    Place *relations; /* by oid */
    size_t relation_count;
    Place *sequences; /* by schema and name */
    size_t sequence_count;
    bool identity; /* some column is GENERATED ALWAYS AS IDENTITY */
    int next_id;   /* dump id */
} Planner;

/* ---- finding the archive's objects ---- */

static int by_oid(const void *a, const void *b)
{
    uint32_t x = ((const Place *) a)->entry->oid;
    uint32_t y = ((const Place *) b)->entry->oid;
    return x < y ? -1 : x > y;
}

static int compare_text(const char *a, const char *b)
{
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b);
}

static int by_name(const void *a, const void *b)
{
    const TocEntry *x = ((const Place *) a)->entry;
    const TocEntry *y = ((const Place *) b)->entry;
    int order = compare_text(x->schema, y->schema);
    return order != 0 ? order : strcmp(x->tag, y->tag);
}

/* A column's identity is defined with its sequence: ALTER TABLE ... ADD GENERATED ALWAYS. */
static bool is_identity(const TocEntry *sequence)
{
    SqlScanner s = {sequence->defn, true};
    SqlToken t;
    bool generated = false;
    while (sql_token_next(&s, &t))
    {
        if (generated && sql_token_is(&t, "always"))
            return true;
        generated = sql_token_is(&t, "generated");
    }
    return false;
}

static void find_objects(Planner *p, void *ctx)
{
    const ArchiveToc *toc = p->plan->toc;
    p->relations = mem_array(ctx, Place, toc->entry_count);
    p->sequences = mem_array(ctx, Place, toc->entry_count);
    p->next_id = 1;
    for (size_t i = 0; i < toc->entry_count; i++)
    {
        const TocEntry *e = &toc->entries[i];
        if (entry_is_relation(e))
            p->relations[p->relation_count++].entry = e;
        else if (entry_is(e, "SEQUENCE"))
        {
            p->sequences[p->sequence_count++].entry = e;
            p->identity = p->identity || is_identity(e);
        }
        if (e->dump_id >= p->next_id)
            p->next_id = e->dump_id + 1;
    }
    if (p->relation_count > 1)
        qsort(p->relations, p->relation_count, sizeof(Place), by_oid);
    if (p->sequence_count > 1)
        qsort(p->sequences, p->sequence_count, sizeof(Place), by_name);
}

static const TocEntry *find_relation(const Planner *p, uint32_t oid)
{
    TocEntry wanted = {.oid = oid};
    Place key = {.entry = &wanted};
    const Place *place = p->relation_count == 0 ? NULL
                                                : bsearch(&key, p->relations, p->relation_count,
                                                          sizeof(Place), by_oid);
    return place == NULL ? NULL : place->entry;
}

static const TocEntry *find_sequence(const Planner *p, const SequenceRecord *s)
{
    TocEntry wanted = {.schema = s->schema, .tag = s->name};
    Place key = {.entry = &wanted};
    const Place *place = p->sequence_count == 0 ? NULL
                                                : bsearch(&key, p->sequences, p->sequence_count,
                                                          sizeof(Place), by_name);
    return place == NULL ? NULL : place->entry;
}

/* An extension's table is not in the archive: what its rows wait for is the extension. */
static const TocEntry *find_extension(const ArchiveToc *toc, const char *name)
{
    for (size_t i = 0; name != NULL && i < toc->entry_count; i++)
    {
        if (entry_is(&toc->entries[i], "EXTENSION") && strcmp(toc->entries[i].tag, name) == 0)
            return &toc->entries[i];
    }
    return NULL;
}

/* ---- entries ---- */

static ExportEntry *add_entry(Planner *p, const TocEntry *toc, ExportKind kind)
{
    ExportPlan *plan = p->plan;
    ExportEntry *e = mem_push(plan, plan->entries, plan->entry_count, plan->entry_capacity,
                              ExportEntry);
    e->toc = *toc;
    e->kind = kind;
    return e;
}

/* A new entry about the object of on, which may be NULL; it depends on that one. */
static ExportEntry *add_about(Planner *p, const TocEntry *on, ExportKind kind, const char *desc,
                              const char *schema, const char *name)
{
    TocEntry toc = {
        .dump_id = p->next_id++,
        .tag = name,
        .desc = desc,
        .section = TOC_SECTION_DATA,
        .defn = "",
        .drop_stmt = "",
        .copy_stmt = "",
        .schema = schema,
        .owner = on == NULL ? "" : on->owner,
    };
    if (on != NULL)
    {
        toc.dependencies = mem_array(p->plan, int, 1);
        toc.dependencies[0] = on->dump_id;
        toc.dependency_count = 1;
    }
    return add_entry(p, &toc, kind);
}

static const char *column_list(void *ctx, const TableRecord *t)
{
    Str *s = str_new(ctx);
    for (size_t i = 0; i < t->column_count; i++)
    {
        str_add(s, i == 0 ? "" : ", ");
        sql_text_add_name(s, t->columns[i]);
    }
    return s->data;
}

static const char *copy_statement(void *ctx, const ExportEntry *e)
{
    bool columns = *e->column_list != '\0';
    return mem_printf(ctx, "COPY %s%s%s%s FROM stdin;\n", e->into, columns ? " (" : "",
                      e->column_list, columns ? ")" : "");
}

/* i: of the manifest's tables. What has no chunk, not even one without rows, was not read. */
static bool wants_rows(const Planner *p, size_t i)
{
    const TableRecord *t = &p->source->manifest->tables[i];
    return p->filter->data[i] && t->kind != 'm' && t->chunks > 0;
}

/* Those that the wanted node has stored. */
static void choose_chunks(const Planner *p, ExportEntry *e)
{
    const Manifest *m = p->source->manifest;
    if (!p->request->split_rows)
        return;
    ChunkPlace *chosen = mem_array(p->plan, ChunkPlace, e->chunk_count);
    size_t count = 0;
    for (size_t i = 0; i < e->chunk_count; i++)
    {
        const FoldedPart *part = e->chunks[i].part;
        const NodeRecord *node = part == NULL ? p->source->node : &m->nodes[part->node];
        if (node->content == p->request->rows_of)
            chosen[count++] = e->chunks[i];
    }
    e->chunks = chosen;
    e->chunk_count = count;
}

static void add_table(Planner *p, ThroughRoot *routes, const TableRecord *t)
{
    ExportPlan *plan = p->plan;
    const TocEntry *on = find_relation(p, t->oid);
    if (on == NULL)
        on = find_extension(plan->toc, t->extension);
    ExportEntry *e = add_about(p, on, EXPORT_ROWS, "TABLE DATA", t->schema, t->name);
    const TocEntry *root = on == NULL ? NULL : through_root_of(routes, on, t);
    Str *into = str_new(plan);
    if (root == NULL)
        sql_text_add_qualified(into, t->schema, t->name);
    else
        sql_text_add_qualified(into, root->schema, root->tag);
    e->table = t;
    e->into = into->data;
    e->column_list = column_list(plan, t);
    e->overriding = p->identity;
    e->toc.oid = t->oid;
    e->toc.copy_stmt = p->request->rows == ROWS_COPY ? copy_statement(plan, e) : "";
    /* pg_restore looks for this very comment: it must not TRUNCATE the partition then. */
    if (root != NULL)
        e->toc.defn = mem_printf(plan, "-- load via partition root %s\n", e->into);
    e->file = mem_printf(plan, "%d.dat", e->toc.dump_id);
    e->chunks = chunk_index_table(plan->chunks, t->oid, &e->chunk_count);
    choose_chunks(p, e);
    plan->tables++;
    plan->rows += t->rows;
    plan->logical += t->logical;
}

static void add_sequence(Planner *p, const SequenceRecord *s)
{
    const TocEntry *on = find_sequence(p, s);
    ExportEntry *e = add_about(p, on, EXPORT_STATEMENT, "SEQUENCE SET", s->schema, s->name);
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sequence");
    Str *name = str_new(tmp);
    Str *sql = str_new(p->plan);
    sql_text_add_qualified(name, s->schema, s->name);
    str_add(sql, "SELECT pg_catalog.setval(");
    sql_text_add_literal(sql, name->data);
    str_addf(sql, ", %" PRId64 ", %s);\n", s->last_value, s->is_called ? "true" : "false");
    e->toc.defn = sql->data;
    e->toc.oid = on == NULL ? 0 : on->oid;
}

/* The rows of a table that is not one of the user's. */
static ExportEntry *add_catalog(Planner *p, const TableRecord *t, ExportKind kind, const char *desc,
                                const char *tag)
{
    ExportEntry *e = add_about(p, NULL, kind, desc, NULL, tag);
    e->table = t;
    e->into = e->column_list = "";
    e->chunks = chunk_index_table(p->plan->chunks, t->oid, &e->chunk_count);
    p->plan->logical += t->logical;
    return e;
}

/* Large objects are made before their contents come. */
static bool add_large_objects(Planner *p, Error *err)
{
    const Manifest *m = p->source->manifest;
    AUTO(table_data_free) TableData *data = NULL;
    for (size_t i = 0; i < m->table_count; i++)
    {
        if (!wants_rows(p, i) || !large_object_is_list(&m->tables[i]))
            continue;
        const ExportEntry *list = add_catalog(p, &m->tables[i], EXPORT_OBJECTS, "BLOB", "");
        data = table_data_new(p->source, p->cancel);
        if (!large_objects_count(data, list, &p->plan->object_entries, err))
            return false;
        p->next_id += p->plan->object_entries;
    }
    for (size_t i = 0; data != NULL && i < m->table_count; i++)
    {
        const TableRecord *t = &m->tables[i];
        if (wants_rows(p, i) && large_object_is_table(t) && !large_object_is_list(t))
            add_catalog(p, t, EXPORT_CONTENTS, "BLOBS", "BLOBS")->file = LARGE_OBJECT_TOC;
    }
    return true;
}

static bool add_data(Planner *p, Error *err)
{
    const Manifest *m = p->source->manifest;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "routes");
    ThroughRoot *routes = through_root_new(tmp, p->plan->toc);
    for (size_t i = 0; i < m->table_count; i++)
    {
        if (wants_rows(p, i) && !large_object_is_table(&m->tables[i]))
            add_table(p, routes, &m->tables[i]);
    }
    for (size_t i = 0; i < m->sequence_count; i++)
    {
        if (p->filter->sequences[i])
            add_sequence(p, &m->sequences[i]);
    }
    return add_large_objects(p, err);
}

static void add_definitions(Planner *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
    {
        if (p->filter->keep[i])
            add_entry(p, &p->plan->toc->entries[i], EXPORT_DEFINITION);
    }
}

static void add_refresh(Planner *p, RefreshOrder *order, const TocEntry *view)
{
    ExportPlan *plan = p->plan;
    ExportEntry *e = add_about(p, view, EXPORT_STATEMENT, "MATERIALIZED VIEW DATA", view->schema,
                               view->tag);
    Str *sql = str_new(plan);
    str_add(sql, "REFRESH MATERIALIZED VIEW ");
    sql_text_add_qualified(sql, view->schema, view->tag);
    str_add(sql, ";\n");
    e->toc.defn = sql->data;
    e->toc.oid = view->oid;
    e->toc.section = TOC_SECTION_POST_DATA;
    if (refresh_order_depend(order, plan, view, &e->toc))
        return;
    plan->entry_count--;
    log_warning("materialized view \"%s.%s\" stays without rows, as it reads one that has none",
                view->schema, view->tag);
}

static void add_refreshes(Planner *p)
{
    const Manifest *m = p->source->manifest;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "refresh");
    RefreshOrder *order = refresh_order_new(tmp, p->plan->toc);
    const TocEntry **views = mem_array(tmp, const TocEntry *, m->table_count);
    size_t count = 0;
    for (size_t i = 0; i < m->table_count; i++)
    {
        const TableRecord *t = &m->tables[i];
        bool rows = t->kind == 'm' && t->populated &&
                    manifest_has(p->source->node, t->content, t->database);
        const TocEntry *view = rows ? find_relation(p, t->oid) : NULL;
        if (view == NULL)
            continue;
        refresh_order_has_rows(order, view);
        if (p->filter->data[i])
            views[count++] = view;
    }
    refresh_order_sort(views, count);
    for (size_t i = 0; i < count; i++)
        add_refresh(p, order, views[i]);
}

/* The data lies before the first entry that may need all of it. */
static size_t first_post_data(const ArchiveToc *toc)
{
    size_t i = 0;
    while (i < toc->entry_count && toc->entries[i].section != TOC_SECTION_POST_DATA)
        i++;
    return i;
}

static size_t first_event_trigger(const ArchiveToc *toc, size_t from)
{
    size_t i = from;
    while (i < toc->entry_count && !entry_is(&toc->entries[i], "EVENT TRIGGER"))
        i++;
    return i;
}

static bool find_chunks(Planner *p, Error *err)
{
    const Manifest *m = p->source->manifest;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "wanted");
    uint32_t *oids = mem_array(tmp, uint32_t, m->table_count);
    size_t count = 0;
    for (size_t i = 0; i < m->table_count; i++)
    {
        if (wants_rows(p, i))
            oids[count++] = m->tables[i].oid;
    }
    oids_sort(oids, count);
    const ChunkIndexSource place = {.storage = p->source->storage,
                                    .set_dir = p->source->set_dir,
                                    .manifest = m,
                                    .fold = p->source->fold,
                                    .node = p->source->node};
    p->plan->chunks = chunk_index_read(p->plan, &place, oids, count, err);
    return p->plan->chunks != NULL;
}

/* What is wanted of the archive and of the manifest. The archive stays whole: rows alone need to
 * know of their tables, too. */
static bool apply_selection(Planner *p, const ArchiveToc *toc, void *ctx, Error *err)
{
    p->filter = filter_new(ctx, toc, p->source->manifest, p->source->node, p->request->selection,
                           false, err);
    if (p->filter == NULL)
        return false;
    for (size_t i = 0; i < p->filter->left_out_count; i++)
        log_warning("%s is left out, as the table that it refers to is not exported",
                    p->filter->left_out[i]);
    return true;
}

/* An event trigger may forbid to refresh: it waits for the refreshes, entries from first on.
 * pg_restore runs both after everything else, several at the same time, in the order of their
 * dependencies. */
static void add_last(Planner *p, size_t from, size_t first)
{
    ExportPlan *plan = p->plan;
    size_t end = plan->entry_count;
    add_definitions(p, from, plan->toc->entry_count);
    for (size_t i = end; i < plan->entry_count; i++)
    {
        TocEntry *e = &plan->entries[i].toc;
        if (!entry_is(e, "EVENT TRIGGER"))
            continue;
        size_t count = e->dependency_count;
        int *ids = mem_array(plan, int, count + end - first);
        if (count > 0)
            memcpy(ids, e->dependencies, count * sizeof(int));
        for (size_t k = first; k < end; k++)
            ids[count++] = plan->entries[k].toc.dump_id;
        e->dependencies = ids;
        e->dependency_count = count;
    }
}

ExportPlan *export_plan_make(void *ctx, const ExportSource *source, const ExportRequest *request,
                             const Cancel *cancel, Error *err)
{
    ExportPlan *plan = mem_new(ctx, ExportPlan);
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "plan");
    Planner p = {.source = source, .request = request, .cancel = cancel, .plan = plan};
    ArchiveToc *toc = archive_read(plan, source->storage, source->set_dir, source->node, err);
    plan->node = source->node;
    plan->toc = toc;
    if (toc == NULL || !apply_selection(&p, toc, tmp, err) || !find_chunks(&p, err))
        return NULL;
    find_objects(&p, tmp);
    size_t data = first_post_data(toc);
    add_definitions(&p, 0, data);
    if (!add_data(&p, err))
        return NULL;
    size_t last = first_event_trigger(toc, data);
    add_definitions(&p, data, last);
    size_t refreshes = plan->entry_count;
    add_refreshes(&p);
    add_last(&p, last, refreshes);
    return plan;
}

const ExportEntry *export_plan_find(const ExportPlan *plan, ExportKind kind)
{
    for (size_t i = 0; i < plan->entry_count; i++)
    {
        if (plan->entries[i].kind == kind)
            return &plan->entries[i];
    }
    return NULL;
}

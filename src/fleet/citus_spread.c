/* fleet/citus_spread.c - makes tables of a Citus cluster distributed; see citus_restore.h. */
#include "base/log.h"
#include "base/oids.h"
#include "base/str.h"
#include "fleet/citus_restore.h"
#include "restore/entry.h"
#include "restore/journal.h"

/* The names of long named shards' types are cut off, and then alike: made at the same time on one node
 * they wait for each other. A shard's number and a type's mark take the rest of the 63 bytes. */
#define SHORT_NAME_MAX 40
#define SEQUENTIAL     "SET LOCAL citus.multi_shard_modify_mode = 'sequential'; "
#define COPIES         "SET LOCAL citus.shard_replication_factor = %" PRIu64 "; "
#define ONE_COPY       "SET LOCAL citus.shard_replication_factor = 1; "

/* A table as it will be. */
typedef struct SpreadTable
{
    const TableRecord *record;
    const char *method; /* as DistributionRecord has it */
    const char *column;
    uint64_t shards; /* 0: the server's default */
    uint64_t copies; /* of each shard; 0: the server's default */
    uint32_t group;  /* of tables whose shards are side by side, 0: alone */
    bool schema;     /* comes with its distributed schema */
} SpreadTable;

typedef struct Spreader
{
    RestoreNode *node;
    void *ctx;
    SpreadTable *tables; /* in the order in which they are distributed */
    size_t count, capacity;
    const uint32_t *made; /* sorted oids of the tables that this restore makes */
    size_t made_count;
    const TableRecord **records; /* of this node, by oid */
    size_t record_count;
} Spreader;

static void list_made(Spreader *s)
{
    const ArchiveToc *toc = s->node->toc;
    uint32_t *made = mem_array(s->ctx, uint32_t, toc->entry_count);
    for (size_t i = 0; i < toc->entry_count; i++)
        if (entry_is(&toc->entries[i], "TABLE"))
            made[s->made_count++] = toc->entries[i].oid;
    oids_sort(made, s->made_count);
    s->made = made;
}

static int record_order(const void *a, const void *b)
{
    uint32_t x = (*(const TableRecord *const *) a)->oid;
    uint32_t y = (*(const TableRecord *const *) b)->oid;
    return (x > y) - (x < y);
}

static void list_records(Spreader *s)
{
    const Manifest *m = s->node->manifest;
    s->records = mem_array(s->ctx, const TableRecord *, m->table_count);
    for (size_t i = 0; i < m->table_count; i++)
        if (manifest_has(s->node->record, m->tables[i].content, m->tables[i].database))
            s->records[s->record_count++] = &m->tables[i];
    if (s->record_count > 1)
        qsort(s->records, s->record_count, sizeof(const TableRecord *), record_order);
}

static const TableRecord *record_of(const Spreader *s, uint32_t oid)
{
    const TableRecord wanted = {.oid = oid};
    const TableRecord *key = &wanted;
    const TableRecord **found = s->record_count == 0
                                    ? NULL
                                    : bsearch(&key, s->records, s->record_count,
                                              sizeof(const TableRecord *), record_order);
    return found == NULL ? NULL : *found;
}

static const TableRecord *record_named(const Spreader *s, const char *schema, const char *name)
{
    for (size_t i = 0; i < s->record_count; i++)
        if (strcmp(s->records[i]->name, name) == 0 && strcmp(s->records[i]->schema, schema) == 0)
            return s->records[i];
    return NULL;
}

/* Groups in the order of their numbers, so that those of the target are numbered alike. */
static int table_order(const void *a, const void *b)
{
    const SpreadTable *x = a;
    const SpreadTable *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->record->oid < y->record->oid ? -1 : x->record->oid > y->record->oid;
}

/* A shard without a placement has been lost. The copies of an append table's shards would not be filled. */
static uint64_t copies_of(const DistributionRecord *d)
{
    bool several = strcmp(d->method, "hash") == 0 || strcmp(d->method, "range") == 0;
    return several && d->placements > 1 ? d->placements : 1;
}

static void list_archived(Spreader *s)
{
    const Manifest *m = s->node->manifest;
    uint64_t wanted = (uint64_t) s->node->request->shard_count;
    for (size_t i = 0; i < m->distribution_count; i++)
    {
        const DistributionRecord *d = &m->distributions[i];
        const TableRecord *record = record_of(s, d->table_oid);
        if (record == NULL || !oids_have(s->made, s->made_count, d->table_oid))
            continue;
        bool hash = strcmp(d->method, "hash") == 0;
        *mem_push(s->ctx, s->tables, s->count, s->capacity,
                  SpreadTable) = (SpreadTable){.record = record,
                                               .method = d->method,
                                               .column = d->column,
                                               .shards = hash && wanted > 0 ? wanted : d->shards,
                                               .copies = copies_of(d),
                                               .group = d->colocation,
                                               .schema = d->tenant_schema != NULL};
    }
    if (s->count > 1)
        qsort(s->tables, s->count, sizeof(SpreadTable), table_order);
}

static bool list_asked(Spreader *s, Error *err)
{
    const DistributeFile *file = s->node->request->distribute;
    for (size_t i = 0; i < file->count; i++)
    {
        const DistributeTable *d = &file->tables[i];
        const TableRecord *record = record_named(s, d->schema, d->name);
        if (record == NULL || !oids_have(s->made, s->made_count, record->oid))
            return error_set(err, ERR_USAGE, "--distribute: table \"%s.%s\" is not restored",
                             d->schema, d->name);
        uint32_t group = d->colocate_with != NULL && d->colocated < s->count
                             ? s->tables[d->colocated].group
                             : (uint32_t) i + 1;
        int shards = d->shard_count > 0 ? d->shard_count : s->node->request->shard_count;
        *mem_push(s->ctx, s->tables, s->count, s->capacity,
                  SpreadTable) = (SpreadTable){.record = record,
                                               .method = d->reference ? "reference" : "hash",
                                               .column = d->column,
                                               .shards = (uint64_t) shards,
                                               .group = group};
    }
    return true;
}

static bool list_tables(Spreader *s, Error *err)
{
    list_made(s);
    list_records(s);
    if (s->node->request->distribute != NULL)
        return list_asked(s, err);
    list_archived(s);
    return true;
}

/* The limits that create_distributed_table gives to so many shards (CreateShardsWithRoundRobinPolicy in
 * create_shards.c: equal parts of all 32 bit integers, the last with the rest). */
static bool has_even_limits(const Spreader *s, const SpreadTable *t)
{
    const Manifest *m = s->node->manifest;
    int64_t width = (INT64_C(1) << 32) / (int64_t) (t->shards > 0 ? t->shards : 1);
    for (size_t i = 0; i < m->shard_count; i++)
    {
        const ShardRecord *shard = &m->shards[i];
        if (shard->table_oid != t->record->oid)
            continue;
        int64_t from = shard->min == NULL ? 0 : strtoll(shard->min, NULL, 10) - INT32_MIN;
        int64_t to = shard->max == NULL ? -1 : strtoll(shard->max, NULL, 10) - INT32_MIN;
        bool last = to == UINT32_MAX;
        if (from % width != 0 || (!last && to != from + width - 1) ||
            (last && from / width != (int64_t) t->shards - 1))
            return false;
    }
    return true;
}

static const char *why_not_direct(const Spreader *s, const SpreadTable *t)
{
    if (t->copies > 1)
        return "its shards are on several nodes each";
    if (!engine_same_hash(t->record, t->column))
        return "the type of its distribution column hashes by database";
    return has_even_limits(s, t) ? NULL : "its shards have other limits than new ones will have";
}

/* --direct: what can only go through the coordinator is said before anything is made. */
static bool check_direct(const Spreader *s, Error *err)
{
    for (size_t i = 0; i < s->count; i++)
    {
        const SpreadTable *t = &s->tables[i];
        if (strcmp(t->method, "hash") != 0 || t->record->chunks == 0)
            continue;
        const char *why = why_not_direct(s, t);
        if (why != NULL)
            return error_set(err, ERR_USAGE, "--direct: table \"%s.%s\" cannot be loaded so: %s",
                             t->record->schema, t->record->name, why);
    }
    return s->count > 0 ||
           error_set(err, ERR_USAGE, "--direct: nothing that is restored becomes distributed");
}

bool citus_spread_check(RestoreNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "spread");
    Spreader s = {.node = node, .ctx = tmp};
    if (!list_tables(&s, err) || (node->request->direct == DIRECT_ALWAYS && !check_direct(&s, err)))
        return false;
    for (size_t i = 0; i < s.count && node->request->distribute != NULL; i++)
    {
        const SpreadTable *t = &s.tables[i];
        if (t->column != NULL && t->record->column_count > 0 &&
            manifest_column(t->record, t->column) == t->record->column_count)
            return error_set(err, ERR_USAGE, "--distribute: table \"%s.%s\" has no column \"%s\"",
                             t->record->schema, t->record->name, t->column);
    }
    return true;
}

/* ---- statements ---- */

static bool run(const RestoreNode *node, int64_t id, int64_t part, const char *sql, Error *err)
{
    JournalItem item = {.kind = JOURNAL_SPREAD, .id = id, .part = part};
    if (journal_has(node->journal, item))
        return true;
    if (pg_exec(node->main, "BEGIN", err) && journal_done(node->journal, node->main, item, err) &&
        pg_exec(node->main, sql, err) && pg_exec(node->main, "COMMIT", err))
        return true;
    pg_rollback(node->main);
    return false;
}

static const char *literal_name(void *ctx, const RestoreNode *node, const TableRecord *t,
                                Error *err)
{
    const char *quoted = pg_quote_table(ctx, node->main, node_schema(node, t->schema), t->name,
                                        err);
    return quoted == NULL ? NULL : pg_quote_literal(ctx, node->main, quoted, err);
}

/* The first table of the same group, which is distributed already. */
static const SpreadTable *mate_of(const Spreader *s, size_t i)
{
    for (size_t k = 0; k < i && s->tables[i].group != 0; k++)
        if (s->tables[k].group == s->tables[i].group && !s->tables[k].schema &&
            ddl_parent(s->node->ddl, s->tables[k].record->oid) == 0)
            return &s->tables[k];
    return NULL;
}

/* Shards with the limits that they had; the server makes them without. */
static bool add_empty_shards(const Spreader *s, const SpreadTable *t, const char *name, Str *sql,
                             Error *err)
{
    const Manifest *m = s->node->manifest;
    for (size_t i = 0; i < m->shard_count; i++)
    {
        const ShardRecord *shard = &m->shards[i];
        if (shard->table_oid != t->record->oid)
            continue;
        const char *min = shard->min == NULL
                              ? "NULL"
                              : pg_quote_literal(s->ctx, s->node->main, shard->min, err);
        const char *max = shard->max == NULL
                              ? "NULL"
                              : pg_quote_literal(s->ctx, s->node->main, shard->max, err);
        if (min == NULL || max == NULL)
            return false;
        str_addf(sql,
                 "; SELECT pg_catalog.set_config('pgark.shard',"
                 " pg_catalog.master_create_empty_shard(%s)::text, true);"
                 " UPDATE pg_catalog.pg_dist_shard SET shardminvalue = %s, shardmaxvalue = %s"
                 " WHERE shardid = pg_catalog.current_setting('pgark.shard')::bigint",
                 name, min, max);
    }
    return true;
}

static uint64_t copies_there(const Spreader *s, const SpreadTable *t)
{
    const CitusTarget *target = s->node->cluster_state;
    size_t places = citus_target_loaded(target);
    return t->copies < places ? t->copies : places;
}

static const char *distribute_sql(const Spreader *s, size_t i, const char *name, Error *err)
{
    const SpreadTable *t = &s->tables[i];
    const SpreadTable *mate = mate_of(s, i);
    Str *sql = str_new(s->ctx);
    const char *column = t->column == NULL
                             ? "NULL"
                             : pg_quote_literal(s->ctx, s->node->main, t->column, err);
    const char *with = mate == NULL ? "'none'" : literal_name(s->ctx, s->node, mate->record, err);
    if (column == NULL || with == NULL)
        return NULL;
    if (strcmp(t->method, "range") == 0 || strcmp(t->method, "append") == 0)
    {
        str_addf(sql, "SELECT pg_catalog.create_distributed_table(%s, %s, '%s')", name, column,
                 t->method);
        return add_empty_shards(s, t, name, sql, err) ? sql->data : NULL;
    }
    str_addf(sql, "SELECT pg_catalog.create_distributed_table(%s, %s, colocate_with := %s", name,
             column, with);
    if (mate == NULL && t->column != NULL && t->shards > 0)
        str_addf(sql, ", shard_count := %" PRIu64, t->shards);
    str_addc(sql, ')');
    return sql->data;
}

static const char *spread_sql(const Spreader *s, size_t i, Error *err)
{
    const SpreadTable *t = &s->tables[i];
    const char *name = literal_name(s->ctx, s->node, t->record, err);
    if (name == NULL)
        return NULL;
    if (strcmp(t->method, "reference") == 0)
        return mem_printf(s->ctx, "SELECT pg_catalog.create_reference_table(%s)", name);
    if (strcmp(t->method, "local") == 0)
        return mem_printf(s->ctx, "SELECT pg_catalog.citus_add_local_table_to_metadata(%s)", name);
    const char *sql = distribute_sql(s, i, name, err);
    return sql == NULL || t->copies == 0 ? sql
                                         : mem_printf(s->ctx, COPIES "%s", copies_there(s, t), sql);
}

/* Partitions come with the table that they are of. */
static bool has_long_names(const Spreader *s, const SpreadTable *t)
{
    bool partitioned = t->record->kind == 'p';
    for (size_t i = 0; i < s->count; i++)
        if ((&s->tables[i] == t || partitioned) &&
            strlen(s->tables[i].record->name) > SHORT_NAME_MAX)
            return true;
    return false;
}

static bool spread_tables(const Spreader *s, Error *err)
{
    for (size_t i = 0; i < s->count; i++)
    {
        const SpreadTable *t = &s->tables[i];
        if (t->schema || ddl_parent(s->node->ddl, t->record->oid) != 0)
            continue;
        const char *sql = cancel_check(s->node->cancel, err) ? spread_sql(s, i, err) : NULL;
        if (sql != NULL && has_long_names(s, t))
            sql = mem_printf(s->ctx, SEQUENTIAL "%s", sql);
        if (sql == NULL || !run(s->node, t->record->oid, 0, sql, err))
            return error_prefix(err, "could not distribute table \"%s.%s\"", t->record->schema,
                                t->record->name);
    }
    return true;
}

/* What is restored has the names that it will have. */
static bool has_schema(const RestoreNode *node, const char *schema)
{
    for (size_t i = 0; i < node->toc->entry_count; i++)
        if (entry_is(&node->toc->entries[i], "SCHEMA") &&
            strcmp(node->toc->entries[i].tag, node_schema(node, schema)) == 0)
            return true;
    return false;
}

static bool spread_schemas(const Spreader *s, Error *err)
{
    const Manifest *m = s->node->manifest;
    for (size_t i = 0; i < m->schema_count; i++)
    {
        const char *schema = m->schemas[i].schema;
        if (!has_schema(s->node, schema))
            continue;
        const char *quoted = pg_quote_ident(s->ctx, s->node->main, node_schema(s->node, schema),
                                            err);
        const char *name = quoted == NULL ? NULL
                                          : pg_quote_literal(s->ctx, s->node->main, quoted, err);
        if (name == NULL ||
            !run(s->node, 0, (int64_t) i,
                 mem_printf(s->ctx, ONE_COPY "SELECT pg_catalog.citus_schema_distribute(%s)", name),
                 err))
            return error_prefix(err, "could not distribute schema \"%s\"", schema);
    }
    return true;
}

/* Of a group of tables any; NULL: none of it is restored. */
static const SpreadTable *table_of_group(const Spreader *s, uint32_t group)
{
    for (size_t i = 0; i < s->count && group != 0; i++)
        if (s->tables[i].group == group && ddl_parent(s->node->ddl, s->tables[i].record->oid) == 0)
            return &s->tables[i];
    return NULL;
}

static const char *function_sql(const Spreader *s, const DistributedFunctionRecord *f, Error *err)
{
    PgConn *conn = s->node->main;
    const char *quoted = pg_quote_table(s->ctx, conn, node_schema(s->node, f->schema), f->name,
                                        err);
    const char *name = quoted == NULL
                           ? NULL
                           : pg_quote_literal(s->ctx, conn,
                                              mem_printf(s->ctx, "%s(%s)", quoted, f->arguments),
                                              err);
    const SpreadTable *table = table_of_group(s, f->colocation);
    const char *with = table == NULL ? "'default'"
                                     : literal_name(s->ctx, s->node, table->record, err);
    if (name == NULL || with == NULL)
        return NULL;
    Str *sql = str_new(s->ctx);
    str_addf(sql, "SELECT pg_catalog.create_distributed_function(p.f");
    if (f->argument != NULL)
        str_addf(sql, ", '%s', colocate_with := %s", f->argument, with);
    else if (table != NULL)
        str_addf(sql, ", colocate_with := %s", with);
    str_addf(sql, "%s) FROM (SELECT pg_catalog.to_regprocedure(%s)) p(f) WHERE p.f IS NOT NULL",
             f->force_delegation ? ", force_delegation := true" : "", name);
    return sql->data;
}

/* Has this restore made it? The archive's tag is its name and the types of its arguments. */
static bool has_function(const RestoreNode *node, const DistributedFunctionRecord *f)
{
    static const char *const kinds[] = {"FUNCTION", "PROCEDURE", "AGGREGATE", NULL};
    size_t len = strlen(f->name);
    for (size_t i = 0; i < node->toc->entry_count; i++)
    {
        const TocEntry *e = &node->toc->entries[i];
        if (entry_is_any(e->desc, kinds) && e->schema != NULL &&
            strcmp(e->schema, node_schema(node, f->schema)) == 0 &&
            strncmp(e->tag, f->name, len) == 0 && e->tag[len] == '(')
            return true;
    }
    return false;
}

/* A function goes with a table; where that is not restored it is one as any other. */
static bool spread_functions(const Spreader *s, Error *err)
{
    const Manifest *m = s->node->manifest;
    for (size_t i = 0; i < m->function_count; i++)
    {
        const DistributedFunctionRecord *f = &m->functions[i];
        bool alone = f->colocation != 0 && table_of_group(s, f->colocation) == NULL;
        if (alone || !has_function(s->node, f))
            continue;
        const char *sql = function_sql(s, f, err);
        if (sql == NULL || !run(s->node, 1, (int64_t) i, sql, err))
            return error_prefix(err, "could not distribute function \"%s.%s(%s)\"", f->schema,
                                f->name, f->arguments);
    }
    return true;
}

static void warn_of_copies(const Spreader *s)
{
    size_t count = 0;
    const SpreadTable *one = NULL;
    for (size_t i = 0; i < s->count; i++)
    {
        if (copies_there(s, &s->tables[i]) >= s->tables[i].copies)
            continue;
        one = one == NULL ? &s->tables[i] : one;
        count++;
    }
    if (one != NULL)
        log_warning("%s: there are too few nodes for the copies that %zu tables had of each shard; "
                    "\"%s.%s\" gets %" PRIu64 " in the place of %" PRIu64,
                    s->node->label, count, one->record->schema, one->record->name,
                    copies_there(s, one), one->copies);
}

bool citus_spread_tables(RestoreNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "spread");
    Spreader s = {.node = node, .ctx = tmp};
    if (!list_tables(&s, err))
        return false;
    warn_of_copies(&s);
    return spread_tables(&s, err) && (node->request->distribute != NULL ||
                                      (spread_schemas(&s, err) && spread_functions(&s, err)));
}

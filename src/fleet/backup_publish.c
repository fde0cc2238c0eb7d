/* fleet/backup_publish.c - a set's manifest; the contract is in backup_run_parts.h. */
#include "base/clock.h"
#include "fleet/backup_run_parts.h"
#include "repo/fold.h"
#include "report/set_report.h"

const char *backup_publish_fleet(const BackupRun *run, void *ctx)
{
    const NodeRecord *first = &run->nodes[0].record;
    if (run->fleet->name != NULL)
        return run->fleet->name;
    if (run->request->all_databases)
        return mem_printf(ctx, "all-%s", first->system_identifier);
    return mem_printf(ctx, "%s-%s", first->database, first->system_identifier);
}

static void fill_totals(const BackupRun *run, Manifest *m)
{
    TotalsRecord *t = &m->totals;
    if (run->bases != NULL)
        return; /* backup_physical_records has filled them */
    for (size_t i = 0; i < run->count; i++)
    {
        BackupNode *node = &run->nodes[i];
        t->objects += atomic_load(&node->objects);
        node->rows = node->stored = 0;
        for (size_t k = 0; k < node->catalog.count; k++)
        {
            node->rows += node->tables[k].rows;
            node->stored += node->tables[k].stored;
        }
        t->stored += node->record.schema.bytes + node->record.chunks.bytes +
                     node->record.globals.bytes + node->record.config.bytes;
    }
    t->tables = m->table_count;
    t->sequences = m->sequence_count;
    for (size_t i = 0; i < m->table_count; i++)
    {
        t->chunks += m->tables[i].chunks;
        t->rows += m->tables[i].rows;
        t->logical += m->tables[i].logical;
        t->stored += m->tables[i].stored;
        t->referenced += m->tables[i].referenced;
    }
}

/* The sets that chunks are referred to in, by their own order; of base backups the whole chain. */
static void fill_depends(const BackupRun *run, Manifest *m)
{
    SetRecord *set = &m->set;
    if (run->base == NULL)
        return;
    memcpy(set->base, run->base->key, SET_KEY_LEN);
    set->depends_on = mem_array(m, char *, run->base->set_count);
    for (size_t s = 0; s < run->base->set_count; s++)
    {
        bool used = run->bases != NULL;
        for (size_t i = 0; i < run->count; i++)
            used = used || (run->nodes[i].base_used != NULL && run->nodes[i].base_used[s]);
        if (used)
            set->depends_on[set->depends_count++] = mem_strdup(m, run->base->sets[s]);
    }
}

static char **copy_strings(void *ctx, char **strings, size_t count)
{
    char **copy = mem_array(ctx, char *, count);
    for (size_t i = 0; i < count; i++)
        copy[i] = mem_strdup(copy, strings[i]);
    return copy;
}

static void copy_node(void *ctx, NodeRecord *to, const NodeRecord *from)
{
    *to = *from;
    to->host = mem_strdup(ctx, from->host);
    to->database = mem_strdup(ctx, from->database);
    to->system_identifier = mem_strdup(ctx, from->system_identifier);
    to->server_version = mem_strdup(ctx, from->server_version);
    to->encoding = mem_strdup(ctx, from->encoding);
    to->snapshot = mem_strdup(ctx, from->snapshot);
    to->schema.path = mem_strdup(ctx, from->schema.path);
    to->chunks.path = mem_strdup(ctx, from->chunks.path);
    to->globals.path = mem_strdup(ctx, from->globals.path);
    to->config.path = mem_strdup(ctx, from->config.path);
    to->repo = mem_strdup(ctx, from->repo);
    to->repo_id = mem_strdup(ctx, from->repo_id);
    to->warnings = copy_strings(ctx, from->warnings, from->warning_count);
}

/* What the records of tables refer to is the catalogue's, which the manifest takes over. */
static void take_tables(Manifest *m, BackupNode *node)
{
    char *database = mem_strdup(m, node->record.database);
    for (size_t i = 0; i < node->catalog.count; i++)
    {
        TableRecord *t = mem_push(m, m->tables, m->table_count, m->table_capacity, TableRecord);
        *t = node->tables[i];
        t->database = database;
    }
    for (size_t i = 0; i < node->sequence_count; i++)
    {
        SequenceRecord *s = mem_push(m, m->sequences, m->sequence_count, m->sequence_capacity,
                                     SequenceRecord);
        *s = node->sequences[i];
        s->database = database;
        s->schema = mem_strdup(m, s->schema);
        s->name = mem_strdup(m, s->name);
    }
    talloc_steal(m, node->catalog.selected);
}

static char **copy_texts(void *ctx, char *const *texts, size_t count)
{
    char **copy = mem_array(ctx, char *, count);
    for (size_t i = 0; i < count; i++)
        copy[i] = mem_strdup(copy, texts[i]);
    return copy;
}

/* What an engine knows of the tables that are in the set; its relations are the parts of the nodes. */
static void copy_map(Manifest *m, const BackupRun *run)
{
    const EngineMap *map = run->map;
    const Catalog *catalog = &run->nodes[0].catalog;
    size_t item = 0;
    for (size_t i = 0; i < map->distribution_count; i++)
    {
        /* Both lists are sorted by oid. */
        while (item < catalog->count && catalog->items[item].oid < map->distributions[i].table_oid)
            item++;
        if (item == catalog->count || catalog->items[item].oid != map->distributions[i].table_oid)
            continue;
        DistributionRecord *d = mem_push(m, m->distributions, m->distribution_count,
                                         m->distribution_capacity, DistributionRecord);
        *d = map->distributions[i];
        d->database = mem_strdup(m, d->database);
        d->method = mem_strdup(m, d->method);
        d->column = mem_strdup(m, d->column);
        d->columns = copy_texts(m, d->columns, d->column_count);
        d->opclasses = copy_texts(m, d->opclasses, d->opclass_count);
        d->tenant_schema = mem_strdup(m, d->tenant_schema);
    }
    for (size_t i = 0; i < map->schema_count; i++)
    {
        DistributedSchemaRecord *s = mem_push(m, m->schemas, m->schema_count, m->schema_capacity,
                                              DistributedSchemaRecord);
        *s = map->schemas[i];
        s->database = mem_strdup(m, s->database);
        s->schema = mem_strdup(m, s->schema);
    }
    for (size_t i = 0; i < map->function_count; i++)
    {
        DistributedFunctionRecord *f = mem_push(m, m->functions, m->function_count,
                                                m->function_capacity, DistributedFunctionRecord);
        *f = map->functions[i];
        f->database = mem_strdup(m, f->database);
        f->schema = mem_strdup(m, f->schema);
        f->name = mem_strdup(m, f->name);
        f->arguments = mem_strdup(m, f->arguments);
        f->argument = mem_strdup(m, f->argument);
    }
}

static void copy_parts(Manifest *m, const BackupNode *node)
{
    for (size_t i = 0; i < node->catalog.count; i++)
    {
        const ScopePart *part = scope_part(node->scope, &node->catalog.items[i]);
        if (part == NULL)
            continue;
        ShardRecord *s = mem_push(m, m->shards, m->shard_count, m->shard_capacity, ShardRecord);
        *s = (ShardRecord){.content = node->content,
                           .database = mem_strdup(m, node->record.database),
                           .oid = node->catalog.items[i].oid,
                           .table_oid = part->table_oid,
                           .shard_id = part->shard_id,
                           .min = mem_strdup(m, part->min),
                           .max = mem_strdup(m, part->max)};
    }
}

void backup_publish_set(const BackupRun *run, void *ctx, SetRecord *ret)
{
    const BackupRequest *request = run->request;
    *ret = (SetRecord){.version = mem_strdup(ctx, PGARK_VERSION),
                       .fleet = mem_strdup(ctx, backup_publish_fleet(run, ctx)),
                       .prefix = mem_strdup(ctx, request->prefix),
                       .topology = mem_strdup(ctx, run->fleet->topology),
                       .started_us = run->started_us,
                       .finished_us = clock_wall_us(),
                       .compress = request->compress,
                       .format = mem_strdup(ctx, backup_format_name(request->format)),
                       .chunk_size = request->chunk_size,
                       .jobs = request->jobs,
                       .sections = (int) request->selection->sections};
    if (run->set != NULL)
        memcpy(ret->key, run->set->key, SET_KEY_LEN);
    if (request->physical != NULL)
    {
        ret->kind = mem_strdup(ctx, SET_PHYSICAL);
        ret->chunk_size = request->physical->part_size;
    }
    selection_describe(request->selection, ctx, &ret->selection, &ret->selection_count);
}

/* Gathers from the nodes what the manifest says; it outlives their connections. */
static Manifest *make_manifest(const BackupRun *run)
{
    Manifest *m = mem_new(run->ctx, Manifest);
    backup_publish_set(run, m, &m->set);
    fill_depends(run, m);
    m->cut = run->cut;
    for (size_t i = 0; i < run->count; i++)
    {
        copy_node(m, mem_push(m, m->nodes, m->node_count, m->node_capacity, NodeRecord),
                  &run->nodes[i].record);
        if (run->bases != NULL)
            continue;
        take_tables(m, &run->nodes[i]);
        copy_parts(m, &run->nodes[i]);
    }
    if (run->bases != NULL)
        backup_physical_records(run, m);
    else if (run->map != NULL)
        copy_map(m, run);
    fill_totals(run, m);
    return m;
}

static bool write_manifest(ManifestWriter *w, const Manifest *m, Error *err)
{
    bool ok = manifest_write_set(w, &m->set, err);
    for (size_t i = 0; ok && i < m->node_count; i++)
        ok = manifest_write_node(w, &m->nodes[i], err);
    ok = ok && manifest_write_cut(w, &m->cut, err);
    for (size_t i = 0; ok && i < m->table_count; i++)
        ok = manifest_write_table(w, &m->tables[i], err);
    for (size_t i = 0; ok && i < m->sequence_count; i++)
        ok = manifest_write_sequence(w, &m->sequences[i], err);
    for (size_t i = 0; ok && i < m->distribution_count; i++)
        ok = manifest_write_distribution(w, &m->distributions[i], err);
    for (size_t i = 0; ok && i < m->shard_count; i++)
        ok = manifest_write_shard(w, &m->shards[i], err);
    for (size_t i = 0; ok && i < m->schema_count; i++)
        ok = manifest_write_distributed_schema(w, &m->schemas[i], err);
    for (size_t i = 0; ok && i < m->function_count; i++)
        ok = manifest_write_distributed_function(w, &m->functions[i], err);
    for (size_t i = 0; ok && i < m->physical_count; i++)
        ok = manifest_write_physical(w, &m->physicals[i], err);
    for (size_t i = 0; ok && i < m->tablespace_count; i++)
        ok = manifest_write_tablespace(w, &m->tablespaces[i], err);
    for (size_t i = 0; ok && i < m->part_count; i++)
        ok = manifest_write_part(w, &m->parts[i], err);
    for (size_t i = 0; ok && i < m->wal_count; i++)
        ok = manifest_write_wal(w, &m->wals[i], err);
    return ok && manifest_write_totals(w, &m->totals, err);
}

/* The report tells of tables, so it needs the manifest folded: that has been written, but not published. */
static bool write_report(const BackupRun *run, Manifest *m, Error *err)
{
    return (manifest_is_physical(m) || fold_manifest(m, err) != NULL) &&
           set_report_store(run->repo->storage, run->set->dir, m, run->request->asked,
                            run->request->no_sync, err);
}

/* The directories whose entries must last before the manifest may say that they exist. */
static bool sync_directories(BackupRun *run, Error *err)
{
    if (run->bases != NULL)
        return backup_physical_sync(run, err);
    for (size_t i = 0; i < run->count; i++)
    {
        if (run->nodes[i].record.repo_id == NULL &&
            !node_sync(&run->nodes[i], run->repo->storage, run->set->dir, err))
            return false;
    }
    return storage_sync_dir(run->repo->storage, run->set->dir, err);
}

/* The manifest goes to the nodes' repositories first: when it is here, the set is there as a whole. What
 * a run that dies in between leaves there is swept with the next expire. */
static bool send_manifest(BackupRun *run, const Manifest *m, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "copy");
    Storage *st = run->repo->storage;
    const char *path = mem_printf(tmp, "%s/manifest.copy", run->set->dir);
    ObjectRecord object;
    char *text;
    size_t len;
    AUTO(manifest_writer_free)
    ManifestWriter *w = manifest_writer_new(st, path, true, true, err);
    return w != NULL && write_manifest(w, m, err) && manifest_writer_commit(w, &object, err) &&
           storage_read_all(st, tmp, path, object.bytes, &text, &len, err) &&
           storage_remove(st, path, err) && backup_agents_publish(run, text, len, err);
}

bool backup_publish(BackupRun *run, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "publish");
    Manifest *m = make_manifest(run);
    if (run->request->work != NULL)
    {
        run->result->manifest = m;
        return fold_manifest(m, err) != NULL && cancel_check(run->cancel, err);
    }
    if (!run->request->no_sync && !sync_directories(run, err))
        return false;
    if (backup_agents_have_parts(run) && !send_manifest(run, m, err))
        return false;
    AUTO(manifest_writer_free)
    ManifestWriter *w = manifest_writer_new(run->repo->storage,
                                            mem_printf(tmp, "%s/manifest.jsonl", run->set->dir),
                                            true, run->request->no_sync, err);
    if (w == NULL || !write_manifest(w, m, err) || !write_report(run, m, err))
        return false;
    /* From here on the set is published or it is not, and nobody removes it in between. */
    pthread_mutex_lock(&run->set_mutex);
    run->set->committed = cancel_check(run->cancel, err) && manifest_writer_commit(w, NULL, err);
    bool ok = run->set->committed;
    pthread_mutex_unlock(&run->set_mutex);
    if (ok)
        run->result->manifest = m;
    return ok;
}

bool backup_publish_nodes(void *ctx, const Fleet *fleet, const BackupRequest *request, RepoSet *set,
                          BackupNode *nodes, size_t count, Cancel *cancel, Manifest **ret_manifest,
                          Error *err)
{
    BackupResult result = {.manifest = NULL};
    BackupRun run = {.ctx = ctx,
                     .fleet = fleet,
                     .request = request,
                     .result = &result,
                     .repo = set->repo,
                     .set = set,
                     .cancel = cancel,
                     .nodes = nodes,
                     .count = count,
                     .cut = {.method = "none"},
                     .started_us = clock_wall_us()};
    pthread_mutex_init(&run.set_mutex, NULL);
    bool ok = backup_publish(&run, err);
    pthread_mutex_destroy(&run.set_mutex);
    *ret_manifest = result.manifest;
    return ok;
}

/* export/export.c - the contract is in export.h. */
#include "export/export.h"

#include "export/directory.h"
#include "export/plain.h"
#include "export/table_data.h"
#include "repo/base.h"
#include "repo/part.h"

static bool is_wanted(const NodeRecord *node, const ExportRequest *r)
{
    return !fold_is_source(node) &&
           (r->content == EXPORT_ANY_CONTENT || r->content == node->content) &&
           (r->database == NULL || strcmp(r->database, node->database) == 0);
}

/* A set has a record for each database of each node. */
static const NodeRecord *find_node(const Manifest *m, const ExportRequest *r, Error *err)
{
    const NodeRecord *found = NULL;
    for (size_t i = 0; i < m->node_count; i++)
    {
        const NodeRecord *node = &m->nodes[i];
        if (!is_wanted(node, r))
            continue;
        if (found != NULL)
        {
            bool nodes = found->content != node->content;
            error_set(err, ERR_USAGE, "set %s has several %s, an export has one", m->set.key,
                      nodes ? "nodes" : "databases");
            error_hint(err, "Name one with %s; \"pgark show\" lists them.",
                       nodes ? "--content" : "--from-database");
            return NULL;
        }
        found = node;
    }
    if (found == NULL)
        error_set(err, ERR_NOT_FOUND, "set %s has no such node or database", m->set.key);
    return found;
}

/* Before anything is written. */
static bool check_tables(const ExportPlan *plan, Error *err)
{
    for (size_t i = 0; i < plan->entry_count; i++)
    {
        const ExportEntry *e = &plan->entries[i];
        if (e->table != NULL && e->chunk_count > 0 && !table_data_check(e->table, err))
            return false;
    }
    return true;
}

/* The node's files, and those of the nodes that have parts of its tables. */
static bool check_here(Repo *repo, const char *set_dir, const ExportSource *source, Error *err)
{
    for (size_t i = 0; i < source->manifest->node_count; i++)
    {
        bool here;
        const NodeRecord *node = &source->manifest->nodes[i];
        if (node != source->node && source->fold->count == 0)
            continue;
        if (!part_is_here(repo, set_dir, node, &here, err))
            return false;
        if (here)
            continue;
        error_set(err, ERR_NOT_FOUND, "node %d of the set lies in repository %s of its own host",
                  node->content, node->repo);
        return error_hint(err, "Export it there, or bring the directories of the set together.");
    }
    return true;
}

bool export_set(Repo *repo, const char *set_dir, const ExportRequest *request, Cancel *cancel,
                ExportResult *ret, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "export");
    ExportSource source = {.storage = repo->storage,
                           .set_dir = set_dir,
                           .without = request->selection->without,
                           .progress = request->progress};
    Manifest *manifest = manifest_read(repo->storage, ctx, set_dir, false, err);
    source.manifest = manifest;
    if (manifest == NULL || !manifest_want_rows(manifest, "export", err) ||
        !base_check_depends(repo->storage, set_dir, &manifest->set, err))
        return false;
    source.fold = fold_manifest(manifest, err);
    source.node = source.fold == NULL ? NULL : find_node(manifest, request, err);
    bool here = source.node != NULL && check_here(repo, set_dir, &source, err);
    ExportPlan *plan = here ? export_plan_make(ctx, &source, request, cancel, err) : NULL;
    if (plan == NULL || !check_tables(plan, err))
        return false;
    if (!source.fold->even)
        return error_set(err, ERR_USAGE,
                         "the parts of a table differ in their columns: restore the set instead");
    *ret = (ExportResult){.content = source.node->content,
                          .tables = plan->tables,
                          .rows = plan->rows,
                          .logical = plan->logical};
    if (request->progress != NULL)
        atomic_store(&request->progress->bytes_total, plan->logical);
    if (request->format == EXPORT_DIRECTORY)
        return export_directory(&source, plan, request, cancel, err);
    return export_plain(&source, plan, request, cancel, err);
}

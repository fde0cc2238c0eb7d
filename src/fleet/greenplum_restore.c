/* fleet/greenplum_restore.c - what a restore into a Greenplum cluster needs besides; see
 * greenplum_restore.h. */
#include "fleet/greenplum_restore.h"

#include "restore/entry.h"

/* Of a set of Greenplum's anywhere else: rows are as good as any. */
static bool refuse_definitions(const RestoreNode *node, Error *err)
{
    if ((node->selection.sections & (SELECT_PRE_DATA | SELECT_POST_DATA)) == 0)
        return true;
    error_set(
        err, ERR_USAGE,
        "the set is of a Greenplum cluster, and the target is none: it does not understand how "
        "tables are distributed");
    return error_hint(err, "Make the tables there, and restore their rows only (-a).");
}

/* Its pg_dump writes the number of the database's owner, not the name. */
static void forget_database_owner(const RestoreNode *node)
{
    for (size_t i = 0; i < node->toc->entry_count; i++)
    {
        TocEntry *e = &node->toc->entries[i];
        if (entry_is(e, "DATABASE") && strspn(e->owner, "0123456789") == strlen(e->owner))
            e->owner = "";
    }
}

static size_t count_source(const Manifest *m)
{
    size_t count = 0;
    for (size_t i = 0; i < m->node_count; i++)
        count += m->nodes[i].content >= 0 ? 1 : 0;
    return count;
}

static bool check_direct(const RestoreNode *node, const GreenplumTarget *target, Error *err)
{
    size_t source = count_source(node->manifest);
    if (node->request->direct != DIRECT_ALWAYS)
        return true;
    if (source != target->segment_count)
    {
        error_set(err, ERR_USAGE, "--direct: the set is of %zu segments, the target has %zu",
                  source, target->segment_count);
        return error_hint(err, "Without it rows go through the coordinator, which finds their "
                               "segments.");
    }
    for (size_t i = 0; i < node->table_count; i++)
    {
        const RestoreTable *t = &node->tables[i];
        const char *why = t->chunk_count == 0 || t->record->extension != NULL
                              ? NULL
                              : greenplum_place_reason(node, t, target->segment_count);
        if (why != NULL)
            return error_set(err, ERR_USAGE, "--direct: table \"%s.%s\" cannot be loaded so: %s",
                             t->schema, t->record->name, why);
    }
    return true;
}

static bool prepare(RestoreNode *node, Error *err)
{
    const RestoreRequest *r = node->request;
    GreenplumTarget *target = mem_new(node->ctx, GreenplumTarget);
    node->cluster_state = target;
    forget_database_owner(node);
    if (r->shard_count > 0)
        return error_set(err, ERR_USAGE, "--shard-count is for sets of Citus clusters");
    if (node->main->server.product == SERVER_POSTGRESQL)
        return refuse_definitions(node, err);
    if (!greenplum_segments(node->ctx, node->main, &node->spec, r->host_map, r->host_map_count,
                            &target->segments, &target->segment_count, err) ||
        !check_direct(node, target, err))
        return false;
    node->spec.setup = GREENPLUM_SETUP;
    node->jobs = r->jobs * (int) target->segment_count;
    return true;
}

static bool spread(RestoreNode *node, Error *err)
{
    const GreenplumTarget *target = node->cluster_state;
    return target->segment_count == 0 || greenplum_place_parts(node, err);
}

const RestoreCluster greenplum_restore = {
    .prepare = prepare, .whole_statements = true, .spread = spread, .prove = greenplum_place_prove};

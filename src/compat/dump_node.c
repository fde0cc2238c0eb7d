/* compat/dump_node.c - the contract is in dump_node.h. */
#include "compat/dump_node.h"

#include "agent/pack.h"
#include "agent/part.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"
#include "compat/dump_dir.h"
#include "compat/dump_job.h"
#include "fleet/agent_call.h"
#include "fleet/backup_run.h"

typedef struct Work
{
    AgentProcess *p;
    BackupRequest request;
    DumpNodeJob job;
    DumpRequest dump;
    BackupNode nodes[2]; /* the coordinator's definitions, where the node has none; the node */
    const char *records; /* of what was stored, packed */
    uint64_t objects;
} Work;

char *dump_node_dir(void *ctx, const AgentProcess *p, const char *dir, Error *err)
{
    if (dump_dir_is_upward(dir))
    {
        error_set(err, ERR_USAGE, "the directory has . or .. in its path");
        return NULL;
    }
    if (dir[0] == '/')
        return mem_strdup(ctx, dir);
    const char *data = p->order.server.data_directory;
    return dir[0] == '\0' ? mem_strdup(ctx, data) : mem_printf(ctx, "%s/%s", data, dir);
}

/* ---- the node's own set ---- */

static bool write_object(Storage *st, const char *path, const char *data, size_t len, Error *err)
{
    AUTO(storage_writer_free)
    StorageWriter *w = storage_write_open(st, path, STORAGE_WRITE_PLAIN, err);
    return w != NULL && storage_write(w, data, len, err) && storage_writer_commit(w, err);
}

static bool is_below(const char *path)
{
    return path != NULL && path[0] != '/' && !dump_dir_is_upward(path);
}

/* The coordinator as a node of the set: its definitions, and tables without chunks. */
static bool put_definitions(Work *w, RepoSet *set, BackupNode *node, Error *err)
{
    void *ctx = w->p->ctx;
    Storage *st = set->repo->storage;
    AgentRecords found;
    char *schema;
    size_t len;
    if (!agent_records_read(ctx, w->job.definitions.records, &found, err) ||
        !agent_unpack(ctx, w->job.definitions.schema, &schema, &len, err))
        return error_prefix(err, "the coordinator's definitions");
    if (!is_below(found.node.schema.path) || !is_below(found.node.chunks.path))
        return error_set(err, ERR_USAGE, "the coordinator's definitions lie nowhere");
    *node = (BackupNode){.content = found.node.content,
                         .record = found.node,
                         .tables = found.tables,
                         .sequences = found.sequences,
                         .sequence_count = found.sequence_count};
    node->catalog.count = found.table_count;
    node->catalog.items = mem_array(ctx, Relation, found.table_count);
    for (size_t i = 0; i < found.table_count; i++)
        node->catalog.items[i].oid = found.tables[i].oid;
    const char *dir = mem_strdup(ctx, found.node.schema.path);
    *strrchr((char *) (uintptr_t) dir, '/') = '\0';
    AUTO(manifest_writer_free) ManifestWriter *chunks = NULL;
    if (!storage_make_dir(st, repo_path_in(ctx, set->dir, dir), false, err) ||
        !write_object(st, repo_path_in(ctx, set->dir, found.node.schema.path), schema, len, err))
        return false;
    chunks = manifest_writer_new(st, repo_path_in(ctx, set->dir, found.node.chunks.path), false,
                                 true, err);
    return chunks != NULL && manifest_writer_commit(chunks, &node->record.chunks, err);
}

static bool fill_set(Work *w, RepoSet *set, Manifest **ret, Error *err)
{
    bool source = w->job.definitions.records != NULL;
    BackupNode *nodes = source ? w->nodes : w->nodes + 1;
    BackupNode *own = &w->nodes[1];
    if (source && !put_definitions(w, set, &w->nodes[0], err))
        return false;
    agent_node_init(w->p, &w->request, &w->job.backup, own);
    own->dbid = w->job.files.dbid;
    bool ok = agent_node_dump(w->p, own, set->repo->storage, set->dir, err);
    w->records = ok ? agent_records_pack(w->p->ctx, own, err) : NULL;
    w->objects = atomic_load(&own->objects);
    ok = w->records != NULL && backup_publish_nodes(w->p->ctx, w->dump.fleet, &w->request, set,
                                                    nodes, source ? 2 : 1, w->p->cancel, ret, err);
    node_close(own);
    return ok;
}

static bool make_set(void *arg, const DumpDir *dir, Manifest **ret, Error *err)
{
    Work *w = arg;
    Repo *repo = repo_open_or_create(w->p->ctx, dir->set_repo, err);
    RepoSet *set = repo == NULL ? NULL
                                : repo_set_begin(repo, w->p->ctx, DUMP_AGENT, w->p->order.key, err);
    bool ok = set != NULL && fill_set(w, set, ret, err);
    repo_set_end(set);
    return ok;
}

static bool meet(void *arg, Error *err)
{
    const Work *w = arg;
    if (!agent_monitor_wait(w->p->monitor, AGENT_CHECKED, NULL, w->p->cancel, err))
        return false;
    agent_monitor_phase(w->p->monitor, "naming");
    return true;
}

/* ---- the dump ---- */

/* As the coordinator sees the fleet, of which this is one node. */
static Fleet *one_node(const Work *w)
{
    Fleet *fleet = mem_new(w->p->ctx, Fleet);
    fleet->topology = w->job.topology;
    fleet->nodes = mem_array(fleet, FleetNode, 1);
    fleet->node_count = 1;
    fleet->nodes[0] = (FleetNode){
        .content = w->p->job.content, .dbid = w->job.files.dbid, .spec = w->p->spec};
    return fleet;
}

static const int *wanted_dbids(const Work *w)
{
    static const int none[] = {-1};
    return w->job.wanted ? &w->job.files.dbid : none;
}

static bool make_request(Work *w, const DumpSource *source, Error *err)
{
    const DumpNodeFiles *files = &w->job.files;
    const char *dir = dump_node_dir(w->p->ctx, w->p, files->dir, err);
    if (dir == NULL)
        return false;
    w->dump = (DumpRequest){.fleet = one_node(w),
                            .dir = dir,
                            .prefix = files->prefix,
                            .key = w->p->order.key,
                            .gzip = files->gzip,
                            .selection = w->request.selection,
                            .form = w->job.form,
                            .dbids = wanted_dbids(w),
                            .dbid_count = 1,
                            .by_role = true,
                            .role = files->number,
                            .mark = mem_printf(w->p->ctx, "_%d_%d", files->number, files->dbid),
                            .source = source,
                            .no_report = true,
                            .line = DUMP_AGENT,
                            .passed = "",
                            .progress = PROGRESS_NONE};
    return true;
}

/* Of the two nodes that a set may have, one has files. */
static json_t *tell(const Work *w, const DumpResult *result)
{
    const char *script = NULL;
    const char *post_data = NULL;
    for (size_t i = 0; i < result->node_count; i++)
    {
        const DumpNode *node = &result->nodes[i];
        script = node->script != NULL ? node->script : script;
        post_data = node->post_data != NULL ? node->post_data : post_data;
    }
    return json_pack("{s:I, s:s, s:s, s:s?, s:s?}", "objects", (json_int_t) w->objects, "records",
                     w->records, "dir", w->dump.dir, "script", script, "post_data", post_data);
}

bool dump_node(AgentProcess *p, const Options *o, json_t **ret, Error *err)
{
    DumpResult result;
    Work *w = mem_new(p->ctx, Work);
    w->p = p;
    const DumpSource source = {.make = make_set, .meet = meet, .arg = w, .cancel = p->cancel};
    if (!cmd_backup_request(p->ctx, o, &w->request, err) ||
        !dump_job_parse(p->ctx, p->job.more, &w->job, err) || !make_request(w, &source, err))
        return false;
    w->request.no_sync = true; /* of the set, which is gone when the scripts are there */
    if (!dump_run(p->ctx, &w->dump, NULL, &result, err))
        return false;
    *ret = tell(w, &result);
    return *ret != NULL || error_set(err, ERR_INTERNAL, "the result cannot be written");
}

bool dump_node_remove(AgentProcess *p, const Options *o UNUSED, json_t **ret, Error *err)
{
    static const DumpFileKind kinds[] = {DUMP_SCRIPT, DUMP_POST_DATA, DUMP_DATABASE};
    DumpNodeFiles f;
    const char *dir = dump_files_parse(p->job.more, &f, err) ? dump_node_dir(p->ctx, p, f.dir, err)
                                                             : NULL;
    Storage *st = dir == NULL ? NULL : storage_open(p->ctx, dir, err);
    for (size_t i = 0; st != NULL && i < LENGTH_OF(kinds); i++)
    {
        bool script = kinds[i] != DUMP_DATABASE;
        const char *name = dump_name(p->ctx, kinds[i], f.prefix, f.number, f.dbid, p->order.key);
        if (!storage_remove(st, script && f.gzip ? mem_printf(p->ctx, "%s.gz", name) : name, err))
            return false;
    }
    *ret = st == NULL ? NULL : json_object();
    return st != NULL;
}

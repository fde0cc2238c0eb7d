/* compat/dump_run.c - a set, and scripts of it; the contract is in dump_run.h. */
#include "compat/dump_run.h"

#include "base/log.h"
#include "base/parallel.h"
#include "base/str.h"
#include "cli/cli.h"
#include "compat/dump_dir.h"
#include "compat/dump_report.h"
#include "export/export.h"
#include "fleet/backup_run.h"
#include "repo/fold.h"

#define STATUS_LINES 4

typedef struct DumpRun
{
    void *ctx;
    const DumpRequest *request;
    Supervisor *supervisor;
    DumpDir *dir;
    DumpResult *result;
    const Manifest *manifest;
    const char *set_dir;
    const Selection *selection; /* of what the scripts have */
    const NodeRecord **records; /* of the result's nodes */
    Cancel *cancel;
} DumpRun;

/* ---- nodes and their files ---- */

static bool is_wanted(const DumpRequest *r, int dbid)
{
    bool wanted = r->dbid_count == 0;
    for (size_t i = 0; i < r->dbid_count; i++)
        wanted = wanted || r->dbids[i] == dbid;
    return wanted;
}

static char *path_of(const DumpRun *run, const DumpNode *node, DumpFileKind kind)
{
    const DumpRequest *r = run->request;
    bool script = kind == DUMP_SCRIPT || kind == DUMP_POST_DATA;
    int number = r->by_role ? r->role : node->content;
    const char *name = dump_name(run->ctx, kind, r->prefix, number, node->dbid, run->dir->key);
    return mem_printf(run->ctx, "%s/%s%s", run->dir->path, name,
                      script && r->gzip ? DUMP_GZIP_SUFFIX : "");
}

/* source: it has rows of the coordinator's tables, and no definitions of its own. */
static void name_files(const DumpRun *run, DumpNode *node, bool source)
{
    const DumpRequest *r = run->request;
    unsigned sections = r->selection->sections;
    if (!is_wanted(r, node->dbid) || (source && (sections & SELECT_DATA) == 0))
        return;
    if (!source || (sections & SELECT_DATA) != 0)
        node->script = path_of(run, node, DUMP_SCRIPT);
    if (!source && (sections & SELECT_POST_DATA) != 0)
        node->post_data = path_of(run, node, DUMP_POST_DATA);
}

static int content_of(const char *topology, int content)
{
    return str_equal(topology, "single") ? -1 : content;
}

/* What is known before the backup: enough for the report of one that fails. */
static void list_fleet(DumpRun *run)
{
    const Fleet *fleet = run->request->fleet;
    DumpResult *result = run->result;
    result->nodes = mem_array(run->ctx, DumpNode, fleet->node_count);
    result->node_count = fleet->node_count;
    for (size_t i = 0; i < fleet->node_count; i++)
    {
        const FleetNode *from = &fleet->nodes[i];
        result->nodes[i] = (DumpNode){.content = content_of(fleet->topology, from->content),
                                      .dbid = dump_dbid(run->request->fleet, from->dbid),
                                      .host = from->spec.host == NULL ? "-" : from->spec.host,
                                      .port = from->spec.port == NULL ? 0 : atoi(from->spec.port),
                                      .database = pg_conn_spec_database(run->ctx, &from->spec)};
        name_files(run, &result->nodes[i], fleet->engine != NULL && i > 0);
    }
}

static void list_nodes(DumpRun *run)
{
    const Manifest *m = run->manifest;
    DumpResult *result = run->result;
    result->nodes = mem_array(run->ctx, DumpNode, m->node_count);
    run->records = mem_array(run->ctx, const NodeRecord *, m->node_count);
    result->node_count = m->node_count;
    for (size_t i = 0; i < m->node_count; i++)
    {
        const NodeRecord *from = &m->nodes[i];
        result->nodes[i] = (DumpNode){.content = content_of(m->set.topology, from->content),
                                      .dbid = dump_dbid(run->request->fleet, from->dbid),
                                      .host = from->host,
                                      .port = from->port,
                                      .database = from->database};
        run->records[i] = from;
        name_files(run, &result->nodes[i], fold_is_source(from));
    }
}

/* ---- the set ---- */

static bool make_backup(DumpRun *run, BackupResult *backup, Error *err)
{
    const DumpRequest *r = run->request;
    OptionsAction action;
    BackupRequest request = {.repo = NULL};
    const char *argv[] = {"pgark",
                          "backup",
                          "--dbname=postgres", /* who the nodes are is known */
                          "--agent=no",
                          "--no-sync", /* it is gone when the scripts are there */
                          mem_printf(run->ctx, "--repo=%s", run->dir->set_repo),
                          mem_printf(run->ctx, "--key=%s", run->dir->key),
                          mem_printf(run->ctx, "--jobs=%d", r->jobs)};
    const Options *o = options_parse(run->ctx, (int) LENGTH_OF(argv), (char **) (uintptr_t) argv,
                                     &action, err);
    if (o == NULL || !cmd_backup_request(run->ctx, o, &request, err))
        return false;
    request.selection = r->selection;
    request.asked = r->line;
    if (r->pg_dump != NULL)
        request.pg_dump = r->pg_dump;
    return backup_run(run->ctx, r->fleet, &request, run->supervisor, r->progress, backup, err);
}

/* ---- scripts ---- */

static const NodeRecord *definitions_of(const DumpRun *run, const NodeRecord *record)
{
    for (size_t i = 0; fold_is_source(record) && i < run->manifest->node_count; i++)
    {
        if (!fold_is_source(&run->manifest->nodes[i]))
            return &run->manifest->nodes[i];
    }
    return record;
}

static bool write_part(const DumpRun *run, Repo *repo, const NodeRecord *record, ExportPart part,
                       const char *path, Error *err)
{
    const DumpRequest *r = run->request;
    ExportRequest e = r->form;
    ExportResult done;
    bool compressed = r->gzip && part != EXPORT_CREATION;
    e.format = EXPORT_PLAIN;
    e.part = part;
    e.content = definitions_of(run, record)->content;
    e.database = record->database;
    e.selection = run->selection;
    e.marks = true;
    e.split_rows = true;
    e.rows_of = record->content;
    e.compress = (Compress){.method = compressed ? COMPRESS_GZIP : COMPRESS_NONE,
                            .level = compressed ? 6 : 0};
    e.file = r->to_stdout && part == EXPORT_FIRST ? NULL : path;
    return export_set(repo, run->set_dir, &e, run->cancel, &done, err);
}

static bool write_scripts(const DumpRun *run, size_t i, Repo *repo, Error *err)
{
    const DumpNode *node = &run->result->nodes[i];
    const NodeRecord *record = run->records[i];
    bool source = fold_is_source(record);
    bool creation = !source && (run->request->selection->sections & SELECT_PRE_DATA) != 0 &&
                    is_wanted(run->request, node->dbid);
    return (node->script == NULL ||
            write_part(run, repo, record, source ? EXPORT_DATA : EXPORT_FIRST, node->script,
                       err)) &&
           (node->post_data == NULL ||
            write_part(run, repo, record, EXPORT_REST, node->post_data, err)) &&
           (!creation ||
            write_part(run, repo, record, EXPORT_CREATION, path_of(run, node, DUMP_DATABASE), err));
}

static bool write_node(void *arg, size_t i, Error *err)
{
    const DumpRun *run = arg;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "scripts");
    Repo *repo = repo_open(tmp, run->dir->set_repo, err);
    return repo != NULL && write_scripts(run, i, repo, err);
}

static bool write_all(void *arg, Error *err)
{
    DumpRun *run = arg;
    run->cancel = supervise_attempt(run->supervisor, err);
    return run->cancel != NULL &&
           parallel_run(run->result->node_count, write_node, run, run->cancel, err);
}

/* ---- what is left behind ---- */

static void remove_file(const DumpRun *run, const char *path)
{
    Error err = ERROR_INIT;
    if (path != NULL && !storage_remove(run->dir->storage, path + strlen(run->dir->path) + 1, &err))
        log_warning("\"%s\" could not be removed: %s", path, err.message);
}

static void remove_scripts(const DumpRun *run)
{
    for (size_t i = 0; i < run->result->node_count; i++)
    {
        const DumpNode *node = &run->result->nodes[i];
        remove_file(run, run->request->to_stdout ? NULL : node->script);
        remove_file(run, node->post_data);
        remove_file(run, path_of(run, node, DUMP_DATABASE));
    }
}

static bool write_status(const DumpRun *run, const DumpNode *node, const Error *failure, Error *err)
{
    const char *lines[STATUS_LINES];
    size_t count = 0;
    const char *program = run->request->by_role ? "gp_dump_agent" : "gp_dump";
    if (node->script == NULL && node->post_data == NULL)
        return true;
    lines[count++] = mem_printf(run->ctx, "Dumping database \"%s\", key %s", node->database,
                                run->dir->key);
    if (failure == NULL && node->script != NULL)
        lines[count++] = mem_printf(run->ctx, "Complete and on disk: %s", node->script);
    if (failure == NULL && node->post_data != NULL)
        lines[count++] = mem_printf(run->ctx, "Complete and on disk: %s", node->post_data);
    const char *text = dump_status_text(run->ctx, program, lines, count, failure);
    return dump_file_write(run->dir->path,
                           path_of(run, node, DUMP_STATUS) + strlen(run->dir->path) + 1, text, err);
}

static bool write_report(const DumpRun *run, const Error *failure, Error *err)
{
    const DumpRequest *r = run->request;
    const char *dir = r->report_dir == NULL ? run->dir->path : r->report_dir;
    const char *name = dump_report_name(run->ctx, false, r->prefix, run->dir->key);
    if (r->no_report)
        return true;
    run->result->report = mem_printf(run->ctx, "%s/%s", dir, name);
    return dump_file_write(dir, name, dump_report_text(run->ctx, r, run->result, failure), err);
}

static bool write_records(const DumpRun *run, const Error *failure, Error *err)
{
    for (size_t i = 0; i < run->result->node_count; i++)
    {
        if (!write_status(run, &run->result->nodes[i], failure, err))
            return false;
    }
    return write_report(run, failure, err);
}

/* The failure is what counts, not that it cannot be written down. */
static void record_failure(const DumpRun *run, const Error *failure)
{
    Error err = ERROR_INIT;
    remove_scripts(run);
    if (!write_records(run, failure, &err))
        log_warning("%s", err.message);
}

/* The list is the request's, so far. */
static void leave_out(Selection *s, PatternList *list)
{
    const PatternList before = *list;
    *list = (PatternList){.items = NULL};
    for (size_t i = 0; i < before.count; i++)
        *mem_push(s, list->items, list->count, list->capacity, Pattern *) = before.items[i];
    pattern_add_exact(list, s, NULL, "pgark");
}

static const Selection *choose(const DumpRun *run)
{
    Selection *s = mem_new(run->ctx, Selection);
    *s = *run->request->selection;
    if (run->request->without_extension)
    {
        leave_out(s, &s->not_schemas);
        leave_out(s, &s->not_extensions);
    }
    return s;
}

static bool dump(DumpRun *run, Error *err)
{
    BackupResult backup = {.manifest = NULL};
    list_fleet(run);
    if (!make_backup(run, &backup, err))
        return false;
    run->manifest = backup.manifest;
    run->selection = choose(run);
    run->set_dir = repo_set_dir(&(const Repo){.layout = LAYOUT_SETS}, run->ctx, run->dir->key);
    list_nodes(run);
    for (size_t i = 0; i < run->manifest->node_count; i++)
    {
        const NodeRecord *node = &run->manifest->nodes[i];
        for (size_t w = 0; w < node->warning_count; w++)
            log_warning("database \"%s\": %s", node->database, node->warnings[w]);
    }
    return supervise_run(run->supervisor, write_all, NULL, run, err);
}

bool dump_run(void *ctx, const DumpRequest *request, Supervisor *supervisor, DumpResult *ret,
              Error *err)
{
    DumpRun run = {.ctx = ctx, .request = request, .supervisor = supervisor, .result = ret};
    *ret = (DumpResult){.nodes = NULL};
    if (!dump_prefix_check(request->prefix, err) ||
        (request->key != NULL && !repo_key_parse(request->key, err)) ||
        (request->report_dir != NULL && !dump_dir_make(request->report_dir, err)))
        return false;
    run.dir = dump_dir_open(ctx, request->dir, request->prefix, request->key, err);
    if (run.dir == NULL)
        return false;
    memcpy(ret->key, run.dir->key, sizeof(ret->key));
    bool done = dump(&run, err) && write_records(&run, NULL, err);
    if (!done)
        record_failure(&run, err);
    dump_dir_close(run.dir);
    return done;
}

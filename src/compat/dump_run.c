/* compat/dump_run.c - a set, and scripts of it; the contract is in dump_run.h. */
#include "compat/dump_run.h"

#include "base/log.h"
#include "base/parallel.h"
#include "base/str.h"
#include "compat/dump_dir.h"
#include "compat/dump_files.h"
#include "compat/dump_report.h"
#include "export/export.h"
#include "repo/fold.h"

#define STATUS_LINES 4

typedef struct DumpRun
{
    void *ctx;
    const DumpRequest *request;
    Supervisor *supervisor;
    DumpDir *dir;
    DumpResult *result;
    Manifest *manifest;
    const char *set_dir;
    const Selection *selection; /* of what the scripts have */
    const NodeRecord **records; /* of the result's nodes */
    Cancel *cancel;
} DumpRun;

static void list_nodes(DumpRun *run)
{
    const Manifest *m = run->manifest;
    run->records = mem_array(run->ctx, const NodeRecord *, m->node_count);
    for (size_t i = 0; i < m->node_count; i++)
        run->records[i] = &m->nodes[i];
    dump_files_set(run->ctx, run->request, run->dir->path, m, run->result);
}

static char *name_of(const DumpRun *run, const DumpNode *node, DumpFileKind kind)
{
    return dump_files_name(run->ctx, run->request, run->dir->key, node, kind);
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

/* Into the place: a file gets its name in the directory when all have been written. */
static bool write_part(const DumpRun *run, Repo *repo, const NodeRecord *record, ExportPart part,
                       const char *name, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "part");
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
    e.file = r->to_stdout && part == EXPORT_FIRST ? NULL : dump_dir_place(run->dir, tmp, name);
    return export_set(repo, run->set_dir, &e, run->cancel, &done, err);
}

static bool has_creation(const DumpRun *run, size_t i)
{
    return !fold_is_source(run->records[i]) &&
           (run->request->selection->sections & SELECT_PRE_DATA) != 0 &&
           dump_files_wanted(run->request, run->result->nodes[i].dbid);
}

static bool write_scripts(const DumpRun *run, size_t i, Repo *repo, Error *err)
{
    const DumpNode *node = &run->result->nodes[i];
    const NodeRecord *record = run->records[i];
    ExportPart first = fold_is_source(record) ? EXPORT_DATA : EXPORT_FIRST;
    return (node->script == NULL ||
            write_part(run, repo, record, first, name_of(run, node, DUMP_SCRIPT), err)) &&
           (node->post_data == NULL ||
            write_part(run, repo, record, EXPORT_REST, name_of(run, node, DUMP_POST_DATA), err)) &&
           (!has_creation(run, i) ||
            write_part(run, repo, record, EXPORT_CREATION, name_of(run, node, DUMP_DATABASE), err));
}

static bool write_node(void *arg, size_t i, Error *err)
{
    const DumpRun *run = arg;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "scripts");
    Repo *repo = repo_open(tmp, run->dir->set_repo, err);
    return repo != NULL && write_scripts(run, i, repo, err);
}

static bool reveal_node(const DumpRun *run, size_t i, Error *err)
{
    const DumpNode *node = &run->result->nodes[i];
    bool to_stdout = run->request->to_stdout;
    return (node->script == NULL || to_stdout ||
            dump_dir_reveal(run->dir, name_of(run, node, DUMP_SCRIPT), err)) &&
           (node->post_data == NULL ||
            dump_dir_reveal(run->dir, name_of(run, node, DUMP_POST_DATA), err)) &&
           (!has_creation(run, i) ||
            dump_dir_reveal(run->dir, name_of(run, node, DUMP_DATABASE), err));
}

static bool write_all(DumpRun *run, Error *err)
{
    const DumpSource *source = run->request->source;
    if (!parallel_run(run->result->node_count, write_node, run, run->cancel, err) ||
        (source != NULL && !source->meet(source->arg, err)) || !cancel_check(run->cancel, err))
        return false;
    for (size_t i = 0; i < run->result->node_count; i++)
    {
        if (!reveal_node(run, i, err))
            return false;
    }
    return dump_dir_sync(run->dir, err);
}

static bool write_supervised(void *arg, Error *err)
{
    DumpRun *run = arg;
    run->cancel = supervise_attempt(run->supervisor, err);
    return run->cancel != NULL && write_all(run, err);
}

/* ---- what is left behind ---- */

static void remove_file(const DumpRun *run, const char *name)
{
    Error err = ERROR_INIT;
    if (!storage_remove(run->dir->storage, name, &err))
        log_warning("\"%s/%s\" could not be removed: %s", run->dir->path, name, err.message);
}

static void remove_scripts(const DumpRun *run)
{
    for (size_t i = 0; i < run->result->node_count; i++)
    {
        const DumpNode *node = &run->result->nodes[i];
        if (node->script != NULL && !run->request->to_stdout)
            remove_file(run, name_of(run, node, DUMP_SCRIPT));
        if (node->post_data != NULL)
            remove_file(run, name_of(run, node, DUMP_POST_DATA));
        remove_file(run, name_of(run, node, DUMP_DATABASE));
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
    return dump_file_write(run->dir->path, name_of(run, node, DUMP_STATUS), text, err);
}

static bool write_records(const DumpRun *run, const Error *failure, Error *err)
{
    const DumpRequest *r = run->request;
    const char *dir = r->report_dir == NULL ? run->dir->path : r->report_dir;
    for (size_t i = 0; i < run->result->node_count; i++)
    {
        if (!write_status(run, &run->result->nodes[i], failure, err))
            return false;
    }
    return r->no_report || dump_report_write(run->ctx, r, dir, run->result, failure, err);
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

static bool make_set(DumpRun *run, Error *err)
{
    const DumpSource *source = run->request->source;
    BackupResult backup = {.manifest = NULL};
    if (source != NULL)
        return source->make(source->arg, run->dir, &run->manifest, err);
    bool ok = dump_files_backup(run->ctx, run->request, run->dir->set_repo, run->dir->key, NULL,
                                run->supervisor, &backup, err);
    run->manifest = backup.manifest;
    return ok;
}

static bool dump(DumpRun *run, Error *err)
{
    const DumpSource *source = run->request->source;
    dump_files_fleet(run->ctx, run->request, run->dir->path, run->result);
    if (!make_set(run, err))
        return false;
    run->selection = choose(run);
    run->set_dir = repo_set_dir(&(const Repo){.layout = LAYOUT_SETS}, run->ctx, run->dir->key);
    list_nodes(run);
    if (source == NULL)
    {
        dump_files_warn(run->manifest);
        return supervise_run(run->supervisor, write_supervised, NULL, run, err);
    }
    run->cancel = source->cancel;
    return write_all(run, err);
}

bool dump_run(void *ctx, const DumpRequest *request, Supervisor *supervisor, DumpResult *ret,
              Error *err)
{
    DumpRun run = {.ctx = ctx, .request = request, .supervisor = supervisor, .result = ret};
    const char *mark = request->mark == NULL ? "" : request->mark;
    DumpDirSpec where = {
        .path = request->dir, .prefix = request->prefix, .key = request->key, .mark = mark};
    *ret = (DumpResult){.nodes = NULL};
    if (!dump_prefix_check(request->prefix, err) ||
        (request->key != NULL && !repo_key_parse(request->key, err)) ||
        (request->report_dir != NULL && !dump_dir_make(request->report_dir, err)))
        return false;
    if (mark[0] != '\0')
        where.own = mem_printf(ctx, "%s_%s", mark, request->key);
    run.dir = dump_dir_open(ctx, &where, err);
    if (run.dir == NULL)
        return false;
    memcpy(ret->key, run.dir->key, sizeof(ret->key));
    bool done = dump(&run, err) && write_records(&run, NULL, err);
    if (!done)
        record_failure(&run, err);
    dump_dir_close(run.dir);
    return done;
}

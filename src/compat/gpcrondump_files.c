/* compat/gpcrondump_files.c - the files beside a set; see gpcrondump_parts.h. */
#include <unistd.h>

#include "base/str.h"
#include "compat/cron_object.h"
#include "compat/dump_dir.h"
#include "compat/dump_report.h"
#include "compat/gpcrondump_parts.h"
#include "repo/archive.h"

#define STATUS_PROGRAM "gpcrondump"
#define LIST_MAX       ((size_t) 64 * 1024 * 1024)

typedef struct Files
{
    const CronRun *run;
    void *ctx;
    const char *dir;     /* of the day */
    const char *set_dir; /* within the repository */
    Error *err;
} Files;

static Files files_of(const CronRun *run, Error *err)
{
    return (Files){.run = run,
                   .ctx = run->ctx,
                   .dir = cron_place_day(run->ctx, &run->cron->place, run->key),
                   .set_dir = repo_set_dir(run->cron->repo, run->ctx, run->key),
                   .err = err};
}

static const char *own_name(const Files *f, const char *suffix)
{
    return cron_place_name(f->ctx, f->run->cron->file_prefix, f->run->key, suffix);
}

static bool put(const Files *f, const char *suffix, const char *text)
{
    return dump_file_write(f->dir, own_name(f, suffix), text, f->err);
}

/* A coordinator, or the only server, is dbid 1 everywhere. */
static int node_number(const Manifest *m, size_t i)
{
    return m->node_count == 1 ? -1 : m->nodes[i].content;
}

static int node_dbid(const NodeRecord *node)
{
    return node->dbid > 0 ? node->dbid : 1;
}

/* ---- before the dump ---- */

bool cron_files_filter(const CronRun *run, Error *err)
{
    Files f = files_of(run, err);
    return run->filter.tables.count == 0 ||
           put(&f, "_table", legacy_names_lines(f.ctx, &run->filter.tables));
}

/* ---- what may be restored by hand ---- */

static bool write_database(const Files *f)
{
    const Manifest *m = f->run->manifest;
    Str *s = str_new(f->ctx);
    ArchiveToc *toc = archive_read(f->ctx, f->run->cron->repo->storage, f->set_dir, &m->nodes[0],
                                   f->err);
    if (toc == NULL)
        return false;
    str_addf(s, "--\n-- Database creation\n--\n\n");
    for (size_t i = 0; i < toc->entry_count; i++)
    {
        if (strcmp(toc->entries[i].desc, "DATABASE") == 0)
            str_add(s, toc->entries[i].defn);
    }
    return dump_file_write(f->dir,
                           dump_name(f->ctx, DUMP_DATABASE, f->run->cron->file_prefix,
                                     node_number(m, 0), node_dbid(&m->nodes[0]), f->run->key),
                           s->data, f->err);
}

static bool write_objects(const Files *f)
{
    const Manifest *m = f->run->manifest;
    Repo *repo = f->run->cron->repo;
    const char *prefix = f->run->cron->file_prefix;
    for (size_t i = 0; i < m->node_count; i++)
    {
        const NodeRecord *n = &m->nodes[i];
        int number = node_number(m, i);
        const char *globals = mem_printf(f->ctx, "%sgp_global_%d_%d_%s", prefix, number,
                                         node_dbid(n), f->run->key);
        const char *config = number < 0
                                 ? mem_printf(f->ctx, "%sgp_master_config_files_%s.tar", prefix,
                                              f->run->key)
                                 : mem_printf(f->ctx, "%sgp_segment_config_files_%d_%d_%s.tar",
                                              prefix, number, node_dbid(n), f->run->key);
        if (!cron_object_write(repo, f->set_dir, &m->set, &n->globals, f->dir, globals, f->err) ||
            !cron_object_write(repo, f->set_dir, &m->set, &n->config, f->dir, config, f->err))
            return false;
    }
    return true;
}

/* ---- what was done ---- */

static DumpResult report_nodes(const Files *f)
{
    const Manifest *m = f->run->manifest;
    DumpResult result = {.node_count = m == NULL ? 1 : m->node_count};
    result.nodes = mem_array(f->ctx, DumpNode, result.node_count);
    memcpy(result.key, f->run->key, SET_KEY_LEN);
    for (size_t i = 0; i < result.node_count; i++)
    {
        const NodeRecord *n = m == NULL ? NULL : &m->nodes[i];
        result.nodes[i] = (DumpNode){
            .content = m == NULL ? -1 : node_number(m, i),
            .dbid = n == NULL ? 1 : node_dbid(n),
            .host = n == NULL ? f->run->host : n->host,
            .port = n == NULL ? f->run->port : n->port,
            .database = n == NULL ? f->run->database : n->database,
            .script = mem_printf(f->ctx, "%s/%s", f->run->cron->place.repo_dir, f->set_dir),
        };
    }
    return result;
}

static const char *compression(const CronRun *run)
{
    return run->manifest == NULL ? cron_given(run->cron, CRON_NO_COMPRESSION) ? "none" : "zstd"
                                 : compress_name(run->manifest->set.compress.method);
}

static bool write_report(const Files *f, const Error *failure)
{
    const DumpResult result = report_nodes(f);
    const DumpRequest request = {.line = f->run->cron->line,
                                 .passed = cron_passed(f->run),
                                 .compression = compression(f->run),
                                 .incremental = cron_given(f->run->cron, CRON_INCREMENTAL)};
    return put(f, ".rpt", dump_report_text(f->ctx, &request, &result, failure));
}

static bool write_status(const Files *f, const Error *failure)
{
    char bytes[STR_BYTES_LEN];
    const Manifest *m = f->run->manifest;
    const DumpResult nodes = report_nodes(f);
    for (size_t i = 0; i < nodes.node_count; i++)
    {
        const DumpNode *n = &nodes.nodes[i];
        uint64_t tables = 0;
        uint64_t rows = 0;
        uint64_t stored = 0;
        for (size_t t = 0; m != NULL && t < m->table_count; t++)
        {
            bool here = manifest_has(&m->nodes[i], m->tables[t].content, m->tables[t].database);
            tables += here ? 1 : 0;
            rows += here ? m->tables[t].rows : 0;
            stored += here ? m->tables[t].stored : 0;
        }
        const char *const lines[] = {
            mem_printf(f->ctx, "database %s on host %s, port %d", n->database, n->host, n->port),
            mem_printf(f->ctx, "%" PRIu64 " tables, %" PRIu64 " rows, %s stored", tables, rows,
                       str_format_bytes(bytes, stored)),
        };
        if (!dump_file_write(
                f->dir,
                dump_name(f->ctx, DUMP_STATUS, f->run->cron->file_prefix, n->content, n->dbid,
                          f->run->key),
                dump_status_text(f->ctx, STATUS_PROGRAM, lines, m == NULL ? 1 : 2, failure),
                f->err))
            return false;
    }
    return true;
}

void cron_files_failed(const CronRun *run)
{
    Error err = ERROR_INIT;
    Files f = files_of(run, &err);
    if (!dump_dir_make(f.dir, &err) || !write_report(&f, &run->error) ||
        !write_status(&f, &run->error))
        log_warning("no report of the dump that failed: %s", err.message);
    unlink(mem_printf(f.ctx, "%s/%s", f.dir, own_name(&f, "_table")));
}

/* ---- for incremental dumps ---- */

static const char *table_lines(const Files *f,
                               bool (*wanted)(const Manifest *base, const TableRecord *t),
                               const Manifest *base)
{
    const Manifest *m = f->run->manifest;
    LegacyNames names = {0};
    for (size_t i = 0; i < m->table_count; i++)
    {
        const TableRecord *t = &m->tables[i];
        if (t->kind == 'r' && strcmp(t->schema, "pg_catalog") != 0 &&
            t->content == m->nodes[0].content && wanted(base, t))
            *mem_push(f->ctx, names.items, names.count, names.capacity,
                      LegacyName) = (LegacyName){.schema = t->schema, .name = t->name};
    }
    legacy_names_sort(&names);
    return legacy_names_lines(f->ctx, &names);
}

static bool is_table(const Manifest *base UNUSED, const TableRecord *t UNUSED)
{
    return true;
}

/* Rows of it are stored in this set, or it has none any more. */
static bool is_dirty(const Manifest *base, const TableRecord *t)
{
    if (t->stored > 0 || t->referenced > 0)
        return t->stored > 0;
    for (size_t i = 0; i < base->table_count; i++)
    {
        const TableRecord *b = &base->tables[i];
        if (b->content == t->content && strcmp(b->name, t->name) == 0 &&
            strcmp(b->schema, t->schema) == 0)
            return b->rows > 0;
    }
    return true;
}

/* *ret_there false: it is gone. */
static bool peek(const Files *f, void *ctx, const char *key, SetRecord *ret, bool *ret_there)
{
    const Repo *repo = f->run->cron->repo;
    Error why = ERROR_INIT;
    *ret_there = manifest_peek(repo->storage, ctx, repo_set_dir(repo, ctx, key), ret, &why);
    if (*ret_there || why.code == ERR_NOT_FOUND)
        return true;
    *f->err = why;
    return false;
}

/* The set that all of a chain go back to. One between of which nothing is needed may have been removed: then the
 * oldest that is needed leads on. */
static bool first_of(const Files *f, const Manifest *m, const char **ret_key)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "chain");
    SetRecord set = m->set;
    bool there = true;
    *ret_key = NULL;
    while (there && set.base[0] != '\0')
    {
        SetRecord before = {.key = ""};
        const char *key = mem_strdup(tmp, set.base);
        const char *needed = set.depends_count == 0 ? NULL : set.depends_on[0];
        if (!peek(f, tmp, key, &before, &there))
            return false;
        if (!there && needed != NULL && !peek(f, tmp, key = needed, &before, &there))
            return false;
        if (there)
            *ret_key = mem_strdup(f->ctx, key);
        set = before;
    }
    return true;
}

static bool append_increment(const Files *f, const char *first)
{
    const CronPlace *place = &f->run->cron->place;
    const char *dir = cron_place_day(f->ctx, place, first);
    const char *name = cron_place_name(f->ctx, f->run->cron->file_prefix, first, "_increments");
    char *text = mem_strdup(f->ctx, "");
    size_t len = 0;
    Storage *st = storage_open(f->ctx, dir, f->err);
    StorageInfo info;
    if (st == NULL || !storage_stat(st, name, &info, f->err) ||
        (info.kind == STORAGE_FILE &&
         !storage_read_all(st, f->ctx, name, LIST_MAX, &text, &len, f->err)))
        return false;
    return dump_file_write(dir, name, mem_printf(f->ctx, "%s%s\n", text, f->run->key), f->err);
}

static bool write_incremental(const Files *f)
{
    const Manifest *m = f->run->manifest;
    const Repo *repo = f->run->cron->repo;
    const char *first;
    if (!cron_given(f->run->cron, CRON_INCREMENTAL) || m->set.base[0] == '\0')
        return true;
    const Manifest *base = manifest_read(repo->storage, f->ctx,
                                         repo_set_dir(repo, f->ctx, m->set.base), false, f->err);
    return base != NULL && put(f, "_dirty_list", table_lines(f, is_dirty, base)) &&
           put(f, "_table_list", table_lines(f, is_table, base)) && first_of(f, m, &first) &&
           append_increment(f, first);
}

static bool write_filter(const Files *f)
{
    const CronFilter *filter = &f->run->filter;
    const LegacyNames *schemas = filter->schemas.count > 0 ? &filter->schemas
                                                           : &filter->not_schemas;
    if (f->run->cron->prefix == NULL || cron_filter_is_empty(filter))
        return true;
    if (schemas->count > 0)
        return put(f, filter == NULL || filter->schemas.count > 0 ? "_schema" : "_exclude_schema",
                   legacy_names_lines(f->ctx, schemas));
    return filter->tables.count > 0
               ? put(f, "_filter", legacy_names_lines(f->ctx, &filter->tables))
               : put(f, "_exclude_filter", legacy_names_lines(f->ctx, &filter->not_tables));
}

static bool write_states(const Files *f)
{
    const CronRun *run = f->run;
    return !run->states ||
           (put(f, "_ao_state_file", run->ao_state) && put(f, "_co_state_file", run->co_state) &&
            put(f, "_last_operation", run->last_operation));
}

bool cron_files_write(const CronRun *run, Error *err)
{
    Files f = files_of(run, err);
    /* A run that started over has removed the list with what it had stored. */
    return cron_files_filter(run, err) && write_database(&f) && write_objects(&f) &&
           write_status(&f, NULL) && write_states(&f) && write_filter(&f) &&
           write_incremental(&f) && write_report(&f, NULL);
}

/* ---- reading ---- */

static bool read_list(CronRun *run, const char *key, const char *suffix, PatternKind kind,
                      LegacyNames *ret, Error *err)
{
    const char *path = cron_place_beside(
        run->ctx, &run->cron->place, key,
        cron_place_name(run->ctx, run->cron->file_prefix, key, suffix));
    return access(path, F_OK) != 0 || legacy_names_path(ret, run->ctx, path, kind, err);
}

bool cron_files_filter_of(CronRun *run, const char *key, Error *err)
{
    return read_list(run, key, "_filter", PATTERN_TABLE, &run->filter.tables, err) &&
           read_list(run, key, "_exclude_filter", PATTERN_TABLE, &run->filter.not_tables, err) &&
           read_list(run, key, "_schema", PATTERN_SCHEMA, &run->filter.schemas, err) &&
           read_list(run, key, "_exclude_schema", PATTERN_SCHEMA, &run->filter.not_schemas, err);
}

/* ---- --list-backup-files ---- */

bool cron_files_list(const CronDump *cron, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "lists");
    const char *key = legacy_options_string(cron->o, CRON_KEY);
    const char *dir = cron_place_day(ctx, &cron->place, key);
    const char *prefix = cron->file_prefix;
    char host[256] = "localhost";
    Str *s = str_new(ctx);
    if (gethostname(host, sizeof(host)) == 0)
        host[sizeof(host) - 1] = '\0';
    const char *const names[] = {
        dump_name(ctx, DUMP_DATABASE, prefix, -1, 1, key),
        dump_name(ctx, DUMP_STATUS, prefix, -1, 1, key),
        dump_report_name(ctx, false, prefix, key),
        key,
    };
    for (size_t i = 0; i < LENGTH_OF(names); i++)
        str_addf(s, "%s:%s/%s\n", host, dir, names[i]);
    const char *pipes = cron_place_name(ctx, prefix, key, "_pipes");
    const char *regular = cron_place_name(ctx, prefix, key, "_regular_files");
    if (!dump_dir_make(dir, err) || !dump_file_write(dir, pipes, "", err) ||
        !dump_file_write(dir, regular, s->data, err))
        return false;
    log_info("Added the list of pipe names to the file: %s/%s", dir, pipes);
    log_info("Added the list of file names to the file: %s/%s", dir, regular);
    return true;
}

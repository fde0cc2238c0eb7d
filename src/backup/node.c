/* backup/node.c - connecting, locking and planning one node; the contract is in node.h. */
#include "backup/node.h"

#include "backup/locks.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "pg/dialect.h"
#include "repo/repo.h"

#define LOCK_ROUNDS 20

void node_init(BackupNode *node, const BackupRequest *request, const PgConnSpec *spec, int content,
               Progress *progress, size_t index)
{
    node->request = request;
    node->spec = spec;
    node->content = content;
    node->progress_all = progress;
    node->progress = progress_node(progress, index);
    node->progress_index = index;
    node->dbid = content + 1;
    snprintf(node->label, sizeof(node->label), "node %d", content);
}

static bool read_identity(BackupNode *node, Error *err)
{
    NodeRecord *r = &node->record;
    const char *sql = mem_printf(
        node->ctx,
        "SELECT %s, pg_catalog.current_setting('server_version'),"
        " pg_catalog.current_setting('server_version_num'), pg_catalog.pg_is_in_recovery(),"
        " pg_catalog.current_setting('server_encoding'), pg_catalog.current_database(),"
        " pg_catalog.pg_postmaster_start_time() AT TIME ZONE 'UTC'",
        dialect_system_identifier(node->probe));
    AUTO(PQclear) PGresult *res = pg_query(node->probe, sql, 0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not ask the server who it is");
    r->content = node->content;
    r->dbid = node->dbid;
    r->system_identifier = mem_strdup(node->ctx, pg_cell(res, 0, 0));
    r->server_version = mem_strdup(node->ctx, pg_cell(res, 0, 1));
    r->server_version_num = (int) pg_cell_int(res, 0, 2);
    r->in_recovery = pg_cell_bool(res, 0, 3);
    r->encoding = mem_strdup(node->ctx, pg_cell(res, 0, 4));
    r->database = mem_strdup(node->ctx, pg_cell(res, 0, 5));
    node->started = mem_strdup(node->ctx, pg_cell(res, 0, 6));
    r->host = mem_strdup(node->ctx, PQhost(node->probe->raw));
    r->port = atoi(PQport(node->probe->raw));
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "node dir");
    node->node_dir = mem_printf(node->ctx, "db/%s/node%d", repo_escape(tmp, r->database),
                                node->content);
    return true;
}

static PgConn *open_one(const BackupNode *node, const PgConnSpec *spec, const char *role,
                        Error *err)
{
    char application[64];
    snprintf(application, sizeof(application), "pgark %s", role);
    return pg_conn_open(spec, node->label, application, node->cancel, err);
}

static PgConnSpec node_spec(const BackupNode *node)
{
    PgConnSpec spec = *node->spec;
    spec.role = node->request->role;
    spec.row_security = node->request->enable_row_security;
    return spec;
}

static bool open_probe(BackupNode *node, Error *err)
{
    PgConnSpec spec = node_spec(node);
    node->probe = open_one(node, &spec, "probe", err);
    if (node->probe == NULL)
        return false;
    snprintf(node->label, sizeof(node->label), "node %d (%s:%s)", node->content,
             PQhost(node->probe->raw), PQport(node->probe->raw));
    if (node->shared_server)
        snprintf(node->label, sizeof(node->label), "node %d (%s:%s, database \"%s\")",
                 node->content, PQhost(node->probe->raw), PQport(node->probe->raw),
                 PQdb(node->probe->raw));
    snprintf(node->probe->label, sizeof(node->probe->label), "%s", node->label);
    progress_label(node->progress_all, node->progress_index, node->label);
    return read_identity(node, err);
}

/* What there is to lock, as the probe sees it. */
static bool list_tables(BackupNode *node, Error *err)
{
    Catalog all;
    if (!scope_read(node->probe, node->ctx, node->request->selection, node->scope, &all, err))
        return false;
    node->locked = catalog_to_lock(node->ctx, &all);
    return true;
}

bool node_list(BackupNode *node, Error *err)
{
    return list_tables(node, err) || error_node(err, node->label);
}

bool node_open_workers(BackupNode *node, Error *err)
{
    PgConnSpec spec = node_spec(node);
    const PgConnSpec *pinned = pg_conn_pin(node->ctx, node->probe, &spec);
    node->workers = mem_array(node->ctx, PgConn *, node->request->jobs);
    for (int i = 0; i < node->request->jobs; i++)
    {
        node->workers[i] = open_one(node, pinned, "worker", err);
        if (node->workers[i] != NULL)
            continue;
        error_hint(err, "-j %d needs %d connections to every node.", node->request->jobs,
                   node->request->jobs + 4);
        return error_node(err, node->label);
    }
    return true;
}

PgConn *node_open_watch(const BackupNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "watch");
    PgConnSpec spec = node_spec(node);
    return open_one(node, pg_conn_pin(tmp, node->scout, &spec), "watch", err);
}

void node_close_workers(BackupNode *node)
{
    for (int i = 0; node->workers != NULL && i < node->request->jobs; i++)
        pg_conn_close(node->workers[i]);
    node->workers = NULL;
}

/* All of them before the cut: inside it there is no time for logins. */
static bool open_others(BackupNode *node, Error *err)
{
    PgConnSpec spec = node_spec(node);
    const PgConnSpec *pinned = pg_conn_pin(node->ctx, node->probe, &spec);
    node->holder = open_one(node, pinned, "holder", err);
    node->scout = node->holder == NULL ? NULL : open_one(node, pinned, "scout", err);
    return node->scout != NULL &&
           (node->shared_server || node->remote || node_open_workers(node, err));
}

static bool check_export(BackupNode *node, Error *err)
{
    if (pg_exec(node->scout,
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                " SELECT pg_catalog.pg_export_snapshot(); ROLLBACK",
                err))
        return true;
    error_prefix(err, "this server cannot export a snapshot");
    return error_hint(err, "A standby must be able to; back up from the primary instead.");
}

bool node_find_program(BackupNode *node, const char *name, const char *path, PgProgram *ret,
                       Error *err)
{
    int major = node->record.server_version_num / 10000;
    return node->probe->server.product == SERVER_POSTGRESQL
               ? pg_program_find(node->ctx, name, path, major, node->cancel, ret, err)
               : pg_program_find_greenplum(node->ctx, name, path, major, node->cancel, ret, err);
}

bool node_find_pg_dump(BackupNode *node, Error *err)
{
    const char *path = node->request->pg_dump;
    return !node_has_catalogue(node) ||
           node_find_program(node, "pg_dump", path, &node->pg_dump, err) ||
           error_node(err, node->label);
}

/* What is refused before anything is touched, and what is left out. */
static bool look_around(BackupNode *node, Error *err)
{
    return list_tables(node, err) &&
           (!node_has_catalogue(node) ||
            catalog_read_left_out(node->probe, node->ctx, node->request->selection,
                                  &node->record.warnings, &node->record.warning_count, err));
}

bool node_connect(BackupNode *node, bool probe_only, Error *err)
{
    node->ctx = mem_context(NULL, "backup node");
    pthread_mutex_init(&node->mutex, NULL);
    atomic_store(&node->objects, 0);
    atomic_store(&node->bundle_ids, 0);
    atomic_store(&node->progress->bytes_done, 0);
    atomic_store(&node->progress->chunks_done, 0);
    atomic_store(&node->progress->rows_done, 0);
    atomic_store(&node->progress->finished, false);
    bool ok = open_probe(node, err);
    if (ok && node->remote && node->held != NULL)
        ok = open_others(node, err);
    else if (ok)
        ok = look_around(node, err) &&
             (probe_only || (locks_check_capacity(node->probe, node->locked.count, err) &&
                             open_others(node, err) && check_export(node, err)));
    return ok || error_node(err, node->label);
}

bool node_stay_local(BackupNode *node, Error *err)
{
    node->remote = false;
    return node_find_pg_dump(node, err) && (node->shared_server || node_open_workers(node, err));
}

bool node_sync(const BackupNode *node, Storage *st, const char *set_dir, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "directories");
    char *dir = mem_printf(tmp, "%s/%s", set_dir, node->node_dir);
    while (strlen(dir) >= strlen(set_dir))
    {
        if (!storage_sync_dir(st, dir, err))
            return false;
        *strrchr(dir, '/') = '\0';
    }
    return true;
}

/* How long one lock may be waited for: the user's limit, or the slice. */
static int64_t lock_limit(const BackupNode *node, int64_t slice_ms)
{
    int64_t wait_ms = node->request->lock_wait_ms;
    if (wait_ms > 0 && node->lock_since_ms != 0)
    {
        wait_ms -= clock_ms() - node->lock_since_ms;
        wait_ms = wait_ms < 1 ? 1 : wait_ms;
    }
    return slice_ms > 0 && (wait_ms == 0 || slice_ms < wait_ms) ? slice_ms : wait_ms;
}

/* One slice was not enough: is there to be another? */
static bool may_wait_on(BackupNode *node, int64_t slice_ms)
{
    int64_t now = clock_ms();
    if (node->lock_since_ms == 0)
        node->lock_since_ms = now - slice_ms;
    return slice_ms > 0 && (node->request->lock_wait_ms == 0 ||
                            now - node->lock_since_ms < node->request->lock_wait_ms);
}

bool node_lock(BackupNode *node, int64_t slice_ms, bool *ret_locked, Error *err)
{
    for (int round = 0; round < LOCK_ROUNDS; round++)
    {
        Error changed = ERROR_INIT;
        if (round > 0 && !list_tables(node, err))
            break;
        if (!pg_exec(node->holder, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err))
            break;
        *ret_locked = locks_take(node->holder, node->probe, &node->locked,
                                 lock_limit(node, slice_ms), &node->lock_report_ms, &changed);
        if (*ret_locked)
            return true;
        pg_rollback(node->holder);
        if (changed.code == ERR_LOCK && may_wait_on(node, slice_ms))
            return true;
        if (changed.code != ERR_CHANGED || round + 1 == LOCK_ROUNDS)
        {
            *err = changed;
            break;
        }
    }
    return error_node(err, node->label);
}

void node_unlock(BackupNode *node)
{
    pg_rollback(node->holder);
}

/* The new tables could not be locked, and the attempt ended the transaction, and with it all locks
 * of this node. Gone again already: this node locks what there is now. */
static bool lock_anew(BackupNode *node, int64_t slice_ms, Error *err)
{
    bool locked = false;
    bool gone = err->code == ERR_CHANGED;
    pg_rollback(node->holder);
    if (!gone && (err->code != ERR_LOCK || !may_wait_on(node, slice_ms)))
        return error_node(err, node->label);
    if (gone)
        error_clear(err);
    if (gone && (!list_tables(node, err) || !node_lock(node, slice_ms, &locked, err)))
        return error_node(err, node->label);
    if (locked)
        return true;
    error_clear(err);
    error_set(err, ERR_CHANGED, "a new table is locked by somebody else");
    return error_node(err, node->label);
}

bool node_confirm(BackupNode *node, int64_t slice_ms, bool *ret_same, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "new tables");
    Catalog missing;
    if (!scope_read(node->scout, node->ctx, node->request->selection, node->scope, &node->catalog,
                    err))
        return error_node(err, node->label);
    catalog_missing(tmp, &node->catalog, &node->locked, &missing);
    *ret_same = missing.count == 0;
    if (*ret_same)
        return true;
    node->lock_since_ms = 0;
    if (!locks_take(node->holder, node->probe, &missing, lock_limit(node, slice_ms),
                    &node->lock_report_ms, err))
        return lock_anew(node, slice_ms, err);
    /* What the snapshot shows now is a part of what is locked; tables that are gone do not matter.
     */
    node->locked = catalog_to_lock(node->ctx, &node->catalog);
    return true;
}

static void make_tables(BackupNode *node)
{
    node->tables = mem_array(node->ctx, TableRecord, node->catalog.count);
    for (size_t i = 0; i < node->catalog.count; i++)
    {
        const Relation *r = &node->catalog.items[i];
        node->tables[i] = (TableRecord){.content = node->content,
                                        .oid = r->oid,
                                        .schema = r->schema,
                                        .name = r->name,
                                        .kind = r->kind,
                                        .extension = r->extension,
                                        .unlogged = r->unlogged,
                                        .populated = r->populated,
                                        .columns = r->columns,
                                        .column_count = r->column_count,
                                        .types = r->types,
                                        .type_count = r->column_count,
                                        .binary = r->binary};
        if (r->data == DATA_NONE || r->relfilenode == 0)
            continue;
        node->tables[i].relfilenode = r->relfilenode;
        node->tables[i].blocks = r->blocks;
        node->tables[i].changes = r->changes;
    }
}

/* Without a base all is stored: dearer, and as good. */
static void read_base(BackupNode *node, bool block_ranges)
{
    Error why = ERROR_INIT;
    if (node->base == NULL)
        return;
    node->base_used = mem_array(node->ctx, bool, node->base->set_count);
    if (!base_chunks_read(node->ctx, node->base, &change_digest, node->content,
                          node->record.database, &node->base_chunks, &why))
        log_warning("%s: nothing can be compared: %s", node->label, why.message);
    if (node->base_chunks != NULL)
        base_chunks_apply(node->base_chunks, &node->catalog, block_ranges);
}

bool node_plan(BackupNode *node, PgConn *conn, Error *err)
{
    if (conn == node->probe &&
        !scope_read(conn, node->ctx, node->request->selection, node->scope, &node->catalog, err))
        return error_node(err, node->label);
    if (!catalog_read_tables(conn, node->request->format, &node->catalog, err))
        return error_node(err, node->label);
    bool block_ranges = node->record.server_version_num >= 140000 &&
                        (node->scope == NULL || !node->scope->whole_tables);
    read_base(node, block_ranges);
    plan_make(node->ctx, &node->catalog, node->request, block_ranges, &node->plan);
    make_tables(node);
    atomic_store(&node->progress->bytes_total, node->plan.bytes);
    atomic_store(&node->progress->chunks_total, node->plan.count);
    return true;
}

void node_close(BackupNode *node)
{
    if (node->ctx == NULL)
        return;
    node_close_workers(node);
    pg_conn_close(node->holder);
    pg_conn_close(node->scout);
    pg_conn_close(node->probe);
    manifest_writer_free(node->chunks);
    PQclear(node->config);
    node->config = NULL;
    pthread_mutex_destroy(&node->mutex);
    mem_free(node->ctx);
    node->ctx = NULL;
    node->holder = node->scout = node->probe = NULL;
    node->chunks = NULL;
    memset(&node->record, 0, sizeof(node->record));
    memset(&node->locked, 0, sizeof(node->locked));
    memset(&node->catalog, 0, sizeof(node->catalog));
    node->base = NULL;
    node->base_chunks = NULL;
    node->base_used = NULL;
    memset(&node->plan, 0, sizeof(node->plan));
    node->tables = NULL;
    node->sequences = NULL;
    node->sequence_count = 0;
    node->rate = NULL;
    node->lock_since_ms = 0;
    node->held = NULL;
    memset(&node->left, 0, sizeof(node->left));
}

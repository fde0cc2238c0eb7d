/* physical/base_node.c - one server's base backup; the contract is in base_node.h. */
#include "physical/base_node.h"

#include <unistd.h>

#include "base/log.h"
#include "physical/object_read.h"

#define SUMMARIES_SINCE 170000

/* ---- before anything is begun ---- */

static bool refuse(const BaseNode *node, const char *what, const char *hint, Error *err)
{
    error_set(err, ERR_USAGE, "a base backup cannot be taken: %s", what);
    error_hint(err, "%s", hint);
    return error_node(err, node->label);
}

static PGresult *ask_settings(const BaseNode *node, Error *err)
{
    return pg_query(node->probe,
                    "SELECT max(CASE s.name WHEN 'block_size' THEN s.setting END),"
                    " max(CASE s.name WHEN 'segment_size' THEN s.setting END),"
                    /* Pages, before the size was up to initdb. */
                    " max(CASE s.name WHEN 'wal_segment_size' THEN s.setting::bigint *"
                    "  CASE WHEN s.unit = 'B' THEN 1"
                    "  ELSE pg_catalog.current_setting('wal_block_size')::bigint END END),"
                    " max(CASE s.name WHEN 'data_checksums' THEN s.setting END) = 'on',"
                    /* Greenplum does not list these two. */
                    " pg_catalog.current_setting('wal_level'),"
                    " pg_catalog.current_setting('max_wal_senders'),"
                    " (SELECT r.rolreplication OR r.rolsuper FROM pg_catalog.pg_roles r"
                    "  WHERE r.rolname = session_user), pg_catalog.pg_is_in_recovery(),"
                    " max(CASE s.name WHEN 'summarize_wal' THEN s.setting END) = 'on'"
                    " FROM pg_catalog.pg_settings s WHERE s.name IN ('block_size', 'segment_size',"
                    " 'wal_segment_size', 'data_checksums', 'summarize_wal')",
                    0, NULL, err);
}

static bool check_summaries(const BaseNode *node, bool summarized, Error *err)
{
    if (!node->incremental || summarized)
        return true;
    if (PQserverVersion(node->probe->raw) < SUMMARIES_SINCE)
        return refuse(node, "incremental ones are made by PostgreSQL 17 and newer servers",
                      "Leave --incremental out.", err);
    return refuse(
        node, "its summarize_wal is off, and without summaries nobody knows what has changed",
        "Set summarize_wal to on (a reload is enough), take a backup without --incremental, and "
        "build on that.",
        err);
}

/* What is in a file of a relation tells nobody who does not read catalogues whether it has pages. */
static bool check_greenplum(const BaseNode *node, Error *err)
{
    if (node->incremental)
        return refuse(node, "incremental ones are made by PostgreSQL 17 and newer servers",
                      "Leave --incremental out.", err);
    if (node->request->bad_pages_given && node->request->bad_pages != BAD_PAGES_IGNORE)
        return refuse(node,
                      "checksums of pages cannot be looked at, since files of append-optimized "
                      "tables have none",
                      "Leave --bad-pages out.", err);
    return true;
}

static bool check_server(BaseNode *node, Error *err)
{
    BaseServer *s = &node->server;
    const ServerVersion *version = &node->probe->server;
    s->greenplum = version->product == SERVER_GREENPLUM && version->major == 6;
    if (version->product != SERVER_POSTGRESQL && !s->greenplum)
        return refuse(node, "this is neither PostgreSQL itself nor Greenplum 6",
                      "It is backed up without --physical.", err);
    if (s->greenplum && !check_greenplum(node, err))
        return false;
    AUTO(PQclear) PGresult *res = ask_settings(node, err);
    if (res == NULL)
        return error_prefix(err, "could not read the server's settings");
    s->block_size = (uint32_t) pg_cell_int(res, 0, 0);
    s->segment_blocks = (uint32_t) pg_cell_int(res, 0, 1);
    s->wal_segment_size = (uint64_t) pg_cell_int(res, 0, 2);
    s->data_checksums = pg_cell_bool(res, 0, 3);
    if (s->block_size < 1024 || s->block_size > 65536 || s->wal_segment_size == 0)
        return error_set(err, ERR_QUERY, "the server has an impossible block size");
    if (pg_cell_bool(res, 0, 7))
        return refuse(node, "the server is a standby, where no restore point can be made",
                      "Name the primary.", err);
    if (strcmp(pg_cell(res, 0, 4), "minimal") == 0)
        return refuse(node, "its wal_level is minimal",
                      "Set wal_level to replica, max_wal_senders to 4 or more, and restart the "
                      "server.",
                      err);
    if (!pg_cell_bool(res, 0, 6))
        return refuse(node, "the role may not replicate",
                      "Let a superuser run ALTER ROLE ... REPLICATION, or use another role.", err);
    if (pg_cell_int(res, 0, 5) < (s->greenplum ? 1 : 2))
        return refuse(node, "its max_wal_senders is less than 2",
                      "Set max_wal_senders to 4 or more, and restart the server.", err);
    return check_summaries(node, pg_cell_bool(res, 0, 8), err);
}

static bool check_walsender(BaseNode *node, Error *err)
{
    ReplicationSystem its;
    if (!replication_identify(node->walsender, &its, err))
        return false;
    node->timeline = its.timeline;
    if (strcmp(its.identifier, node->system_identifier) == 0)
        return true;
    error_set(err, ERR_USAGE, "the walsender is another server's (system identifier %s, not %s)",
              its.identifier, node->system_identifier);
    return error_hint(err, "Name each server by an address that only it has.");
}

bool base_node_open(BaseNode *node, Error *err)
{
    node->ctx = mem_context(NULL, "base node");
    node->wal_ctx = mem_context(NULL, "base node WAL");
    node->record.content = node->content;
    if (!check_server(node, err))
        return error_node(err, node->label);
    node->walsender = replication_open(node->spec, node->label, "pgark base backup", node->cancel,
                                       err);
    return (node->walsender != NULL && check_walsender(node, err)) || error_node(err, node->label);
}

/* ---- WAL ---- */

static bool on_stored(void *arg, const WalRecord *record, Error *err UNUSED)
{
    BaseNode *node = arg;
    WalRecord *w = mem_push(node->wal_ctx, node->wals, node->wal_count, node->wal_capacity,
                            WalRecord);
    *w = *record;
    w->name = mem_strdup(node->wal_ctx, record->name);
    w->object = mem_strdup(node->wal_ctx, record->object);
    return true;
}

static bool start_wal(BaseNode *node, const BaseBackupStart *start, Error *err)
{
    const BaseStoreSpec *spec = &node->store_spec;
    node->wal_request = (WalReceiveRequest){
        .spec = node->spec,
        .conn = node->wal_conn,
        .label = node->label,
        .slot = node->server.greenplum ? NULL : node->slot,
        .files = node->server.greenplum,
        .start_lsn = start->lsn,
        .timeline = start->timeline,
        .store = {.storage = spec->storage,
                  .base = spec->set_dir,
                  .dir = mem_printf(node->ctx, "%s/wal", node->dir),
                  .compress = node->compress,
                  .no_sync = node->no_sync,
                  .system_identifier = strtoull(node->system_identifier, NULL, 10),
                  .segment_size = node->server.wal_segment_size,
                  .content = node->content,
                  .on_stored = on_stored,
                  .arg = node}};
    node->wal_conn = NULL;
    node->wal = wal_receive_start(&node->wal_request, node->cancel, err);
    return node->wal != NULL;
}

/* ---- the base backup ---- */

static bool on_begin(void *arg, const BaseBackupStart *start, Error *err)
{
    BaseNode *node = arg;
    node->record.start_lsn = start->lsn;
    node->record.timeline = start->timeline;
    return start_wal(node, start, err) && node->to.begin(node->to.arg, start, err);
}

static bool on_archive(void *arg, size_t tablespace, Error *err)
{
    const BaseNode *node = arg;
    return node->to.archive(node->to.arg, tablespace, err);
}

static bool on_manifest(void *arg, Error *err)
{
    const BaseNode *node = arg;
    return node->to.manifest(node->to.arg, err);
}

static bool on_data(void *arg, const void *data, size_t len, Error *err)
{
    const BaseNode *node = arg;
    return node->to.data(node->to.arg, data, len, err);
}

/* From here on the server keeps WAL for us, if it can. */
static bool open_wal(BaseNode *node, const char *key, Error *err)
{
    if (node->server.greenplum)
    {
        node->wal_conn = pg_conn_open(node->spec, node->label, "pgark wal", node->cancel, err);
        return node->wal_conn != NULL;
    }
    snprintf(node->slot, sizeof(node->slot), "pgark_%s_%ld", key, (long) getpid());
    node->wal_conn = replication_open(node->spec, node->label, "pgark wal", node->cancel, err);
    return node->wal_conn != NULL && replication_temporary_slot(node->wal_conn, node->slot, err);
}

/* *ret_bad: it is as bad on the server's disk as in what came. That the server cannot be asked counts as
 * that, too. */
static bool read_again(const BaseNode *node, const BasePage *page, bool *ret_bad, Error *err)
{
    char offset[32], size[32];
    size_t len = 0;
    Error ignored = ERROR_INIT;
    snprintf(offset, sizeof(offset), "%" PRIu64, (uint64_t) page->block * node->server.block_size);
    snprintf(size, sizeof(size), "%" PRIu32, node->server.block_size);
    const char *params[] = {page->path, offset, size};
    AUTO(PQclear)
    PGresult *res = pg_query(node->probe,
                             "SELECT pg_catalog.pg_read_binary_file($1, $2::bigint, $3::bigint, "
                             "true)",
                             3, params, &ignored);
    *ret_bad = true;
    if (!cancel_check(node->cancel, err))
        return false;
    if (res == NULL)
    {
        log_debug("%s: a page cannot be read again: %s", node->label, ignored.message);
        return true;
    }
    unsigned char *bytes = PQunescapeBytea((const unsigned char *) pg_cell(res, 0, 0), &len);
    uint32_t block = page->segment * node->server.segment_blocks + page->block;
    /* A file that has become shorter, or is gone, has no such page any more. */
    *ret_bad = len == node->server.block_size &&
               page_look(bytes, len, block, node->record.start_lsn, NULL) == PAGE_BAD;
    PQfreemem(bytes);
    return true;
}

static bool judge_pages(const BaseNode *node, Error *err)
{
    const BaseStored *r = base_store_result(node->store);
    const BasePage *first = NULL;
    uint64_t bad = r->bad_pages - r->page_count;
    for (size_t i = 0; i < r->page_count; i++)
    {
        bool is_bad;
        const BasePage *page = &r->pages[i];
        if (!read_again(node, page, &is_bad, err))
            return false;
        if (!is_bad)
            continue;
        first = first == NULL ? page : first;
        bad++;
        log_message(LOG_WARNING, "%s: checksum of block %" PRIu32 " of file \"%s\" is not right",
                    node->label, page->block, page->path);
    }
    if (bad == 0)
        return true;
    first = first == NULL ? &r->pages[0] : first;
    if (node->request->bad_pages == BAD_PAGES_WARN)
    {
        log_warning("%s: %" PRIu64 " page%s with wrong checksums", node->label, bad,
                    bad == 1 ? "" : "s");
        return true;
    }
    error_set(err, ERR_CORRUPT,
              "%" PRIu64 " page%s with wrong checksums on the server, the first one block %" PRIu32
              " of file \"%s\"",
              bad, bad == 1 ? "" : "s", first->block, first->path);
    return error_hint(err, "--bad-pages=warn takes the backup as it is.");
}

static bool begin_store(BaseNode *node, Storage *st, const char *set_dir, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "directories");
    node->dir = mem_printf(node->ctx, "physical/node%d", node->content);
    node->store_spec = (BaseStoreSpec){.storage = st,
                                       .set_dir = mem_strdup(node->ctx, set_dir),
                                       .dir = node->dir,
                                       .content = node->content,
                                       .compress = node->compress,
                                       .nodes = node->nodes,
                                       .no_sync = node->no_sync,
                                       .part_size = node->request->part_size,
                                       .block_size = node->server.block_size,
                                       .segment_blocks = node->server.segment_blocks,
                                       .check_pages = node->server.data_checksums &&
                                                      !node->server.greenplum &&
                                                      node->request->bad_pages != BAD_PAGES_IGNORE,
                                       .make_manifest = node->server.greenplum,
                                       .cancel = node->cancel,
                                       .progress = node->progress};
    if (!storage_make_dir(st, mem_printf(tmp, "%s/%s/wal", set_dir, node->dir), false, err))
        return false;
    node->store = base_store_new(&node->store_spec, err);
    return node->store != NULL;
}

/* ---- an earlier backup ---- */

/* The server compares: it knows what has been written since, and which files there were. */
static bool upload_manifest(const BaseNode *node, Storage *st, Error *err)
{
    const BaseEarlier *e = node->earlier;
    const StoredObject object = {.object = e->record->manifest.path,
                                 .logical = e->record->manifest_bytes,
                                 .stored = e->record->manifest.bytes,
                                 .sha256 = e->record->manifest.sha256};
    AUTO(io_free) IoStage *sink = io_sink_new(base_backup_upload, node->walsender);
    return (base_backup_upload_begin(node->walsender, err) &&
            object_read(st, e->set_dir, &object, e->method, sink, node->cancel, err) &&
            base_backup_upload_end(node->walsender, err)) ||
           error_prefix(err, "the manifest of set %s", e->key);
}

/* All that the server sends is stored. */
static bool finish_store(BaseNode *node, const BaseBackupEnd *end, Error *err)
{
    return (!node->server.greenplum || base_store_manifest(node->store, end->lsn, err)) &&
           base_store_finish(node->store, err);
}

static bool copy(BaseNode *node, Storage *st, const char *key, const char *set_dir, Error *err)
{
    const bool whole = !node->server.greenplum;
    const BaseBackupOptions options = {.label = mem_printf(node->ctx, "pgark %s", key),
                                       .fast = node->request->fast_checkpoint,
                                       .tablespace_map = whole,
                                       .max_rate = node->rate_limit,
                                       .no_verify = whole,
                                       .manifest_checksums = whole ? "CRC32C" : NULL,
                                       .incremental = node->earlier != NULL};
    const BaseBackupSink sink = {.begin = on_begin,
                                 .archive = on_archive,
                                 .manifest = on_manifest,
                                 .data = on_data,
                                 .arg = node};
    BaseBackupEnd end;
    if (!begin_store(node, st, set_dir, err) || !open_wal(node, key, err))
        return false;
    node->to = base_store_sink(node->store);
    if (node->earlier != NULL && !upload_manifest(node, st, err))
        return false;
    if (!base_backup_run(node->walsender, &options, &sink, &end, err) ||
        !finish_store(node, &end, err))
        return false;
    if (end.timeline != node->record.timeline)
        return error_set(err, ERR_CHANGED,
                         "the server went from timeline %" PRIu32 " to %" PRIu32
                         " during the backup: it was promoted",
                         node->record.timeline, end.timeline);
    node->record.stop_lsn = end.lsn;
    return judge_pages(node, err);
}

bool base_node_copy(BaseNode *node, Storage *st, const char *key, const char *set_dir, Error *err)
{
    if (!copy(node, st, key, set_dir, err))
    {
        /* Who has taken over is on another timeline. */
        if ((err->code == ERR_CONNECT || err->code == ERR_QUERY) && node->record.timeline != 0)
            error_prefix(err, "base backup on timeline %" PRIu32, node->record.timeline);
        return error_node(err, node->label);
    }
    atomic_store(&node->progress->finished, true);
    return true;
}

/* ---- the end ---- */

static bool sync_names(const BaseNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "directories");
    const BaseStoreSpec *spec = &node->store_spec;
    return node->no_sync ||
           storage_sync_dir(spec->storage, mem_printf(tmp, "%s/%s", spec->set_dir, node->dir), err);
}

bool base_node_finish(BaseNode *node, const char *restore_point, uint64_t restore_lsn, Error *err)
{
    const BaseStored *stored = base_store_result(node->store);
    PhysicalRecord *r = &node->record;
    if (!wal_receive_finish(node->wal, restore_lsn, err) || !sync_names(node, err))
        return error_node(err, node->label);
    r->wal_segment_size = node->server.wal_segment_size;
    r->block_size = node->server.block_size;
    r->data_checksums = node->server.data_checksums;
    r->restore_point = mem_strdup(node->ctx, restore_point);
    r->restore_lsn = restore_lsn;
    r->base = node->earlier == NULL ? NULL : mem_strdup(node->ctx, node->earlier->key);
    r->files = stored->files;
    r->manifest = stored->manifest;
    r->manifest_bytes = stored->manifest_bytes;
    return true;
}

const BaseStored *base_node_stored(const BaseNode *node)
{
    return base_store_result(node->store);
}

void base_node_close(BaseNode *node)
{
    if (node->ctx == NULL)
        return;
    wal_receive_free(node->wal);
    pg_conn_close(node->wal_conn);
    pg_conn_close(node->walsender);
    base_store_free(node->store);
    mem_free(node->wal_ctx);
    mem_free(node->ctx);
    node->wal = NULL;
    node->wal_conn = node->walsender = NULL;
    node->store = NULL;
    node->ctx = node->wal_ctx = NULL;
    node->wals = NULL;
    node->wal_count = node->wal_capacity = 0;
    memset(&node->record, 0, sizeof(node->record));
}

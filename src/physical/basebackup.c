/*
 * physical/basebackup.c - the order of things in a base backup of one server; the contract is in basebackup.h.
 *
 * Source of what is asked of the server, and of what a standby is told: PostgreSQL documentation, "Streaming
 * Replication Protocol", "pg_basebackup", "Standby Server Operation".
 */
#include "physical/basebackup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "pg/server_version.h"
#include "pg/wal_stream.h"
#include "physical/basebackup_parts.h"
#include "physical/wal_receive.h"

#define OLDEST             130000
#define GREENPLUM_IS       904 /* version 6; PostgreSQL's own 9.4 is too old all the same */
#define SERVER_COMPRESSES  150000
#define SERVER_INCREMENTAL 170000

typedef struct Run
{
    const BasebackupRequest *request;
    Cancel *cancel;
    BasebackupResult *result;
    void *ctx;
    RestoreDir dir;
    PgConn *walsender;
    ReplicationSystem server;
    uint64_t segment_size;
    int earlier; /* the manifest of the earlier backup, open; -1: there is none */
    BasebackupForm *form;
    ProgressNode *progress;
    PgConn *wal_conn; /* until wal has taken it over */
    char slot[64];    /* of its own, where none was named */
    WalReceiveRequest wal_request;
    WalReceive *wal;
} Run;

bool basebackup_place(void *ctx, const char *path, BasebackupPlace *ret, Error *err)
{
    const char *name = strrchr(path, '/');
    const char *above = name;
    while (above > path && above[-1] != '/')
        above--;
    if (name == path || name[1] == '\0' || above == path)
        return error_set(err, ERR_USAGE, "\"%s\" is too near the root of the file system", path);
    ret->above = mem_strndup(ctx, above, (size_t) (name - above));
    ret->name = mem_strdup(ctx, name + 1);
    /* The root keeps its slash. */
    ret->storage = storage_open(ctx, mem_strndup(ctx, path, (size_t) (above - path)), err);
    return ret->storage != NULL;
}

/* ---- the earlier backup ---- */

static bool open_earlier(Run *run, Error *err)
{
    struct stat st;
    const char *path = run->request->incremental;
    if (path == NULL)
        return true;
    run->earlier = open(path, O_RDONLY | O_CLOEXEC);
    if (run->earlier < 0 || fstat(run->earlier, &st) != 0)
        return error_set(err, ERR_USAGE, "--incremental: cannot open %s: %s", path,
                         strerror(errno));
    return (S_ISREG(st.st_mode) && st.st_size > 0) ||
           error_set(err, ERR_USAGE, "--incremental: %s is not the manifest of a backup", path);
}

/* The server reads it, and says what it does not understand. */
static bool upload_earlier(const Run *run, Error *err)
{
    return run->earlier < 0 || (base_backup_upload_begin(run->walsender, err) &&
                                fd_pass(run->earlier, run->request->incremental, base_backup_upload,
                                        run->walsender, err) &&
                                base_backup_upload_end(run->walsender, err));
}

/* ---- the server ---- */

static bool too_old(int version, Error *err)
{
    char text[SERVER_VERSION_TEXT_LEN];
    error_set(err, ERR_CONNECT, "server version %s is too old, pgark needs 13 or newer",
              server_version_major_text(text, version));
    if (server_version_major(version) == GREENPLUM_IS)
        error_hint(err, "The nodes of a Greenplum 6 cluster are backed up together, by pgark "
                        "backup --physical.");
    return false;
}

static bool check_version(const Run *run, Error *err)
{
    const BasebackupRequest *r = run->request;
    int version = PQserverVersion(run->walsender->raw);
    if (version < OLDEST)
        return too_old(version, err);
    if (r->server_compress != COMPRESS_NONE && version < SERVER_COMPRESSES)
    {
        error_set(err, ERR_USAGE, "--compress: servers compress from PostgreSQL 15 on, this is %d",
                  version / 10000);
        return error_hint(err, "Leave server- out.");
    }
    return r->incremental == NULL || version >= SERVER_INCREMENTAL ||
           error_set(err, ERR_USAGE,
                     "--incremental: servers know what has changed from PostgreSQL 17 on, this is "
                     "%d",
                     version / 10000);
}

static bool connect_server(Run *run, Error *err)
{
    run->walsender = replication_open(run->request->spec, NULL, "pgark basebackup", run->cancel,
                                      err);
    if (run->walsender == NULL || !replication_identify(run->walsender, &run->server, err))
        return false;
    return check_version(run, err) &&
           wal_stream_segment_size(run->walsender, &run->segment_size, err);
}

static bool make_slot(Run *run, Error *err)
{
    const BasebackupRequest *r = run->request;
    if (r->create_slot)
        return replication_slot(run->walsender, r->slot, err);
    if (r->wal != BASEBACKUP_WAL_STREAM || r->slot != NULL || r->no_slot)
        return true;
    /* From here on the server keeps WAL for us. */
    snprintf(run->slot, sizeof(run->slot), "pgark_basebackup_%ld", (long) getpid());
    run->wal_conn = replication_open(r->spec, NULL, "pgark wal", run->cancel, err);
    return run->wal_conn != NULL && replication_temporary_slot(run->wal_conn, run->slot, err);
}

/* ---- streams ---- */

static bool on_wal(void *arg, const WalRecord *record, Error *err)
{
    const Run *run = arg;
    return run->form->ops->wal(run->form, record->name, record->logical, err);
}

static bool start_wal(Run *run, const BaseBackupStart *start, Error *err)
{
    run->wal_request = (WalReceiveRequest){
        .spec = run->request->spec,
        .conn = run->wal_conn,
        .slot = run->wal_conn != NULL ? run->slot : run->request->slot,
        .start_lsn = start->lsn,
        .timeline = start->timeline,
        .status_ms = run->request->status_ms > 0 ? run->request->status_ms : WAL_STATUS_NEVER,
        .store = {.storage = run->form->wal.storage,
                  .base = run->form->wal.above,
                  .dir = run->form->wal.name,
                  .no_sync = run->request->no_sync,
                  .system_identifier = strtoull(run->server.identifier, NULL, 10),
                  .segment_size = run->segment_size,
                  .on_stored = on_wal,
                  .arg = run}};
    run->wal_conn = NULL;
    run->wal = wal_receive_start(&run->wal_request, run->cancel, err);
    return run->wal != NULL;
}

static bool on_begin(void *arg, const BaseBackupStart *start, Error *err)
{
    Run *run = arg;
    uint64_t bytes = 0;
    run->result->start_lsn = start->lsn;
    run->result->timeline = start->timeline;
    for (size_t i = 0; i < start->count; i++)
        bytes += start->tablespaces[i].bytes;
    atomic_store(&run->progress->bytes_total, bytes);
    return run->form->ops->begin(run->form, start, err) &&
           (run->request->wal != BASEBACKUP_WAL_STREAM || start_wal(run, start, err));
}

typedef struct Sink
{
    Run *run;
    const BaseBackupStart *start;
} Sink;

static bool sink_begin(void *arg, const BaseBackupStart *start, Error *err)
{
    Sink *sink = arg;
    sink->start = start;
    return on_begin(sink->run, start, err);
}

static bool sink_archive(void *arg, size_t tablespace, Error *err)
{
    const Sink *sink = arg;
    return sink->run->form->ops->archive(sink->run->form, &sink->start->tablespaces[tablespace],
                                         err);
}

static bool sink_manifest(void *arg, Error *err)
{
    const Sink *sink = arg;
    return sink->run->form->ops->manifest(sink->run->form, err);
}

static bool sink_data(void *arg, const void *data, size_t len, Error *err)
{
    const Sink *sink = arg;
    Run *run = sink->run;
    run->result->bytes += len;
    if (run->request->server_compress == COMPRESS_NONE)
        atomic_store_explicit(&run->progress->bytes_done, run->result->bytes, memory_order_relaxed);
    return run->form->ops->data(run->form, data, len, err);
}

/* What comes compressed is told by the server what it was. */
static void sink_progress(void *arg, uint64_t bytes)
{
    const Run *run = ((const Sink *) arg)->run;
    if (run->request->server_compress != COMPRESS_NONE)
        atomic_store_explicit(&run->progress->bytes_done, bytes, memory_order_relaxed);
}

/* ---- the end ---- */

static void add_quoted(Str *s, const char *text)
{
    for (const char *p = text; *p != '\0'; p++)
    {
        if (*p == '\'' || *p == '\\')
            str_addc(s, *p);
        str_addc(s, *p);
    }
}

/* How a standby reaches the server, as settings; the password comes from where it is now. NULL: not wanted. */
static const char *recovery_text(const Run *run)
{
    const BasebackupRequest *r = run->request;
    const char *password = NULL;
    Str *s = str_new(run->ctx);
    if (!r->write_recovery)
        return NULL;
    const char *dsn = pg_conn_dsn(run->ctx, run->walsender, &password);
    str_add(s, "primary_conninfo = '");
    add_quoted(s, dsn);
    str_add(s, "'\n");
    if (r->slot != NULL)
        str_addf(s, "primary_slot_name = '%s'\n", r->slot);
    return s->data;
}

static bool copy(Run *run, Error *err)
{
    const BasebackupRequest *r = run->request;
    bool compressed = r->server_compress != COMPRESS_NONE;
    const BaseBackupOptions options = {.label = r->label,
                                       .fast = r->fast_checkpoint,
                                       .wal = r->wal == BASEBACKUP_WAL_FETCH,
                                       .wait = r->wal == BASEBACKUP_WAL_NONE,
                                       .tablespace_map = r->tar,
                                       .max_rate = r->max_rate,
                                       .no_verify = r->no_verify,
                                       .no_estimate = r->no_estimate,
                                       .manifest_encode = r->manifest_encode,
                                       .manifest_checksums = r->manifest_checksums,
                                       .incremental = r->incremental != NULL,
                                       .compression = compressed ? compress_name(r->server_compress)
                                                                 : NULL,
                                       .compression_detail = r->server_detail};
    Sink to = {.run = run};
    const BaseBackupSink sink = {.begin = sink_begin,
                                 .archive = sink_archive,
                                 .manifest = sink_manifest,
                                 .data = sink_data,
                                 .progress = sink_progress,
                                 .arg = &to};
    BaseBackupEnd end;
    if (!upload_earlier(run, err) || !make_slot(run, err) ||
        !base_backup_run(run->walsender, &options, &sink, &end, err))
        return false;
    run->result->stop_lsn = end.lsn;
    return run->wal == NULL || wal_receive_finish(run->wal, end.lsn, err);
}

static bool run_all(Run *run, Error *err)
{
    const BasebackupRequest *r = run->request;
    if (!open_earlier(run, err) || !connect_server(run, err) ||
        (r->directory != NULL && !restore_dir_make(&run->dir, err)))
        return false;
    run->form = r->tar ? basebackup_tar_new(r, &run->dir) : basebackup_plain_new(r, &run->dir);
    return copy(run, err) && run->form->ops->end(run->form, recovery_text(run), err);
}

/* The cause of a failure may be another thread's. */
static void tell_cause(const Run *run, Error *err)
{
    Error cause = ERROR_INIT;
    if (err->code == ERR_CANCELLED && cancel_cause(run->cancel, &cause))
        *err = cause;
}

bool basebackup_run(const BasebackupRequest *request, Cancel *cancel, Progress *progress,
                    BasebackupResult *ret, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "basebackup");
    Run run = {.request = request,
               .cancel = cancel,
               .result = ret,
               .ctx = ctx,
               .earlier = -1,
               .progress = progress_node(progress, 0)};
    *ret = (BasebackupResult){.bytes = 0};
    if (request->directory != NULL &&
        !restore_dir_check(ctx, request->directory, "--pgdata", &run.dir, err))
        return false;
    progress_phase(progress, "base backup");
    bool ok = run_all(&run, err);
    if (!ok)
        tell_cause(&run, err);
    wal_receive_free(run.wal);
    pg_conn_close(run.wal_conn);
    pg_conn_close(run.walsender);
    if (run.earlier >= 0)
        close(run.earlier);
    if (run.form != NULL && !ok && !request->no_clean)
        run.form->ops->clear(run.form);
    if (run.form != NULL)
        run.form->ops->free(run.form);
    if (run.form != NULL && !ok && !request->no_clean && request->directory != NULL)
        restore_dir_clear(&run.dir);
    restore_dir_close(&run.dir);
    return ok;
}

/* pg/base_backup.c - BASE_BACKUP; the contract is in base_backup.h. */
#include "pg/base_backup.h"

#include "base/str.h"
#include "pg/copy.h"

#define ONE_COPY   150000 /* servers from here on send all archives through one COPY */
#define MANIFESTS  130000 /* make a manifest */
#define SPACES_MAX 100000

#define STATE_NOT_READY "55000" /* of an object that a command needs */

typedef struct Run
{
    PgConn *conn;
    const BaseBackupSink *sink;
    BaseBackupStart start;
    BaseBackupEnd *end;
    void *ctx;
    int answers;   /* rows of the server's so far: start, tablespaces, end */
    size_t copies; /* COPYs so far */
    bool manifest; /* one was asked for */
    bool incremental;
} Run;

/* ---- the command ---- */

/* Options of a command are separated by commas, in parentheses, since 15; before by blanks. */
static void add_option(Str *sql, const PgConn *conn, const char *name, const char *value)
{
    bool listed = PQserverVersion(conn->raw) >= ONE_COPY;
    bool first = sql->data[sql->len - 1] == '(';
    str_addf(sql, "%s%s%s%s",
             listed && !first ? ", "
             : listed         ? ""
                              : " ",
             name, value == NULL ? "" : " ", value == NULL ? "" : value);
}

static bool add_text(Str *sql, PgConn *conn, const char *name, const char *text, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "option");
    const char *quoted = pg_quote_literal(tmp, conn, text, err);
    if (quoted != NULL)
        add_option(sql, conn, name, quoted);
    return quoted != NULL;
}

static void add_new_flags(Str *sql, const PgConn *conn, const BaseBackupOptions *o)
{
    add_option(sql, conn, "CHECKPOINT", o->fast ? "'fast'" : "'spread'");
    add_option(sql, conn, "WAIT", o->wait ? "true" : "false");
    if (o->no_verify)
        add_option(sql, conn, "VERIFY_CHECKSUMS", "false");
    if (o->incremental)
        add_option(sql, conn, "INCREMENTAL", NULL);
}

static void add_old_flags(Str *sql, const PgConn *conn, const BaseBackupOptions *o)
{
    if (o->fast)
        add_option(sql, conn, "FAST", NULL);
    if (!o->wait)
        add_option(sql, conn, "NOWAIT", NULL);
    if (o->no_verify)
        add_option(sql, conn, "NOVERIFY_CHECKSUMS", NULL);
}

static bool add_manifest(Str *sql, PgConn *conn, const BaseBackupOptions *o, Error *err)
{
    if (PQserverVersion(conn->raw) < MANIFESTS)
        return o->manifest_checksums == NULL ||
               error_set(err, ERR_USAGE, "a server of this version makes no manifest");
    add_option(sql, conn, "MANIFEST",
               o->manifest_checksums == NULL ? "'no'"
               : o->manifest_encode          ? "'force-encode'"
                                             : "'yes'");
    return o->manifest_checksums == NULL ||
           add_text(sql, conn, "MANIFEST_CHECKSUMS", o->manifest_checksums, err);
}

static const char *make_command(void *ctx, PgConn *conn, const BaseBackupOptions *o, Error *err)
{
    Str *sql = str_new(ctx);
    bool listed = PQserverVersion(conn->raw) >= ONE_COPY;
    str_add(sql, listed ? "BASE_BACKUP (" : "BASE_BACKUP");
    if (!add_text(sql, conn, "LABEL", o->label, err))
        return NULL;
    if (!o->no_estimate)
        add_option(sql, conn, "PROGRESS", NULL);
    if (listed)
        add_new_flags(sql, conn, o);
    else
        add_old_flags(sql, conn, o);
    if (o->wal)
        add_option(sql, conn, "WAL", NULL);
    if (o->tablespace_map)
        add_option(sql, conn, "TABLESPACE_MAP", NULL);
    if (o->max_rate > 0)
        add_option(sql, conn, "MAX_RATE",
                   mem_printf(ctx, "%" PRIu64, o->max_rate < 32768 ? 32 : o->max_rate / 1024));
    bool ok = add_manifest(sql, conn, o, err);
    ok = ok &&
         (o->compression == NULL || add_text(sql, conn, "COMPRESSION", o->compression, err)) &&
         (o->compression_detail == NULL ||
          add_text(sql, conn, "COMPRESSION_DETAIL", o->compression_detail, err));
    if (listed)
        str_addc(sql, ')');
    return ok ? sql->data : NULL;
}

/* ---- an earlier backup's manifest ---- */

bool base_backup_upload_begin(PgConn *conn, Error *err)
{
    return pg_copy_in_begin(conn, "UPLOAD_MANIFEST", err);
}

bool base_backup_upload(void *conn, const void *data, size_t len, Error *err)
{
    return pg_copy_in_put(conn, data, len, err);
}

bool base_backup_upload_end(PgConn *conn, Error *err)
{
    uint64_t rows;
    return pg_copy_in_end(conn, NULL, &rows, err);
}

/* ---- the answer ---- */

static bool bad_shape(const Run *run, const char *what, Error *err)
{
    error_set(err, ERR_QUERY, "the answer to BASE_BACKUP has another shape than expected (%s)",
              what);
    return error_node(err, run->conn->label);
}

/* Where the backup starts, and where it ended, come in the same form. */
static bool take_place(const Run *run, const PGresult *res, uint64_t *ret_lsn,
                       uint32_t *ret_timeline, Error *err)
{
    if (PQntuples(res) != 1 || PQnfields(res) < 2)
        return bad_shape(run, "a place in WAL", err);
    *ret_timeline = (uint32_t) pg_cell_int(res, 0, 1);
    return replication_lsn(res, 0, 0, ret_lsn, err) || error_node(err, run->conn->label);
}

static bool take_tablespaces(Run *run, const PGresult *res, Error *err)
{
    int count = PQntuples(res);
    if (count < 1 || count > SPACES_MAX || PQnfields(res) < 3)
        return bad_shape(run, "tablespaces", err);
    run->start.count = (size_t) count;
    run->start.tablespaces = mem_array(run->ctx, BaseBackupTablespace, count);
    for (int i = 0; i < count; i++)
        run->start.tablespaces[i] = (BaseBackupTablespace){
            .oid = (uint32_t) pg_cell_int(res, i, 0),
            .location = mem_strdup(run->ctx, pg_cell(res, i, 1)),
            .bytes = (uint64_t) pg_cell_int(res, i, 2) * 1024};
    return run->sink->begin(run->sink->arg, &run->start, err);
}

static bool take_rows(Run *run, const PGresult *res, Error *err)
{
    switch (run->answers++)
    {
    case 0:
        return take_place(run, res, &run->start.lsn, &run->start.timeline, err);
    case 1:
        return take_tablespaces(run, res, err);
    case 2:
        return take_place(run, res, &run->end->lsn, &run->end->timeline, err);
    default:
        return bad_shape(run, "one answer too many", err);
    }
}

/* "<oid>.tar", with a suffix where the server compresses, or "base.tar". */
static bool new_archive(const Run *run, const char *name, size_t len, Error *err)
{
    size_t end = strnlen(name, len);
    if (end == len || strnlen(name + end + 1, len - end - 1) == len - end - 1)
        return bad_shape(run, "an archive without a name", err);
    uint32_t oid = strncmp(name, "base.tar", 8) == 0 ? 0 : (uint32_t) strtoul(name, NULL, 10);
    for (size_t i = 0; i < run->start.count; i++)
    {
        if (run->start.tablespaces[i].oid == oid)
            return run->sink->archive(run->sink->arg, i, err);
    }
    return bad_shape(run, "an archive of no tablespace", err);
}

/* Eight bytes, the highest first. */
static bool take_progress(const Run *run, const unsigned char *data, size_t len, Error *err)
{
    uint64_t bytes = 0;
    if (len != sizeof(bytes))
        return bad_shape(run, "progress of another length", err);
    for (size_t i = 0; i < len; i++)
        bytes = bytes << 8 | data[i];
    if (run->sink->progress != NULL)
        run->sink->progress(run->sink->arg, bytes);
    return true;
}

static bool take_message(const Run *run, const char *data, size_t len, Error *err)
{
    if (PQserverVersion(run->conn->raw) < ONE_COPY)
        return run->sink->data(run->sink->arg, data, len, err);
    switch (data[0])
    {
    case 'd':
        return run->sink->data(run->sink->arg, data + 1, len - 1, err);
    case 'n':
        return new_archive(run, data + 1, len - 1, err);
    case 'm':
        return run->sink->manifest(run->sink->arg, err);
    case 'p':
        return take_progress(run, (const unsigned char *) data + 1, len - 1, err);
    default:
        return bad_shape(run, "an unknown message", err);
    }
}

/* Which archive it is of, where each has a COPY of its own. */
static bool begin_copy(Run *run, Error *err)
{
    size_t copy = run->copies++;
    if (run->answers != 2)
        return bad_shape(run, "data at the wrong time", err);
    if (PQserverVersion(run->conn->raw) >= ONE_COPY)
        return copy == 0 || bad_shape(run, "one COPY too many", err);
    if (copy < run->start.count)
        return run->sink->archive(run->sink->arg, copy, err);
    if (copy > run->start.count || !run->manifest)
        return bad_shape(run, "one COPY too many", err);
    return run->sink->manifest(run->sink->arg, err);
}

/* Mostly there is more to read at once: the socket is asked before poll() is. */
static bool read_more(PgConn *conn, bool *asked, Error *err)
{
    if ((*asked || cancel_is_raised(conn->cancel)) && !pg_conn_wait(conn, false, 0, NULL, err))
        return false;
    if (PQconsumeInput(conn->raw) == 0)
        return pg_conn_error(conn, NULL, err, "lost the connection during the base backup");
    *asked = true;
    return true;
}

static bool read_copy(Run *run, Error *err)
{
    bool asked = false;
    for (;;)
    {
        char *data = NULL;
        int len = PQgetCopyData(run->conn->raw, &data, 1);
        if (len == 0 && !read_more(run->conn, &asked, err))
            return false;
        if (len == 0)
            continue;
        if (len < 0) /* complete, or broken: the next result tells */
            return true;
        asked = false;
        bool ok = take_message(run, data, (size_t) len, err);
        PQfreemem(data);
        if (!ok)
            return false;
    }
}

/* What the server says of summaries that it has not, or not any more, is its reason. */
static bool failed(const Run *run, const PGresult *res, Error *err)
{
    char text[400];
    const char *hint = PQresultErrorField(res, PG_DIAG_MESSAGE_HINT);
    pg_conn_error(run->conn, res, err, "the base backup failed");
    if (run->incremental && pg_sqlstate_is(err, STATE_NOT_READY))
        error_hint(err, "A backup without --incremental is what later ones can be built on again; "
                        "wal_summary_keep_time says how long the server keeps summaries.");
    else if (hint != NULL)
        error_hint(err, "%s", str_one_line(text, sizeof(text), hint));
    return false;
}

static bool read_results(Run *run, Error *err)
{
    for (;;)
    {
        bool ok;
        AUTO(PQclear) PGresult *res = pg_next_result(run->conn, 0, &ok, err);
        if (!ok)
            return false;
        if (res == NULL)
            return run->answers == 3 || bad_shape(run, "it ended early", err);
        switch (PQresultStatus(res))
        {
        case PGRES_TUPLES_OK:
            ok = take_rows(run, res, err);
            break;
        case PGRES_COPY_OUT:
            ok = begin_copy(run, err) && read_copy(run, err);
            break;
        case PGRES_COMMAND_OK:
            break;
        default:
            return failed(run, res, err);
        }
        if (!ok)
            return false;
    }
}

bool base_backup_run(PgConn *conn, const BaseBackupOptions *options, const BaseBackupSink *sink,
                     BaseBackupEnd *ret, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "base backup");
    Run run = {.conn = conn,
               .sink = sink,
               .end = ret,
               .ctx = tmp,
               .manifest = options->manifest_checksums != NULL,
               .incremental = options->incremental};
    const char *command = make_command(tmp, conn, options, err);
    return command != NULL && pg_send(conn, command, err) && read_results(&run, err);
}

/* backup/schema.c - the definitions; the contract is in schema.h. */
#include "backup/schema.h"

#include "base/clock.h"
#include "base/proc.h"
#include "io/tap.h"

#define SCHEMA_LOCK_WAIT_MS "2000"

typedef struct SchemaSink
{
    StorageWriter *writer;
    IoStage *chain;
} SchemaSink;

static bool to_storage(void *arg, const void *data, size_t len, Error *err)
{
    return storage_write(((SchemaSink *) arg)->writer, data, len, err);
}

static bool on_archive(void *arg, const void *data, size_t len, Error *err)
{
    return io_write(((SchemaSink *) arg)->chain, data, len, err);
}

/* Tells by what pg_dump said whether the catalogue moved while it read: a lock did not come in the
 * time it had, or an object has gone between its snapshot and the functions that look through none.
 * The server's text may be in any language, but for its internal errors; pg_dump's quotation of its
 * own query is not (it may be long, and only its end be left). */
static bool catalogue_moved(const char *message, bool waited)
{
    bool lock = strstr(message, "LOCK TABLE") != NULL ||
                strstr(message, "IN ACCESS SHARE MODE") != NULL;
    return (lock && waited) || strstr(message, "cache lookup failed for ") != NULL ||
           strstr(message, "could not open relation with OID") != NULL;
}

static bool run_pg_dump(const char *program, const PgConn *conn, const char *snapshot,
                        SchemaSink *sink, void *tmp, Error *err)
{
    const char *password;
    /* Ours: the names in the archive and in the manifest must be the same bytes. */
    const char *encoding = pg_encoding_to_char(PQclientEncoding(conn->raw));
    const char *dsn = pg_conn_dsn(tmp, conn, &password);
    const char *const argv[] = {program,
                                "--format=custom",
                                "--schema-only",
                                "--no-password",
                                mem_printf(tmp, "--encoding=%s", encoding),
                                ("--lock-wait-timeout=" SCHEMA_LOCK_WAIT_MS),
                                mem_printf(tmp, "--snapshot=%s", snapshot),
                                mem_printf(tmp, "--dbname=%s", dsn),
                                NULL};
    /* The password goes by the environment, which other users cannot read. */
    const char *const env[] = {
        "LC_ALL=C", password != NULL ? mem_printf(tmp, "PGPASSWORD=%s", password) : NULL, NULL};
    ProcSpec spec = {
        .argv = argv, .env = env, .on_stdout = on_archive, .arg = sink, .cancel = conn->cancel};
    int64_t start = clock_ms();
    if (proc_run(&spec, err))
        return true;
    bool waited = clock_ms() - start >= atoi(SCHEMA_LOCK_WAIT_MS);
    if (err->code == ERR_PROGRAM && catalogue_moved(err->message, waited))
        err->code = ERR_CHANGED;
    return error_prefix(err, "could not dump the schema");
}

bool schema_dump(const char *program, const PgConn *conn, const char *snapshot, Storage *st,
                 const char *set_dir, bool no_sync, ObjectRecord *record, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "schema");
    StorageWriteFlags flags = no_sync ? STORAGE_WRITE_NO_SYNC : STORAGE_WRITE_PLAIN;
    AUTO(storage_writer_free)
    StorageWriter *writer = storage_write_open(st, mem_printf(tmp, "%s/%s", set_dir, record->path),
                                               flags, err);
    if (writer == NULL)
        return false;
    SchemaSink sink = {.writer = writer};
    AUTO(io_free) IoStage *chain = io_tap_new(TAP_SHA256, io_sink_new(to_storage, &sink));
    sink.chain = chain;
    if (!run_pg_dump(program, conn, snapshot, &sink, tmp, err))
        return error_node(err, conn->label);
    if (!io_finish(chain, err) || !storage_writer_commit(writer, err))
        return false;
    io_tap_result(chain, &record->bytes, record->sha256);
    return true;
}

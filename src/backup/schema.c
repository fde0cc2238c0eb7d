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

/* pg_dump's arguments; a set's sections are what restore makes of it, the archive has them all. */
static const char *const *make_argv(const SchemaDump *dump, const char *dsn, void *tmp, Error *err)
{
    char **argv = NULL;
    size_t count = 0;
    size_t capacity = 0;
    /* Ours: the names in the archive and in the manifest must be the same bytes. */
    const char *encoding = pg_encoding_to_char(PQclientEncoding(dump->conn->raw));
    const BackupRequest *request = dump->request;
    const char *const fixed[] = {dump->pg_dump->path,
                                 "--format=custom",
                                 "--schema-only",
                                 "--no-password",
                                 mem_printf(tmp, "--encoding=%s", encoding),
                                 ("--lock-wait-timeout=" SCHEMA_LOCK_WAIT_MS),
                                 mem_printf(tmp, "--snapshot=%s", dump->snapshot)};
    for (size_t i = 0; i < LENGTH_OF(fixed); i++)
        *mem_push(tmp, argv, count, capacity, char *) = mem_strdup(tmp, fixed[i]);
    if (request->role != NULL)
        *mem_push(tmp, argv, count, capacity, char *) = mem_printf(tmp, "--role=%s", request->role);
    for (size_t i = 0; request->dump_args != NULL && request->dump_args[i] != NULL; i++)
        *mem_push(tmp, argv, count, capacity, char *) = mem_strdup(tmp, request->dump_args[i]);
    if (!selection_pg_dump_args(request->selection, tmp, dump->pg_dump->major,
                                dump->catalog->selected, dump->catalog->selected_count, &argv,
                                &count, &capacity, err))
        return NULL;
    *mem_push(tmp, argv, count, capacity, char *) = mem_printf(tmp, "--dbname=%s", dsn);
    *mem_push(tmp, argv, count, capacity, char *) = NULL;
    return (const char *const *) argv;
}

static bool run_pg_dump(const SchemaDump *dump, SchemaSink *sink, void *tmp, Error *err)
{
    const char *password;
    const char *dsn = pg_conn_dsn(tmp, dump->conn, &password);
    /* The password goes by the environment, which other users cannot read. */
    const char *const env[] = {
        "LC_ALL=C", password != NULL ? mem_printf(tmp, "PGPASSWORD=%s", password) : NULL, NULL};
    ProcSpec spec = {.argv = make_argv(dump, dsn, tmp, err),
                     .env = env,
                     .on_stdout = on_archive,
                     .arg = sink,
                     .cancel = dump->conn->cancel};
    if (spec.argv == NULL)
        return false;
    int64_t start = clock_ms();
    if (proc_run(&spec, err))
        return true;
    bool waited = clock_ms() - start >= atoi(SCHEMA_LOCK_WAIT_MS);
    if (err->code == ERR_PROGRAM && catalogue_moved(err->message, waited))
        err->code = ERR_CHANGED;
    return error_prefix(err, "could not dump the schema");
}

bool schema_dump(const SchemaDump *dump, Storage *st, const char *set_dir, ObjectRecord *record,
                 Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "schema");
    StorageWriteFlags flags = dump->request->no_sync ? STORAGE_WRITE_NO_SYNC : STORAGE_WRITE_PLAIN;
    AUTO(storage_writer_free)
    StorageWriter *writer = storage_write_open(st, mem_printf(tmp, "%s/%s", set_dir, record->path),
                                               flags, err);
    if (writer == NULL)
        return false;
    SchemaSink sink = {.writer = writer};
    AUTO(io_free) IoStage *chain = io_tap_new(TAP_SHA256, io_sink_new(to_storage, &sink));
    sink.chain = chain;
    if (!run_pg_dump(dump, &sink, tmp, err))
        return error_node(err, dump->conn->label);
    if (!io_finish(chain, err) || !storage_writer_commit(writer, err))
        return false;
    io_tap_result(chain, &record->bytes, record->sha256);
    return true;
}

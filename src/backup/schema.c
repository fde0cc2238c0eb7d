/* backup/schema.c - the definitions; the contract is in schema.h. */
#include "backup/schema.h"

#include "backup/catalogue_mark.h"
#include "backup/program_store.h"
#include "base/clock.h"
#include "repo/archive.h"

#define SCHEMA_LOCK_WAIT_MS "2000"

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

static void add_arg(void *tmp, SelectionArgs *args, char *text)
{
    *mem_push(tmp, args->items, args->count, args->capacity, char *) = text;
}

/* pg_dump's arguments; a set's sections are what restore makes of it, the archive has them all. */
static const char *const *make_argv(const SchemaDump *dump, const char *dsn, void *tmp, Error *err)
{
    SelectionArgs args = {NULL, 0, 0};
    /* Ours: the names in the archive and in the manifest must be the same bytes. */
    const char *encoding = pg_encoding_to_char(PQclientEncoding(dump->conn->raw));
    const BackupRequest *request = dump->request;
    const char *const fixed[] = {dump->pg_dump->path,
                                 "--format=custom",
                                 "--schema-only",
                                 "--no-password",
                                 mem_printf(tmp, "--encoding=%s", encoding),
                                 ("--lock-wait-timeout=" SCHEMA_LOCK_WAIT_MS)};
    for (size_t i = 0; i < LENGTH_OF(fixed); i++)
        add_arg(tmp, &args, mem_strdup(tmp, fixed[i]));
    if (dump->pg_dump->snapshots)
        add_arg(tmp, &args, mem_printf(tmp, "--snapshot=%s", dump->snapshot));
    if (request->role != NULL)
        add_arg(tmp, &args, mem_printf(tmp, "--role=%s", request->role));
    for (size_t i = 0; request->dump_args != NULL && request->dump_args[i] != NULL; i++)
        add_arg(tmp, &args, mem_strdup(tmp, request->dump_args[i]));
    if (!selection_pg_dump_args(request->selection, tmp, dump->pg_dump->major,
                                dump->catalog->selected, dump->catalog->selected_count, &args, err))
        return NULL;
    add_arg(tmp, &args, mem_printf(tmp, "--dbname=%s", dsn));
    add_arg(tmp, &args, NULL);
    return (const char *const *) args.items;
}

static bool begin_at_cut(const SchemaDump *dump, void *tmp, Error *err)
{
    const char *begin = mem_printf(tmp,
                                   "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                                   " SET TRANSACTION SNAPSHOT '%s'",
                                   dump->snapshot);
    return pg_exec(dump->watch, begin, err);
}

/* The definitions as the cut shows them. */
static char *mark_cut(const SchemaDump *dump, void *tmp, Error *err)
{
    char *mark = begin_at_cut(dump, tmp, err) ? catalogue_mark(dump->watch, tmp, err) : NULL;
    return mark != NULL && pg_exec(dump->watch, "COMMIT", err) ? mark : NULL;
}

/* What the archive has is what the cut shows: nothing has changed since, and nothing that came and went
 * meanwhile is in it. */
static bool is_of_cut(const SchemaDump *dump, const char *mark, Storage *st, const char *set_dir,
                      const ObjectRecord *record, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "archive");
    const char *now = catalogue_mark(dump->watch, tmp, err);
    const NodeRecord stored = {.schema = *record};
    bool there = false;
    const ArchiveToc *toc = now == NULL ? NULL : archive_read(tmp, st, set_dir, &stored, err);
    if (toc == NULL || !begin_at_cut(dump, tmp, err) ||
        !catalogue_has(dump->watch, toc, &there, err) || !pg_exec(dump->watch, "COMMIT", err))
        return false;
    return (there && strcmp(now, mark) == 0) ||
           error_set(err, ERR_CHANGED, "definitions changed while pg_dump read them");
}

bool schema_dump(const SchemaDump *dump, Storage *st, const char *set_dir, ObjectRecord *record,
                 Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "schema");
    const char *password;
    const char *dsn = pg_conn_dsn(tmp, dump->conn, &password);
    const ProgramStore run = {.argv = make_argv(dump, dsn, tmp, err),
                              .password = password,
                              .cancel = dump->conn->cancel,
                              .storage = st,
                              .set_dir = set_dir,
                              .compress = {.method = COMPRESS_NONE},
                              .no_sync = dump->request->no_sync};
    if (run.argv == NULL)
        return error_node(err, dump->conn->label);
    const char *mark = NULL;
    int64_t start = clock_ms();
    if (dump->watch != NULL && (mark = mark_cut(dump, tmp, err)) == NULL)
        return error_node(err, dump->conn->label);
    if (program_store(&run, record, err))
        return mark == NULL || is_of_cut(dump, mark, st, set_dir, record, err) ||
               error_node(err, dump->conn->label);
    bool waited = clock_ms() - start >= atoi(SCHEMA_LOCK_WAIT_MS);
    /* Without the snapshot a table may have gone before it was locked. */
    if (err->code == ERR_PROGRAM && catalogue_moved(err->message, waited || mark != NULL))
        err->code = ERR_CHANGED;
    error_prefix(err, "could not dump the schema");
    return error_node(err, dump->conn->label);
}

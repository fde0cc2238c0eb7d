/* backup/config_files.c - a server's configuration files; the contract is in config_files.h. */
#include "backup/config_files.h"

#include <archive.h>
#include <archive_entry.h>

#include "io/tap.h"
#include "pg/query.h"

/* Where the files are, and what is in them. The views that list files of pg_hba.conf and pg_ident.conf by name are
 * from PostgreSQL 16 on, as is their including others. */
/* Of 9.4, which Greenplum 6 is. Only settings tell of files that are included, pg_settings does not show where the others
 * are, and only what lies in the data directory can be read; that there is no such file is an error, and pg_ident.conf may be missing. */
static const char files_before_9_5[] =
    "SELECT f.name,"
    " CASE WHEN f.there THEN pg_catalog.pg_read_binary_file(f.name, 0, 16777217) END,"
    " CASE WHEN f.there THEN pg_catalog.date_part('epoch',"
    "  (pg_catalog.pg_stat_file(f.name)).modification)::bigint END"
    " FROM (SELECT pg_catalog.current_setting('config_file'), true"
    "  UNION SELECT pg_catalog.current_setting('hba_file'), true"
    "  UNION SELECT sourcefile, true FROM pg_catalog.pg_settings"
    "  UNION SELECT i, i NOT LIKE pg_catalog.current_setting('data_directory') || '/%' OR"
    "  pg_catalog.regexp_replace(i, '^.*/', '') IN (SELECT pg_catalog.pg_ls_dir('.'))"
    "  FROM pg_catalog.current_setting('ident_file') i"
    ") f(name, there) WHERE f.name <> '' ORDER BY 1";
static const char files_before_16[] =
    "SELECT f.name, pg_catalog.pg_read_binary_file(f.name, 0, 16777217, true),"
    " pg_catalog.date_part('epoch', (pg_catalog.pg_stat_file(f.name, true)).modification)::bigint"
    " FROM (SELECT setting FROM pg_catalog.pg_settings"
    "  WHERE name IN ('config_file', 'hba_file', 'ident_file')"
    "  UNION SELECT sourcefile FROM pg_catalog.pg_file_settings"
    /*  */ ") f(name) WHERE f.name <> '' ORDER BY 1";
static const char files_from_16[] =
    "SELECT f.name, pg_catalog.pg_read_binary_file(f.name, 0, 16777217, true),"
    " pg_catalog.date_part('epoch', (pg_catalog.pg_stat_file(f.name, true)).modification)::bigint"
    " FROM (SELECT setting FROM pg_catalog.pg_settings"
    "  WHERE name IN ('config_file', 'hba_file', 'ident_file')"
    "  UNION SELECT sourcefile FROM pg_catalog.pg_file_settings"
    "  UNION SELECT file_name FROM pg_catalog.pg_hba_file_rules"
    "  UNION SELECT file_name FROM pg_catalog.pg_ident_file_mappings"
    ") f(name) WHERE f.name <> '' ORDER BY 1";

char *config_files_path(void *ctx, const BackupNode *node)
{
    return mem_printf(ctx, "node%d.config.tar%s", node->content,
                      compress_suffix(node->request->compress.method));
}

bool config_files_read(BackupNode *node, Error *err)
{
    int version = node->record.server_version_num;
    const char *sql = version < 90500    ? files_before_9_5
                      : version < 160000 ? files_before_16
                                         : files_from_16;
    PQclear(node->config);
    node->config = pg_query(node->probe, sql, 0, NULL, err);
    if (node->config != NULL)
        return true;
    error_prefix(err, "could not read the configuration files");
    if (pg_sqlstate_is(err, PG_STATE_NO_PRIVILEGE))
        error_hint(err, "Only a superuser can, or a role with pg_read_server_files, SELECT on "
                        "pg_file_settings, and EXECUTE on pg_show_all_file_settings(), "
                        "pg_read_binary_file() and pg_stat_file().");
    return error_node(err, node->label);
}

/* ---- the archive ---- */

typedef struct Archiving
{
    IoStage *chain;
    Error *err;
    struct archive *archive;
    struct archive_entry *entry;
} Archiving;

static la_ssize_t on_bytes(struct archive *a, void *arg, const void *data, size_t len)
{
    const Archiving *w = arg;
    (void) a;
    return io_write(w->chain, data, len, w->err) ? (la_ssize_t) len : -1;
}

/* What libarchive failed with, unless that was our own writing. */
static bool failed(const Archiving *w)
{
    const char *why = w->archive == NULL ? NULL : archive_error_string(w->archive);
    return error_set(w->err, ERR_STORAGE, "could not make an archive: %s",
                     why == NULL ? "out of memory" : why);
}

static bool add_file(Archiving *w, const char *name, const void *data, size_t len, int64_t changed)
{
    archive_entry_clear(w->entry);
    archive_entry_set_pathname(w->entry, name + strspn(name, "/"));
    archive_entry_set_filetype(w->entry, AE_IFREG);
    archive_entry_set_perm(w->entry, 0600);
    archive_entry_set_size(w->entry, (la_int64_t) len);
    archive_entry_set_mtime(w->entry, changed, 0);
    return (archive_write_header(w->archive, w->entry) == ARCHIVE_OK &&
            archive_write_data(w->archive, data, len) == (la_ssize_t) len) ||
           failed(w);
}

static bool add_row(Archiving *w, const PGresult *res, int row)
{
    size_t len = 0;
    const char *name = pg_cell(res, row, 0);
    /* A file that the server names need not be there: pg_ident.conf, say. */
    if (pg_cell_null(res, row, 1))
        return true;
    unsigned char *data = PQunescapeBytea((const unsigned char *) pg_cell(res, row, 1), &len);
    if (data == NULL)
        return failed(w);
    bool ok = len <= CONFIG_FILE_MAX
                  ? add_file(w, name, data, len, pg_cell_int(res, row, 2))
                  : error_set(w->err, ERR_QUERY, "configuration file %s has more than %d MB", name,
                              CONFIG_FILE_MAX / 1024 / 1024);
    PQfreemem(data);
    return ok;
}

static bool add_files(Archiving *w, const PGresult *res)
{
    if (w->archive == NULL || w->entry == NULL ||
        archive_write_set_format_pax_restricted(w->archive) != ARCHIVE_OK ||
        archive_write_open(w->archive, w, NULL, on_bytes, NULL) != ARCHIVE_OK)
        return failed(w);
    for (int row = 0; row < PQntuples(res); row++)
    {
        if (!add_row(w, res, row))
            return false;
    }
    return archive_write_close(w->archive) == ARCHIVE_OK || failed(w);
}

static bool write_archive(const PGresult *res, IoStage *chain, Error *err)
{
    Archiving w = {
        .chain = chain, .err = err, .archive = archive_write_new(), .entry = archive_entry_new()};
    bool ok = add_files(&w, res);
    archive_entry_free(w.entry);
    archive_write_free(w.archive);
    return ok;
}

/* ---- the object ---- */

static bool to_storage(void *arg, const void *data, size_t len, Error *err)
{
    return storage_write(arg, data, len, err);
}

bool config_files_store(BackupNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "configuration files");
    StorageWriteFlags flags = node->request->no_sync ? STORAGE_WRITE_NO_SYNC : STORAGE_WRITE_PLAIN;
    ObjectRecord *record = &node->record.config;
    record->path = config_files_path(node->ctx, node);
    AUTO(storage_writer_free)
    StorageWriter *writer = storage_write_open(
        node->storage, mem_printf(tmp, "%s/%s", node->set_dir, record->path), flags, err);
    if (writer == NULL)
        return false;
    IoStage *stored = io_tap_new(TAP_SHA256, io_sink_new(to_storage, writer));
    AUTO(io_free) IoStage *chain = io_compress_stored_new(node->request->compress, 0, stored);
    if (!write_archive(node->config, chain, err) || !io_finish(chain, err) ||
        !storage_writer_commit(writer, err))
        return error_prefix(err, "configuration files");
    io_tap_result(stored, &record->bytes, record->sha256);
    atomic_fetch_add(&node->objects, 1);
    return true;
}

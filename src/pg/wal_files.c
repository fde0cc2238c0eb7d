/* pg/wal_files.c - WAL out of a server's files; the contract is in wal_files.h. */
#include "pg/wal_files.h"

#include "pg/dialect.h"

static bool not_allowed(const PgConn *conn, Error *err)
{
    error_set(err, ERR_USAGE, "the role is no superuser, and may not read files of WAL");
    return error_node(err, conn->label);
}

bool wal_files_identify(PgConn *conn, ReplicationSystem *ret, uint64_t *ret_segment_size,
                        Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "identity");
    const char *sql = mem_printf(
        tmp,
        "SELECT %s, l, pg_catalog.substr(pg_catalog.pg_xlogfile_name(l), 1, 8),"
        " (SELECT s.setting::bigint FROM pg_catalog.pg_settings s"
        "  WHERE s.name = 'wal_segment_size') *"
        " pg_catalog.current_setting('wal_block_size')::bigint,"
        " (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)"
        " FROM (SELECT pg_catalog.pg_current_xlog_location()) x(l)",
        dialect_system_identifier(conn));
    AUTO(PQclear) PGresult *res = pg_query(conn, sql, 0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not ask the server who it is");
    if (!pg_cell_bool(res, 0, 4))
        return not_allowed(conn, err);
    snprintf(ret->identifier, sizeof(ret->identifier), "%s", pg_cell(res, 0, 0));
    ret->timeline = (uint32_t) strtoul(pg_cell(res, 0, 2), NULL, 16);
    *ret_segment_size = (uint64_t) pg_cell_int(res, 0, 3);
    return replication_lsn(res, 0, 1, &ret->lsn, err) || error_node(err, conn->label);
}

bool wal_files_end(PgConn *conn, uint64_t *ret, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(conn, "SELECT pg_catalog.pg_current_xlog_location()", 0, NULL, err);
    return res != NULL && replication_lsn(res, 0, 0, ret, err);
}

PGresult *wal_files_read(PgConn *conn, const char *name, uint64_t offset, size_t len, Error *err)
{
    char from[24], size[24];
    snprintf(from, sizeof(from), "%" PRIu64, offset);
    snprintf(size, sizeof(size), "%zu", len);
    const char *const params[] = {name, from, size};
    return pg_query_binary(conn,
                           "SELECT pg_catalog.pg_read_binary_file('pg_xlog/' || $1::text,"
                           " $2::bigint, $3::bigint)",
                           3, params, err);
}

/* pg/dialect.c - differences between versions; the contract is in dialect.h. */
#include "pg/dialect.h"

static bool has(const PgConn *conn, int version)
{
    return PQserverVersion(conn->raw) >= version;
}

/* Before there was a function for it: the first eight bytes of the control file (ControlFileData in
 * pg_control.h), of a server whose least byte comes first. */
#define CONTROL_BYTE(n) "(pg_catalog.get_byte(f.b, " #n ")::bigint << (" #n " % 4 * 8))"
#define CONTROL_WORD(a, b, c, d)                                                                   \
    CONTROL_BYTE(a) " | " CONTROL_BYTE(b) " | " CONTROL_BYTE(c) " | " CONTROL_BYTE(d)

const char *dialect_system_identifier(const PgConn *conn)
{
    if (has(conn, 90600))
        return "(SELECT s.system_identifier::text FROM pg_catalog.pg_control_system() s)";
    return "(SELECT CASE WHEN r.rolsuper THEN (SELECT ((" CONTROL_WORD(
        4, 5, 6,
        7) ")::numeric"
           " * 4294967296 + (" CONTROL_WORD(
               0, 1, 2,
               3) "))::text FROM"
                  " (SELECT pg_catalog.pg_read_binary_file('global/pg_control', 0, 8)) f(b))"
                  " ELSE coalesce(pg_catalog.host(pg_catalog.inet_server_addr()), 'local') || ':'"
                  "  || pg_catalog.current_setting('port') END"
                  " FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)";
}

const char *dialect_is_generated(const PgConn *conn)
{
    return has(conn, 120000) ? "a.attgenerated <> ''" : "false";
}

const char *dialect_is_partition(const PgConn *conn)
{
    return has(conn, 100000) ? "c.relispartition" : "false";
}

const char *dialect_is_client(const PgConn *conn)
{
    return has(conn, 100000) ? "a.backend_type = 'client backend'" : "true";
}

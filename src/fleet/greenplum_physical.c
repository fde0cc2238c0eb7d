/*
 * fleet/greenplum_physical.c - base backups of a Greenplum 6 cluster: what has to be there before one is begun
 * (FleetEngine.check_physical), and the restore point that all of them end at (EngineCut.restore_point).
 *
 * The function that makes it is of Greenplum's own extension gp_pitr; why it is not enough by itself is argued in
 * cut.c, 4.
 */
#include "base/str.h"
#include "fleet/greenplum.h"

#define MAJOR 6

/* Where the extension's function is; its schema was somebody's choice. */
#define FIND_FUNCTION                                                                              \
    " FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"          \
    " JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass"        \
    "  AND d.objid = p.oid AND d.deptype = 'e'"                                                    \
    " JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid"                                        \
    "  AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass"                          \
    " WHERE e.extname = 'gp_pitr' AND p.proname = 'gp_create_restore_point'"                       \
    "  AND p.proargtypes = '25'::pg_catalog.oidvector"

static bool refuse(const BackupNode *node, const char *what, const char *hint, Error *err)
{
    error_set(err, ERR_USAGE, "base backups of the cluster cannot be taken: %s", what);
    error_hint(err, "%s", hint);
    return error_node(err, node->label);
}

static bool check_version(const BackupNode *coordinator, Error *err)
{
    const ServerVersion *v = &coordinator->probe->server;
    return (v->product == SERVER_GREENPLUM && v->major == MAJOR) ||
           refuse(coordinator, "it is not Greenplum 6", "It is backed up without --physical.", err);
}

/* Files of WAL are read on every node, which a superuser may only: who logs in for that, and who --role makes of him for
 * the rest. */
static bool check_role(const BackupNode *node, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(node->probe,
                             "SELECT pg_catalog.bool_and(r.rolsuper) FROM pg_catalog.pg_roles r"
                             " WHERE r.rolname IN (session_user, current_user)",
                             0, NULL, err);
    if (res == NULL)
    {
        error_prefix(err, "could not look at the role");
        return error_node(err, node->label);
    }
    return (PQntuples(res) == 1 && pg_cell_bool(res, 0, 0)) ||
           refuse(node, "the role is no superuser",
                  "Only a superuser may read files of WAL and make restore points.", err);
}

static bool check_coordinator(const BackupNode *coordinator, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(coordinator->probe,
                             "SELECT (SELECT count(*) " FIND_FUNCTION "),"
                             " (SELECT min(t.spcname::text) FROM pg_catalog.pg_tablespace t"
                             "  WHERE t.oid >= 16384)",
                             0, NULL, err);
    if (res == NULL)
    {
        error_prefix(err, "could not look at the cluster");
        return error_node(err, coordinator->label);
    }
    if (pg_cell_int(res, 0, 0) == 0)
        return refuse(coordinator,
                      "the database has no gp_create_restore_point, by which all nodes come to "
                      "one end",
                      "CREATE EXTENSION gp_pitr there; it comes with the server.", err);
    if (!pg_cell_null(res, 0, 1))
    {
        char what[200], name[100];
        snprintf(what, sizeof(what), "there is a tablespace (\"%s\"), whose files are elsewhere",
                 str_one_line(name, sizeof(name), pg_cell(res, 0, 1)));
        return refuse(coordinator, what,
                      "Without --physical the rows of all tables are backed up, with --globals "
                      "the tablespaces' definitions, too.",
                      err);
    }
    return true;
}

bool greenplum_check_physical(const BackupNode *nodes, size_t count, Error *err)
{
    if (!check_version(&nodes[0], err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!check_role(&nodes[i], err))
            return false;
    return check_coordinator(&nodes[0], err);
}

const char *greenplum_restore_point(void *ctx, PgConn *coordinator, const char *name, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(coordinator, "SELECT pg_catalog.quote_ident(n.nspname) " FIND_FUNCTION,
                             0, NULL, err);
    const char *quoted = res == NULL ? NULL : pg_quote_literal(ctx, coordinator, name, err);
    if (quoted == NULL)
        return NULL;
    if (PQntuples(res) != 1)
    {
        error_set(err, ERR_QUERY, "the function gp_create_restore_point is gone");
        return NULL;
    }
    return mem_printf(ctx,
                      "SELECT p.gp_segment_id, p.restore_lsn FROM"
                      " %s.gp_create_restore_point(%s) p",
                      pg_cell(res, 0, 0), quoted);
}

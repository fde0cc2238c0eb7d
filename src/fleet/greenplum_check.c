/* fleet/greenplum_check.c - is a Greenplum cluster ready to be backed up (FleetEngine.inspect), and what it
 * holds that no set does (FleetEngine.left_out). */
#include "fleet/greenplum.h"

static void inspect_role(const BackupNode *node, EngineFinding add, void *arg, const PGresult *res)
{
    bool super = pg_cell_bool(res, 0, 0);
    add(arg, node->content, "role", super ? CHECK_OK : CHECK_WARNING,
        super ? "superuser"
              : "no superuser: the barrier needs UPDATE, DELETE or TRUNCATE rights on every table; "
                "without it a cut waits for a moment without commits");
}

static void inspect_segments(const BackupNode *node, EngineFinding add, void *arg,
                             const PGresult *res)
{
    char text[200];
    bool swapped = pg_cell_int(res, 0, 2) > 0;
    bool down = pg_cell_int(res, 0, 3) > 0;
    snprintf(text, sizeof(text), "%s primary segments%s%s", pg_cell(res, 0, 1),
             swapped ? "; some are not where they are wanted to be (gprecoverseg -r)" : "",
             down ? "; some mirrors are down (gprecoverseg)" : "");
    add(arg, node->content, "segments", swapped || down ? CHECK_WARNING : CHECK_OK, text);
    if (pg_cell_int(res, 0, 4) == 0)
        return;
    snprintf(text, sizeof(text),
             "%s tables lie on fewer segments than there are: an expansion is not finished",
             pg_cell(res, 0, 4));
    add(arg, node->content, "expansion", CHECK_WARNING, text);
}

bool greenplum_inspect(const BackupNode *nodes, EngineFinding add, void *arg, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(
        nodes[0].probe,
        "SELECT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user),"
        " count(*) FILTER (WHERE role = 'p'),"
        " count(*) FILTER (WHERE role = 'p' AND preferred_role <> 'p'),"
        " count(*) FILTER (WHERE role <> 'p' AND status <> 'u'),"
        " (SELECT count(*) FROM pg_catalog.gp_distribution_policy p WHERE p.numsegments <"
        "  (SELECT count(*) FROM pg_catalog.gp_segment_configuration s"
        "   WHERE s.role = 'p' AND s.content >= 0))"
        " FROM pg_catalog.gp_segment_configuration WHERE content >= 0",
        0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not look at the Greenplum cluster");
    inspect_role(&nodes[0], add, arg, res);
    inspect_segments(&nodes[0], add, arg, res);
    return true;
}

static void add_warning(BackupNode *node, char *text)
{
    NodeRecord *r = &node->record;
    r->warnings = mem_grow(node->ctx, r->warnings, char *, r->warning_count + 1);
    r->warnings[r->warning_count++] = text;
}

/* COPY leaves the oids of rows out unless it is asked for them, and a restore would give them anew. */
bool greenplum_left_out(BackupNode *node, Error *err)
{
    const Selection *selection = node->request->selection;
    if (node->content >= 0 || !greenplum_partitions(node->probe) ||
        (selection->sections & SELECT_DATA) == 0)
        return true;
    AUTO(PQclear)
    PGresult *res = pg_query(node->probe,
                             "SELECT count(*), min(n.nspname || '.' || c.relname)"
                             " FROM pg_catalog.pg_class c"
                             " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                             " WHERE c.relhasoids AND c.relkind = 'r' AND c.oid >= 16384"
                             " AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'",
                             0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not look for tables WITH OIDS");
    if (pg_cell_int(res, 0, 0) > 0)
        add_warning(node, mem_printf(node->ctx,
                                     "%s tables WITH OIDS are stored without the oids of their "
                                     "rows; \"%s\" is one",
                                     pg_cell(res, 0, 0), pg_cell(res, 0, 1)));
    return true;
}

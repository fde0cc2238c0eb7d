/* fleet/greenplum.c - finding the nodes of a Greenplum cluster; the contract is in engine.h. */
#include "fleet/greenplum_restore.h"

#include "base/str.h"

/* Since 6.21 a transaction can take another one's snapshot on the coordinator. */
#define OLDEST_MAJOR 6
#define OLDEST_MINOR 21

bool greenplum_partitions(const PgConn *conn)
{
    return PQserverVersion(conn->raw) < 100000;
}

/* ---- where a connection is ---- */

typedef struct Place
{
    bool known;
    int content;
    bool utility;
    const char *option; /* the setting that asks for utility mode, NULL: the server has none */
} Place;

/* Version 6 has a second setting by which utility mode is asked for, and does not list it. */
static bool find_place(PgConn *conn, Place *ret, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(conn,
                             "SELECT max(CASE name WHEN 'gp_contentid' THEN setting END),"
                             " max(CASE name WHEN 'gp_role' THEN setting END)"
                             " FROM pg_catalog.pg_settings"
                             " WHERE name IN ('gp_contentid', 'gp_role')",
                             0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not read which node of the Greenplum cluster this is");
    ret->known = !pg_cell_null(res, 0, 0);
    ret->content = ret->known ? (int) pg_cell_int(res, 0, 0) : -1;
    ret->utility = strcmp(pg_cell(res, 0, 1), "utility") == 0;
    ret->option = pg_cell_null(res, 0, 1)               ? NULL
                  : PQserverVersion(conn->raw) < 100000 ? "gp_session_role"
                                                        : "gp_role";
    return true;
}

static bool check_coordinator(const PgConn *conn, const Place *place, Error *err)
{
    if (place->content >= 0)
    {
        error_set(err, ERR_USAGE,
                  "database \"%s\" is that of a segment of a Greenplum cluster (content id %d)",
                  PQdb(conn->raw), place->content);
        return error_hint(err, "Name the coordinator, pgark finds the segments by itself.");
    }
    if (!place->utility)
        return true;
    error_set(err, ERR_USAGE, "the connection to the coordinator is in utility mode");
    return error_hint(err, "Leave gp_role and gp_session_role out of PGOPTIONS and the connection "
                           "string.");
}

/* ---- the segments ---- */

static const char *utility_options(void *ctx, const PgConn *conn, const Place *place)
{
    const char *own = PQoptions(conn->raw);
    if (place->option == NULL)
        return own == NULL || own[0] == '\0' ? NULL : mem_strdup(ctx, own);
    return mem_printf(ctx, "%s%s-c %s=utility", own == NULL ? "" : own,
                      own == NULL || own[0] == '\0' ? "" : " ", place->option);
}

static bool check_segment(const PGresult *res, int row, Error *err)
{
    const char *host = pg_cell(res, row, 2);
    const char *port = pg_cell(res, row, 3);
    if (pg_cell(res, row, 4)[0] != 'u')
    {
        error_set(err, ERR_USAGE, "segment %s (%s:%s) is marked as down", pg_cell(res, row, 0),
                  host, port);
        return error_hint(err, "Recover it first (gprecoverseg).");
    }
    if (pg_cell_int(res, row, 0) != row)
        return error_set(err, ERR_USAGE,
                         "the cluster's catalogue names no primary, or several, of segment %d",
                         row);
    return true;
}

bool greenplum_segments(void *ctx, PgConn *conn, const PgConnSpec *spec, const NameMap *host_map,
                        size_t host_map_count, GreenplumSegment **ret, size_t *ret_count,
                        Error *err)
{
    Place place = {.known = false};
    if (!find_place(conn, &place, err) || !check_coordinator(conn, &place, err))
        return false;
    AUTO(PQclear)
    PGresult *res = pg_query(conn,
                             "SELECT content, dbid, address, port, status"
                             " FROM pg_catalog.gp_segment_configuration"
                             " WHERE role = 'p' AND content >= 0 ORDER BY content",
                             0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not read the segments of the Greenplum cluster");
    if (PQntuples(res) == 0)
        return error_set(err, ERR_USAGE, "the Greenplum cluster has no segments");
    *ret_count = (size_t) PQntuples(res);
    *ret = mem_array(ctx, GreenplumSegment, *ret_count);
    for (int i = 0; i < PQntuples(res); i++)
    {
        GreenplumSegment *s = &(*ret)[i];
        if (!check_segment(res, i, err))
            return false;
        const char *host = mem_strdup(ctx, pg_cell(res, i, 2));
        const char *port = mem_strdup(ctx, pg_cell(res, i, 3));
        engine_map_host(ctx, host_map, host_map_count, &host, &port);
        s->content = (int) pg_cell_int(res, i, 0);
        s->dbid = (int) pg_cell_int(res, i, 1);
        s->spec = *spec;
        s->spec.host = host;
        s->spec.hostaddr = "";
        s->spec.port = port;
        s->spec.database = mem_strdup(ctx, PQdb(conn->raw));
        s->spec.options = utility_options(ctx, conn, &place);
        s->spec.setup = GREENPLUM_SETUP;
    }
    return true;
}

/* ---- discovery ---- */

static bool add_segments(void *ctx, Fleet *fleet, PgConn *conn, const FleetRequest *request,
                         Error *err)
{
    GreenplumSegment *segments = NULL;
    size_t count = 0;
    FleetNode coordinator = fleet->nodes[0];
    if (!greenplum_segments(ctx, conn, &coordinator.spec, request->host_map,
                            request->host_map_count, &segments, &count, err))
        return false;
    fleet->nodes = mem_array(ctx, FleetNode, count + 1);
    fleet->nodes[0] = coordinator;
    fleet->nodes[0].content = -1;
    fleet->nodes[0].dbid = 1;
    fleet->nodes[0].spec.setup = GREENPLUM_SETUP;
    for (size_t i = 0; i < count; i++)
        fleet->nodes[i + 1] = (FleetNode){
            .content = segments[i].content, .dbid = segments[i].dbid, .spec = segments[i].spec};
    fleet->node_count = count + 1;
    return true;
}

static bool greenplum_discover(void *ctx, Fleet *fleet, PgConn *conn, const FleetRequest *request,
                               bool *ret_found, Error *err)
{
    Place place = {.known = false};
    const ServerVersion *v = &conn->server;
    *ret_found = false;
    if (v->product == SERVER_POSTGRESQL)
        return true;
    if (v->product == SERVER_GREENPLUM && v->major == OLDEST_MAJOR && v->minor < OLDEST_MINOR)
        return error_set(err, ERR_USAGE, "Greenplum %d.%d is too old, pgark needs %d.%d or newer",
                         v->major, v->minor, OLDEST_MAJOR, OLDEST_MINOR);
    if (!find_place(conn, &place, err) || !check_coordinator(conn, &place, err))
        return false;
    *ret_found = true;
    return fleet->node_count == 0 || add_segments(ctx, fleet, conn, request, err);
}

static bool check_node(const BackupNode *coordinator, const BackupNode *node, Error *err)
{
    const ServerVersion *want = &coordinator->probe->server;
    const ServerVersion *its = &node->probe->server;
    Place place = {.known = false};
    if (its->product != want->product || its->major != want->major || its->minor != want->minor ||
        its->patch != want->patch)
    {
        error_set(err, ERR_USAGE, "%s %d.%d.%d there, %s %d.%d.%d on the coordinator",
                  server_version_name(its->product), its->major, its->minor, its->patch,
                  server_version_name(want->product), want->major, want->minor, want->patch);
        return error_hint(err, "Finish the upgrade; where names mean other hosts here, use "
                               "--host-map.");
    }
    if (!find_place(node->probe, &place, err))
        return false;
    if (!place.known || place.content == node->content)
        return true;
    error_set(err, ERR_USAGE,
              "this is segment %d of a Greenplum cluster, the coordinator has %d "
              "under that address",
              place.content, node->content);
    return error_hint(err, "Where names mean other hosts here, use --host-map.");
}

static bool greenplum_check(BackupNode *nodes, size_t count, Error *err)
{
    for (size_t i = 1; i < count; i++)
        if (!check_node(&nodes[0], &nodes[i], err))
            return error_node(err, nodes[i].label);
    return true;
}

const FleetEngine greenplum_engine = {
    .topology = "greenplum",
    .discover = greenplum_discover,
    .check = greenplum_check,
    .map = greenplum_map,
    .left_out = greenplum_left_out,
    .check_physical = greenplum_check_physical,
    .wal_files = true,
    .inspect = greenplum_inspect,
    .cut = {.through_coordinator = true, .restore_point = greenplum_restore_point},
    .restore = &greenplum_restore,
};

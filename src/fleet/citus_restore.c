/* fleet/citus_restore.c - what a restore into a Citus cluster needs besides; see citus_restore.h. */
#include "fleet/citus_restore.h"

#include "base/log.h"
#include "base/str.h"
#include "pg/sql_token.h"
#include "restore/entry.h"
#include "restore/target.h"

/* Triggers on distributed tables are put on their shards, as they were. */
#define SESSION_SETUP "SET citus.enable_unsafe_triggers = on"

/* Of the server whose shards are loaded into. */
#define PLACE_SETUP                                                                                \
    "SET citus.override_table_visibility = off; SET citus.enable_manual_changes_to_shards = on"

bool citus_target_nodes(void *ctx, const RestoreRequest *request, PgConn *conn,
                        const PgConnSpec *spec, CitusServer **ret, size_t *ret_count, Error *err)
{
    *ret_count = 0;
    AUTO(PQclear)
    PGresult *there = pg_query(
        conn, "SELECT pg_catalog.to_regclass('pg_catalog.pg_dist_node') IS NOT NULL", 0, NULL, err);
    if (there == NULL || !pg_cell_bool(there, 0, 0))
        return there != NULL;
    AUTO(PQclear)
    PGresult *res = pg_query(conn,
                             "SELECT groupid, nodename, nodeport, shouldhaveshards"
                             " FROM pg_catalog.pg_dist_node"
                             " WHERE noderole = 'primary' AND isactive ORDER BY groupid",
                             0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not read the nodes of the Citus cluster");
    *ret = mem_array(ctx, CitusServer, PQntuples(res) + 1);
    for (int i = 0; i < PQntuples(res); i++)
    {
        CitusServer *s = &(*ret)[(*ret_count)++];
        const char *host = s->host = mem_strdup(ctx, pg_cell(res, i, 1));
        const char *port = s->port = mem_strdup(ctx, pg_cell(res, i, 2));
        engine_map_host(ctx, request->host_map, request->host_map_count, &host, &port);
        s->group = (int) pg_cell_int(res, i, 0);
        s->has_shards = pg_cell_bool(res, i, 3);
        s->spec = *spec;
        s->spec.setup = PLACE_SETUP;
        if (s->group == 0)
            continue; /* as it was reached already */
        s->spec.host = host;
        s->spec.hostaddr = "";
        s->spec.port = port;
    }
    return true;
}

/* ---- a set of a cluster, and a target that is none ---- */

static bool is_citus_name(const char *name)
{
    static const char *const names[] = {"citus", "citus_columnar", NULL};
    return entry_is_any(name, names);
}

/* "EXTENSION citus", as a comment's tag has it. */
static bool is_about_citus(const TocEntry *e)
{
    if (entry_is(e, "EXTENSION"))
        return is_citus_name(e->tag);
    if (!entry_is_of(e, "EXTENSION "))
        return false;
    char name[64];
    snprintf(name, sizeof(name), "%s", e->tag + strlen("EXTENSION "));
    size_t len = strlen(name);
    bool quoted = len > 1 && name[0] == '"' && name[len - 1] == '"';
    if (quoted)
        name[len - 1] = '\0';
    return is_citus_name(name + (quoted ? 1 : 0));
}

static void leave_citus_out(RestoreNode *node)
{
    for (size_t i = 0; i < node->toc->entry_count; i++)
    {
        TocEntry *e = &node->toc->entries[i];
        if (is_about_citus(e))
            node->filter->keep[i] = false;
        if (e->table_am != NULL && strcmp(e->table_am, "columnar") == 0)
            e->table_am = "";
    }
    filter_apply(node->filter, node->toc);
}

/* ---- preparation ---- */

/* The servers of a cluster that is to be made: those of another database of the same coordinator. */
static bool find_servers(RestoreNode *node, CitusTarget *target, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(node->main,
                             "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn"
                             " AND NOT datistemplate ORDER BY datname",
                             0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not list the databases");
    for (int i = 0; i < PQntuples(res) && target->server_count == 0; i++)
    {
        PgConnSpec spec = node->spec;
        Error ignored = ERROR_INIT;
        spec.database = pg_cell(res, i, 0);
        AUTO(pg_conn_close)
        PgConn *conn = pg_conn_open(&spec, node->label, "pgark restore", node->cancel, &ignored);
        if (conn != NULL && !citus_target_nodes(node->ctx, node->request, conn, &node->spec,
                                                &target->servers, &target->server_count, err))
            return false;
    }
    return true;
}

static bool find_target(RestoreNode *node, CitusTarget *target, Error *err)
{
    bool create = node->request->create && !node->resumed;
    if (create)
    {
        if (!find_servers(node, target, err))
            return false;
        target->to_be_made = target->server_count > 0;
    }
    else if (!citus_target_nodes(node->ctx, node->request, node->main, &node->spec,
                                 &target->servers, &target->server_count, err))
        return false;
    target->cluster = target->server_count > 0;
    if (target->cluster && target->servers[0].group != 0)
    {
        error_set(err, ERR_USAGE, "the coordinator of the Citus cluster is not among its nodes");
        return error_hint(err, "Add it: SELECT citus_set_coordinator_host('HOST', PORT).");
    }
    return true;
}

size_t citus_target_loaded(const CitusTarget *target)
{
    size_t count = 0;
    for (size_t i = 0; i < target->server_count; i++)
        count += target->servers[i].has_shards ? 1 : 0;
    return count == 0 ? 1 : count;
}

static bool prepare(RestoreNode *node, Error *err)
{
    CitusTarget *target = mem_new(node->ctx, CitusTarget);
    node->cluster_state = target;
    if (!find_target(node, target, err))
        return false;
    bool distributed = node->manifest->distribution_count > 0;
    if (!target->cluster && node->request->distribute != NULL)
    {
        error_set(err, ERR_USAGE, "--distribute: the target is no coordinator of a Citus cluster");
        return error_hint(err, "Make one (CREATE EXTENSION citus, citus_add_node) and restore into "
                               "it, or leave --distribute out.");
    }
    if (!target->cluster)
    {
        if (distributed)
            log_info("%s: no Citus cluster, every table goes there as a whole", node->label);
        leave_citus_out(node);
        return true;
    }
    node->single_statements = true;
    node->spec.setup = SESSION_SETUP;
    node->jobs = node->request->jobs * (int) citus_target_loaded(target);
    return citus_spread_check(node, err);
}

/* ---- --create ---- */

/* Connections between nodes are kept for the next query. */
#define END_SESSIONS                                                                               \
    "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"                 \
    " WHERE datname = $1 AND application_name LIKE 'citus\\_internal%'"

static PgConn *connect_to(const RestoreNode *node, const CitusServer *server, const char *database,
                          Error *err)
{
    PgConnSpec spec = server->spec;
    spec.setup = NULL;
    spec.database = database;
    return pg_conn_open(&spec, node->label, "pgark restore", node->cancel, err);
}

static bool run_on(const RestoreNode *node, const CitusServer *server, const char *database,
                   const char *sql, Error *err)
{
    AUTO(pg_conn_close) PgConn *conn = connect_to(node, server, database, err);
    return conn != NULL && pg_exec(conn, sql, err);
}

static bool drop_on(const RestoreNode *node, const CitusServer *server, Error *err)
{
    AUTO(pg_conn_close) PgConn *conn = connect_to(node, server, "postgres", err);
    return conn != NULL && target_drop_database(node, conn, err);
}

/* The coordinator's own has been made. */
static bool make_databases(RestoreNode *node, const CitusTarget *target, Error *err)
{
    for (size_t i = 0; i < target->server_count; i++)
    {
        const CitusServer *s = &target->servers[i];
        if (s->group != 0 && node->request->clean && !drop_on(node, s, err))
            return error_prefix(err, "node %s:%s", s->host, s->port);
        if (s->group != 0 && !run_on(node, s, "postgres", node->ddl->create_database, err))
            return error_prefix(err, "could not create database \"%s\" on node %s:%s",
                                node->database, s->host, s->port);
        if (!run_on(node, s, node->database, "CREATE EXTENSION citus", err))
            return error_prefix(err, "could not create extension citus on node %s:%s", s->host,
                                s->port);
    }
    return true;
}

static bool add_nodes(const RestoreNode *node, const CitusTarget *target, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "nodes");
    AUTO(pg_conn_close)
    PgConn *conn = connect_to(node, &target->servers[0], node->database, err);
    for (size_t i = 0; conn != NULL && i < target->server_count; i++)
    {
        const CitusServer *s = &target->servers[i];
        const char *params[] = {s->host, s->port, s->has_shards ? "t" : "f"};
        AUTO(PQclear)
        PGresult *res = pg_query(conn,
                                 s->group == 0
                                     ? "SELECT pg_catalog.citus_set_coordinator_host($1, $2::int)"
                                     : "SELECT pg_catalog.citus_add_node($1, $2::int)",
                                 2, params, err);
        AUTO(PQclear)
        PGresult *set = res == NULL ? NULL
                                    : pg_query(conn,
                                               "SELECT pg_catalog.citus_set_node_property($1,"
                                               " $2::int, 'shouldhaveshards', $3::bool)",
                                               3, params, err);
        if (set == NULL)
            return error_prefix(err, "could not add node %s:%s to the cluster", s->host, s->port);
    }
    return conn != NULL;
}

static bool create(RestoreNode *node, Error *err)
{
    const CitusTarget *target = node->cluster_state;
    return !target->to_be_made ||
           (make_databases(node, target, err) && add_nodes(node, target, err));
}

static bool spread(RestoreNode *node, Error *err)
{
    const CitusTarget *target = node->cluster_state;
    return !target->cluster || (citus_spread_tables(node, err) && citus_place_parts(node, err));
}

static bool sequences(RestoreNode *node, Error *err)
{
    const CitusTarget *target = node->cluster_state;
    return !target->cluster || citus_place_sequences(node, err);
}

static bool finish(RestoreNode *node, Error *err)
{
    const CitusTarget *target = node->cluster_state;
    return !target->cluster || citus_place_finish(node, err);
}

/* CLUSTER ON is a mark for people that Citus refuses to pass on; the coordinator's table keeps it. */
static const char *statement(void *ctx, const char *sql, bool std_strings)
{
    SqlScanner s = {sql, std_strings};
    SqlToken t;
    bool cluster = false;
    bool mark = false;
    if (!sql_token_next(&s, &t) || !sql_token_is(&t, "alter"))
        return sql;
    while (sql_token_next(&s, &t))
    {
        mark = mark || (cluster && sql_token_is(&t, "on"));
        cluster = sql_token_is(&t, "cluster");
    }
    return !mark ? sql
                 : mem_printf(ctx,
                              "SET LOCAL citus.enable_ddl_propagation = off; %s;"
                              " SET LOCAL citus.enable_ddl_propagation = on",
                              sql);
}

const RestoreCluster citus_restore = {.prepare = prepare,
                                      .end_sessions = END_SESSIONS,
                                      .create = create,
                                      .spread = spread,
                                      .sequences = sequences,
                                      .finish = finish,
                                      .statement = statement};

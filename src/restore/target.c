/* restore/target.c - the database that is restored into; the contract is in target.h. */
#include "restore/target.h"

#include "base/str.h"
#include "pg/dialect.h"
#include "restore/journal.h"

static bool is_maintenance(const char *name)
{
    return strcmp(name, "postgres") == 0 || strcmp(name, "template1") == 0;
}

/* FirstNormalObjectId: what has a lower oid every database has (access/transam.h). */
#define FIRST_USER_OID "16384"

/* conn is to the database of that name. */
static bool refuse_content(PgConn *conn, const char *database, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "content");
    const char *publications = PQserverVersion(conn->raw) < 100000
                                   ? ""
                                   : " UNION ALL SELECT 'publication', p.pubname, p.oid,"
                                     "  'pg_catalog.pg_publication'::regclass"
                                     "  FROM pg_catalog.pg_publication p";
    const char *sql = mem_printf(
        tmp,
        "SELECT x.what, x.name FROM ("
        " SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index'"
        "  ELSE 'table' END, n.nspname || '.' || c.relname, c.oid, 'pg_catalog.pg_class'::regclass"
        "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        "  WHERE c.relkind <> 't' AND c.relpersistence <> 't'"
        "  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
        " UNION ALL SELECT 'function', n.nspname || '.' || p.proname, p.oid,"
        "  'pg_catalog.pg_proc'::regclass"
        "  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
        "  WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
        " UNION ALL SELECT 'type', n.nspname || '.' || t.typname, t.oid,"
        "  'pg_catalog.pg_type'::regclass"
        "  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace"
        /* An array's type comes with that of its elements. */
        "  WHERE t.typrelid = 0 AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type b"
        "   WHERE b.typarray = t.oid) AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
        " UNION ALL SELECT 'schema', n.nspname, n.oid, 'pg_catalog.pg_namespace'::regclass"
        "  FROM pg_catalog.pg_namespace n"
        "  WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')"
        " UNION ALL SELECT 'large object', l.oid::text, l.oid,"
        "  'pg_catalog.pg_largeobject'::regclass FROM pg_catalog.pg_largeobject_metadata l"
        " UNION ALL SELECT 'event trigger', e.evtname, e.oid,"
        "  'pg_catalog.pg_event_trigger'::regclass FROM pg_catalog.pg_event_trigger e"
        " UNION ALL SELECT 'foreign server', f.srvname, f.oid,"
        "  'pg_catalog.pg_foreign_server'::regclass FROM pg_catalog.pg_foreign_server f%s"
        ") x(what, name, oid, class)"
        " WHERE (x.oid >= " FIRST_USER_OID " OR x.what = 'large object')"
        " AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d"
        " WHERE d.classid = x.class AND d.objid = x.oid AND d.deptype = 'e') LIMIT 1",
        publications);
    AUTO(PQclear) PGresult *res = pg_query(conn, sql, 0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not look whether the target is empty");
    if (PQntuples(res) == 0)
        return true;
    error_set(err, ERR_EXISTS, "database \"%s\" is not empty: it holds %s \"%s\"", database,
              pg_cell(res, 0, 0), pg_cell(res, 0, 1));
    return error_hint(err, "Restore into an empty database, or use --create with the name of a new "
                           "one.");
}

bool target_refuse_content(RestoreNode *node, Error *err)
{
    return refuse_content(node->main, node->database, err);
}

/* Rows mean the same everywhere; definitions of a newer server may not be known. */
static bool check_version(const RestoreNode *node, const PgConn *conn, Error *err)
{
    int target = PQserverVersion(conn->raw) / 10000;
    int source = node->record->server_version_num / 10000;
    unsigned definitions = SELECT_PRE_DATA | SELECT_POST_DATA;
    if (target >= source || (node->selection.sections & definitions) == 0)
        return true;
    if (node->request->on_error == ON_ERROR_STOP)
    {
        error_set(err, ERR_USAGE, "the target is PostgreSQL %d, older than the source (%d)", target,
                  source);
        return error_hint(err, "Definitions may use what it does not know; --on-error=continue "
                               "restores what it understands and lists the rest, -a restores rows "
                               "into tables that are there.");
    }
    log_warning("%s: the target is PostgreSQL %d, older than the source (%d)", node->label, target,
                source);
    return true;
}

static bool read_identity(RestoreNode *node, PgConn *conn, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "identity");
    const char *identity = pg_server_identity(conn, tmp, err);
    AUTO(PQclear)
    PGresult *res = identity == NULL
                        ? NULL
                        : pg_query(conn, "SELECT pg_catalog.pg_is_in_recovery()", 0, NULL, err);
    if (res == NULL)
        return false;
    snprintf(node->identity, sizeof(node->identity), "%s", identity);
    return !pg_cell_bool(res, 0, 0) ||
           error_set(err, ERR_USAGE, "the target is a standby, nothing can be written there");
}

/* The connection that the preparation goes on with; all later ones go to the same server, whatever
 * other hosts the conninfo names. */
static bool take_connection(RestoreNode *node, PgConn *conn, Error *err)
{
    node->main = conn;
    if (conn == NULL)
        return false;
    node->spec = *pg_conn_pin(node->ctx, conn, &node->spec);
    return check_version(node, conn, err) && read_identity(node, conn, err);
}

static bool prepare_existing(RestoreNode *node, Error *err)
{
    if (node->own_name)
        node->spec.database = node->record->database;
    PgConn *conn = pg_conn_open(&node->spec, node->label, "pgark restore", node->cancel, err);
    if (conn == NULL && strstr(err->message, "database") != NULL &&
        strstr(err->message, "does not exist") != NULL)
        error_hint(err, "Create the database first, or use --create.");
    if (!take_connection(node, conn, err))
        return false;
    node->database = mem_strdup(node->ctx, PQdb(node->main->raw));
    return journal_open(node, node->main, err);
}

static PgConn *connect_maintenance(RestoreNode *node, Error *err)
{
    static const char *const names[] = {"postgres", "template1"};
    for (size_t i = 0; i < LENGTH_OF(names); i++)
    {
        /* From within itself no database is dropped. */
        if (str_equal(names[i], node->database))
            continue;
        PgConnSpec spec = node->spec;
        spec.database = names[i];
        Error failed = ERROR_INIT;
        PgConn *conn = pg_conn_open(&spec, node->label, "pgark restore", node->cancel, &failed);
        if (conn != NULL)
        {
            error_clear(err);
            return conn;
        }
        /* Of two failures the first says more. */
        if (i == 0 || !error_is_set(err))
            *err = failed;
        if (failed.code != ERR_CONNECT)
            break;
    }
    return NULL;
}

/* A new server has a database "postgres". One without anything in it, in the encoding of the set, is as
 * good as a new one: then *ret. */
static bool can_be_filled(RestoreNode *node, bool *ret, Error *err)
{
    PgConnSpec spec = node->spec;
    Error content = ERROR_INIT;
    *ret = false;
    if (strcmp(node->database, "postgres") != 0)
        return true;
    spec.database = node->database;
    AUTO(pg_conn_close)
    PgConn *conn = pg_conn_open(&spec, node->label, "pgark restore", node->cancel, err);
    AUTO(PQclear)
    PGresult *res = conn == NULL ? NULL
                                 : pg_query(conn,
                                            "SELECT pg_catalog.pg_encoding_to_char(encoding) FROM"
                                            " pg_catalog.pg_database WHERE datname = 'postgres'",
                                            0, NULL, err);
    if (res == NULL)
        return false;
    if (strcmp(pg_cell(res, 0, 0), node->record->encoding) != 0)
        return true;
    *ret = refuse_content(conn, node->database, &content);
    if (!*ret && content.code != ERR_EXISTS)
    {
        *err = content;
        return false;
    }
    return true;
}

/* What makes CREATE DATABASE fail for sure is said before anything is changed anywhere. */
static bool check_new(RestoreNode *node, Error *err)
{
    const char *params[] = {node->database};
    AUTO(PQclear)
    PGresult *res = pg_query(node->main,
                             "SELECT (SELECT count(*) FROM pg_catalog.pg_database"
                             "  WHERE datname = $1), r.rolcreatedb OR r.rolsuper, r.rolname"
                             " FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER",
                             1, params, err);
    if (res == NULL)
        return false;
    bool exists = pg_cell_int(res, 0, 0) > 0;
    if (exists && !can_be_filled(node, &node->fills, err))
        return false;
    if (node->fills)
    {
        log_message(LOG_INFO, "%s: database \"%s\" is there, empty, and will be filled",
                    node->label, node->database);
        return true;
    }
    if (exists && !node->request->clean)
    {
        error_set(err, ERR_EXISTS, "database \"%s\" exists already", node->database);
        return error_hint(err, "Leave --create out to restore into it if it is empty, or name a "
                               "new one, or drop it first with --clean.");
    }
    if (!exists && node->request->clean && !node->request->if_exists)
    {
        error_set(err, ERR_NOT_FOUND, "database \"%s\" is not there to be dropped", node->database);
        return error_hint(err, "Use --if-exists, or leave --clean out.");
    }
    return pg_cell_bool(res, 0, 1) ||
           error_set(err, ERR_USAGE, "role \"%s\" may not create databases", pg_cell(res, 0, 2));
}

/* A restore that is to go on has made the database already. */
static bool find_begun(RestoreNode *node, Error *err)
{
    const char *params[] = {node->database};
    AUTO(PQclear)
    PGresult *res = pg_query(node->main,
                             "SELECT FROM pg_catalog.pg_database WHERE datname = $1 AND"
                             " datallowconn",
                             1, params, err);
    if (res == NULL || PQntuples(res) == 0)
        return res != NULL;
    PgConnSpec spec = node->spec;
    spec.database = node->database;
    AUTO(pg_conn_close)
    PgConn *conn = pg_conn_open(&spec, node->label, "pgark restore", node->cancel, err);
    return conn != NULL && journal_open(node, conn, err);
}

static bool prepare_new(RestoreNode *node, Error *err)
{
    char *named = pg_conn_spec_database(node->ctx, &node->spec);
    if (!take_connection(node, connect_maintenance(node, err), err))
        return false;
    node->database = named[0] == '\0' || is_maintenance(named) || node->own_name
                         ? mem_strdup(node->ctx, node->record->database)
                         : named;
    return !node->request->resume || find_begun(node, err);
}

bool target_check(RestoreNode *node, Error *err)
{
    return !node->request->create || check_new(node, err);
}

bool target_prepare(RestoreNode *node, Error *err)
{
    bool ok = node->request->create ? prepare_new(node, err) : prepare_existing(node, err);
    return ok || error_node(err, node->label);
}

bool target_drop_database(const RestoreNode *node, PgConn *conn, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "drop");
    const char *name = pg_quote_ident(tmp, conn, node->database, err);
    const char *params[] = {node->database};
    if (name == NULL)
        return false;
    AUTO(PQclear)
    PGresult *ended = node->cluster == NULL || node->cluster->end_sessions == NULL
                          ? NULL
                          : pg_query(conn, node->cluster->end_sessions, 1, params, err);
    if (node->cluster != NULL && node->cluster->end_sessions != NULL && ended == NULL)
        return false;
    return pg_exec(conn, mem_printf(tmp, "DROP DATABASE IF EXISTS %s", name), err) ||
           error_prefix(err, "could not drop database \"%s\"", node->database);
}

bool target_make_globals(RestoreNode *node, Error *err)
{
    AUTO(pg_conn_close)
    PgConn *conn = node->request->create
                       ? connect_maintenance(node, err)
                       : pg_conn_open(&node->spec, node->label, "pgark restore", node->cancel, err);
    if (conn == NULL)
        return false;
    return globals_create(node->globals, conn, err) || error_node(err, node->label);
}

bool target_create(RestoreNode *node, Error *err)
{
    if (node->ddl->create_database == NULL)
        return error_set(err, ERR_CORRUPT, "the archive holds no definition of the database");
    AUTO(pg_conn_close) PgConn *conn = connect_maintenance(node, err);
    if (conn == NULL)
        return false;
    if (node->request->clean && !target_drop_database(node, conn, err))
        return false;
    if (!pg_exec(conn, node->ddl->create_database, err))
    {
        error_prefix(err, "could not create database \"%s\"", node->database);
        return error_node(err, node->label);
    }
    node->created = node->touched = true;
    return true;
}

bool target_set_encoding(const RestoreNode *node, PgConn *conn, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "encoding");
    const char *name = pg_quote_literal(tmp, conn, node->record->encoding, err);
    return name != NULL && (pg_exec(conn, mem_printf(tmp, "SET client_encoding = %s", name), err) ||
                            error_prefix(err, "could not set client_encoding"));
}

static bool set_identity(const RestoreNode *node, PgConn *conn, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "role");
    const RestoreRequest *r = node->request;
    if (r->enable_row_security && !pg_exec(conn, "SET row_security = on", err))
        return false;
    const char *role = r->role == NULL ? "" : pg_quote_ident(tmp, conn, r->role, err);
    return role != NULL &&
           (*role == '\0' || pg_exec(conn, mem_printf(tmp, "SET ROLE %s", role), err) ||
            error_prefix(err, "--role"));
}

PgConn *target_connect_to(RestoreNode *node, const PgConnSpec *server, const char *role, Error *err)
{
    PgConnSpec spec = *server;
    spec.database = node->database;
    char application[64];
    snprintf(application, sizeof(application), "pgark %s", role);
    AUTO(pg_conn_close)
    PgConn *conn = pg_conn_open(&spec, node->label, application, node->cancel, err);
    if (conn == NULL)
        return NULL;
    /* The archive's own settings first: they name the encoding of its definitions, which is that of
     * the chunks, too. */
    if (!pg_exec(conn, node->ddl->session_setup, err))
    {
        error_prefix(err, "could not set the session up");
        return NULL;
    }
    if (!target_set_encoding(node, conn, err) || !set_identity(node, conn, err))
        return NULL;
    PgConn *result = conn;
    conn = NULL;
    return result;
}

PgConn *target_connect(RestoreNode *node, const char *role, Error *err)
{
    return target_connect_to(node, &node->spec, role, err);
}

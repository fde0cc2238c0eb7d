/* pg/replication.c - talking to a walsender; the contract is in replication.h. */
#include "pg/replication.h"

#include "base/lsn.h"

#define STATE_LIMIT_EXCEEDED "53400"

static bool has(const char *message, const char *text)
{
    return strstr(message, text) != NULL;
}

/* What libpq hands on of a refused login is text alone. These pieces of it are in all versions that the
 * server's own language is English in; without one of them there is no hint. */
static void hint_refusal(const PgConnSpec *spec, Error *err)
{
    if (err == NULL)
        return;
    if (has(err->message, "max_wal_senders"))
        error_hint(err, "Every node needs two free walsenders for a base backup: raise "
                        "max_wal_senders and restart the server, or end some of those in "
                        "pg_stat_replication.");
    else if (has(err->message, "pg_hba.conf"))
        error_hint(err, "pg_hba.conf needs a line whose database is \"replication\" for this role "
                        "and host.");
    else if (has(err->message, "superuser or replication role") ||
             has(err->message, "start WAL sender"))
        error_hint(err, "ALTER ROLE %s REPLICATION lets the role read base backups and WAL.",
                   spec->user != NULL ? spec->user : "...");
}

PgConn *replication_open(const PgConnSpec *spec, const char *label, const char *application,
                         const Cancel *cancel, Error *err)
{
    PgConnSpec walsender = *spec;
    walsender.replication = true;
    walsender.database = NULL;
    walsender.role = NULL;
    walsender.setup = NULL;
    PgConn *conn = pg_conn_open(&walsender, label, application, cancel, err);
    if (conn == NULL)
        hint_refusal(spec, err);
    return conn;
}

bool replication_lsn(const PGresult *res, int row, int column, uint64_t *ret, Error *err)
{
    const char *text = row < PQntuples(res) && column < PQnfields(res) ? pg_cell(res, row, column)
                                                                       : "";
    return lsn_parse(text, ret) ||
           error_set(err, ERR_QUERY, "the server sent \"%.40s\" as a place in WAL", text);
}

static PGresult *ask(PgConn *conn, const char *command, Error *err)
{
    return pg_send(conn, command, err) ? pg_collect(conn, 0, err) : NULL;
}

bool replication_identify(PgConn *conn, ReplicationSystem *ret, Error *err)
{
    AUTO(PQclear) PGresult *res = ask(conn, "IDENTIFY_SYSTEM", err);
    if (res == NULL)
        return error_prefix(err, "could not ask the walsender who it is");
    if (PQntuples(res) != 1 || PQnfields(res) < 3)
    {
        error_set(err, ERR_QUERY, "the answer to IDENTIFY_SYSTEM has another shape than expected");
        return error_node(err, conn->label);
    }
    snprintf(ret->identifier, sizeof(ret->identifier), "%s", pg_cell(res, 0, 0));
    ret->timeline = (uint32_t) pg_cell_int(res, 0, 1);
    return replication_lsn(res, 0, 2, &ret->lsn, err) || error_node(err, conn->label);
}

static bool make_slot(PgConn *conn, const char *name, bool temporary, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "slot");
    const char *quoted = pg_quote_ident(tmp, conn, name, err);
    if (quoted == NULL)
        return false;
    AUTO(PQclear)
    PGresult *res = ask(conn,
                        mem_printf(tmp, "CREATE_REPLICATION_SLOT %s%s PHYSICAL RESERVE_WAL", quoted,
                                   temporary ? " TEMPORARY" : ""),
                        err);
    if (res != NULL)
        return true;
    error_prefix(err, "could not make a %sreplication slot", temporary ? "temporary " : "");
    if (err != NULL && pg_sqlstate_is(err, STATE_LIMIT_EXCEEDED))
        error_hint(err, "Raise max_replication_slots and restart the server, or drop a slot that "
                        "nobody uses.");
    return error_node(err, conn->label);
}

bool replication_temporary_slot(PgConn *conn, const char *name, Error *err)
{
    return make_slot(conn, name, true, err);
}

bool replication_slot(PgConn *conn, const char *name, Error *err)
{
    return make_slot(conn, name, false, err);
}

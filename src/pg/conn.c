/* pg/conn.c - connections; the contract is in conn.h. */
#include "pg/conn.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "pg/query.h"

#define CONNECT_TIMEOUT_S "30"
#define CANCEL_WAIT_MS    1000

typedef struct Params
{
    const char *keys[18];
    const char *values[18];
    int count;
} Params;

static void params_add(Params *params, const char *key, const char *value)
{
    if (value == NULL)
        return;
    params->keys[params->count] = key;
    params->values[params->count++] = value;
}

/* The conninfo comes first: libpq lets later keywords win over what an expanded dbname says. */
static void params_from_spec(Params *params, const PgConnSpec *spec, const char *application)
{
    /* A holder may be idle for hours: keep firewalls from forgetting it, and notice within two
     * minutes that a host is gone. Defaults, so they are first. */
    params_add(params, "keepalives_idle", "60");
    params_add(params, "keepalives_interval", "10");
    params_add(params, "keepalives_count", "6");
    /* Only the first dbname is taken apart as a conninfo: a database's name, which may look like
     * one, must never stand there. */
    params_add(params, "dbname", spec->conninfo != NULL ? spec->conninfo : "");
    params_add(params, "host", spec->host);
    params_add(params, "hostaddr", spec->hostaddr);
    params_add(params, "port", spec->port);
    params_add(params, "user", spec->user);
    params_add(params, "password", spec->password);
    params_add(params, "dbname", spec->database);
    /* A password file has such connections under the name of that database. */
    params_add(params, "dbname", spec->replication ? "replication" : NULL);
    params_add(params, "replication", spec->replication ? "true" : NULL);
    params_add(params, "options", spec->options);
    params_add(params, "fallback_application_name", application);
}

static bool connect_too_late(const PgConn *conn, Error *err)
{
    return error_set(err, ERR_CONNECT,
                     "could not connect: host \"%s\", port %s did not answer in time",
                     PQhost(conn->raw), PQport(conn->raw));
}

/* A segment's own words, which are all that tells that it is one. */
static bool connect_refused(const PgConn *conn, Error *err)
{
    pg_conn_error(conn, NULL, err, "could not connect");
    if (err != NULL &&
        strstr(err->message, "connections to primary segments are not allowed") != NULL)
        error_hint(err,
                   "This is a segment of a Greenplum cluster: name the coordinator, pgark finds "
                   "the segments by itself.");
    return false;
}

static bool connect_poll(PgConn *conn, int64_t deadline, Error *err)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status != PGRES_POLLING_OK)
    {
        struct pollfd fds[2] = {{.fd = PQsocket(conn->raw),
                                 .events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT},
                                {.fd = cancel_fd(conn->cancel), .events = POLLIN}};
        int64_t left = deadline - clock_ms();
        int ready = left <= 0 ? 0 : poll(fds, 2, (int) left);
        if (!cancel_check(conn->cancel, err))
            return false;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return connect_too_late(conn, err);
        status = PQconnectPoll(conn->raw);
        if (status == PGRES_POLLING_FAILED)
            return connect_refused(conn, err);
    }
    return true;
}

static int64_t connect_deadline(const PGconn *raw)
{
    int64_t seconds = atoi(CONNECT_TIMEOUT_S);
    PQconninfoOption *options = PQconninfo((PGconn *) (uintptr_t) raw);
    for (PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++)
    {
        if (strcmp(o->keyword, "connect_timeout") == 0 && o->val != NULL && atoi(o->val) > 0)
            seconds = atoi(o->val);
    }
    PQconninfoFree(options);
    return clock_ms() + seconds * 1000;
}

/* Whatever the role or the database has as its defaults, a session of ours works the same way. The
 * timeouts come first: until they are off, any of these statements could be hit by them. */
static const char *session_settings(void *ctx, PgConn *conn, const PgConnSpec *spec, Error *err)
{
    Str *sql = str_new(ctx);
    int version = PQserverVersion(conn->raw);
    const char *encoding = PQparameterStatus(conn->raw, "server_encoding");
    str_add(sql, "SET statement_timeout = 0; SET lock_timeout = 0;");
    if (version >= 90600)
        str_add(sql, " SET idle_in_transaction_session_timeout = 0;"
                     " SET max_parallel_workers_per_gather = 0;");
    /* A backend that waits for a lock looks whether its client is still there: a pgark that was
     * killed leaves no waiter behind. */
    if (version >= 140000)
        str_add(sql, " SET idle_session_timeout = 0; SET client_connection_check_interval = 2000;");
    if (version >= 170000)
        str_add(sql, " SET transaction_timeout = 0;");
    /* And one whose network is cut notices within two minutes, as we do: then its locks are gone. */
    str_add(sql, " SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 10;"
                 " SET tcp_keepalives_count = 6;");
    str_add(sql, " SET default_transaction_isolation = 'read committed';"
                 " SET default_transaction_read_only = off;"
                 " SET default_transaction_deferrable = off;"
                 " SET datestyle = ISO; SET intervalstyle = postgres; SET extra_float_digits = 3;"
                 " SET array_nulls = on; SET synchronize_seqscans = off;"
                 " SET search_path = ''; SET client_min_messages = warning");
    if (version >= 110000)
        str_add(sql, "; SET jit = off");
    if (version >= 90500)
        str_addf(sql, "; SET row_security = %s", spec->row_security ? "on" : "off");
    const char *quoted = encoding == NULL ? "DEFAULT" : pg_quote_literal(ctx, conn, encoding, err);
    const char *role = spec->role == NULL || quoted == NULL
                           ? NULL
                           : pg_quote_ident(ctx, conn, spec->role, err);
    if (quoted == NULL || (spec->role != NULL && role == NULL))
        return NULL;
    str_addf(sql, "; SET client_encoding = %s", quoted);
    if (spec->setup != NULL)
        str_addf(sql, "; %s", spec->setup);
    if (role != NULL)
        str_addf(sql, "; SET ROLE %s", role);
    return sql->data;
}

static bool ask_version(PgConn *conn, const char *sql, Error *err)
{
    if (!pg_send(conn, sql, err))
        return false;
    AUTO(PQclear) PGresult *res = pg_collect(conn, 0, err);
    if (res != NULL)
        conn->server = server_version_parse(pg_cell(res, 0, 0));
    return res != NULL;
}

#define ASK_VERSION "SELECT pg_catalog.version()"

/* Products may be built on a PostgreSQL that is older than what is served itself. */
static bool check_age(PgConn *conn, Error *err)
{
    int version = PQserverVersion(conn->raw);
    if (version >= 130000)
        return true;
    if (!ask_version(conn, ASK_VERSION, err))
        return false;
    if (conn->server.product == SERVER_POSTGRESQL)
        return error_set(err, ERR_CONNECT,
                         "server version %d.%d is too old, pgark needs PostgreSQL 13 or newer",
                         version / 10000, version % 10000);
    return version >= 90400 ||
           error_set(err, ERR_CONNECT, "%s %d is too old, pgark needs 6 or newer",
                     server_version_name(conn->server.product), conn->server.major);
}

static bool session_setup(PgConn *conn, const PgConnSpec *spec, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "session");
    if (!check_age(conn, err))
        return false;
    const char *sql = session_settings(tmp, conn, spec, err);
    return sql != NULL && ask_version(conn, mem_printf(tmp, "%s; " ASK_VERSION, sql), err);
}

/* The server's NOTICEs and WARNINGs belong into the log, one line each. */
static void on_notice(void *arg, const char *message)
{
    char line[512];
    log_debug("%s: server says: %s", (const char *) arg, str_one_line(line, sizeof(line), message));
}

PgConn *pg_conn_open(const PgConnSpec *spec, const char *label, const char *application,
                     const Cancel *cancel, Error *err)
{
    Params params = {.count = 0};
    params_from_spec(&params, spec, application);
    AUTO(pg_conn_close) PgConn *conn = mem_new(NULL, PgConn);
    conn->cancel = cancel;
    conn->program_options = spec->program_options;
    conn->raw = PQconnectStartParams(params.keys, params.values, 1);
    mem_check(conn->raw);
    if (label != NULL)
        snprintf(conn->label, sizeof(conn->label), "%s", label);
    if (PQstatus(conn->raw) == CONNECTION_BAD)
    {
        pg_conn_error(conn, NULL, err, "could not connect");
        return NULL;
    }
    if (!connect_poll(conn, connect_deadline(conn->raw), err))
    {
        error_node(err, conn->label);
        return NULL;
    }
    if (label == NULL)
        snprintf(conn->label, sizeof(conn->label), "%s:%s", PQhost(conn->raw), PQport(conn->raw));
    PQsetNoticeProcessor(conn->raw, on_notice, conn->label);
    bool ok = PQsetnonblocking(conn->raw, 1) == 0 ||
              pg_conn_error(conn, NULL, err, "it cannot be made non-blocking");
    if (!ok || (!spec->replication && !session_setup(conn, spec, err)))
    {
        error_prefix(err, "could not set the session up");
        error_node(err, conn->label);
        return NULL;
    }
    PgConn *result = conn;
    conn = NULL;
    return result;
}

void pg_conn_close(PgConn *conn)
{
    if (conn == NULL)
        return;
    PQfinish(conn->raw);
    mem_free(conn);
}

char *pg_conn_spec_database(void *ctx, const PgConnSpec *spec)
{
    char *name = NULL;
    if (spec->database != NULL)
        return mem_strdup(ctx, spec->database);
    if (spec->conninfo == NULL)
        return mem_strdup(ctx, "");
    /* PQconninfoParse knows both forms; a plain word is a name. */
    PQconninfoOption *options = PQconninfoParse(spec->conninfo, NULL);
    if (options == NULL)
        return mem_strdup(ctx, spec->conninfo);
    for (PQconninfoOption *o = options; o->keyword != NULL; o++)
    {
        if (strcmp(o->keyword, "dbname") == 0)
            name = mem_strdup(ctx, o->val == NULL ? "" : o->val);
    }
    PQconninfoFree(options);
    return name;
}

char *pg_conn_default_database(void *ctx, const PgConnSpec *spec)
{
    const char *database = NULL;
    const char *user = spec->user;
    PQconninfoOption *defaults = PQconndefaults();
    for (PQconninfoOption *o = defaults; o != NULL && o->keyword != NULL; o++)
    {
        if (strcmp(o->keyword, "dbname") == 0)
            database = o->val;
        if (strcmp(o->keyword, "user") == 0 && user == NULL)
            user = o->val;
    }
    const char *name = database != NULL ? database : user;
    char *copy = mem_strdup(ctx, name != NULL ? name : "");
    PQconninfoFree(defaults);
    return copy;
}

static const char *copy_nonempty(void *ctx, const char *s)
{
    return s == NULL || s[0] == '\0' ? NULL : mem_strdup(ctx, s);
}

PgConnSpec *pg_conn_pin(void *ctx, const PgConn *conn, const PgConnSpec *spec)
{
    PgConnSpec *pinned = mem_new(ctx, PgConnSpec);
    pinned->conninfo = mem_strdup(pinned, spec->conninfo);
    pinned->host = copy_nonempty(pinned, PQhost(conn->raw));
    /* A conninfo with hostaddr lists needs the one address too; without one this stays NULL. */
    PQconninfoOption *options = PQconninfo(conn->raw);
    for (PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++)
    {
        if (strcmp(o->keyword, "hostaddr") == 0 && o->val != NULL && o->val[0] != '\0')
            pinned->hostaddr = copy_nonempty(pinned, PQhostaddr(conn->raw));
    }
    PQconninfoFree(options);
    pinned->port = copy_nonempty(pinned, PQport(conn->raw));
    pinned->user = copy_nonempty(pinned, PQuser(conn->raw));
    pinned->database = copy_nonempty(pinned, PQdb(conn->raw));
    pinned->password = mem_strdup(pinned, spec->password);
    pinned->role = mem_strdup(pinned, spec->role);
    pinned->setup = mem_strdup(pinned, spec->setup);
    pinned->options = mem_strdup(pinned, spec->options);
    pinned->program_options = spec->program_options;
    pinned->row_security = spec->row_security;
    return pinned;
}

bool pg_conn_spec_needs_password(const PgConnSpec *spec)
{
    Params params = {.count = 0};
    params_from_spec(&params, spec, "pgark");
    params_add(&params, "connect_timeout", CONNECT_TIMEOUT_S);
    PGconn *raw = PQconnectdbParams(params.keys, params.values, 1);
    bool needs = PQstatus(raw) == CONNECTION_BAD && PQconnectionNeedsPassword(raw);
    PQfinish(raw);
    return needs;
}

static void dsn_add(Str *dsn, const char *key, const char *value)
{
    str_addf(dsn, "%s%s='", dsn->len == 0 ? "" : " ", key);
    for (const char *p = value; *p != '\0'; p++)
    {
        if (*p == '\'' || *p == '\\')
            str_addc(dsn, '\\');
        str_addc(dsn, *p);
    }
    str_addc(dsn, '\'');
}

char *pg_conn_dsn(void *ctx, const PgConn *conn, const char **ret_password)
{
    Str *dsn = str_new(ctx);
    const char *own = "";
    *ret_password = NULL;
    /* A host that nobody named is libpq's own default, and the program's libpq may have another. */
    if (PQhost(conn->raw)[0] != '\0')
        dsn_add(dsn, "host", PQhost(conn->raw));
    dsn_add(dsn, "port", PQport(conn->raw));
    PQconninfoOption *options = PQconninfo(conn->raw);
    for (PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++)
    {
        if (o->val == NULL || o->val[0] == '\0' || strcmp(o->keyword, "replication") == 0 ||
            strcmp(o->keyword, "fallback_application_name") == 0 ||
            strcmp(o->keyword, "client_encoding") == 0 || strcmp(o->keyword, "host") == 0 ||
            strcmp(o->keyword, "port") == 0 || strcmp(o->keyword, "sslpassword") == 0)
            continue;
        /* What was found there goes by the environment, and a libpq before 10 has no such option. */
        if (strcmp(o->keyword, "passfile") == 0)
            continue;
        /* The program's libpq may be older than ours, and not know what we only have by default. */
        if (o->compiled != NULL && strcmp(o->val, o->compiled) == 0)
            continue;
        if (strcmp(o->keyword, "password") == 0)
            *ret_password = mem_strdup(ctx, o->val);
        else if (strcmp(o->keyword, "options") == 0)
            own = mem_strdup(ctx, o->val);
        else if (strcmp(o->keyword, "hostaddr") == 0)
            dsn_add(dsn, "hostaddr", PQhostaddr(conn->raw));
        else
            dsn_add(dsn, o->keyword, o->val);
    }
    PQconninfoFree(options);
    if (own[0] != '\0' || conn->program_options != NULL)
        dsn_add(dsn, "options",
                mem_printf(ctx, "%s %s", own,
                           conn->program_options == NULL ? "" : conn->program_options));
    /* A password that came from a password file is not among the options but in the connection. */
    if (*ret_password == NULL && PQconnectionUsedPassword(conn->raw))
        *ret_password = mem_strdup(ctx, PQpass(conn->raw));
    return dsn->data;
}

bool pg_conn_error(const PgConn *conn, const PGresult *res, Error *err, const char *what)
{
    char text[1600];
    const char *primary = res != NULL ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *detail = res != NULL ? PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL) : NULL;
    const char *state = res != NULL ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    bool lost = PQstatus(conn->raw) == CONNECTION_BAD;
    if (primary == NULL)
        primary = res != NULL && PQresultErrorMessage(res)[0] != '\0' ? PQresultErrorMessage(res)
                                                                      : PQerrorMessage(conn->raw);
    size_t len = strlen(primary);
    while (len > 0 && primary[len - 1] == '\n')
        len--;
    char first[1200];
    char more[400];
    snprintf(first, sizeof(first), "%.*s", (int) len, primary);
    str_one_line(text, sizeof(text), first);
    str_one_line(more, sizeof(more), detail != NULL ? detail : "");
    error_set(err, lost && state == NULL ? ERR_CONNECT : ERR_QUERY, "%s: %s%s%s%s", what, text,
              more[0] != '\0' ? " (" : "", more, more[0] != '\0' ? ")" : "");
    if (err != NULL && state != NULL && err->sqlstate[0] == '\0')
        snprintf(err->sqlstate, sizeof(err->sqlstate), "%.5s", state);
    return error_node(err, conn->label);
}

/* A cancel request is a connection of its own, and PQcancel() blocks without limit when that host
 * is gone or its postmaster hangs. So it runs on a thread that may be left behind; whoever is last
 * to let go frees the request. */
typedef struct CancelRequest
{
    PGcancel *handle;
    int done; /* eventfd */
    atomic_int users;
} CancelRequest;

static void request_free(CancelRequest *request)
{
    PQfreeCancel(request->handle);
    close(request->done);
    free(request);
}

static void request_release(CancelRequest *request)
{
    if (atomic_fetch_sub(&request->users, 1) == 1)
        request_free(request);
}

static void request_send(CancelRequest *request)
{
    char text[256];
    PQcancel(request->handle, text, sizeof(text));
}

static void *request_main(void *arg)
{
    CancelRequest *request = arg;
    uint64_t one = 1;
    request_send(request);
    ssize_t n = write(request->done, &one, sizeof(one));
    (void) n;
    request_release(request);
    return NULL;
}

void pg_conn_cancel(PgConn *conn)
{
    PGcancel *handle = PQgetCancel(conn->raw);
    int done = handle == NULL ? -1 : eventfd(0, EFD_CLOEXEC);
    pthread_t thread;
    if (done < 0)
    {
        PQfreeCancel(handle);
        return;
    }
    CancelRequest *request = mem_check(calloc(1, sizeof(*request)));
    request->handle = handle;
    request->done = done;
    atomic_init(&request->users, 2);
    if (pthread_create(&thread, NULL, request_main, request) != 0)
    {
        request_send(request);
        request_free(request);
        return;
    }
    pthread_detach(thread);
    struct pollfd fd = {.fd = done, .events = POLLIN};
    poll(&fd, 1, CANCEL_WAIT_MS);
    request_release(request); /* NOLINT(clang-analyzer-unix.Malloc): there were two users */
}

/* After the cancel request the server ends the statement with an error; waiting for it (not for
 * ever) means that locks are gone on the server when the run ends. */
static bool cancelled(PgConn *conn, Error *err)
{
    pg_conn_cancel(conn);
    int64_t deadline = clock_ms() + CANCEL_WAIT_MS;
    while (clock_ms() < deadline && PQstatus(conn->raw) == CONNECTION_OK)
    {
        struct pollfd fd = {.fd = PQsocket(conn->raw), .events = POLLIN};
        poll(&fd, 1, (int) (deadline - clock_ms()));
        if (PQconsumeInput(conn->raw) == 0 || PQisBusy(conn->raw) == 0)
            break;
    }
    error_set(err, ERR_CANCELLED, "cancelled");
    return error_node(err, conn->label);
}

bool pg_conn_wait(PgConn *conn, bool for_write, int64_t deadline_ms, bool *ret_timeout, Error *err)
{
    for (;;)
    {
        if (cancel_is_raised(conn->cancel))
            return cancelled(conn, err);
        int left = -1;
        if (deadline_ms != 0)
            left = deadline_ms > clock_ms() ? (int) (deadline_ms - clock_ms()) : 0;
        short events = for_write ? POLLIN | POLLOUT : POLLIN;
        struct pollfd fds[2] = {{.fd = PQsocket(conn->raw), .events = events},
                                {.fd = cancel_fd(conn->cancel), .events = POLLIN}};
        int ready = poll(fds, 2, left);
        if (ready < 0 && errno != EINTR)
            return error_errno(err, ERR_INTERNAL, "could not wait for the server");
        if (ready > 0 && fds[0].revents != 0)
            return true;
        if (ready != 0)
            continue;
        if (ret_timeout == NULL)
        {
            error_set(err, ERR_CONNECT, "the server did not answer in time");
            return error_node(err, conn->label);
        }
        *ret_timeout = true;
        return true;
    }
}

/* fleet/agent_call.c - one agent; the contract is in agent_call.h. */
#include "fleet/agent_call.h"

#include <poll.h>

#include "agent/process.h"
#include "base/clock.h"
#include "base/str.h"
#include "repo/part.h"

#define LOOK_MS   1000 /* between two looks at the row, when nothing notifies */
#define MEET_MS   20   /* between two looks whether all agents are as far */
#define BYTEA_OID 17   /* pg_type.dat */
#define LEAVE_MS  4000 /* for an agent that was told to end: pgark.launch kills it after 2.5 s */

bool agent_barrier_meet(AgentBarrier *barrier, size_t stage, const Cancel *cancel, Error *err)
{
    struct pollfd fd = {.fd = cancel_fd(cancel), .events = POLLIN};
    atomic_fetch_add(&barrier->reached[stage], 1);
    while (atomic_load(&barrier->reached[stage]) < barrier->wanted)
    {
        if (!cancel_check(cancel, err))
            return false;
        poll(&fd, 1, MEET_MS);
    }
    return true;
}

/* ---- can there be one? ---- */

bool agent_call_place(const char *pattern, Error *err)
{
    if (repo_place_is_absolute(pattern))
        return true;
    error_set(err, ERR_USAGE, "with agents the repository must be an absolute path, not \"%s\"",
              pattern);
    return error_hint(err, "Every node's host looks for it there.");
}

bool agent_call_usable(PgConn *conn, bool *ret_usable, Error *why, Error *err)
{
    *ret_usable = false;
    AUTO(PQclear)
    PGresult *res = pg_query(
        conn,
        "SELECT e.extversion, e.extversion ~ '^1[.][0-9]+$',"
        " pg_catalog.has_schema_privilege(session_user, 'pgark', 'usage') AND"
        " pg_catalog.has_function_privilege(session_user,"
        " 'pgark.launch(text, text, jsonb)', 'execute'),"
        " pg_catalog.pg_is_in_recovery(), pg_catalog.current_database(), session_user"
        " FROM pg_catalog.pg_extension e WHERE e.extname = 'pgark'",
        0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not look for the extension pgark");
    if (PQntuples(res) == 0)
    {
        error_set(why, ERR_USAGE, "the database has no extension pgark, agents cannot be started");
        error_hint(why, "CREATE EXTENSION pgark there, or do without agents.");
    }
    else if (!pg_cell_bool(res, 0, 1))
    {
        error_set(why, ERR_USAGE, "extension pgark %s in database \"%s\" is not of this release",
                  pg_cell(res, 0, 0), pg_cell(res, 0, 4));
        error_hint(why,
                   "Install the extension of this release, then ALTER EXTENSION pgark UPDATE.");
    }
    else if (!pg_cell_bool(res, 0, 2))
    {
        error_set(why, ERR_USAGE, "role \"%s\" may not start agents in database \"%s\"",
                  pg_cell(res, 0, 5), pg_cell(res, 0, 4));
        error_hint(why, "GRANT pgark_backup TO that role.");
    }
    else if (pg_cell_bool(res, 0, 3))
        error_set(why, ERR_USAGE, "the server is a standby, where agents cannot work");
    else
        *ret_usable = true;
    return true;
}

static bool check_usable(AgentCall *call, Error *err)
{
    bool usable;
    Error why = ERROR_INIT;
    if (!agent_call_usable(call->status, &usable, &why, err))
        return false;
    if (!usable)
        *err = why;
    return usable;
}

/* ---- opening ---- */

static bool read_watch(AgentCall *call, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(call->status,
                             "SELECT a.pid, extract(epoch FROM a.backend_start)::text"
                             " FROM pg_catalog.pg_stat_activity a"
                             " WHERE a.pid = pg_catalog.pg_backend_pid()",
                             0, NULL, err);
    if (res == NULL)
        return false;
    if (PQntuples(res) != 1)
        return error_set(err, ERR_INTERNAL, "the server does not know our session");
    call->watch.pid = (int) pg_cell_int(res, 0, 0);
    call->watch.started = mem_strdup(call->ctx, pg_cell(res, 0, 1));
    return true;
}

static bool open_both(AgentCall *call, Error *err)
{
    call->status = pg_conn_open(call->spec, call->label, "pgark agents", call->cancel, err);
    if (call->status == NULL)
        return false;
    const PgConnSpec *pinned = pg_conn_pin(call->ctx, call->status, call->spec);
    call->launch = pg_conn_open(pinned, call->label, "pgark launch", call->cancel, err);
    return call->launch != NULL && check_usable(call, err) && read_watch(call, err);
}

bool agent_call_open(AgentCall *call, Error *err)
{
    call->ctx = mem_context(NULL, "agent");
    call->state = AGENT_CONNECTING;
    agent_counts_add(call->counts);
    if (open_both(call, err))
        return true;
    agent_call_event(call, err->code == ERR_CANCELLED ? EVENT_CANCEL : EVENT_FAILURE);
    return error_node(err, call->label);
}

void agent_call_close(AgentCall *call)
{
    pg_conn_close(call->launch);
    pg_conn_close(call->status);
    mem_free(call->ctx);
    call->launch = call->status = NULL;
    call->ctx = NULL;
}

void agent_call_event(AgentCall *call, AgentEvent event)
{
    AgentState before = call->state;
    bool all_run;
    call->state = agent_counts_move(call->counts, call->state, event, &all_run);
    call->all_run = call->all_run || all_run;
    if (before == AGENT_STARTED && call->on_running != NULL &&
        (call->state == AGENT_RUNNING || call->state == AGENT_FINISHED))
        call->on_running(call->arg);
    if (before != call->state)
        log_debug("%s: agent %s", call->label, agent_state_name(call->state));
}

/* ---- following ---- */

/* One run of an agent. */
typedef struct Follow
{
    AgentCall *call;
    const char *kind;
    const char *key;
    const char *look;    /* the statement that reads its row */
    const char *proceed; /* and the one that lets it go on */
    bool busy;           /* it was sent */
    int64_t look_ms;     /* when to send it next */
    int64_t life_ms;     /* the last sign of life */
    char updated[64];    /* of the row, as last seen */
    PGresult *result;    /* of pgark.launch */
    size_t reached;      /* how many stages it has come to */
    size_t released;     /* from how many of them it was told to go on */
    bool releasing;      /* what runs tells it so */
} Follow;

static bool make_look(Follow *f, void *ctx, Error *err)
{
    PgConn *conn = f->call->status;
    char *key = pg_quote_literal(ctx, conn, f->key, err);
    char *kind = pg_quote_literal(ctx, conn, f->kind, err);
    if (key == NULL || kind == NULL)
        return false;
    f->look = mem_printf(ctx,
                         "SELECT phase, updated, bytes, bytes_total, rows, chunks, chunks_total"
                         " FROM pgark.task WHERE key = %s AND kind = %s AND node = %d"
                         " AND role = session_user AND outcome IS NULL",
                         key, kind, f->call->content);
    f->proceed = mem_printf(ctx, "SELECT pgark.proceed(%s, %s, %d)", key, kind, f->call->content);
    return pg_exec(conn, mem_printf(ctx, "LISTEN \"pgark_%s\"", f->key), err);
}

static void draw(ProgressNode *p, const PGresult *res)
{
    atomic_store(&p->bytes_done, (uint64_t) pg_cell_int(res, 0, 2));
    atomic_store(&p->bytes_total, (uint64_t) pg_cell_int(res, 0, 3));
    atomic_store(&p->rows_done, (uint64_t) pg_cell_int(res, 0, 4));
    atomic_store(&p->chunks_done, (uint64_t) pg_cell_int(res, 0, 5));
    atomic_store(&p->chunks_total, (uint64_t) pg_cell_int(res, 0, 6));
}

static const char *const stages[AGENT_STAGES] = {AGENT_CHECKED, AGENT_WRITTEN, AGENT_WHOLE};

/* A row of an earlier agent with the same key is not taken for this one's: it has an outcome. */
static void take_row(Follow *f, const PGresult *res)
{
    AgentCall *call = f->call;
    if (PQresultStatus(res) != PGRES_TUPLES_OK && f->releasing)
        agent_call_event(call, EVENT_FAILURE);
    f->releasing = false;
    if (PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) != 1 || PQnfields(res) != 7 ||
        str_equal(f->updated, pg_cell(res, 0, 1)))
        return;
    snprintf(f->updated, sizeof(f->updated), "%s", pg_cell(res, 0, 1));
    f->life_ms = clock_ms();
    agent_call_event(call,
                     str_equal(pg_cell(res, 0, 0), "starting") ? EVENT_STARTING : EVENT_RUNNING);
    if (call->barrier != NULL && f->reached < AGENT_STAGES &&
        str_equal(pg_cell(res, 0, 0), stages[f->reached]))
        atomic_fetch_add(&call->barrier->reached[f->reached++], 1);
    if (call->progress != NULL)
        draw(call->progress, res);
}

static void take_status(Follow *f)
{
    PGconn *raw = f->call->status->raw;
    if (PQconsumeInput(raw) == 0)
    {
        agent_call_event(f->call, EVENT_GONE);
        return;
    }
    while (f->busy && PQisBusy(raw) == 0)
    {
        PGresult *res = PQgetResult(raw);
        f->busy = res != NULL;
        if (res != NULL)
            take_row(f, res);
        PQclear(res);
    }
    for (PGnotify *n; (n = PQnotifies(raw)) != NULL; PQfreemem(n))
        f->look_ms = 0;
}

static void take_launch(Follow *f)
{
    PGconn *raw = f->call->launch->raw;
    if (PQconsumeInput(raw) == 0)
    {
        agent_call_event(f->call, EVENT_GONE);
        return;
    }
    while (f->result == NULL && PQisBusy(raw) == 0)
    {
        f->result = PQgetResult(raw);
        if (f->result == NULL || PQstatus(raw) == CONNECTION_BAD)
        {
            agent_call_event(f->call, EVENT_GONE);
            return;
        }
    }
    if (f->result != NULL)
        agent_call_event(f->call, PQresultStatus(f->result) == PGRES_TUPLES_OK ? EVENT_RESULT
                                                                               : EVENT_FAILURE);
}

/* All are as far: so is this one, and may go on. */
static void release_agent(Follow *f)
{
    AgentCall *call = f->call;
    if (f->busy || f->released == f->reached ||
        atomic_load(&call->barrier->reached[f->released]) < call->barrier->wanted)
        return;
    f->released++;
    call->released = f->releasing = true;
    f->busy = PQsendQuery(call->status->raw, f->proceed) == 1;
    if (!f->busy)
        agent_call_event(call, EVENT_GONE);
}

static void send_look(Follow *f)
{
    release_agent(f);
    if (f->busy || clock_ms() < f->look_ms)
        return;
    f->look_ms = clock_ms() + LOOK_MS;
    f->busy = PQsendQuery(f->call->status->raw, f->look) == 1;
    if (!f->busy)
        agent_call_event(f->call, EVENT_GONE);
}

static void follow_once(Follow *f)
{
    AgentCall *call = f->call;
    int64_t limit = agent_state_limit_ms(call->state);
    send_look(f);
    struct pollfd fds[] = {{.fd = PQsocket(call->launch->raw), .events = POLLIN},
                           {.fd = PQsocket(call->status->raw), .events = POLLIN},
                           {.fd = cancel_fd(call->cancel), .events = POLLIN}};
    int64_t left = f->busy ? LOOK_MS : f->look_ms - clock_ms();
    if (f->released < f->reached && left > MEET_MS)
        left = MEET_MS;
    if (!agent_state_is_final(call->state))
        poll(fds, LENGTH_OF(fds), left < 0 ? 0 : (int) left);
    if (!agent_state_is_final(call->state) && fds[0].revents != 0)
        take_launch(f);
    if (!agent_state_is_final(call->state) && fds[1].revents != 0)
        take_status(f);
    if (cancel_is_raised(call->cancel))
        agent_call_event(call, EVENT_CANCEL);
    else if (limit > 0 && clock_ms() - f->life_ms > limit)
        agent_call_event(call, EVENT_SILENCE);
}

/* ---- ending ---- */

/* It was an agent's own word, which has nothing to say of what it could not remove. */
static bool is_tidy(const PGresult *res)
{
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    return state != NULL && agent_failure_code(state) != ERR_NONE &&
           PQresultErrorField(res, PG_DIAG_MESSAGE_HINT) == NULL;
}

/* Until pgark.launch has returned, so that the agent has no lock and writes no file any more. *ret_tidy: it has left
 * nothing. */
static bool wait_for_launch(PgConn *launch, int64_t limit_ms, bool *ret_tidy)
{
    int64_t deadline = clock_ms() + limit_ms;
    bool over = false;
    *ret_tidy = false;
    while (!over && PQstatus(launch->raw) == CONNECTION_OK && clock_ms() < deadline)
    {
        struct pollfd fd = {.fd = PQsocket(launch->raw), .events = POLLIN};
        if (PQisBusy(launch->raw) != 0)
        {
            poll(&fd, 1, (int) (deadline - clock_ms()));
            over = PQconsumeInput(launch->raw) == 0;
            continue;
        }
        PGresult *res = PQgetResult(launch->raw);
        over = res == NULL;
        *ret_tidy = over ? *ret_tidy : is_tidy(res);
        PQclear(res);
    }
    return over && PQstatus(launch->raw) == CONNECTION_OK;
}

/* Ends the agent. One that has to tidy up is only told to: by the session that it looks for, which is gone then. The
 * server, where it is asked, does not wait for long. */
static void leave(Follow *f)
{
    AgentCall *call = f->call;
    bool over = false;
    bool tidy;
    if (call->tidy_ms > 0 && call->state == AGENT_CANCELLED)
    {
        pg_conn_close(call->status);
        call->status = NULL;
        over = wait_for_launch(call->launch, call->tidy_ms, &tidy);
        call->untidy = !over || !tidy;
    }
    if (over)
        return;
    pg_conn_cancel(call->launch);
    wait_for_launch(call->launch, LEAVE_MS, &tidy);
}

static bool tell_failure(Follow *f, Error *err)
{
    const char *hint = PQresultErrorField(f->result, PG_DIAG_MESSAGE_HINT);
    char shown[400];
    pg_conn_error(f->call->launch, f->result, err, "agent");
    ErrorCode code = agent_failure_code(err->sqlstate);
    if (code != ERR_NONE)
        err->sqlstate[0] = '\0';
    /* Not by this run, whose flag is down: then it is the reason, and no consequence. */
    err->code = code == ERR_CANCELLED || code == ERR_NONE ? ERR_PROGRAM : code;
    if (hint != NULL)
        error_hint(err, "%s", str_one_line(shown, sizeof(shown), hint));
    return false;
}

static bool tell_lost(Follow *f, Error *err)
{
    char time[STR_BYTES_LEN];
    if (PQstatus(f->call->launch->raw) != CONNECTION_OK ||
        PQstatus(f->call->status->raw) != CONNECTION_OK)
        return error_set(err, ERR_CONNECT,
                         "lost the connection through which the agent is followed");
    return error_set(err, ERR_CONNECT, "the agent has not been heard of for %s",
                     str_format_duration(time, clock_ms() - f->life_ms));
}

static bool read_result(Follow *f, json_t **ret, Error *err)
{
    json_error_t why;
    bool one = PQntuples(f->result) == 1;
    *ret = json_loadb(one ? PQgetvalue(f->result, 0, 0) : "",
                      one ? (size_t) PQgetlength(f->result, 0, 0) : 0, JSON_REJECT_DUPLICATES,
                      &why);
    return json_is_object(*ret) ||
           error_set(err, ERR_INTERNAL, "the agent's result is no JSON: %s", why.text);
}

static bool conclude(Follow *f, json_t **ret, Error *err)
{
    AgentCall *call = f->call;
    if (f->result == NULL)
        leave(f);
    if (call->state == AGENT_FINISHED)
        return read_result(f, ret, err);
    if (call->state == AGENT_CANCELLED)
        return error_set(err, ERR_CANCELLED, "cancelled");
    if (call->state == AGENT_LOST)
        return tell_lost(f, err);
    if (f->result != NULL)
        return tell_failure(f, err);
    return error_set(err, ERR_INTERNAL, "the agent came into an impossible state");
}

static bool send_launch(Follow *f, void *ctx, AgentJob *job, Error *err)
{
    PgConn *launch = f->call->launch;
    job->content = f->call->content;
    job->watch = f->call->watch;
    /* A server that wanted one for us may want one for the agent, which is the same role. */
    job->password = PQconnectionUsedPassword(launch->raw) ? PQpass(launch->raw) : NULL;
    const char *text = agent_job_write(ctx, job, err);
    if (text == NULL)
        return false;
    /* As bytes both ways: the session speaks the database's encoding, job and result are UTF-8. */
    const char *params[] = {f->kind, f->key, text};
    const int lengths[] = {0, 0, (int) strlen(text)};
    const int formats[] = {0, 0, 1};
    const Oid types[] = {0, 0, BYTEA_OID};
    if (PQsendQueryParams(launch->raw,
                          "SELECT pg_catalog.convert_to(pgark.launch($1, $2,"
                          " pg_catalog.convert_from($3, 'UTF8')::jsonb)::text, 'UTF8')",
                          3, types, params, lengths, formats, 1) == 0)
        return pg_conn_error(launch, NULL, err, "could not start the agent");
    return pg_flush(launch, "could not start the agent", err);
}

bool agent_call_run(AgentCall *call, const char *kind, const char *key, AgentJob *job,
                    json_t **ret_result, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "agent call");
    Follow f = {.call = call, .kind = kind, .key = key};
    *ret_result = NULL;
    bool ok = make_look(&f, tmp, err) && send_launch(&f, tmp, job, err);
    if (!ok)
    {
        agent_call_event(call, err->code == ERR_CANCELLED ? EVENT_CANCEL : EVENT_FAILURE);
        return error_node(err, call->label);
    }
    agent_call_event(call, EVENT_LAUNCHED);
    f.life_ms = clock_ms();
    f.look_ms = clock_ms() + LOOK_MS;
    while (!agent_state_is_final(call->state))
        follow_once(&f);
    ok = conclude(&f, ret_result, err);
    PQclear(f.result);
    return ok || error_node(err, call->label);
}

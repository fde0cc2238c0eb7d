/* agent/monitor.c - the thread that reports and listens; the contract is in monitor.h. */
#include "agent/monitor.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

#define BEAT_MS     1000
#define WAIT_MS     100  /* between two reports while the agent waits for others */
#define LAST_MS     2000 /* for the last report */
#define MESSAGE_MAX 1000
#define ASKED       "cancel" /* what pgark.cancel notifies; reports of other nodes' agents notify, too */
#define QUEUE_FULL  "54000" /* program_limit_exceeded: no room for a notification */

struct AgentMonitor
{
    AgentMonitorSpec spec;
    PgConn *conn;
    Cancel *own; /* of conn, never raised: the last report is sent when all else is cancelled */
    pthread_t thread;
    int wake;             /* eventfd: a new phase, or the end */
    int signals;          /* signalfd or -1 */
    int go;               /* eventfd: the coordinator lets us go on */
    atomic_uint waits;    /* how often the agent has waited for others, this time included */
    atomic_uint released; /* up to which of these times it may go on */
    unsigned sent_waits;  /* of the report that is under way */
    _Atomic(const ProgressNode *) progress;
    _Atomic(const char *) phase;
    atomic_bool ended;
    atomic_bool waiting; /* for the other nodes */
    bool stopped;        /* a reason to end was found, and told */
    bool busy;           /* a report is under way */
    bool quiet;          /* the queue is full: without a notification, for now */
    bool input_over;     /* standard input has ended */
    bool looked;         /* a notification came: look at once */
    int64_t due_ms;      /* of the next report */
};

static void signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

/* ---- stopping ---- */

static void stop(AgentMonitor *m, ErrorCode code, const char *why)
{
    Error cause = ERROR_INIT;
    if (m->stopped)
        return;
    m->stopped = true;
    error_set(&cause, code, "%s", why);
    if (m->spec.cancel != NULL)
        cancel_raise(m->spec.cancel, &cause);
    else
        kill(getpid(), SIGTERM);
}

/* ---- reports ---- */

/* For how many seconds the coordinator has been silent (NULL: its session is gone). */
static char *silence_sql(AgentMonitor *m, void *ctx, Error *err)
{
    const AgentWatch *watch = &m->spec.job->watch;
    if (watch->pid == 0)
        return mem_strdup(ctx, "0");
    const char *started = pg_quote_literal(ctx, m->conn, watch->started, err);
    if (started == NULL)
        return NULL;
    return mem_printf(
        ctx,
        "(SELECT coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - a.state_change)::int, "
        "0)"
        " FROM pg_catalog.pg_stat_activity a WHERE a.pid = %d"
        " AND extract(epoch FROM a.backend_start)::text = %s)",
        watch->pid, started);
}

/* One statement: the report, and what is heard of the coordinator. */
static char *report_sql(AgentMonitor *m, void *ctx, const char *message, const char *outcome,
                        Error *err)
{
    const ProgressNode *p = atomic_load(&m->progress);
    char *phase = pg_quote_literal(ctx, m->conn, atomic_load(&m->phase), err);
    char *text = message == NULL ? mem_strdup(ctx, "NULL")
                                 : pg_quote_literal(ctx, m->conn, message, err);
    char *silence = silence_sql(m, ctx, err);
    if (phase == NULL || text == NULL || silence == NULL)
        return NULL;
    return mem_printf(
        ctx,
        "SELECT pgark.report('%s', '%s', %d, %s, '{%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
        ",%" PRIu64 "}', %s, %s%s%s, %s), %s",
        m->spec.order->key, m->spec.order->kind, m->spec.job->content, phase,
        (uint64_t) atomic_load(&p->bytes_done), (uint64_t) atomic_load(&p->bytes_total),
        (uint64_t) atomic_load(&p->rows_done), (uint64_t) atomic_load(&p->chunks_done),
        (uint64_t) atomic_load(&p->chunks_total), text, outcome == NULL ? "" : "'",
        outcome == NULL ? "NULL" : outcome, outcome == NULL ? "" : "'", m->quiet ? "false" : "true",
        silence);
}

static void send_report(AgentMonitor *m, const char *message, const char *outcome)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "report");
    Error err = ERROR_INIT;
    /* Before the phase is: an answer is never taken for one to a later time of waiting. */
    m->sent_waits = atomic_load(&m->waits);
    const char *sql = report_sql(m, tmp, message, outcome, &err);
    m->looked = false;
    m->due_ms = clock_ms() + (atomic_load(&m->waiting) ? WAIT_MS : BEAT_MS);
    m->busy = sql != NULL && PQsendQuery(m->conn->raw, sql) == 1;
    if (!m->busy)
        stop(m, ERR_CONNECT, "the status connection of the agent is lost");
}

static void judge(AgentMonitor *m, const PGresult *res)
{
    if (PQresultStatus(res) == PGRES_TUPLES_OK)
    {
        m->quiet = false;
        const char *asked = pg_cell(res, 0, 0);
        uint64_t one = 1;
        if (str_equal(asked, "proceed"))
        {
            atomic_store(&m->released, m->sent_waits);
            if (write(m->go, &one, sizeof(one)) < 0)
                stop(m, ERR_INTERNAL, "an eventfd cannot be written");
        }
        if (str_equal(asked, "cancel"))
            stop(m, ERR_CANCELLED, "cancelled by pgark.cancel");
        else if (pg_cell_null(res, 0, 1))
            stop(m, ERR_CANCELLED, "the coordinator's session is gone");
        else if (pg_cell_int(res, 0, 1) > AGENT_SILENCE_S)
            stop(m, ERR_CANCELLED, "the coordinator has not been heard of");
        return;
    }
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    if (state != NULL && strcmp(state, QUEUE_FULL) == 0 && !m->quiet)
    {
        /* Once more at once, without: the coordinator also looks by itself. */
        m->quiet = true;
        m->due_ms = 0;
        return;
    }
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "report");
    char shown[400];
    stop(m, ERR_QUERY,
         mem_printf(tmp, "the agent cannot report: %s",
                    str_one_line(shown, sizeof(shown), PQresultErrorMessage(res))));
}

/* What came from the server. */
static void take(AgentMonitor *m)
{
    PGconn *raw = m->conn->raw;
    if (PQconsumeInput(raw) == 0)
    {
        m->busy = false;
        stop(m, ERR_CONNECT, "the status connection of the agent is lost");
        return;
    }
    while (m->busy && PQisBusy(raw) == 0)
    {
        PGresult *res = PQgetResult(raw);
        m->busy = res != NULL;
        if (res != NULL)
            judge(m, res);
        PQclear(res);
    }
    for (PGnotify *n; (n = PQnotifies(raw)) != NULL; PQfreemem(n))
        m->looked = m->looked || str_equal(n->extra, ASKED);
}

/* ---- the thread ---- */

static void look_at_input(AgentMonitor *m)
{
    char byte;
    ssize_t n = read(m->spec.input, &byte, 1);
    if (n > 0 || (n < 0 && errno == EINTR))
        return;
    m->input_over = true;
    stop(m, ERR_CANCELLED, "the session that started the agent is gone");
}

static void look_at_signals(AgentMonitor *m)
{
    struct signalfd_siginfo info;
    if (read(m->signals, &info, sizeof(info)) == (ssize_t) sizeof(info))
        stop(m, ERR_CANCELLED, "the agent was asked to end");
}

static void wait_once(AgentMonitor *m, int64_t until_ms)
{
    bool alive = PQstatus(m->conn->raw) == CONNECTION_OK;
    int64_t left = until_ms - clock_ms();
    struct pollfd fds[] = {
        {.fd = alive ? PQsocket(m->conn->raw) : -1, .events = POLLIN},
        {.fd = m->wake, .events = POLLIN},
        {.fd = m->signals, .events = POLLIN},
        {.fd = m->input_over ? -1 : m->spec.input, .events = POLLIN},
    };
    uint64_t count;
    if (poll(fds, LENGTH_OF(fds), left < 0 ? 0 : (int) left) <= 0)
        return;
    if (fds[1].revents != 0 && read(m->wake, &count, sizeof(count)) == (ssize_t) sizeof(count))
        m->due_ms = 0;
    if (fds[2].revents != 0)
        look_at_signals(m);
    if (fds[3].revents != 0)
        look_at_input(m);
    if (fds[0].revents != 0)
        take(m);
}

static void *monitor_main(void *arg)
{
    AgentMonitor *m = arg;
    while (!atomic_load(&m->ended))
    {
        bool alive = PQstatus(m->conn->raw) == CONNECTION_OK;
        if (alive && !m->busy && (m->looked || clock_ms() >= m->due_ms))
            send_report(m, NULL, NULL);
        /* A server that does not answer is waited for; the coordinator judges it. */
        wait_once(m, m->busy || !alive ? clock_ms() + BEAT_MS : m->due_ms);
    }
    return NULL;
}

/* ---- beginning and end ---- */

static bool make_row(AgentMonitor *m, Error *err)
{
    char content[16];
    snprintf(content, sizeof(content), "%d", m->spec.job->content);
    const char *params[] = {m->spec.order->key, m->spec.order->kind, content};
    AUTO(PQclear)
    PGresult *res = pg_query(m->conn, "SELECT pgark.begin($1, $2, $3::int)", 3, params, err);
    if (res == NULL)
        return error_prefix(err, "the agent cannot report");
    char listen[64];
    snprintf(listen, sizeof(listen), "LISTEN \"pgark_%s\"", m->spec.order->key);
    return pg_exec(m->conn, listen, err);
}

static void release(AgentMonitor *m)
{
    pg_conn_close(m->conn);
    cancel_free(m->own);
    if (m->wake >= 0)
        close(m->wake);
    if (m->go >= 0)
        close(m->go);
    if (m->signals >= 0)
        close(m->signals);
    mem_free(m);
}

static bool start(AgentMonitor *m, Error *err)
{
    sigset_t set;
    signal_set(&set);
    m->own = cancel_new(err);
    if (m->own == NULL)
        return false;
    m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    m->go = eventfd(0, EFD_CLOEXEC);
    if (m->wake < 0 || m->go < 0)
        return error_errno(err, ERR_INTERNAL, "could not create an eventfd");
    if (m->spec.cancel != NULL)
        m->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    m->conn = pg_conn_open(m->spec.spec, NULL, "pgark agent status", m->own, err);
    if (m->conn == NULL || !make_row(m, err))
        return false;
    return pthread_create(&m->thread, NULL, monitor_main, m) == 0 ||
           error_set(err, ERR_INTERNAL, "could not start a thread");
}

AgentMonitor *agent_monitor_start(const AgentMonitorSpec *spec, Error *err)
{
    AgentMonitor *m = mem_new(NULL, AgentMonitor);
    m->spec = *spec;
    m->wake = m->signals = m->go = -1;
    atomic_store(&m->progress, spec->progress);
    atomic_store(&m->phase, "starting");
    if (start(m, err))
        return m;
    release(m);
    return NULL;
}

static void wake_up(AgentMonitor *m)
{
    uint64_t one = 1;
    ssize_t n = write(m->wake, &one, sizeof(one));
    (void) n;
}

void agent_monitor_phase(AgentMonitor *m, const char *phase)
{
    atomic_store(&m->phase, phase);
    wake_up(m);
}

bool agent_monitor_wait(AgentMonitor *m, const char *phase, const ProgressNode *progress,
                        const Cancel *cancel, Error *err)
{
    struct pollfd fds[] = {{.fd = m->go, .events = POLLIN},
                           {.fd = cancel_fd(cancel), .events = POLLIN}};
    uint64_t count;
    if (progress != NULL)
        atomic_store(&m->progress, progress);
    atomic_store(&m->waiting, true);
    atomic_store(&m->phase, phase);
    unsigned own = atomic_fetch_add(&m->waits, 1) + 1;
    wake_up(m);
    bool going = false;
    while (!going && cancel_check(cancel, err))
    {
        if (poll(fds, LENGTH_OF(fds), -1) > 0 && fds[0].revents != 0 &&
            read(m->go, &count, sizeof(count)) == (ssize_t) sizeof(count))
            going = atomic_load(&m->released) == own;
    }
    atomic_store(&m->waiting, false);
    return going;
}

static void finish_report(AgentMonitor *m, int64_t deadline)
{
    while (m->busy && PQstatus(m->conn->raw) == CONNECTION_OK && clock_ms() < deadline)
        wait_once(m, deadline);
}

static void last_report(AgentMonitor *m, const Error *failure)
{
    int64_t deadline = clock_ms() + LAST_MS;
    const char *outcome = failure == NULL                  ? "finished"
                          : failure->code == ERR_CANCELLED ? "cancelled"
                                                           : "failed";
    char message[MESSAGE_MAX];
    atomic_store(&m->phase, "ended");
    m->stopped = true; /* nothing is to be raised any more */
    finish_report(m, deadline);
    for (int i = 0; i < 2 && !m->busy && PQstatus(m->conn->raw) == CONNECTION_OK; i++)
    {
        bool was_quiet = m->quiet;
        send_report(
            m, failure == NULL ? NULL : str_one_line(message, sizeof(message), failure->message),
            outcome);
        finish_report(m, deadline);
        if (m->quiet == was_quiet || was_quiet)
            return;
    }
}

void agent_monitor_end(AgentMonitor *m, const Error *failure)
{
    if (m == NULL)
        return;
    atomic_store(&m->ended, true);
    wake_up(m);
    pthread_join(m->thread, NULL);
    last_report(m, failure);
    release(m);
}

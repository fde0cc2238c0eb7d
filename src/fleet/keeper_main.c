/* fleet/keeper_main.c - the process that keeps snapshots (keeper_main in keeper.h).
 *
 * Nobody reads what it would print. What it has to say it says to the run, as long as that lives;
 * afterwards hold.jsonl and hold.lock are all that is seen of it, and both go when it ends.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backup/locks.h"
#include "base/clock.h"
#include "base/parallel.h"
#include "fleet/keeper.h"
#include "fleet/keeper_message.h"

#define RUN_SOCKET 0
#define TICK_MS    250 /* how soon it sees that the set is finished or removed, once the run is dead */
#define LOCK_MS    3000

#define HEAD_TEXTS 3
#define NODE_TEXTS 12

/* One database: what of it is to be kept, and what keeps it. */
typedef struct Seat
{
    const char *label;
    PgConnSpec spec;
    const char *snapshot_id; /* the run's */
    const char *oids;        /* to be locked, as an array's text */
    PgConn *conn;
    char *ours; /* the snapshot, exported by this session */
    char *pid;
    char *transaction;
} Seat;

typedef struct Keep
{
    void *ctx;
    const char *set_dir;
    int64_t time_ms;
    Repo *repo;
    StorageLock *lock;
    Cancel *cancel;
    Seat *seats;
    size_t count;
    int signals;
    bool run_lives;
    int64_t deadline_ms; /* when the run is dead */
} Keep;

static char *in_set(void *ctx, const Keep *k, const char *name)
{
    return mem_printf(ctx, "%s/%s", k->set_dir, name);
}

/* ---- the order ---- */

static void take_seat(Seat *seat, const char *const *texts)
{
    seat->label = texts[0] == NULL ? "" : texts[0];
    seat->spec = (PgConnSpec){.conninfo = texts[1],
                              .host = texts[2],
                              .hostaddr = texts[3],
                              .port = texts[4],
                              .user = texts[5],
                              .database = texts[6],
                              .password = texts[7],
                              .role = texts[8],
                              .setup = texts[11]};
    seat->snapshot_id = texts[9];
    seat->oids = texts[10];
}

static bool receive_order(Keep *k, Error *err)
{
    KeeperMessage m;
    if (!keeper_message_receive(RUN_SOCKET, k->ctx, 0, k->cancel, &m, err))
        return false;
    if (m.count <= HEAD_TEXTS || (m.count - HEAD_TEXTS) % NODE_TEXTS != 0 || m.texts[0] == NULL ||
        m.texts[1] == NULL || m.texts[2] == NULL)
    {
        error_set(err, ERR_USAGE, "this command is only for pgark itself");
        return false;
    }
    k->repo = repo_open(k->ctx, m.texts[0], err);
    if (k->repo == NULL)
        return false;
    k->set_dir = m.texts[1];
    k->time_ms = strtoll(m.texts[2], NULL, 10);
    k->count = (m.count - HEAD_TEXTS) / NODE_TEXTS;
    k->seats = mem_array(k->ctx, Seat, k->count);
    for (size_t i = 0; i < k->count; i++)
        take_seat(&k->seats[i], &m.texts[HEAD_TEXTS + i * NODE_TEXTS]);
    return true;
}

/* ---- one database ---- */

static bool import(Seat *seat, void *tmp, Error *err)
{
    const char *id = pg_quote_literal(tmp, seat->conn, seat->snapshot_id, err);
    return id != NULL && pg_exec(seat->conn,
                                 mem_printf(tmp,
                                            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                                            " SET TRANSACTION SNAPSHOT %s",
                                            id),
                                 err);
}

/* The names that the snapshot has for the tables: while the run's holder has its locks, only a
 * schema's name can have changed since, and then check_locked sees it. */
static bool list_tables(Seat *seat, void *tmp, Catalog *ret, Error *err)
{
    const char *params[] = {seat->oids};
    AUTO(PQclear)
    PGresult *res = pg_query(seat->conn,
                             "SELECT c.oid, n.nspname, c.relname"
                             " FROM pg_catalog.unnest($1::pg_catalog.oid[]) w(oid)"
                             " JOIN pg_catalog.pg_class c ON c.oid = w.oid"
                             " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
                             1, params, err);
    *ret = (Catalog){.count = 0};
    for (int i = 0; res != NULL && i < PQntuples(res); i++)
    {
        Relation *r = mem_push(tmp, ret->items, ret->count, ret->capacity, Relation);
        r->quoted = pg_quote_table(tmp, seat->conn, pg_cell(res, i, 1), pg_cell(res, i, 2), err);
        if (r->quoted == NULL)
            return false;
    }
    return res != NULL;
}

/* NOWAIT: the run's holder has these locks, so that only somebody who waits for a stronger one can be
 * in the way; to wait behind him, who waits for the run, would be to wait for its end. */
static bool lock_tables(Seat *seat, const Catalog *tables, Error *err)
{
    for (size_t first = 0; first < tables->count; first += LOCKS_PER_STATEMENT)
    {
        AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "lock statement");
        size_t left = tables->count - first;
        const char *sql = locks_statement(tmp, tables, first,
                                          left < LOCKS_PER_STATEMENT ? left : LOCKS_PER_STATEMENT,
                                          "ACCESS SHARE");
        if (!pg_exec(seat->conn, mem_printf(tmp, "%s NOWAIT", sql), err))
            return error_prefix(err, "could not lock the tables as well");
    }
    return true;
}

static bool check_locked(Seat *seat, size_t count, Error *err)
{
    const char *params[] = {seat->oids};
    AUTO(PQclear)
    PGresult *res = pg_query(
        seat->conn,
        "SELECT count(DISTINCT l.relation), pg_catalog.cardinality($1::pg_catalog.oid[])"
        " FROM pg_catalog.pg_locks l WHERE l.pid = pg_catalog.pg_backend_pid()"
        " AND l.locktype = 'relation' AND l.mode = 'AccessShareLock' AND l.granted"
        " AND l.relation = ANY ($1::pg_catalog.oid[])",
        1, params, err);
    if (res == NULL)
        return false;
    return (size_t) pg_cell_int(res, 0, 1) == count &&
                   pg_cell_int(res, 0, 0) == pg_cell_int(res, 0, 1)
               ? true
               : error_set(err, ERR_CHANGED, "a table is no longer under its name");
}

static bool publish(const Keep *k, Seat *seat, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(seat->conn,
                             "SELECT pg_catalog.pg_export_snapshot(), l.pid, l.virtualxid"
                             " FROM pg_catalog.pg_locks l"
                             " WHERE l.pid = pg_catalog.pg_backend_pid()"
                             " AND l.locktype = 'virtualxid'",
                             0, NULL, err);
    if (res == NULL)
        return false;
    if (PQntuples(res) != 1)
        return error_set(err, ERR_INTERNAL, "the server does not know our transaction");
    seat->ours = mem_strdup(k->seats, pg_cell(res, 0, 0));
    seat->pid = mem_strdup(k->seats, pg_cell(res, 0, 1));
    seat->transaction = mem_strdup(k->seats, pg_cell(res, 0, 2));
    return true;
}

static bool sit_down(void *arg, size_t i, Error *err)
{
    Keep *k = arg;
    Seat *seat = &k->seats[i];
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "seat");
    Catalog tables;
    seat->conn = pg_conn_open(&seat->spec, seat->label, "pgark hold", k->cancel, err);
    bool ok = seat->conn != NULL && import(seat, tmp, err) &&
              list_tables(seat, tmp, &tables, err) && lock_tables(seat, &tables, err) &&
              check_locked(seat, tables.count, err);
    return ok || error_node(err, seat->label);
}

/* ---- the whole ---- */

static bool take_lock(Keep *k, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "lock");
    int64_t deadline = clock_ms() + LOCK_MS;
    char owner[96];
    snprintf(owner, sizeof(owner), "pid %ld, which holds the snapshots", (long) getpid());
    /* Others only look whether it is held, for an instant. */
    while (storage_lock(k->repo->storage, tmp, in_set(tmp, k, HOLD_LOCK), true, owner, &k->lock,
                        NULL, err))
    {
        if (k->lock != NULL)
            return true;
        if (clock_ms() > deadline)
            return error_set(err, ERR_LOCK, "another process holds the snapshots of this set");
        clock_sleep_ms(10);
    }
    return false;
}

static bool hold_all(Keep *k, Error *err)
{
    if (!take_lock(k, err) || !parallel_run(k->count, sit_down, k, k->cancel, err))
        return false;
    /* Not on the threads: a context belongs to one of them. */
    for (size_t i = 0; i < k->count; i++)
    {
        if (!publish(k, &k->seats[i], err))
            return error_node(err, k->seats[i].label);
    }
    return true;
}

static bool answer(Keep *k, const Error *failure, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "answer");
    KeeperMessage m = {.count = 0};
    keeper_message_add(tmp, &m, failure == NULL ? "held" : "failed");
    if (failure != NULL)
        keeper_message_add(tmp, &m,
                           failure->node[0] == '\0'
                               ? failure->message
                               : mem_printf(tmp, "%s: %s", failure->node, failure->message));
    for (size_t i = 0; failure == NULL && i < k->count; i++)
    {
        keeper_message_add(tmp, &m, k->seats[i].ours);
        keeper_message_add(tmp, &m, k->seats[i].pid);
        keeper_message_add(tmp, &m, k->seats[i].transaction);
    }
    return keeper_message_send(RUN_SOCKET, &m, err);
}

/* ---- waiting ---- */

static bool begin_time(Keep *k, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "time");
    HoldFile *file = hold_read(k->repo, tmp, k->set_dir, err);
    if (file == NULL)
        return false;
    k->deadline_ms = clock_ms() + k->time_ms;
    file->hold.until_us = clock_wall_us() + k->time_ms * 1000;
    /* The disk may be full, which may be what the run died of: then it is only not known until when. */
    Error full = ERROR_INIT;
    if (!hold_write(k->repo, k->set_dir, file, &full))
        log_debug("%s", full.message);
    return true;
}

/* false: the end. Without the run's word (a kill) it is dead now, and only now its time begins. */
static bool hear(Keep *k)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "word");
    Error err = ERROR_INIT;
    KeeperMessage m;
    if (!keeper_message_receive(RUN_SOCKET, tmp, 0, k->cancel, &m, &err) || m.count == 0)
    {
        k->run_lives = false;
        error_clear(&err);
        return begin_time(k, &err);
    }
    if (!str_equal(m.texts[0], "keep"))
        return false;
    for (size_t i = 0; i < k->count; i++)
    {
        if (!pg_exec(k->seats[i].conn, "SELECT 1", &err))
            return false;
    }
    return answer(k, NULL, &err);
}

/* Is there still a set that somebody may go on with? A storage that does not answer is no reason to
 * give up. */
static bool is_wanted(Keep *k)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "look");
    Storage *st = k->repo->storage;
    Error err = ERROR_INIT;
    StorageInfo file = {.kind = STORAGE_FILE};
    StorageInfo manifest = {.kind = STORAGE_MISSING};
    if (storage_stat(st, in_set(tmp, k, HOLD_FILE), &file, &err) && file.kind == STORAGE_MISSING)
        return false;
    if (storage_stat(st, in_set(tmp, k, "manifest.jsonl"), &manifest, &err) &&
        manifest.kind != STORAGE_MISSING)
        return false;
    if (clock_ms() < k->deadline_ms)
        return true;
    return repo_lock_is_held(k->repo, in_set(tmp, k, "run.lock")) && begin_time(k, &err);
}

static bool sessions_live(const Keep *k, const struct pollfd *fds)
{
    for (size_t i = 0; i < k->count; i++)
    {
        PGconn *raw = k->seats[i].conn->raw;
        if (fds[i].revents != 0 && (PQconsumeInput(raw) == 0 || PQstatus(raw) != CONNECTION_OK))
            return false;
    }
    return true;
}

static void wait_for_the_end(Keep *k)
{
    struct pollfd *fds = mem_array(k->ctx, struct pollfd, k->count + 2);
    for (size_t i = 0; i < k->count; i++)
        fds[i] = (struct pollfd){.fd = PQsocket(k->seats[i].conn->raw), .events = POLLIN};
    struct pollfd *signals = &fds[k->count];
    struct pollfd *run = &fds[k->count + 1];
    *signals = (struct pollfd){.fd = k->signals, .events = POLLIN};
    *run = (struct pollfd){.fd = RUN_SOCKET, .events = POLLIN};
    for (;;)
    {
        int ready = poll(fds, k->count + 2, k->run_lives ? -1 : TICK_MS);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready < 0 || signals->revents != 0 || !sessions_live(k, fds))
            return;
        if (k->run_lives && run->revents != 0 && !hear(k))
            return;
        if (k->run_lives)
            continue;
        run->fd = -1;
        if (!is_wanted(k))
            return;
    }
}

/* ---- beginning and end ---- */

static void leave(Keep *k)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "leave");
    Error ignored = ERROR_INIT;
    for (size_t i = 0; i < k->count; i++)
        pg_conn_close(k->seats[i].conn);
    if (k->lock == NULL)
        return;
    /* In this order: who gets the lock next finds no file of ours. */
    if (!storage_remove(k->repo->storage, in_set(tmp, k, HOLD_FILE), &ignored) ||
        !storage_remove(k->repo->storage, in_set(tmp, k, HOLD_LOCK), &ignored))
        log_debug("%s", ignored.message);
    storage_unlock(k->lock);
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Started by a person: there is nothing to be told. */
static bool is_started_by_run(Error *err)
{
    int type = 0;
    socklen_t len = sizeof(type);
    return getsockopt(RUN_SOCKET, SOL_SOCKET, SO_TYPE, &type, &len) == 0 ||
           error_set(err, ERR_USAGE, "this command is only for pgark itself");
}

int keeper_main(void)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "keeper");
    Error err = ERROR_INIT;
    Keep k = {.ctx = ctx, .run_lives = true};
    if (!is_started_by_run(&err))
    {
        log_error_value(&err);
        return 1;
    }
    /* Whatever else the run was started with, a pipe of its caller: it must not seem to live on. */
    close_range(3, ~0U, 0);
    k.signals = open_signals();
    AUTO(cancel_free) Cancel *cancel = k.cancel = cancel_new(&err);
    bool ok = cancel != NULL && k.signals >= 0 && receive_order(&k, &err) && hold_all(&k, &err);
    Error gone = ERROR_INIT;
    if (ok && answer(&k, NULL, &gone))
        wait_for_the_end(&k);
    else if (!ok && !answer(&k, &err, &gone))
        log_debug("%s", gone.message);
    leave(&k);
    return ok ? 0 : 1;
}

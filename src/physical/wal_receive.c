/*
 * physical/wal_receive.c - receiving WAL; the contract is in wal_receive.h.
 *
 * What the server is told to be durable lets it remove WAL, and lets commits go on that wait for synchronous
 * standbys, should it take us for one. So it is told of finished segments, and with a lasting store of what
 * is synced of the .partial. The exception is a server that asks for an answer at once: it does so when it is
 * being shut down, and then waits until all that it has sent is called durable; the shutdown would wait for
 * a backup's end.
 */
#include "physical/wal_receive.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lsn.h"
#include "pg/query.h"
#include "pg/wal_files.h"
#include "pg/wal_stream.h"
#include "physical/wal_name.h"

/* Less than half of what servers wait for by default before they give a receiver up (wal_sender_timeout). */
#define STATUS_MS 10000

#define FILES_PIECE   ((uint64_t) 4 * 1024 * 1024)
#define FILES_WAIT_MS 1000 /* before files are looked at again, */
#define FILES_LAST_MS 20   /* when no more than the end is wanted */

struct WalReceive
{
    WalReceiveRequest request;
    Cancel *cancel;
    PgConn *conn;
    WalStore *store;
    uint32_t timeline;
    _Atomic uint64_t at; /* everything before has been received */
    uint64_t durable;
    bool taken; /* something has come */
    int64_t status_due_ms;
    int wake; /* eventfd: want has been set, or stop */
    pthread_t thread;
    bool running; /* the thread is to be joined */
    atomic_bool stop;
    _Atomic uint64_t want; /* UINT64_MAX: no end is known yet */
    bool ok;
    Error err;
};

uint64_t wal_receive_at(const WalReceive *r)
{
    return atomic_load_explicit(&r->at, memory_order_relaxed);
}

static uint64_t segment_start(const WalReceive *r, uint64_t lsn)
{
    return lsn - lsn % r->request.store.segment_size;
}

/* ---- status ---- */

/* As long as nothing has come nothing is said of what is durable: the server sets the slot to that place, also back to
 * one whose WAL it has not any more. */
static bool send_status(WalReceive *r, Error *err)
{
    int64_t every_ms = r->request.status_ms > 0 ? r->request.status_ms : STATUS_MS;
    r->status_due_ms = every_ms == WAL_STATUS_NEVER ? INT64_MAX : clock_ms() + every_ms;
    return r->request.files ||
           wal_stream_status(r->conn, wal_receive_at(r), r->taken ? r->durable : 0, err);
}

/* What has come is made durable as far as the store can. */
static bool settle(WalReceive *r, Error *err)
{
    if (!r->request.store.lasting || r->durable >= wal_receive_at(r))
        return true;
    if (!wal_store_sync(r->store, err))
        return false;
    r->durable = wal_receive_at(r);
    return true;
}

static bool answer(WalReceive *r, const WalMessage *m, Error *err)
{
    if (!m->reply)
        return true;
    if (!settle(r, err))
        return false;
    if (m->server_end == wal_receive_at(r))
        r->durable = wal_receive_at(r);
    return send_status(r, err);
}

/* ---- data ---- */

/* The segment is finished: the server need not keep it. */
static bool end_segment(WalReceive *r, Error *err)
{
    if (!wal_store_end(r->store, err))
        return false;
    r->durable = wal_receive_at(r);
    return send_status(r, err);
}

static bool take_bytes(WalReceive *r, const char *p, size_t left, Error *err)
{
    while (left > 0)
    {
        if (wal_store_room(r->store) == 0 &&
            !wal_store_begin(r->store, r->timeline, wal_receive_at(r), err))
            return false;
        uint64_t room = wal_store_room(r->store);
        size_t n = left < room ? left : (size_t) room;
        if (!wal_store_write(r->store, p, n, err))
            return false;
        atomic_fetch_add(&r->at, n);
        p += n;
        left -= n;
        if (n == room && !end_segment(r, err))
            return false;
    }
    return true;
}

static bool take_data(WalReceive *r, const WalMessage *m, Error *err)
{
    char ours[LSN_TEXT_LEN], theirs[LSN_TEXT_LEN];
    r->taken = true;
    if (m->start != wal_receive_at(r))
        return error_set(err, ERR_CORRUPT,
                         "there is a gap in the server's WAL: it goes on at %s, not at %s",
                         lsn_format(theirs, m->start), lsn_format(ours, wal_receive_at(r)));
    return take_bytes(r, m->data, m->len, err);
}

/* ---- timelines ---- */

/* What the server says when it has removed the WAL that is wanted: undefined_file. It begins to send before
 * it finds out. */
#define STATE_REMOVED "58P01"

static bool explain_end(const WalReceive *r, Error *err)
{
    if (!pg_sqlstate_is(err, STATE_REMOVED))
        return false;
    err->code = ERR_NOT_FOUND;
    if (r->request.files)
        return error_hint(err, "Raise wal_keep_segments: the server had removed WAL before it was "
                               "read.");
    return error_hint(err, "A server keeps WAL for those who have a replication slot, up to its "
                           "max_slot_wal_keep_size.");
}

static bool start_stream(WalReceive *r, WalTurn *ret_turn, Error *err)
{
    return wal_stream_start(r->conn, r->request.slot, wal_receive_at(r), r->timeline, ret_turn,
                            err) ||
           explain_end(r, err);
}

static bool store_history(WalReceive *r, uint32_t timeline, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "history");
    char *data;
    size_t len;
    return wal_stream_history(r->conn, tmp, timeline, &data, &len, err) &&
           wal_store_history(r->store, timeline, data, len, err);
}

static bool turned(const WalReceive *r, const WalTurn *turn, Error *err)
{
    char text[LSN_TEXT_LEN];
    error_set(err, ERR_CHANGED,
              "timeline %" PRIu32
              " of the server ended at %s: it was promoted, or is another one now",
              r->timeline, lsn_format(text, turn->lsn));
    return error_node(err, r->conn->label);
}

/* The new timeline begins in the middle of a segment, with a copy of what is there already: all of that
 * segment is received again, under its new name. */
static bool follow(WalReceive *r, WalTurn turn, Error *err)
{
    while (turn.timeline != 0)
    {
        if (!r->request.follow)
            return turned(r, &turn, err);
        if (turn.timeline <= r->timeline)
            return error_set(err, ERR_CORRUPT,
                             "behind timeline %" PRIu32 " the server names %" PRIu32, r->timeline,
                             turn.timeline);
        wal_store_drop(r->store);
        if (!store_history(r, turn.timeline, err))
            return false;
        log_info("%s: timeline %" PRIu32 " goes on behind timeline %" PRIu32, r->conn->label,
                 turn.timeline, r->timeline);
        r->timeline = turn.timeline;
        atomic_store(&r->at, segment_start(r, turn.lsn));
        if (!start_stream(r, &turn, err))
            return false;
    }
    return true;
}

static bool stream_ended(WalReceive *r, Error *err)
{
    WalTurn turn;
    if (!settle(r, err))
        return false;
    if (!wal_stream_turn(r->conn, &turn, err))
        return explain_end(r, err);
    if (turn.timeline != 0)
        return follow(r, turn, err);
    error_set(err, ERR_CONNECT, "the server ended the stream of WAL: it is being shut down");
    return error_node(err, r->conn->label);
}

/* ---- waiting ---- */

/* Waits up to so many milliseconds; fds end with cancel and wake. */
static bool wait_on(const WalReceive *r, struct pollfd *fds, nfds_t count, int timeout_ms,
                    Error *err)
{
    if (poll(fds, count, timeout_ms) < 0 && errno != EINTR)
        return error_errno(err, ERR_INTERNAL, "could not wait for the server");
    /* It has said what it had to: want and stop are looked at in every round. */
    uint64_t wakes;
    ssize_t n = read(r->wake, &wakes, sizeof(wakes));
    (void) n;
    return true;
}

/* Waits for the server, for whoever wants an end, and for the time when a status is due. */
static bool wait_for_more(WalReceive *r, Error *err)
{
    struct pollfd fds[3] = {{.fd = PQsocket(r->conn->raw), .events = POLLIN},
                            {.fd = cancel_fd(r->cancel), .events = POLLIN},
                            {.fd = r->wake, .events = POLLIN}};
    int64_t left = r->status_due_ms - clock_ms();
    if (left < 0)
        left = 0;
    if (!wait_on(r, fds, LENGTH_OF(fds), left < INT_MAX ? (int) left : INT_MAX, err))
        return false;
    return clock_ms() < r->status_due_ms || (settle(r, err) && send_status(r, err));
}

static bool same_server(const WalReceive *r, const ReplicationSystem *is, uint64_t segment_size,
                        Error *err)
{
    const WalStoreSpec *store = &r->request.store;
    if (strtoull(is->identifier, NULL, 10) == store->system_identifier &&
        segment_size == store->segment_size)
        return true;
    error_set(err, ERR_USAGE,
              "this is another server: its system identifier is %s, not %" PRIu64
              ", its WAL segments have %" PRIu64 " bytes, not %" PRIu64,
              is->identifier, store->system_identifier, segment_size, store->segment_size);
    return error_node(err, r->conn->label);
}

/* ---- files ---- */

static bool wait_for_files(const WalReceive *r, Error *err)
{
    struct pollfd fds[2] = {{.fd = cancel_fd(r->cancel), .events = POLLIN},
                            {.fd = r->wake, .events = POLLIN}};
    bool last = atomic_load(&r->want) != UINT64_MAX;
    return wait_on(r, fds, LENGTH_OF(fds), last ? FILES_LAST_MS : FILES_WAIT_MS, err);
}

/* No piece goes beyond its segment's end. */
static bool read_piece(WalReceive *r, uint64_t end, Error *err)
{
    char name[WAL_NAME_LEN];
    const uint64_t size = r->request.store.segment_size;
    uint64_t at = wal_receive_at(r);
    uint64_t len = size - at % size < end - at ? size - at % size : end - at;
    len = len < FILES_PIECE ? len : FILES_PIECE;
    wal_name_format(name, r->timeline, at, size);
    AUTO(PQclear) PGresult *res = wal_files_read(r->conn, name, at % size, (size_t) len, err);
    if (res == NULL)
        return explain_end(r, err);
    if ((uint64_t) PQgetlength(res, 0, 0) == len)
        return take_bytes(r, PQgetvalue(res, 0, 0), (size_t) len, err);
    error_set(err, ERR_CORRUPT, "the server's file of WAL %s ends too early", name);
    return error_node(err, r->conn->label);
}

/* What is written may still be lost when the server crashes - and with it this connection. */
static bool step_files(WalReceive *r, Error *err)
{
    uint64_t end;
    if (!wal_files_end(r->conn, &end, err) ||
        (clock_ms() >= r->status_due_ms && !(settle(r, err) && send_status(r, err))))
        return false;
    if (end <= wal_receive_at(r))
        return wait_for_files(r, err);
    if (end > atomic_load(&r->want))
        end = atomic_load(&r->want);
    while (wal_receive_at(r) < end && !cancel_is_raised(r->cancel) && !atomic_load(&r->stop))
        if (!read_piece(r, end, err))
            return false;
    return true;
}

static bool files_history(WalReceive *r, Error *err)
{
    char name[WAL_HISTORY_LEN];
    wal_history_format(name, r->timeline);
    AUTO(PQclear) PGresult *res = wal_files_read(r->conn, name, 0, FILES_PIECE, err);
    return res != NULL && wal_store_history(r->store, r->timeline, PQgetvalue(res, 0, 0),
                                            (size_t) PQgetlength(res, 0, 0), err);
}

/* Connections may go by way of something that chooses servers; and one that is on a new timeline began it before this
 * connection. */
static bool check_files_server(WalReceive *r, Error *err)
{
    ReplicationSystem is;
    uint64_t size;
    if (!wal_files_identify(r->conn, &is, &size, err) || !same_server(r, &is, size, err))
        return false;
    if (is.timeline == r->timeline)
        return true;
    error_set(err, ERR_CHANGED,
              "timeline %" PRIu32 " of the server is over, it is on timeline %" PRIu32 " now",
              r->timeline, is.timeline);
    return error_node(err, r->conn->label);
}

static bool open_files(WalReceive *r, Error *err)
{
    r->conn = r->request.conn != NULL
                  ? r->request.conn
                  : pg_conn_open(r->request.spec, r->request.label, "pgark wal", r->cancel, err);
    return r->conn != NULL && check_files_server(r, err) &&
           (r->timeline == 1 || files_history(r, err));
}

/* ---- the loop ---- */

static bool step(WalReceive *r, Error *err)
{
    WalMessage m;
    bool ok = wal_stream_read(r->conn, &m, err);
    switch (m.event)
    {
    case WAL_DATA:
        ok = ok && take_data(r, &m, err);
        break;
    case WAL_KEEPALIVE:
        ok = ok && answer(r, &m, err);
        break;
    case WAL_ENDED:
        ok = ok && stream_ended(r, err);
        break;
    case WAL_NOTHING:
        ok = ok && wait_for_more(r, err);
        break;
    }
    wal_stream_release(&m);
    return ok;
}

static bool finish_store(WalReceive *r, Error *err)
{
    if (!r->request.files)
        wal_stream_stop(r->conn);
    return (wal_store_room(r->store) == 0 || wal_store_end(r->store, err)) &&
           wal_store_sync_names(r->store, err);
}

static bool receive(WalReceive *r, Error *err)
{
    while (wal_receive_at(r) < atomic_load(&r->want))
    {
        if (cancel_is_raised(r->cancel) || atomic_load(&r->stop))
        {
            Error ignored = ERROR_INIT;
            if (!settle(r, err))
                return false;
            if (r->request.store.lasting && !send_status(r, &ignored))
                log_debug("%s: %s", r->conn->label, ignored.message);
            return error_set(err, ERR_CANCELLED, "cancelled");
        }
        if (!(r->request.files ? step_files(r, err) : step(r, err)))
            return false;
    }
    return finish_store(r, err);
}

/* ---- begin and end ---- */

static bool check_server(WalReceive *r, Error *err)
{
    ReplicationSystem is;
    uint64_t size;
    return replication_identify(r->conn, &is, err) &&
           wal_stream_segment_size(r->conn, &size, err) && same_server(r, &is, size, err);
}

static bool open_stream(WalReceive *r, Error *err)
{
    WalTurn turn;
    if (r->request.files)
        return open_files(r, err);
    r->conn = r->request.conn != NULL ? r->request.conn
                                      : replication_open(r->request.spec, r->request.label,
                                                         "pgark wal", r->cancel, err);
    return r->conn != NULL && check_server(r, err) &&
           (r->timeline == 1 || store_history(r, r->timeline, err)) &&
           start_stream(r, &turn, err) && follow(r, turn, err);
}

static WalReceive *receive_new(const WalReceiveRequest *request, Cancel *cancel, Error *err)
{
    WalReceive *r = mem_new(NULL, WalReceive);
    r->request = *request;
    r->cancel = cancel;
    r->timeline = request->timeline;
    r->store = wal_store_new(&r->request.store);
    atomic_init(&r->want, UINT64_MAX);
    atomic_init(&r->at, segment_start(r, request->start_lsn));
    r->durable = wal_receive_at(r);
    r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->wake >= 0 && open_stream(r, err))
        return r;
    if (r->wake < 0)
    {
        error_errno(err, ERR_INTERNAL, "could not create an event descriptor");
        pg_conn_close(request->conn);
    }
    wal_receive_free(r);
    return NULL;
}

static void *receive_main(void *arg)
{
    WalReceive *r = arg;
    r->ok = receive(r, &r->err);
    if (!r->ok && (r->err.code == ERR_CONNECT || r->err.code == ERR_QUERY))
        error_prefix(&r->err, "WAL of timeline %" PRIu32, r->timeline);
    if (!r->ok && !atomic_load(&r->stop))
        cancel_raise(r->cancel, &r->err);
    return NULL;
}

static void wake(WalReceive *r)
{
    uint64_t one = 1;
    ssize_t n = write(r->wake, &one, sizeof(one));
    (void) n;
}

WalReceive *wal_receive_start(const WalReceiveRequest *request, Cancel *cancel, Error *err)
{
    WalReceive *r = receive_new(request, cancel, err);
    if (r == NULL)
        return NULL;
    r->running = pthread_create(&r->thread, NULL, receive_main, r) == 0;
    if (r->running)
        return r;
    error_set(err, ERR_INTERNAL, "could not start a thread");
    wal_receive_free(r);
    return NULL;
}

static void join(WalReceive *r)
{
    wake(r);
    pthread_join(r->thread, NULL);
    r->running = false;
}

bool wal_receive_finish(WalReceive *r, uint64_t lsn, Error *err)
{
    atomic_store(&r->want, lsn);
    join(r);
    if (!r->ok)
        *err = r->err;
    return r->ok;
}

void wal_receive_free(WalReceive *r)
{
    if (r == NULL)
        return;
    atomic_store(&r->stop, true);
    if (r->running)
        join(r);
    pg_conn_close(r->conn);
    wal_store_free(r->store);
    if (r->wake >= 0)
        close(r->wake);
    mem_free(r);
}

bool wal_receive_run(const WalReceiveRequest *request, Cancel *cancel, void (*started)(void *arg),
                     void *arg, Error *err)
{
    AUTO(wal_receive_free) WalReceive *r = receive_new(request, cancel, err);
    if (r == NULL)
        return false;
    if (started != NULL)
        started(arg);
    return receive(r, err);
}

/*
 * fleet/receive_run.c - receiving WAL of all nodes; the contract is in receive_run.h.
 *
 * A segment counts once its record is written, which names its hashes; so after any interruption the next
 * segment is the one behind the newest record, and what is there of it is received again. The server keeps
 * it: its slot stands where something was not told to be durable.
 *
 * A node that cannot be received from any more (its WAL is gone, it is another server now) is said so, and tried again now
 * and then; the others go on, as their slots would fill their disks. The end comes when nobody is left.
 */
#include "fleet/receive_run.h"

#include <poll.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/lsn.h"
#include "base/parallel.h"
#include "fleet/engine.h"
#include "pg/query.h"
#include "pg/wal_files.h"
#include "pg/wal_stream.h"
#include "physical/wal_name.h"
#include "physical/wal_receive.h"
#include "repo/wal_archive.h"

#define PAUSE_FIRST_MS 250
#define PAUSE_MAX_MS   15000
#define FAILED_MS      60000 /* between tries of a node that has failed */
#define FAILED_SAID    30    /* of them, until it is said again */

typedef struct ReceiveRun ReceiveRun;

typedef struct ReceiveNode
{
    ReceiveRun *run;
    void *ctx;
    const FleetNode *node;
    char label[48];
    char system_identifier[24]; /* "" until it was asked */
    uint64_t segment_size;
    StorageLock *lock;
    bool lost; /* the last try has failed, and that was said */
    bool skip; /* what is missing has been told: go on behind it. Until a segment has come */
    int pause_ms;
    bool begun;     /* has been received from */
    bool failed;    /* does not count as one that works */
    unsigned tries; /* since it was said that it has failed */
} ReceiveNode;

struct ReceiveRun
{
    void *ctx;
    const Fleet *fleet;
    const ReceiveRequest *request;
    Supervisor *supervisor;
    Cancel *cancel;
    Repo *repo;
    ReceiveNode *nodes;
    atomic_size_t working; /* nodes that have not failed */
    atomic_ullong segments, bytes, stored;
};

/* ---- where to begin ---- */

/* There is no slot then, and no walsender. */
static bool by_files(const ReceiveNode *n)
{
    const FleetEngine *engine = n->run->fleet->engine;
    return engine != NULL && engine->wal_files;
}

static bool ask_identity(ReceiveNode *n, ReplicationSystem *ret, Error *err)
{
    const PgConnSpec *spec = &n->node->spec;
    PgConn *conn;
    bool ok;
    if (by_files(n))
    {
        conn = pg_conn_open(spec, n->label, "pgark receive-wal", n->run->cancel, err);
        ok = conn != NULL && wal_files_identify(conn, ret, &n->segment_size, err);
    }
    else
    {
        conn = replication_open(spec, n->label, "pgark receive-wal", n->run->cancel, err);
        ok = conn != NULL && replication_identify(conn, ret, err) &&
             wal_stream_segment_size(conn, &n->segment_size, err);
    }
    pg_conn_close(conn);
    return ok;
}

/* The identity is that of the first connection, for ever: another server in its place is no longer the same. */
static bool identify(ReceiveNode *n, ReplicationSystem *ret, Error *err)
{
    if (!ask_identity(n, ret, err))
        return false;
    if (n->system_identifier[0] != '\0' && strcmp(n->system_identifier, ret->identifier) != 0)
    {
        error_set(err, ERR_USAGE, "this is another server now: its system identifier is %s, not %s",
                  ret->identifier, n->system_identifier);
        return error_node(err, n->label);
    }
    snprintf(n->system_identifier, sizeof(n->system_identifier), "%s", ret->identifier);
    return true;
}

static bool take_lock(ReceiveNode *n, Error *err)
{
    char *owner;
    if (n->lock != NULL)
        return true;
    if (!wal_archive_lock(n->run->repo, n->ctx, n->system_identifier, &n->lock, &owner, err))
        return false;
    if (n->lock != NULL)
        return wal_archive_sweep(n->run->repo, n->system_identifier, err);
    error_set(err, ERR_LOCK, "its WAL is being received by %s", owner);
    return error_node(err, n->label);
}

/* Makes the slot where there is none; *ret_lsn is where it keeps WAL from. */
static bool find_slot(ReceiveNode *n, uint64_t *ret_lsn, Error *err)
{
    const char *const params[] = {n->run->request->slot};
    AUTO(pg_conn_close)
    PgConn *conn = pg_conn_open(&n->node->spec, n->label, "pgark receive-wal", n->run->cancel, err);
    AUTO(PQclear)
    PGresult *res = conn == NULL
                        ? NULL
                        : pg_query(conn,
                                   "SELECT slot_type, restart_lsn, wal_status"
                                   " FROM pg_catalog.pg_replication_slots WHERE slot_name = $1",
                                   1, params, err);
    if (res == NULL)
        return false;
    if (PQntuples(res) == 0)
    {
        PQclear(res);
        res = pg_query(conn,
                       "SELECT 'physical', lsn, 'reserved' FROM"
                       " pg_catalog.pg_create_physical_replication_slot($1, true)",
                       1, params, err);
        if (res == NULL)
            return error_prefix(err, "could not make the replication slot \"%s\"", params[0]);
        log_info("%s: made replication slot \"%s\"", n->label, params[0]);
    }
    if (strcmp(pg_cell(res, 0, 0), "physical") == 0 && lsn_parse(pg_cell(res, 0, 1), ret_lsn) &&
        strcmp(pg_cell(res, 0, 2), "lost") != 0)
        return true;
    error_set(err, ERR_NOT_FOUND,
              "the replication slot \"%s\" keeps no WAL any more, or is no physical one",
              params[0]);
    error_hint(err, "Drop it (pg_drop_replication_slot); it is made anew then, and WAL that is "
                    "missing is told.");
    return error_node(err, n->label);
}

/* Files are not followed to a new timeline: which WAL of the old one a server still has, that has taken over, nobody
 * knows. */
static bool check_timeline(const ReceiveNode *n, uint32_t last, uint32_t now, Error *err)
{
    if (!by_files(n) || last == now)
        return true;
    error_set(err, ERR_NOT_FOUND,
              "the repository has WAL of timeline %" PRIu32
              ", and the server is on timeline %" PRIu32 " now",
              last, now);
    return error_node(err, n->label);
}

/* Behind the newest segment that is there; without any, where the slot begins, or the segment of now. */
static bool find_start(ReceiveNode *n, const ReplicationSystem *is, WalReceiveRequest *request,
                       Error *err)
{
    char last[WAL_ARCHIVE_DIGITS + 1];
    uint64_t kept = is->lsn;
    bool complete;
    if ((!by_files(n) && !find_slot(n, &kept, err)) ||
        !wal_archive_last(n->run->repo, n->system_identifier, last, &complete, err))
        return false;
    request->timeline = is->timeline;
    request->start_lsn = kept;
    if (last[0] == '\0' || n->skip)
        return true;
    if (!wal_name_parse(last, n->segment_size, &request->timeline, &request->start_lsn))
        return error_set(err, ERR_CORRUPT,
                         "the newest WAL in the repository, %s, is not of segments of %" PRIu64
                         " bytes",
                         last, n->segment_size);
    request->start_lsn += complete ? n->segment_size : 0;
    return check_timeline(n, request->timeline, is->timeline, err);
}

/* ---- receiving ---- */

/* The object's name is relative to the directory of all servers; its record stands beside it. */
static bool on_stored(void *arg, const WalRecord *wal, Error *err)
{
    ReceiveNode *n = arg;
    ReceiveRun *run = n->run;
    ArchivedRecord record = {.system_identifier = n->system_identifier,
                             .name = wal->name,
                             .compress = run->request->compress,
                             .object = strrchr(wal->object, '/') + 1,
                             .logical = wal->logical,
                             .stored = wal->stored,
                             .received_us = clock_wall_us()};
    memcpy(record.xxh3, wal->xxh3, sizeof(record.xxh3));
    memcpy(record.sha256, wal->sha256, sizeof(record.sha256));
    if (!wal_archive_note(run->repo, &record, err))
        return false;
    log_debug("%s: %s is complete", n->label, wal->name);
    if (wal_name_is_segment(wal->name))
    {
        n->skip = false;
        atomic_fetch_add(&run->segments, 1);
    }
    atomic_fetch_add(&run->bytes, wal->logical);
    atomic_fetch_add(&run->stored, wal->stored);
    return true;
}

static void on_started(void *arg)
{
    ReceiveNode *n = arg;
    n->lost = false;
    n->begun = true;
    n->pause_ms = PAUSE_FIRST_MS;
    if (!n->failed)
        return;
    n->failed = false;
    atomic_fetch_add(&n->run->working, 1);
    log_info("%s: its WAL is being received again", n->label);
}

static bool receive_once(ReceiveNode *n, Error *err)
{
    ReplicationSystem is;
    char text[LSN_TEXT_LEN];
    ReceiveRun *run = n->run;
    WalReceiveRequest request = {.spec = &n->node->spec,
                                 .label = n->label,
                                 .slot = by_files(n) ? NULL : run->request->slot,
                                 .files = by_files(n),
                                 .follow = true};
    if (!identify(n, &is, err) || !take_lock(n, err) || !find_start(n, &is, &request, err))
        return false;
    request.store = (WalStoreSpec){.storage = run->repo->storage,
                                   .base = WAL_ARCHIVE_DIR,
                                   .dir = n->system_identifier,
                                   .grouped = true,
                                   .lasting = true,
                                   .compress = run->request->compress,
                                   .system_identifier = strtoull(n->system_identifier, NULL, 10),
                                   .segment_size = n->segment_size,
                                   .content = n->node->content,
                                   .on_stored = on_stored,
                                   .arg = n};
    log_info("%s: receiving WAL of timeline %" PRIu32 " from %s on", n->label, request.timeline,
             lsn_format(text, request.start_lsn - request.start_lsn % n->segment_size));
    return wal_receive_run(&request, run->cancel, on_started, n, err);
}

/* ---- again ---- */

/* The server is not there, goes, comes, has no room for us now, or still believes in our last connection. */
static bool may_pass(const Error *err)
{
    static const char *const states[] = {"57P01", "57P02", "57P03", "53300", "55006", "08006"};
    if (err->code == ERR_CONNECT)
        return true;
    for (size_t i = 0; err->code == ERR_QUERY && i < LENGTH_OF(states); i++)
        if (strcmp(err->sqlstate, states[i]) == 0)
            return true;
    return false;
}

/* true: try again. */
static bool after_gap(ReceiveNode *n, const Error *why)
{
    if (why->code != ERR_NOT_FOUND || !n->run->request->skip_gap || n->skip)
        return false;
    log_warning(
        "%s: there is a gap in its WAL, of no use is what comes behind it before the next base "
        "backup: %s",
        n->label, why->message);
    n->skip = true;
    return true;
}

static bool wait_a_while(const ReceiveNode *n, int ms, Error *err)
{
    struct pollfd fd = {.fd = cancel_fd(n->run->cancel), .events = POLLIN};
    poll(&fd, 1, ms);
    return cancel_check(n->run->cancel, err);
}

static bool pause_and_tell(ReceiveNode *n, const Error *why, Error *err)
{
    if (!n->lost)
        log_message(LOG_WARNING, "%s: %s; trying again", n->label, why->message);
    n->lost = true;
    int ms = n->pause_ms;
    n->pause_ms = n->pause_ms * 2 < PAUSE_MAX_MS ? n->pause_ms * 2 : PAUSE_MAX_MS;
    return wait_a_while(n, ms, err);
}

static bool give_up(const ReceiveNode *n, const Error *why, Error *err)
{
    *err = *why;
    if (why->code == ERR_NOT_FOUND)
    {
        err->hint[0] = '\0'; /* what helps here is another thing than in a backup */
        error_hint(err, "--skip-gap goes on behind what is missing; what follows can be used from "
                        "the next base backup on.");
    }
    return error_node(err, n->label);
}

/* Whoever has just been told to begin is told of his mistake; what time has done to a node does not end the others. */
static bool ends_all(ReceiveNode *n, const Error *why)
{
    bool mistake = !n->begun && why->code != ERR_NOT_FOUND;
    if (n->run->request->no_loop || (mistake && !n->failed))
        return true;
    return !n->failed && atomic_fetch_sub(&n->run->working, 1) == 1;
}

static bool fail_and_tell(ReceiveNode *n, const Error *why, Error *err)
{
    bool again = n->failed && ++n->tries < FAILED_SAID;
    Error told;
    n->failed = true;
    if (!again)
    {
        n->tries = 0;
        (void) give_up(n, why, &told);
        log_error_value(&told);
        log_warning("%s: no WAL of it is received until that is mended; the other nodes go on",
                    n->label);
    }
    return wait_a_while(n, FAILED_MS, err);
}

static bool receive_node(void *arg, size_t i, Error *err)
{
    ReceiveNode *n = &((ReceiveRun *) arg)->nodes[i];
    for (;;)
    {
        Error why = ERROR_INIT;
        if (receive_once(n, &why))
            return error_set(err, ERR_INTERNAL, "the stream ended without a reason");
        if (after_gap(n, &why))
            continue;
        if (why.code == ERR_CANCELLED)
            return give_up(n, &why, err);
        bool passes = may_pass(&why) && !n->run->request->no_loop && !n->failed;
        if (!passes && ends_all(n, &why))
            return give_up(n, &why, err);
        if (passes ? !pause_and_tell(n, &why, err) : !fail_and_tell(n, &why, err))
            return false;
    }
}

/* ---- all ---- */

static void make_nodes(ReceiveRun *run)
{
    run->nodes = mem_array(run->ctx, ReceiveNode, run->fleet->node_count);
    for (size_t i = 0; i < run->fleet->node_count; i++)
    {
        ReceiveNode *n = &run->nodes[i];
        n->run = run;
        n->ctx = mem_context(NULL, "receive");
        n->node = &run->fleet->nodes[i];
        n->pause_ms = PAUSE_FIRST_MS;
        snprintf(n->label, sizeof(n->label), "node %d", n->node->content);
    }
}

static bool receive_work(void *arg, Error *err)
{
    ReceiveRun *run = arg;
    run->cancel = supervise_attempt(run->supervisor, err);
    run->repo = run->cancel == NULL ? NULL : repo_open_or_create(run->ctx, run->request->repo, err);
    if (run->repo == NULL)
        return false;
    make_nodes(run);
    atomic_init(&run->working, run->fleet->node_count);
    bool ok = parallel_run(run->fleet->node_count, receive_node, run, run->cancel, err);
    for (size_t i = 0; i < run->fleet->node_count; i++)
    {
        storage_unlock(run->nodes[i].lock);
        mem_free(run->nodes[i].ctx);
    }
    return ok;
}

bool receive_run(void *ctx, const Fleet *fleet, const ReceiveRequest *request,
                 Supervisor *supervisor, ReceiveResult *ret, Error *err)
{
    ReceiveRun run = {.ctx = ctx, .fleet = fleet, .request = request, .supervisor = supervisor};
    bool ok = supervise_run(supervisor, receive_work, NULL, &run, err);
    *ret = (ReceiveResult){.segments = atomic_load(&run.segments),
                           .bytes = atomic_load(&run.bytes),
                           .stored = atomic_load(&run.stored)};
    return ok;
}

/* fleet/keeper.c - starting and ending a keeper; the contract is in keeper.h. */
#include "fleet/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backup/locks.h"
#include "base/clock.h"
#include "base/log.h"
#include "fleet/keeper_message.h"

#define START_MS 60000
#define END_MS   10000 /* it has nothing to do but to close its connections */
#define POLL_MS  10

extern char **environ;

struct Keeper
{
    pid_t pid;
    int socket;
};

/* ---- the order ---- */

/* What keeper_main.c takes apart. The connection is pinned to the server that has the snapshot. */
static void add_node(void *ctx, KeeperMessage *m, const BackupNode *node)
{
    PgConnSpec spec = *node->spec;
    spec.role = node->request->role;
    const PgConnSpec *pinned = pg_conn_pin(ctx, node->probe, &spec);
    const char *texts[] = {node->label,
                           pinned->conninfo,
                           pinned->host,
                           pinned->hostaddr,
                           pinned->port,
                           pinned->user,
                           pinned->database,
                           pinned->password,
                           pinned->role,
                           node->snapshot_id,
                           locks_oids(ctx, &node->locked),
                           pinned->setup};
    for (size_t i = 0; i < LENGTH_OF(texts); i++)
        keeper_message_add(ctx, m, texts[i]);
}

static bool send_order(const Keeper *k, const KeeperJob *job, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "order");
    KeeperMessage m = {.count = 0};
    keeper_message_add(tmp, &m, storage_uri(job->repo->storage));
    keeper_message_add(tmp, &m, job->set->dir);
    keeper_message_add(tmp, &m, mem_printf(tmp, "%" PRId64, job->file->hold.time_ms));
    for (size_t i = 0; i < job->count; i++)
        add_node(tmp, &m, &job->nodes[i]);
    return keeper_message_send(k->socket, &m, err);
}

static void fill_node(HoldFile *file, const BackupNode *node, const char *const *answer)
{
    HoldNodeRecord *n = mem_push(file, file->nodes, file->node_count, file->node_capacity,
                                 HoldNodeRecord);
    n->content = node->content;
    n->database = mem_strdup(file, node->record.database);
    n->system_identifier = mem_strdup(file, node->record.system_identifier);
    n->server_started = mem_strdup(file, node->started);
    n->snapshot = mem_strdup(file, node->record.snapshot);
    n->snapshot_id = mem_strdup(file, answer[0]);
    n->pid = answer[1] == NULL ? 0 : atoi(answer[1]);
    n->transaction = mem_strdup(file, answer[2]);
}

/* "held" and three texts for each node, or "failed" and the reason. */
static bool take_answer(const Keeper *k, const KeeperJob *job, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "answer");
    KeeperMessage m;
    if (!keeper_message_receive(k->socket, tmp, clock_ms() + START_MS, job->cancel, &m, err))
        return false;
    for (size_t i = 0; i < m.count; i++)
    {
        if (m.texts[i] == NULL)
            m.texts[i] = "";
    }
    if (m.count == 2)
        return error_set(err, ERR_LOCK, "%s", m.texts[1]);
    if (m.count != 1 + 3 * job->count)
        return error_set(err, ERR_INTERNAL, "it ended at once");
    for (size_t i = 0; i < job->count; i++)
        fill_node(job->file, &job->nodes[i], &m.texts[1 + 3 * i]);
    return true;
}

/* ---- the process ---- */

/* Signals of the terminal go to its foreground group, of which a session of its own is no part.
 * Standard output must not be ours: who reads that waits for its end. */
static int spawn(Keeper *k, int socket, const char *key)
{
    const char *argv[] = {"pgark", KEEPER_COMMAND, key, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    posix_spawn_file_actions_adddup2(&files, socket, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &all);
    posix_spawnattr_setflags(&how,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawn(&k->pid, "/proc/self/exe", &files, &how, (char *const *) (uintptr_t) argv,
                         environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    return rc;
}

static bool start_process(Keeper *k, const char *key, Error *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return error_errno(err, ERR_INTERNAL, "could not create a socket");
    int rc = spawn(k, ends[1], key);
    close(ends[1]);
    k->socket = ends[0];
    if (rc == 0)
        return true;
    close(ends[0]);
    errno = rc;
    return error_errno(err, ERR_INTERNAL, "could not start a process");
}

static bool reaped_within(pid_t pid, int ms)
{
    int64_t deadline = clock_ms() + ms;
    while (waitpid(pid, NULL, WNOHANG) == 0)
    {
        if (clock_ms() > deadline)
            return false;
        clock_sleep_ms(POLL_MS);
    }
    return true;
}

static void release(Keeper *k)
{
    close(k->socket);
    mem_free(k);
}

void keeper_end(Keeper *k)
{
    if (k == NULL)
        return;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "end");
    KeeperMessage m = {.count = 0};
    Error gone = ERROR_INIT;
    keeper_message_add(tmp, &m, "end");
    if (!keeper_message_send(k->socket, &m, &gone))
        log_debug("the process that holds the snapshots had ended: %s", gone.message);
    if (!reaped_within(k->pid, END_MS))
    {
        kill(k->pid, SIGKILL);
        waitpid(k->pid, NULL, 0);
    }
    release(k);
}

bool keeper_keep(Keeper *k)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "keep");
    KeeperMessage m = {.count = 0};
    KeeperMessage answer = {.count = 0};
    Error gone = ERROR_INIT;
    keeper_message_add(tmp, &m, "keep");
    bool kept = keeper_message_send(k->socket, &m, &gone) &&
                keeper_message_receive(k->socket, tmp, clock_ms() + END_MS, NULL, &answer, &gone) &&
                answer.count > 0;
    if (!kept)
    {
        keeper_end(k);
        return false;
    }
    /* That the socket is closed tells it that nobody will tell it anything more. */
    release(k);
    return true;
}

Keeper *keeper_start(const KeeperJob *job, Error *err)
{
    Keeper *k = mem_new(NULL, Keeper);
    HoldFile *file = job->file;
    if (!start_process(k, job->set->key, err))
    {
        mem_free(k);
        return NULL;
    }
    char host[128] = "unknown";
    if (gethostname(host, sizeof(host)) != 0)
        snprintf(host, sizeof(host), "unknown");
    host[sizeof(host) - 1] = '\0';
    file->hold.host = mem_strdup(file, host);
    file->hold.pid = (int) k->pid;
    if (send_order(k, job, err) && take_answer(k, job, err) &&
        hold_write(job->repo, job->set->dir, file, err))
        return k;
    keeper_end(k);
    return NULL;
}

bool keeper_stop(Repo *repo, const char *set_dir, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "stop");
    int64_t deadline = clock_ms() + END_MS;
    if (!storage_remove(repo->storage, mem_printf(tmp, "%s/%s", set_dir, HOLD_FILE), err))
        return false;
    while (hold_is_alive(repo, set_dir))
    {
        if (clock_ms() > deadline)
            return error_set(err, ERR_LOCK, "the process that holds the snapshots does not end");
        clock_sleep_ms(POLL_MS);
    }
    return storage_remove(repo->storage, mem_printf(tmp, "%s/%s", set_dir, HOLD_LOCK), err);
}

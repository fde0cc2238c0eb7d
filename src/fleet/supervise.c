/* fleet/supervise.c - threads and signals; the contract is in supervise.h. */
#include "fleet/supervise.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define TICK_MS            100
#define SUPERVISE_GRACE_MS 10000
#define SECOND_SIGNAL_MS   1000
#define ATTEMPTS_MAX       64
#define EXIT_CANCELLED     130

struct Supervisor
{
    pthread_mutex_t mutex; /* guards the list of attempts */
    Cancel *attempts[ATTEMPTS_MAX];
    int attempt_count;
    atomic_bool cancelled;
    _Atomic(Progress *) progress;
    SuperviseWork work;
    void *arg;
    bool ok;
    Error err;
    atomic_bool ended;
    pthread_t main;
};

static void signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

void supervise_block_signals(void)
{
    sigset_t set;
    signals(&set);
    sigaddset(&set, SIGUSR2); /* "the work has ended", to ourselves */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int supervisor_free(Supervisor *s)
{
    for (int i = 0; i < s->attempt_count; i++)
        cancel_free(s->attempts[i]);
    pthread_mutex_destroy(&s->mutex);
    return 0;
}

Supervisor *supervise_new(void *ctx)
{
    Supervisor *s = mem_new(ctx, Supervisor);
    pthread_mutex_init(&s->mutex, NULL);
    talloc_set_destructor(s, supervisor_free);
    return s;
}

Cancel *supervise_attempt(Supervisor *s, Error *err)
{
    Cancel *cancel = NULL;
    pthread_mutex_lock(&s->mutex);
    if (s->attempt_count < ATTEMPTS_MAX)
        cancel = cancel_new(err);
    else
        error_set(err, ERR_INTERNAL, "started over too often");
    if (cancel != NULL)
        s->attempts[s->attempt_count++] = cancel;
    if (cancel != NULL && atomic_load(&s->cancelled))
        cancel_raise(cancel, NULL);
    pthread_mutex_unlock(&s->mutex);
    return cancel;
}

static void cancel_now(Supervisor *s)
{
    pthread_mutex_lock(&s->mutex);
    atomic_store(&s->cancelled, true);
    if (s->attempt_count > 0)
        cancel_raise(s->attempts[s->attempt_count - 1], NULL);
    pthread_mutex_unlock(&s->mutex);
}

static void *work_main(void *arg)
{
    Supervisor *s = arg;
    s->ok = s->work(s->arg, &s->err);
    atomic_store(&s->ended, true);
    pthread_kill(s->main, SIGUSR2);
    return NULL;
}

static bool asks_to_end(int sig)
{
    return sig > 0 && sig != SIGUSR2;
}

/* Cancelled since then and still not at its end: ends the process if that was asked for, or took
 * too long. One Ctrl-C may arrive twice, as a terminal sends it to a whole group; that is no second
 * request. */
static void end_late(Supervisor *s, int sig, int64_t since, SuperviseGiveUp give_up)
{
    int64_t waited = clock_ms() - since;
    bool again = asks_to_end(sig) && waited > SECOND_SIGNAL_MS;
    if (!again && waited <= SUPERVISE_GRACE_MS)
        return;
    if (give_up != NULL && !give_up(s->arg))
        return;
    log_message(LOG_ERROR, "%s",
                again ? "cancelled again, gave up at once"
                      : "the run does not come to its end, gave up waiting for it");
    _exit(EXIT_CANCELLED);
}

/* Waits until the work has ended; draws, and passes signals on. */
static void watch(Supervisor *s, SuperviseGiveUp give_up)
{
    sigset_t set;
    signals(&set);
    sigaddset(&set, SIGUSR2);
    int64_t since = 0;
    while (!atomic_load(&s->ended))
    {
        struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
        int sig = sigtimedwait(&set, NULL, &tick);
        Progress *progress = atomic_load(&s->progress);
        if (progress != NULL)
            progress_tick(progress);
        if (since != 0)
            end_late(s, sig, since, give_up);
        else if (asks_to_end(sig))
        {
            since = clock_ms();
            cancel_now(s);
        }
    }
}

bool supervise_run(Supervisor *s, SuperviseWork work, SuperviseGiveUp give_up, void *arg,
                   Error *err)
{
    pthread_t thread;
    s->work = work;
    s->arg = arg;
    s->main = pthread_self();
    atomic_store(&s->ended, false);
    if (pthread_create(&thread, NULL, work_main, s) != 0)
        return error_set(err, ERR_INTERNAL, "could not start a thread");
    watch(s, give_up);
    pthread_join(thread, NULL);
    Progress *progress = atomic_exchange(&s->progress, NULL);
    if (progress != NULL)
        progress_end(progress);
    if (!s->ok && atomic_load(&s->cancelled))
    {
        error_set(err, ERR_CANCELLED, "cancelled");
        /* What is left behind is worth knowing then, too. */
        if (s->err.code == ERR_CANCELLED && s->err.hint[0] != '\0')
            error_hint(err, "%s", s->err.hint);
        return false;
    }
    if (!s->ok)
        *err = s->err;
    return s->ok;
}

void supervise_progress(Supervisor *s, Progress *progress)
{
    atomic_store(&s->progress, progress);
}

bool supervise_cancelled(const Supervisor *s)
{
    return atomic_load(&s->cancelled);
}

/*
 * fleet/supervise.h - threads and signals of a run.
 *
 * The main thread only supervises: it waits for signals (all threads have them blocked), draws the
 * progress, and waits for the work, which runs on a thread of its own.
 */
#ifndef PGARK_FLEET_SUPERVISE_H
#define PGARK_FLEET_SUPERVISE_H

#include "base/cancel.h"
#include "report/progress.h"

typedef struct Supervisor Supervisor;

/* supervise_block_signals blocks SIGINT, SIGTERM and SIGHUP and ignores SIGPIPE; to be called by
 * main() before any thread exists. */
void supervise_block_signals(void);

Supervisor *supervise_new(void *ctx);

/* supervise_attempt gives a fresh cancel flag (a run that starts over has one per attempt); it is
 * raised at once if the user has cancelled already. It lives as long as the supervisor. NULL with
 * err set. */
Cancel *supervise_attempt(Supervisor *s, Error *err);

/* supervise_run runs work(arg, err) to its end while it waits for signals. The first signal raises
 * the current cancel flag; another one a second later, or SUPERVISE_GRACE_MS without an end, calls
 * give_up (may be NULL: removes what must not stay; false: the work is as good as done, wait for
 * it) and ends the process with 130. progress may be NULL or come later by supervise_progress.
 * Returns what work returned; a user's cancellation is ERR_CANCELLED, whatever error it caused. */
typedef bool (*SuperviseWork)(void *arg, Error *err);
typedef bool (*SuperviseGiveUp)(void *arg);
bool supervise_run(Supervisor *s, SuperviseWork work, SuperviseGiveUp give_up, void *arg,
                   Error *err) MUST_CHECK;
void supervise_progress(Supervisor *s, Progress *progress);

/* supervise_cancelled tells whether the user has cancelled. */
bool supervise_cancelled(const Supervisor *s);

#endif

/*
 * base/cancel.h - the one cancel flag of a run.
 *
 * Any thread may raise it; it stays raised. A thread that waits for a socket or a child polls
 * cancel_fd() beside it, so that it wakes at once. The first failure of the run is kept here:
 * the thread that raises first gives its Error, later ones are ignored.
 */
#ifndef PGARK_BASE_CANCEL_H
#define PGARK_BASE_CANCEL_H

#include "base/error.h"

typedef struct Cancel Cancel;

/* cancel_new returns a lowered flag, or NULL with err set (no file descriptors left). */
Cancel *cancel_new(Error *err);
void cancel_free(Cancel *cancel);
DEFINE_AUTO(Cancel, cancel_free)

/* cancel_raise raises the flag; cause (may be NULL) is copied if it is the first. Thread-safe. */
void cancel_raise(Cancel *cancel, const Error *cause);

/* cancel_is_raised: cheap, lock-free. cancel may be NULL (never raised). */
bool cancel_is_raised(const Cancel *cancel);

/* cancel_check returns true while not raised, otherwise sets err to ERR_CANCELLED. */
bool cancel_check(const Cancel *cancel, Error *err) MUST_CHECK;

/* cancel_fd is readable from the moment the flag is raised, for poll(); -1 for NULL. */
int cancel_fd(const Cancel *cancel);

/* cancel_cause copies the first cause into err; false when none was given. */
bool cancel_cause(Cancel *cancel, Error *err);

#endif

/*
 * base/parallel.h - one function on several threads.
 */
#ifndef PGARK_BASE_PARALLEL_H
#define PGARK_BASE_PARALLEL_H

#include "base/cancel.h"

/* parallel_run calls fn(arg, i, err) for i = 0..count-1, each on a thread of its own, and waits for
 * all. A failure raises cancel, with itself as the cause, so that the others stop. Returned is the
 * first failure that is not only a consequence (ERR_CANCELLED), or the cause that some other thread
 * gave. Where a thread cannot be started, cancel is raised and fn runs on the calling thread: it
 * sees the flag and leaves the way it does on every cancellation, so nobody waits for somebody who
 * never came. */
typedef bool (*ParallelFn)(void *arg, size_t i, Error *err);
bool parallel_run(size_t count, ParallelFn fn, void *arg, Cancel *cancel, Error *err) MUST_CHECK;

#endif

/*
 * report/progress.h - what a run is doing, while it does it.
 *
 * The workers only add to counters; the main thread draws. Forms: a live view on a terminal, plain
 * lines, JSON lines, nothing.
 */
#ifndef PGARK_REPORT_PROGRESS_H
#define PGARK_REPORT_PROGRESS_H

#include <stdatomic.h>

#include "base/error.h"
#include "base/mem.h"

typedef enum ProgressMode
{
    PROGRESS_NONE,
    PROGRESS_PLAIN, /* a line every few seconds and at every new phase */
    PROGRESS_LIVE,  /* redrawn in place, for terminals */
    PROGRESS_JSON,  /* one object per second */
} ProgressMode;

typedef struct Progress Progress;

typedef struct ProgressNode
{
    char label[160];
    atomic_uint_fast64_t bytes_total;  /* estimate, in the unit of bytes_done */
    atomic_uint_fast64_t bytes_done;   /* by this run */
    atomic_uint_fast64_t bytes_before; /* by another one, which this goes on with */
    atomic_uint_fast64_t chunks_total; /* or statements, in a phase that runs them */
    atomic_uint_fast64_t chunks_done;
    atomic_uint_fast64_t rows_done; /* of a backup; not drawn */
    atomic_bool finished;
} ProgressNode;

/* progress_mode chooses from --progress's word ("auto": live on a terminal, else plain) and
 * --quiet. */
ProgressMode progress_mode(const char *word, bool quiet);

/* progress_new: verb is "backup" or "restore". Lives below ctx; progress_end draws the last state
 * and gives the terminal back. */
Progress *progress_new(void *ctx, ProgressMode mode, const char *verb, size_t nodes,
                       size_t workers);
/* progress_workers makes room for more workers of each node; what was current is forgotten. */
void progress_workers(Progress *progress, size_t workers);
void progress_end(Progress *progress);

/* progress_node: counters of one node, 0..nodes-1. progress may be NULL: a node that nobody draws.
 */
ProgressNode *progress_node(Progress *progress, size_t node);

/* progress_label names a node from now on. Thread-safe; text is copied. */
void progress_label(Progress *progress, size_t node, const char *text);

/* progress_phase says what all do now ("cut", "data", "indexes and constraints"). Thread-safe. */
void progress_phase(Progress *progress, const char *phase);

/* progress_current says what a worker does now (NULL: nothing). Thread-safe; text is copied. */
void progress_current(Progress *progress, size_t node, size_t worker, const char *text);

/* progress_tick is called by the main thread some ten times a second. */
void progress_tick(Progress *progress);

#endif

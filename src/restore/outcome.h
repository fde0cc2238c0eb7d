/*
 * restore/outcome.h - what became of each object, and whether a restore goes on after a failure.
 *
 * With --on-error=continue a statement or a table that fails is noted, what depends on it is
 * skipped and noted, too, and the rest is restored. What was wanted only because something
 * depends on it may be there already: then it is left as it is, and its comments and privileges with it.
 */
#ifndef PGARK_RESTORE_OUTCOME_H
#define PGARK_RESTORE_OUTCOME_H

#include "pg/archive_toc.h"
#include "restore/request.h"

typedef struct OutcomeFailure
{
    char *object; /* "TABLE public.t", "rows of public.t" */
    char sqlstate[6];
    char *message; /* one line */
    bool skipped;  /* never tried: what it depends on failed */
} OutcomeFailure;

typedef struct Outcome Outcome;

/* outcome_new is below ctx; toc must live as long. needed (per entry of toc): it may exist already. */
Outcome *outcome_new(void *ctx, const ArchiveToc *toc, const bool *needed, OnError on_error);

/* All of these may be called by several threads.
 * outcome_begin tells whether an entry is to be run; if not, because of what became of the objects
 * that it depends on, that is noted.
 * outcome_failed decides about a failure: true, and err is empty again: go on. A lost connection and
 * a cancelled run are never passed over.
 * outcome_rows_failed, outcome_other_failed: likewise for the rows of a table, and for what nothing
 * depends on. */
bool outcome_begin(Outcome *o, const TocEntry *e, const char *label);
bool outcome_failed(Outcome *o, const TocEntry *e, const char *label, Error *err);
bool outcome_rows_failed(Outcome *o, const char *label, Error *err);
bool outcome_other_failed(Outcome *o, const char *label, Error *err);

/* outcome_goes_on tells whether the others would pass over a failure; it notes nothing. */
bool outcome_goes_on(const Outcome *o, const Error *err);

/* outcome_rows_begin tells whether the table's definition is there. toc_oid: of the table at the
 * source. */
bool outcome_rows_begin(Outcome *o, uint32_t toc_oid, const char *label);

/* outcome_failures: all that was noted, in the order in which it happened. */
const OutcomeFailure *outcome_failures(const Outcome *o, size_t *ret_count);

#endif

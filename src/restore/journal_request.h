/*
 * restore/journal_request.h - what a restore was asked for, as far as one that goes on must agree.
 */
#ifndef PGARK_RESTORE_JOURNAL_REQUEST_H
#define PGARK_RESTORE_JOURNAL_REQUEST_H

#include "restore/node.h"

/* One thing that was asked for: both are plain ASCII, value is a hash where it may be long. */
typedef struct JournalTerm
{
    const char *name; /* for messages: "--schema-map" */
    const char *value;
} JournalTerm;

/* journal_terms lists them below ctx. The set comes first. What cannot change what is restored is not
 * among them: --memory, how many jobs beyond one, --no-analyze. */
JournalTerm *journal_terms(const RestoreNode *node, void *ctx, size_t *ret_count);

#endif

/*
 * cli/hook.h - programs of the user that run before and after a backup.
 */
#ifndef PGARK_CLI_HOOK_H
#define PGARK_CLI_HOOK_H

#include "base/cancel.h"
#include "base/mem.h"
#include "report/run_outcome.h"

/* A program with its arguments, NULL-terminated. No shell is in between. */
typedef struct Hook
{
    const char *name; /* "before" */
    char **argv;
} Hook;

/* hook_parse cuts text into words at blanks, below ctx. '...' keeps everything as it is, in "..." a
 * backslash takes " or \ literally, elsewhere any character. Nothing else is special: neither $ nor * nor ;
 * means a thing. ERR_USAGE: no word, or a quote that is not closed. */
Hook *hook_parse(void *ctx, const char *name, const char *text, Error *err);

/* hook_run runs the program and waits for its end, timeout_ms at most; then, or on cancel (may be NULL), it
 * and all of its process group is ended. What it prints goes to the log file line by line; stdin is empty. Its
 * environment is ours and, of the outcome: PGARK_HOOK (the name), PGARK_REPO, PGARK_PREFIX,
 * PGARK_FLEET_NAME; with ended also PGARK_OUTCOME, PGARK_SECONDS, of a set that was made PGARK_KEY, PGARK_ROWS,
 * PGARK_BYTES, PGARK_STORED, and else PGARK_ERROR, PGARK_ERROR_NODE, PGARK_ERROR_SQLSTATE. ERR_PROGRAM: it
 * failed, or took too long; ERR_NOT_FOUND; ERR_CANCELLED. The message begins with the hook's option. */
bool hook_run(const Hook *hook, const RunOutcome *outcome, bool ended, int64_t timeout_ms,
              const Cancel *cancel, Error *err) MUST_CHECK;

#endif

/*
 * base/proc.h - child programs, by argument vector, never through a shell.
 */
#ifndef PGARK_BASE_PROC_H
#define PGARK_BASE_PROC_H

#include "base/cancel.h"

typedef struct ProcSpec
{
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH when without slash */
    const char *const *env;  /* NULL or NULL-terminated "NAME=value" pairs added to ours */
    /* stdout of the child, block by block; NULL: it goes to /dev/null. false ends the child. */
    bool (*on_stdout)(void *arg, const void *data, size_t len, Error *err);
    void *arg;
    const int
        *input; /* descriptor for the child's stdin, closed here once it has it; NULL: /dev/null */
    const int *errors;    /* one that its stderr is copied to; NULL: none */
    const Cancel *cancel; /* may be NULL; when raised the child gets SIGTERM, then SIGKILL */
    int64_t timeout_ms;   /* likewise when the child has not ended then; 0: for ever */
} ProcSpec;

/* proc_run starts the program, feeds on_stdout, and waits for its end. Blocks.
 * ERR_NOT_FOUND: no such program. ERR_PROGRAM: it ended with a code or signal that is not 0; the
 * message holds the beginning and the end of its stderr, as one line; or it took too long. The end is that
 * of the child and of whatever else still has its stdout or stderr. ERR_CANCELLED; or what
 * on_stdout failed with. Should this process be killed, the child gets SIGTERM. */
bool proc_run(const ProcSpec *spec, Error *err) MUST_CHECK;

#endif

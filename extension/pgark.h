/*
 * extension/pgark.h - what the files of the extension share.
 *
 * The extension starts programs on the server's own host and waits for them; it does not know what they
 * do. Source compatibility: PostgreSQL 13 to 18.
 */
#ifndef PGARK_EXTENSION_PGARK_H
#define PGARK_EXTENSION_PGARK_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/* The version of what launch and program say to each other (job.c). */
#define PGARK_PROTOCOL 1

/* Settings, superusers' only. */
extern char *pgark_program; /* "" when nobody has set it */

/* launch_check_key ends with an ERROR unless key is one. launch_agent starts the agent of a kind that is one,
 * waits for it, and gives its result, a jsonb; its failure is an ERROR. */
extern void launch_check_key(const char *key);
extern Datum launch_agent(const char *kind, const char *key, Jsonb *job);

/* program_check ends with an ERROR unless path is a program that may be started as the server's own
 * user: an absolute path of a regular file that can be executed, that belongs to root or to the server's
 * user, and that nobody else may write. */
extern void program_check(const char *path);

/* job_message gives, palloc'ed, in UTF-8, what the program reads: see job.c. */
extern char *job_message(const char *kind, const char *key, Jsonb *job, size_t *ret_len);

/* job_for_log gives the job as text, palloc'ed, without secrets. */
extern char *job_for_log(Jsonb *job);

/* A program that has ended. */
typedef struct ChildResult
{
    StringInfo out;  /* all that it wrote to standard output */
    char last[1024]; /* the last line that it wrote to standard error; "" */
    int status;      /* of waitpid() */
} ChildResult;

/* Where a program's output may be no longer than so many bytes. */
#define CHILD_OUTPUT_MAX (256 * 1024 * 1024)

/* child_run starts argv[0] with a clean environment, writes input, and waits for the end.
 *
 * Standard input stays open behind what was written: its end tells the program that this session is
 * gone. All else that the program could have inherited is closed. Interrupts (a cancel request,
 * statement_timeout, the session's end), the client's end and any error end the program: SIGTERM, two
 * and a half seconds later SIGKILL. The death of this process, however it comes, sends it SIGTERM. */
extern void child_run(char *const *argv, const char *input, size_t input_len, ChildResult *ret);

#endif

/*
 * compat/restore_job.h - what gp_restore asks the agents on its nodes' hosts for, in both directions.
 */
#ifndef PGARK_COMPAT_RESTORE_JOB_H
#define PGARK_COMPAT_RESTORE_JOB_H

#include <jansson.h>

#include "compat/restore_run.h"

typedef struct RestoreNodeJob
{
    const char *dir;
    const char *status_dir; /* NULL: dir */
    const char *prefix;
    ScriptNode node;
    bool definitions; /* as in ScriptRestore */
    bool rows;
    bool post_data;
    bool go_on;
    const LegacyNames *tables; /* NULL: all */
    const char
        *database; /* the target's; on the agent's own server unless host names the coordinator */
    const char *host;
    int port;
    const char *identity; /* of the server that is meant: pg_server_identity() */
} RestoreNodeJob;

json_t *restore_job_json(const RestoreNodeJob *job, Error *err);
/* restore_job_parse: ERR_USAGE names what is wrong. Strings live with more, lists below ctx. */
bool restore_job_parse(void *ctx, json_t *more, RestoreNodeJob *ret, Error *err) MUST_CHECK;

#endif

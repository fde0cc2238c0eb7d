/*
 * agent/job.h - what a coordinator asks an agent to do: the job of pgark.launch, in both directions.
 *
 * A job says by options of pgark's own command line what is to be done (arguments), and by fields what
 * only coordinators know. Reading is strict: every field there, of its type, and none besides. What a
 * job may not say is which programs run and which files of the agent's host are read beside the
 * repository: the options that do are not among those that an agent takes.
 */
#ifndef PGARK_AGENT_JOB_H
#define PGARK_AGENT_JOB_H

#include "agent/order.h"
#include "backup/scope.h"

/* The kinds of agents. */
#define AGENT_BACKUP           "backup"  /* stores one node's part of a set */
#define AGENT_PUBLISH          "publish" /* puts the manifest beside it */
#define AGENT_DISCARD          "discard" /* or removes it, as the set is not to be */
#define AGENT_VERIFY           "verify"
#define AGENT_RESTORE          "restore"
#define AGENT_EXPIRE           "expire"
#define AGENT_RESTORE_PHYSICAL "restore_physical" /* makes data directories */

/* The session by which the coordinator looks at its agent, once a second: an agent that sees it end, or
 * sees it do nothing for long, knows that nobody waits for it. */
typedef struct AgentWatch
{
    int pid;             /* 0: there is no coordinator, only the session that waits for the agent */
    const char *started; /* pg_stat_activity.backend_start, as text */
} AgentWatch;

/* Fields of every job. */
typedef struct AgentJob
{
    int content;          /* of the node, as the coordinator numbers it */
    const char *repo;     /* --repo as given, with %c and %h */
    const char *password; /* of the agent's connections, NULL: none */
    AgentWatch watch;
    const char **arguments; /* options; argument_count of them, and NULL */
    size_t argument_count;
    json_t *more; /* what else the kind has: an object */
} AgentJob;

/* agent_job_write gives a job as JSON text, UTF-8, below ctx. job->more is the caller's; NULL: nothing. */
char *agent_job_write(void *ctx, const AgentJob *job, Error *err);

/* agent_job_read reads the job of an order, below ctx; strings live with the order. ERR_USAGE names what
 * is wrong, also when it comes from another version of pgark. */
bool agent_job_read(void *ctx, const AgentOrder *order, AgentJob *ret, Error *err) MUST_CHECK;

/* agent_job_read_plain reads the job of an agent that no coordinator asked for, but an SQL function
 * (extension/gp.c): arguments, password and more. */
bool agent_job_read_plain(void *ctx, const AgentOrder *order, AgentJob *ret, Error *err) MUST_CHECK;

/* What AGENT_BACKUP has more. */
typedef struct AgentBackupJob
{
    int dbid;
    bool globals;     /* the node's part has roles and tablespaces */
    const char *home; /* id of the coordinator's repository */
    const char *fleet;
    HoldNodeRecord snapshot; /* whose, and of which transaction that has the locks */
    const NodeScope *scope;  /* NULL: all that the arguments want */
} AgentBackupJob;

/* agent_backup_job_write gives the object for more; NULL with err. */
json_t *agent_backup_job_write(const AgentBackupJob *job, Error *err);

/* agent_backup_job_read reads it, below ctx. */
bool agent_backup_job_read(void *ctx, json_t *more, AgentBackupJob *ret, Error *err) MUST_CHECK;

#endif

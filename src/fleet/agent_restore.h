/*
 * fleet/agent_restore.h - a restore of a set whose nodes lie in repositories of their own: each node's part
 * by an agent on the host of its target, which has that repository.
 */
#ifndef PGARK_FLEET_AGENT_RESTORE_H
#define PGARK_FLEET_AGENT_RESTORE_H

#include <jansson.h>

#include "fleet/supervise.h"
#include "repo/repo.h"
#include "restore/request.h"

/* Agents are started from this database of the target's server, which needs the extension: the target
 * itself may not be there yet, or must be empty. */
#define AGENT_RESTORE_DATABASE "postgres"

/* agent_restore_wanted tells whether a wanted node of the set lies elsewhere. ERR_NOT_FOUND and the like:
 * there is no such set. */
bool agent_restore_wanted(const RestoreRequest *request, bool *ret_wanted, Error *err) MUST_CHECK;

typedef struct AgentRestoreResult
{
    Manifest *manifest; /* what precedes the tables */
    json_t *nodes;      /* an array: what every agent gave, by content; the caller's */
    int64_t elapsed_ms;
} AgentRestoreResult;

/* agent_restore restores the whole set through agents. arguments: the restore's options, as an agent takes
 * them. All agents check their node, then all begin; the first failure ends all. ERR_USAGE: the
 * map does not fit, or the set is of a fleet with a coordinator, whose parts must be in one place. Result
 * below ctx. */
bool agent_restore(void *ctx, const RestoreRequest *request, const char *const *arguments,
                   size_t argument_count, Supervisor *supervisor, ProgressMode mode,
                   AgentRestoreResult *ret, Error *err) MUST_CHECK;

#endif

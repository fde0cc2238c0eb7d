/*
 * fleet/agent_sets.h - verify and expire of sets whose nodes lie in repositories of their own: each node's
 * part by an agent on its host.
 */
#ifndef PGARK_FLEET_AGENT_SETS_H
#define PGARK_FLEET_AGENT_SETS_H

#include "fleet/topology.h"
#include "repo/part.h"
#include "repo/verify.h"
#include "report/progress.h"

typedef struct AgentSetsWork
{
    const Fleet *fleet;  /* its nodes' databases have the extension; content ids are the set's */
    Repo *repo;          /* home */
    const char *pattern; /* --repo as given */
    Cancel *cancel;      /* also raised by the first failure */
    Progress
        *progress; /* its nodes are those that agents are started on, in the fleet's (or the set's)
                           order; NULL: nobody looks */
} AgentSetsWork;

/* agent_sets_verify has every node of the set that is not here verified, with jobs threads each, and adds
 * what comes of it to ret (of verify_set), whose elsewhere is 0 then. What an agent finds wrong is a
 * problem; that one cannot be asked is a failure. ERR_USAGE: a node of the set is none of the fleet. */
bool agent_sets_verify(const AgentSetsWork *work, void *ctx, const char *set_dir, bool quick,
                       int jobs, VerifyResult *ret, Error *err) MUST_CHECK;

/* A part that was removed, or would be. */
typedef struct SweptPart
{
    int content;
    char key[SET_KEY_LEN];
} SweptPart;

/* agent_sets_sweep has every node of the fleet remove the parts whose set is gone from work->repo, as it is
 * now, without the sets in gone (which a dry run would have removed). Below ctx. */
bool agent_sets_sweep(const AgentSetsWork *work, void *ctx, const ExpireResult *gone, bool dry_run,
                      SweptPart **ret, size_t *ret_count, Error *err) MUST_CHECK;

#endif

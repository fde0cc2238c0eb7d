/*
 * fleet/agent_call.h - one agent on one node: starting it, following it, ending it.
 *
 * Two connections to the node's database. The launch connection runs pgark.launch, which returns when the
 * agent has ended: with its result, or with its error. The status connection listens, and looks once a
 * second at the agent's row in pgark.task; that it looks is the agent's sign that the coordinator
 * lives. A notification, which anybody can send, only makes it look earlier.
 */
#ifndef PGARK_FLEET_AGENT_CALL_H
#define PGARK_FLEET_AGENT_CALL_H

#include "agent/job.h"
#include "fleet/agent_state.h"
#include "pg/query.h"
#include "report/progress.h"

/* Where the agents of several nodes wait for each other: at each of these phases that their kind has, in this order.
 * Who is in one goes on when all wanted are. */
#define AGENT_CHECKED "checked"
#define AGENT_WRITTEN "written"
#define AGENT_WHOLE   "whole"
#define AGENT_STAGES  3
typedef struct AgentBarrier
{
    atomic_size_t reached[AGENT_STAGES];
    size_t wanted;
} AgentBarrier;

/* agent_barrier_meet is for who works here beside agents: blocks until all wanted are at that stage, 0 to AGENT_STAGES -
 * 1. ERR_CANCELLED. */
bool agent_barrier_meet(AgentBarrier *barrier, size_t stage, const Cancel *cancel, Error *err)
    MUST_CHECK;

typedef struct AgentCall
{
    /* Given by the caller: */
    const PgConnSpec *spec; /* as one connection to the node's database is made */
    char label[160];
    int content;
    const Cancel *cancel;
    AgentCounts *counts;
    ProgressNode *progress; /* what the agent reports; NULL: nobody looks */
    /* When the agent runs with locks of its own; NULL: nothing is to be done then. */
    void (*on_running)(void *arg);
    void *arg;
    AgentBarrier *barrier; /* NULL: the agent waits for nobody */
    int64_t tidy_ms;       /* how long an agent that is cancelled may take to remove what it has
                              written, before the server ends it; 0: at once */

    /* Filled: */
    void *ctx;
    PgConn *launch;
    PgConn *status;
    AgentWatch watch;
    AgentState state;
    bool all_run;  /* this was the last agent of all to run */
    bool released; /* it was told to go on, as all were as far */
    bool untidy;   /* cancelled, with tidy_ms, and what it has written may be there */
} AgentCall;

/* agent_call_place tells whether a repository's place is the same in every process on a host: an absolute path. ERR_USAGE. */
bool agent_call_place(const char *pattern, Error *err) MUST_CHECK;

/* agent_call_usable tells, by a connection to a node's database, whether agents can be started there.
 * *ret_usable false: why says what is missing, with a hint. */
bool agent_call_usable(PgConn *conn, bool *ret_usable, Error *why, Error *err) MUST_CHECK;

/* agent_call_open connects, and makes sure that agents can be started: ERR_USAGE otherwise. The node is
 * counted as connecting. agent_call_close is to be called in any case; a zeroed call is fine. */
bool agent_call_open(AgentCall *call, Error *err) MUST_CHECK;
void agent_call_close(AgentCall *call);

/* agent_call_event moves the state. */
void agent_call_event(AgentCall *call, AgentEvent event);

/* agent_call_run starts an agent of kind with key, and follows it to its end. job: content, password and
 * watch are filled here. *ret_result: its result, to be given back by json_decref. Errors are the agent's,
 * with their code; ERR_PROGRAM: it died; ERR_CONNECT: it, or its server, is not heard of any more;
 * ERR_CANCELLED: call->cancel was raised, and the agent has been told to end. */
bool agent_call_run(AgentCall *call, const char *kind, const char *key, AgentJob *job,
                    json_t **ret_result, Error *err) MUST_CHECK;

#endif

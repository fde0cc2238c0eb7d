/*
 * fleet/agent_state.h - the states of a node that an agent works for, and how they follow each other.
 *
 * One table (agent_state.c) says what every event means in every state; ARCHITECTURE.md has its picture.
 * Every state but the final ones has an end of its own (agent_state_limit_ms): a time, or the silence of
 * an agent that should report.
 */
#ifndef PGARK_FLEET_AGENT_STATE_H
#define PGARK_FLEET_AGENT_STATE_H

#include <pthread.h>

#include "base/error.h"

typedef enum AgentState
{
    AGENT_CONNECTING, /* the coordinator connects, and looks at the extension */
    AGENT_LOCKED,     /* the node's tables are locked by the coordinator's holder */
    AGENT_SNAPSHOT,   /* the cut is proven */
    AGENT_STARTED,    /* pgark.launch runs */
    AGENT_RUNNING,    /* the agent has reported that it works, with locks of its own */
    AGENT_FINISHED,
    AGENT_FAILED,    /* the agent, or what it needs, said why */
    AGENT_CANCELLED, /* another node's failure, or the user's wish */
    AGENT_LOST,      /* no word of it any more */
    AGENT_STATES,
} AgentState;

typedef enum AgentEvent
{
    EVENT_LOCKED,   /* all tables of the node are locked */
    EVENT_SNAPSHOT, /* the cut was taken */
    EVENT_LAUNCHED, /* the statement was sent */
    EVENT_STARTING, /* a report: it is there, and takes over */
    EVENT_RUNNING,  /* a report: it works */
    EVENT_RESULT,   /* pgark.launch returned */
    EVENT_FAILURE,  /* it failed, or something else of the node did */
    EVENT_CANCEL,   /* the run's cancel flag is up */
    EVENT_SILENCE,  /* the state's time is over */
    EVENT_GONE,     /* a connection is lost */
    AGENT_EVENTS,
} AgentEvent;

/* agent_state_next: what follows. Events that mean nothing in a state leave it as it is; those that
 * cannot be there lead to AGENT_FAILED. */
AgentState agent_state_next(AgentState state, AgentEvent event);

bool agent_state_is_final(AgentState state);
const char *agent_state_name(AgentState state);

/* agent_state_limit_ms: how long a state may last without a sign of life, 0: others bound it (the
 * connection's timeout, --lock-wait-timeout, --cut-timeout). */
int64_t agent_state_limit_ms(AgentState state);

/* How many nodes are in which state: a node is counted in exactly one, from agent_count_add on, whatever
 * happens to it. Thread-safe. */
typedef struct AgentCounts
{
    pthread_mutex_t mutex;
    size_t nodes;
    size_t in[AGENT_STATES];
    int64_t running_since_ms; /* when the last of all began to run; 0: not all have */
    size_t ran;               /* how many have begun to run */
} AgentCounts;

void agent_counts_init(AgentCounts *counts);
void agent_counts_free(AgentCounts *counts);

/* agent_counts_add: a node that is connecting. agent_counts_move: by an event; gives the new state.
 * *ret_all_run: this was the last node that began to run. */
void agent_counts_add(AgentCounts *counts);
AgentState agent_counts_move(AgentCounts *counts, AgentState state, AgentEvent event,
                             bool *ret_all_run);

#endif

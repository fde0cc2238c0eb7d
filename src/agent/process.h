/*
 * agent/process.h - the process of an agent: its order, its monitor, its last words.
 *
 * Its result goes to standard output as one JSON document, and the exit code is 0. A failure is three
 * lines there - an SQLSTATE "PKnnn" that says the ErrorCode, the message, the hint -, and the exit code 1;
 * pgark.launch makes an error of it, which the coordinator reads back (agent_failure_code).
 */
#ifndef PGARK_AGENT_PROCESS_H
#define PGARK_AGENT_PROCESS_H

#include "agent/monitor.h"

typedef struct AgentProcess
{
    void *ctx;
    AgentOrder order;
    AgentJob job;
    PgConnSpec spec; /* to its own server, through the local socket, as the session's user */
    Cancel *cancel;
    AgentMonitor *monitor;
    Progress *progress_all;
    ProgressNode *progress;
} AgentProcess;

/* What is to be known of a kind before its work begins. */
typedef struct AgentManner
{
    bool supervised; /* what is done runs under a supervisor, which looks at signals */
    bool plain;      /* no coordinator asks for it: agent_job_read_plain */
} AgentManner;

/* agent_process_begin reads order and job from standard input, and connects the monitor. manner tells the kind's;
 * arg is the caller's. false with err; agent_process_end is to be called in any case. */
bool agent_process_begin(AgentProcess *p, AgentManner (*manner)(const void *arg, const char *kind),
                         const void *arg, Error *err) MUST_CHECK;

/* agent_process_end tells the outcome everywhere, and gives the exit code. result is given up; NULL with
 * failure set. */
int agent_process_end(AgentProcess *p, json_t *result, Error *failure);

/* agent_failure_code gives what an SQLSTATE of pgark.launch says; ERR_NONE: it is not an agent's. */
ErrorCode agent_failure_code(const char *sqlstate);

#endif

/*
 * agent/monitor.h - the thread of an agent that talks to the coordinator, and listens.
 *
 * It owns the status connection. Once a second, and at every new phase, it writes into pgark.task what
 * the agent does; and it raises the cancel flag when
 *   somebody has called pgark.cancel: it is told by a notification, and looks into the table
 *   standard input ends: the server's process that started us is gone, or asks us to end
 *   a signal asks us to end (SIGTERM, SIGINT, SIGHUP; blocked in all threads by main())
 *   the coordinator's own status session (AgentWatch) is gone, or has not looked for AGENT_SILENCE_S
 *   the status connection is lost
 * A notification alone means nothing: whoever may connect can send one.
 */
#ifndef PGARK_AGENT_MONITOR_H
#define PGARK_AGENT_MONITOR_H

#include "agent/job.h"
#include "pg/query.h"
#include "report/progress.h"

#define AGENT_SILENCE_S 30 /* a coordinator looks every second */

typedef struct AgentMonitorSpec
{
    const PgConnSpec *spec; /* as whom; must live as long as the monitor */
    const AgentOrder *order;
    const AgentJob *job;
    const ProgressNode *progress; /* what is reported */
    int input;                    /* whose end is the end; -1: none */
    Cancel *
        cancel; /* what is raised. NULL: SIGTERM is sent to ourselves, and signals are not looked at:
                       for work that runs under a supervisor of its own */
} AgentMonitorSpec;

typedef struct AgentMonitor AgentMonitor;

/* agent_monitor_start connects, makes the row of pgark.task, and starts the thread. NULL with err. */
AgentMonitor *agent_monitor_start(const AgentMonitorSpec *spec, Error *err);

/* agent_monitor_phase says what the agent does from now on; the coordinator is told at once. phase: a
 * literal. Thread-safe. */
void agent_monitor_phase(AgentMonitor *monitor, const char *phase);

/* agent_monitor_wait reports phase, and blocks until the coordinator lets the agent go on: when all nodes
 * are as far. An agent can wait several times, each time in another phase than the one before. progress (NULL: as before) is what is reported from then on. ERR_CANCELLED. */
bool agent_monitor_wait(AgentMonitor *monitor, const char *phase, const ProgressNode *progress,
                        const Cancel *cancel, Error *err) MUST_CHECK;

/* agent_monitor_end notes the outcome (failure NULL: finished), ends the thread, frees. Blocks for
 * at most some seconds; that the outcome cannot be noted is no failure. NULL is fine. */
void agent_monitor_end(AgentMonitor *monitor, const Error *failure);

#endif

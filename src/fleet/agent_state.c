/* fleet/agent_state.c - the table of states; the contract is in agent_state.h. */
#include "fleet/agent_state.h"

#include "base/clock.h"

#define STARTING_MS 60000 /* the agent connects, and locks what is locked already */
#define SILENCE_MS  30000 /* an agent reports every second */

#define CON AGENT_CONNECTING
#define LOC AGENT_LOCKED
#define SNA AGENT_SNAPSHOT
#define STA AGENT_STARTED
#define RUN AGENT_RUNNING
#define FIN AGENT_FINISHED
#define FAI AGENT_FAILED
#define CAN AGENT_CANCELLED
#define LOS AGENT_LOST

/* A report may come late, or twice, and the one that it runs not at all where the result is quicker: what
 * decides is the result. A final state is never left. */
static const AgentState table[AGENT_STATES][AGENT_EVENTS] = {
    /*        LOCKED SNAPSHOT LAUNCHED STARTING RUNNING RESULT FAILURE CANCEL SILENCE GONE */
    [CON] = {LOC, FAI, STA, FAI, FAI, FAI, FAI, CAN, LOS, LOS},
    [LOC] = {LOC, SNA, FAI, FAI, FAI, FAI, FAI, CAN, LOS, LOS},
    [SNA] = {LOC, SNA, STA, FAI, FAI, FAI, FAI, CAN, LOS, LOS},
    [STA] = {FAI, FAI, FAI, STA, RUN, FIN, FAI, CAN, LOS, LOS},
    [RUN] = {FAI, FAI, FAI, RUN, RUN, FIN, FAI, CAN, LOS, LOS},
    [FIN] = {FIN, FIN, FIN, FIN, FIN, FIN, FIN, FIN, FIN, FIN},
    [FAI] = {FAI, FAI, FAI, FAI, FAI, FAI, FAI, FAI, FAI, FAI},
    [CAN] = {CAN, CAN, CAN, CAN, CAN, CAN, CAN, CAN, CAN, CAN},
    [LOS] = {LOS, LOS, LOS, LOS, LOS, LOS, LOS, LOS, LOS, LOS},
};

AgentState agent_state_next(AgentState state, AgentEvent event)
{
    return table[state][event];
}

bool agent_state_is_final(AgentState state)
{
    return state >= AGENT_FINISHED;
}

const char *agent_state_name(AgentState state)
{
    static const char *const names[AGENT_STATES] = {
        [CON] = "connecting", [LOC] = "locked",    [SNA] = "snapshot",
        [STA] = "started",    [RUN] = "running",   [FIN] = "finished",
        [FAI] = "failed",     [CAN] = "cancelled", [LOS] = "lost",
    };
    return names[state];
}

int64_t agent_state_limit_ms(AgentState state)
{
    return state == AGENT_STARTED ? STARTING_MS : state == AGENT_RUNNING ? SILENCE_MS : 0;
}

void agent_counts_init(AgentCounts *counts)
{
    memset(counts, 0, sizeof(*counts));
    pthread_mutex_init(&counts->mutex, NULL);
}

void agent_counts_free(AgentCounts *counts)
{
    pthread_mutex_destroy(&counts->mutex);
}

void agent_counts_add(AgentCounts *counts)
{
    pthread_mutex_lock(&counts->mutex);
    counts->nodes++;
    counts->in[AGENT_CONNECTING]++;
    pthread_mutex_unlock(&counts->mutex);
}

AgentState agent_counts_move(AgentCounts *counts, AgentState state, AgentEvent event,
                             bool *ret_all_run)
{
    AgentState next = agent_state_next(state, event);
    *ret_all_run = false;
    pthread_mutex_lock(&counts->mutex);
    counts->in[state]--;
    counts->in[next]++;
    if (state == AGENT_STARTED && (next == AGENT_RUNNING || next == AGENT_FINISHED))
    {
        counts->ran++;
        *ret_all_run = counts->ran == counts->nodes;
    }
    if (*ret_all_run)
        counts->running_since_ms = clock_ms();
    pthread_mutex_unlock(&counts->mutex);
    return next;
}

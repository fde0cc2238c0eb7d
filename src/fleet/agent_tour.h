/*
 * fleet/agent_tour.h - agents of one kind on several nodes at once.
 */
#ifndef PGARK_FLEET_AGENT_TOUR_H
#define PGARK_FLEET_AGENT_TOUR_H

#include "fleet/agent_call.h"

typedef struct AgentVisit
{
    int content;
    PgConnSpec spec; /* where the agent is started */
    json_t *more;    /* of its job; belongs to the visit */
    json_t *result;
    char label[160];
} AgentVisit;

typedef struct AgentTour
{
    const char *kind;
    const char *key;
    const char *repo; /* --repo as given */
    const char **arguments;
    size_t argument_count;
    AgentVisit *visits;
    size_t count;
    bool meet;          /* the agents wait for each other in phase AGENT_CHECKED */
    Cancel *cancel;     /* also raised by the first failure */
    Progress *progress; /* one node for each visit; NULL: nobody looks */
} AgentTour;

/* agent_tour_run starts an agent for each visit and waits for all; the first failure ends the others.
 * agent_tour_free gives back what belongs to the visits, whatever came of them. */
bool agent_tour_run(AgentTour *tour, Error *err) MUST_CHECK;
void agent_tour_free(AgentTour *tour);

#endif

/* fleet/agent_tour.c - several agents at once; the contract is in agent_tour.h. */
#include "fleet/agent_tour.h"

#include "base/parallel.h"

typedef struct Touring
{
    AgentTour *tour;
    AgentCounts counts;
    AgentBarrier barrier;
} Touring;

static bool visit_one(void *arg, size_t i, Error *err)
{
    Touring *t = arg;
    AgentTour *tour = t->tour;
    AgentVisit *v = &tour->visits[i];
    AgentCall call = {.spec = &v->spec,
                      .content = v->content,
                      .cancel = tour->cancel,
                      .counts = &t->counts,
                      .barrier = tour->meet ? &t->barrier : NULL,
                      .progress = tour->progress == NULL ? NULL : progress_node(tour->progress, i)};
    AgentJob job = {.repo = tour->repo,
                    .arguments = tour->arguments,
                    .argument_count = tour->argument_count,
                    .more = v->more};
    snprintf(call.label, sizeof(call.label), "node %d", v->content);
    bool ok = agent_call_open(&call, err);
    if (ok)
    {
        snprintf(call.label, sizeof(call.label), "node %d (%s:%s)", v->content,
                 PQhost(call.status->raw), PQport(call.status->raw));
        if (tour->progress != NULL)
            progress_label(tour->progress, i, call.label);
        ok = agent_call_run(&call, tour->kind, tour->key, &job, &v->result, err);
    }
    snprintf(v->label, sizeof(v->label), "%s", call.label);
    agent_call_close(&call);
    return ok;
}

bool agent_tour_run(AgentTour *tour, Error *err)
{
    Touring t = {.tour = tour, .barrier = {.wanted = tour->count}};
    agent_counts_init(&t.counts);
    bool ok = parallel_run(tour->count, visit_one, &t, tour->cancel, err);
    agent_counts_free(&t.counts);
    return ok;
}

void agent_tour_free(AgentTour *tour)
{
    for (size_t i = 0; i < tour->count; i++)
    {
        json_decref(tour->visits[i].more);
        json_decref(tour->visits[i].result);
    }
}

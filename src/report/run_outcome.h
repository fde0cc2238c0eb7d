/*
 * report/run_outcome.h - how a backup ended, for those who were not there: history, metrics, programs.
 */
#ifndef PGARK_REPORT_RUN_OUTCOME_H
#define PGARK_REPORT_RUN_OUTCOME_H

#include <jansson.h>

#include "repo/manifest.h"

typedef enum RunEnd
{
    RUN_DONE,
    RUN_WARNINGS, /* done, with something to look at */
    RUN_FAILED,
    RUN_CANCELLED,
} RunEnd;
#define RUN_END_COUNT 4

/* One database of one server. */
typedef struct RunNode
{
    int content;
    const char *database;
    RunEnd end;      /* of a run that failed: the node that failed it, and those that it stopped */
    uint64_t rows;   /* of a set that was made */
    uint64_t stored; /* bytes of chunks */
} RunNode;

typedef struct RunOutcome
{
    RunEnd end;
    const char *name;   /* of the fleet, as it is known before anything is connected to */
    const char *prefix; /* of the series, NULL: none */
    const char *repo;   /* URI */
    const char *asked;  /* options_describe() */
    int64_t started_us; /* wall clock */
    int64_t finished_us;
    int warnings;
    const Manifest *manifest; /* of the set that was made, NULL: none */
    const Error *error;       /* why there is none, NULL */
    RunNode *nodes;
    size_t node_count;
} RunOutcome;

/* run_end_word: "done", "warnings", "failed", "cancelled". */
const char *run_end_word(RunEnd end);

/* run_has_set tells whether the run made a set. */
static inline bool run_has_set(const RunOutcome *o)
{
    return o->end == RUN_DONE || o->end == RUN_WARNINGS;
}

/* run_outcome_json: the outcome as an object of plain fields; "error" only where there is one. */
json_t *run_outcome_json(const RunOutcome *o);

#endif

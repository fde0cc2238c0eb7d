/*
 * restore/request.h - what a restore is asked to do.
 */
#ifndef PGARK_RESTORE_REQUEST_H
#define PGARK_RESTORE_REQUEST_H

#include "pg/conn.h"

typedef struct RestoreTarget
{
    int content; /* the set's node that goes there */
    PgConnSpec spec;
} RestoreTarget;

typedef struct RestoreRequest
{
    const char *repo;
    const char *key; /* or "latest" */
    int jobs;        /* per node */
    bool create;
    bool analyze;
    RestoreTarget *targets;
    size_t target_count;
    bool single_target; /* -d: content not named; the set must have one node */
} RestoreRequest;

#endif

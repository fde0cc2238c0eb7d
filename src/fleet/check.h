/*
 * fleet/check.h - is this fleet ready to be backed up?
 */
#ifndef PGARK_FLEET_CHECK_H
#define PGARK_FLEET_CHECK_H

#include <limits.h>

#include "backup/node.h"
#include "fleet/supervise.h"
#include "fleet/topology.h"

typedef enum CheckLevel
{
    CHECK_OK,
    CHECK_WARNING,
    CHECK_FAILED,
} CheckLevel;

#define CHECK_REPOSITORY INT_MIN

typedef struct CheckItem
{
    int content;      /* node, CHECK_REPOSITORY: the repository */
    const char *what; /* "version", "clock", ... */
    CheckLevel level;
    char *text; /* the finding; with a hint behind "; " where something is to be done */
} CheckItem;

typedef struct CheckResult
{
    CheckItem *items;
    size_t count;
    size_t capacity;
    CheckLevel worst;
} CheckResult;

/* check_run connects to every node, changes nothing anywhere, and collects findings; a node that
 * cannot be reached is a finding, too. Only cancellation is a failure. Result below ctx. */
bool check_run(void *ctx, const Fleet *fleet, const BackupRequest *request, Supervisor *supervisor,
               CheckResult *result, Error *err) MUST_CHECK;

#endif

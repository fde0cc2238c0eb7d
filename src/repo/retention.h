/*
 * repo/retention.h - which sets go.
 */
#ifndef PGARK_REPO_RETENTION_H
#define PGARK_REPO_RETENTION_H

#include "repo/repo.h"

typedef struct ExpireRule
{
    int keep;            /* keep the newest N finished sets of each fleet; 0: no such rule */
    int older_than_days; /* remove finished sets that are older; 0: no such rule. The newest
                            finished set of a fleet always stays. */
    bool dry_run;
    bool parts; /* the caller sees to parts in other repositories (repo/part.h); otherwise sets
                            that have any stay */
} ExpireRule;

typedef struct ExpireResult
{
    size_t count, capacity;
    struct ExpiredSet
    {
        char key[SET_KEY_LEN];
        const char *why; /* "beyond --keep", "older than --older-than", "unfinished" */
    } * sets;
} ExpireResult;

/* retention_expire removes (or with dry_run only lists) what the rule says, and unfinished sets
 * that no live run owns. A set that the rule would remove but that is being read is left
 * alone with a warning; one that a live run makes is left alone silently. The manifest goes first,
 * so that a half removed set is an unfinished one. A set whose manifest cannot be read is kept and
 * warned about. */
bool retention_expire(Repo *repo, void *ctx, const ExpireRule *rule, ExpireResult *ret, Error *err)
    MUST_CHECK;

#endif

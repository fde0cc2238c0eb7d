/*
 * repo/retention.h - removing the sets that a rule lets go, and what dead runs have left.
 */
#ifndef PGARK_REPO_RETENTION_H
#define PGARK_REPO_RETENTION_H

#include "repo/repo.h"
#include "repo/retention_rule.h"

typedef struct ExpireRequest
{
    RetentionRule rule; /* all 0: only unfinished sets go */
    const char *prefix; /* only the finished sets of this series; NULL: those of every one */
    bool dry_run;
    bool parts; /* the caller sees to parts in other repositories (repo/part.h); otherwise sets that
                   have any stay */
} ExpireRequest;

typedef struct ExpireSet
{
    char key[SET_KEY_LEN];
    const char *
        why; /* it goes: "beyond --keep", "older than --older-than", "of that day", "kept by no rule",
                        "unfinished"; it stays: "newest", "--keep, --keep-daily", ...,
                        "needed by others" */
} ExpireSet;

typedef struct ExpireResult
{
    ExpireSet *removed; /* or, in a dry run, what would be */
    size_t count, capacity;
    ExpireSet *kept; /* finished sets that the rule was applied to */
    size_t kept_count, kept_capacity;
    bool scattered; /* finished sets have, or had, nodes in repositories of their own */
} ExpireResult;

/* retention_expire removes (or with dry_run only lists) what the rule lets go, and unfinished sets
 * that no live run owns. The rule is applied to each fleet, database and series by itself, and to sets
 * of everything apart from those that hold a part: a table that was saved in the afternoon never takes
 * the place of a whole backup. The newest of each of these kinds stays, whatever the rule says, and so
 * does what an incremental set that stays depends on. A set
 * that the rule would remove but that is being read is left alone with a warning; one that a live run
 * makes is left alone silently. The manifest goes first, so that a half removed set is an unfinished
 * one. A set whose manifest cannot be read is kept, warned about and not counted: it takes no sound
 * set's place. Where that is for another reason than damage (the disk fails, or a newer pgark wrote it), all older
 * sets stay as well, as it may depend on them. A set that somebody else removes at the same time is no failure. */
bool retention_expire(Repo *repo, void *ctx, const ExpireRequest *request, ExpireResult *ret,
                      Error *err) MUST_CHECK;

#endif

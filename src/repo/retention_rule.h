/*
 * repo/retention_rule.h - which sets a rule lets go: the decision, without looking at any storage.
 */
#ifndef PGARK_REPO_RETENTION_RULE_H
#define PGARK_REPO_RETENTION_RULE_H

#include "base/build.h"

/* What shall stay. Each member that is not 0 keeps sets, and a set stays if any of them keeps it: so
 * one more rule never removes more. */
typedef struct RetentionRule
{
    int keep;                /* the newest N */
    int keep_daily;          /* the newest set of each of the last N days that have one */
    int keep_weekly;         /* the same of weeks, from Monday to Sunday */
    int keep_monthly;        /* the same of months */
    int older_than_days;     /* all that are not older */
    const char *const *days; /* YYYYMMDD: all that are not of these days */
    size_t day_count;
} RetentionRule;

/* Why a set stays: bits. None: it goes. */
typedef enum RetentionReason
{
    RETENTION_NEWEST = 1 << 0, /* of its group: stays whatever the rule says */
    RETENTION_KEEP = 1 << 1,
    RETENTION_DAILY = 1 << 2,
    RETENTION_WEEKLY = 1 << 3,
    RETENTION_MONTHLY = 1 << 4,
    RETENTION_YOUNG = 1 << 5,
    RETENTION_NEEDED = 1 << 6, /* by a set that stays */
    RETENTION_OTHER_DAY = 1 << 7,
    RETENTION_NO_RULE = 1 << 8, /* nothing was asked for */
} RetentionReason;

typedef struct RetentionSet
{
    int64_t seconds;     /* when it was taken, since 1970 UTC */
    size_t group;        /* sets are compared within theirs only */
    bool needed;         /* by something that stays, and is none of these sets */
    const size_t *needs; /* sets that it cannot do without: positions, lower than its own */
    size_t need_count;
    unsigned reasons;
} RetentionSet;

/* retention_decide fills in the reasons of all sets, which come oldest first. Days, weeks and months are
 * those of UTC, as in keys. now_s: the wall clock. What a set needs that stays, stays. */
void retention_decide(const RetentionRule *rule, int64_t now_s, RetentionSet *sets, size_t count);

/* retention_keep makes a set stay that was to go, and all that it needs. */
void retention_keep(RetentionSet *sets, size_t i, unsigned reason);

#endif

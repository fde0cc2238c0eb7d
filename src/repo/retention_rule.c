/* repo/retention_rule.c - which sets a rule lets go; the contract is in retention_rule.h. */
#include "repo/retention_rule.h"

#include <time.h>

#define DAY_S INT64_C(86400)

typedef int64_t (*PeriodOf)(int64_t seconds);

static int64_t day_of(int64_t seconds)
{
    return seconds / DAY_S;
}

/* 1970-01-01 was a Thursday, the fourth day of its week. */
static int64_t week_of(int64_t seconds)
{
    return (seconds / DAY_S + 3) / 7;
}

static int64_t month_of(int64_t seconds)
{
    time_t t = (time_t) seconds;
    struct tm tm;
    gmtime_r(&t, &tm);
    return (int64_t) tm.tm_year * 12 + tm.tm_mon;
}

/* Sets come oldest first, so that those of one period lie side by side, and the first one that is met
 * from the end is the newest of its period. */
static void keep_periods(RetentionSet *sets, size_t count, size_t group, PeriodOf period_of,
                         int wanted, unsigned reason)
{
    int64_t last = INT64_MIN;
    for (size_t i = count; i-- > 0 && wanted > 0;)
    {
        if (sets[i].group != group || period_of(sets[i].seconds) == last)
            continue;
        last = period_of(sets[i].seconds);
        sets[i].reasons |= reason;
        wanted--;
    }
}

static void keep_newest(RetentionSet *sets, size_t count, size_t group, int wanted, unsigned reason)
{
    for (size_t i = count; i-- > 0 && wanted > 0;)
    {
        if (sets[i].group != group)
            continue;
        sets[i].reasons |= reason;
        wanted--;
    }
}

static void decide_group(const RetentionRule *rule, RetentionSet *sets, size_t count, size_t group)
{
    keep_newest(sets, count, group, 1, RETENTION_NEWEST);
    keep_newest(sets, count, group, rule->keep, RETENTION_KEEP);
    keep_periods(sets, count, group, day_of, rule->keep_daily, RETENTION_DAILY);
    keep_periods(sets, count, group, week_of, rule->keep_weekly, RETENTION_WEEKLY);
    keep_periods(sets, count, group, month_of, rule->keep_monthly, RETENTION_MONTHLY);
}

/* Needs point downward only: one pass from the end reaches all. */
static void keep_needed(RetentionSet *sets, size_t count)
{
    for (size_t i = count; i-- > 0;)
    {
        for (size_t k = 0; sets[i].reasons != 0 && k < sets[i].need_count; k++)
            sets[sets[i].needs[k]].reasons |= RETENTION_NEEDED;
    }
}

void retention_keep(RetentionSet *sets, size_t i, unsigned reason)
{
    sets[i].reasons |= reason;
    keep_needed(sets, i + 1);
}

static bool is_of_days(const RetentionRule *rule, int64_t seconds)
{
    char day[16];
    time_t t = (time_t) seconds;
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(day, sizeof(day), "%Y%m%d", &tm);
    for (size_t i = 0; i < rule->day_count; i++)
    {
        if (strcmp(rule->days[i], day) == 0)
            return true;
    }
    return false;
}

void retention_decide(const RetentionRule *rule, int64_t now_s, RetentionSet *sets, size_t count)
{
    bool any = rule->day_count > 0 || rule->keep > 0 || rule->keep_daily > 0 ||
               rule->keep_weekly > 0 || rule->keep_monthly > 0 || rule->older_than_days > 0;
    size_t groups = 0;
    for (size_t i = 0; i < count; i++)
    {
        bool young = rule->older_than_days > 0 &&
                     now_s - sets[i].seconds <= rule->older_than_days * DAY_S;
        bool other = rule->day_count > 0 && !is_of_days(rule, sets[i].seconds);
        sets[i].reasons = (any ? 0U : (unsigned) RETENTION_NO_RULE) |
                          (young ? (unsigned) RETENTION_YOUNG : 0U) |
                          (other ? (unsigned) RETENTION_OTHER_DAY : 0U) |
                          (sets[i].needed ? (unsigned) RETENTION_NEEDED : 0U);
        groups = sets[i].group >= groups ? sets[i].group + 1 : groups;
    }
    for (size_t g = 0; g < groups; g++)
        decide_group(rule, sets, count, g);
    keep_needed(sets, count);
}

/*
 * test/unit/test_retention.c - which sets a rule lets go: cases by hand, and properties of any rule over
 * random histories.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "repo/retention_rule.h"

#define SETS_MAX  60
#define GROUPS    3
#define NEEDS_MAX 4
#define HISTORIES 3000
#define DAY       INT64_C(86400)

typedef struct History
{
    RetentionSet sets[SETS_MAX];
    size_t needs[SETS_MAX][NEEDS_MAX]; /* sets[i].needs is needs[i] of the history at hand */
    size_t count;
    int64_t now;
} History;

static int64_t at(int year, int month, int day, int hour)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour};
    return (int64_t) timegm(&tm);
}

/* ---- by hand ---- */

static void decide(RetentionRule rule, RetentionSet *sets, size_t count)
{
    retention_decide(&rule, at(2026, 3, 10, 12), sets, count);
}

static void test_periods(void **state)
{
    (void) state;
    RetentionSet sets[] = {
        {.seconds = at(2026, 1, 31, 23)}, /* the last of January, a Saturday */
        {.seconds = at(2026, 2, 1, 0)},   /* a Sunday: the same week, another month */
        {.seconds = at(2026, 2, 2, 0)},   /* a Monday */
        {.seconds = at(2026, 3, 9, 1)},   {.seconds = at(2026, 3, 9, 2)},
    };
    const size_t n = LENGTH_OF(sets);
    decide((RetentionRule){.keep_daily = 2}, sets, n);
    assert_int_equal(sets[4].reasons, RETENTION_NEWEST | RETENTION_DAILY);
    assert_int_equal(sets[3].reasons, 0);
    assert_int_equal(sets[2].reasons, RETENTION_DAILY); /* days without a set do not count */
    assert_int_equal(sets[1].reasons, 0);
    decide((RetentionRule){.keep_weekly = 3}, sets, n);
    assert_int_equal(sets[2].reasons, RETENTION_WEEKLY);
    assert_int_equal(sets[1].reasons, RETENTION_WEEKLY);
    assert_int_equal(sets[0].reasons, 0);
    decide((RetentionRule){.keep_monthly = 3}, sets, n);
    assert_int_equal(sets[2].reasons, RETENTION_MONTHLY);
    assert_int_equal(sets[1].reasons, 0);
    assert_int_equal(sets[0].reasons, RETENTION_MONTHLY);
}

static void test_age(void **state)
{
    (void) state;
    RetentionSet sets[] = {
        {.seconds = at(2026, 3, 7, 11)}, /* three days and an hour */
        {.seconds = at(2026, 3, 7, 12)}, /* three days to the second */
        {.seconds = at(2026, 3, 12, 0)}, /* the clock was wrong */
    };
    decide((RetentionRule){.older_than_days = 3}, sets, LENGTH_OF(sets));
    assert_int_equal(sets[0].reasons, 0);
    assert_int_equal(sets[1].reasons, RETENTION_YOUNG);
    assert_int_equal(sets[2].reasons, RETENTION_NEWEST | RETENTION_YOUNG);
    /* A set stays if any rule keeps it. */
    decide((RetentionRule){.older_than_days = 3, .keep = 3}, sets, LENGTH_OF(sets));
    assert_int_equal(sets[0].reasons, RETENTION_KEEP);
}

static void test_none(void **state)
{
    (void) state;
    RetentionSet sets[] = {{.seconds = 0}, {.seconds = 1}};
    decide((RetentionRule){0}, sets, LENGTH_OF(sets));
    assert_int_equal(sets[0].reasons, RETENTION_NO_RULE);
    decide((RetentionRule){.keep = 1}, sets, 0);
}

/* ---- any rule, any history ---- */

static uint64_t random_state;

/* xorshift64: the same histories in every run. */
static unsigned dice(unsigned sides)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned) (random_state >> 33) % sides;
}

/* A half of the sets are full ones; the others were built on older ones of their group, a few of them or
 * all that one of them was built on. */
static void random_needs(History *h, size_t i)
{
    RetentionSet *set = &h->sets[i];
    size_t wanted = dice(2) == 0 ? 0 : 1 + dice(NEEDS_MAX);
    set->needed = dice(30) == 0;
    for (size_t k = i; k-- > 0 && set->need_count < wanted;)
    {
        if (h->sets[k].group == set->group && dice(3) > 0)
            h->needs[i][set->need_count++] = k;
    }
}

/* As pointers, which a copy of a history would have into the other one. */
static void link_needs(History *h)
{
    for (size_t i = 0; i < h->count; i++)
        h->sets[i].needs = h->needs[i];
}

static void random_history(History *h)
{
    static const int64_t steps[] = {1, 3600, DAY / 2, DAY, 3 * DAY, 20 * DAY};
    int64_t t = at(2024, 1, 1, 0) + dice(400 * 86400);
    *h = (History){.count = dice(SETS_MAX + 1)};
    for (size_t i = 0; i < h->count; i++)
    {
        t += 1 + (int64_t) dice((unsigned) steps[dice(LENGTH_OF(steps))]);
        h->sets[i] = (RetentionSet){.seconds = t, .group = dice(GROUPS)};
        random_needs(h, i);
    }
    h->now = t + (int64_t) dice(40 * 86400) - DAY;
}

static RetentionRule random_rule(void)
{
    RetentionRule rule = {0};
    if (dice(2) == 0)
        rule.keep = 1 + (int) dice(10);
    if (dice(2) == 0)
        rule.keep_daily = 1 + (int) dice(10);
    if (dice(2) == 0)
        rule.keep_weekly = 1 + (int) dice(6);
    if (dice(2) == 0)
        rule.keep_monthly = 1 + (int) dice(6);
    if (dice(2) == 0)
        rule.older_than_days = 1 + (int) dice(100);
    return rule;
}

static bool is_any(const RetentionRule *r)
{
    return r->keep > 0 || r->keep_daily > 0 || r->keep_weekly > 0 || r->keep_monthly > 0 ||
           r->older_than_days > 0;
}

typedef enum Period
{
    A_DAY,
    A_WEEK,
    A_MONTH,
} Period;

/* The period as people write it: another way than the one under test. */
static void period_name(char name[32], int64_t seconds, Period period)
{
    time_t t = (time_t) seconds;
    struct tm tm;
    gmtime_r(&t, &tm);
    switch (period)
    {
    case A_DAY:
        strftime(name, 32, "%Y-%m-%d", &tm);
        break;
    case A_WEEK:
        strftime(name, 32, "%G week %V", &tm);
        break;
    case A_MONTH:
        strftime(name, 32, "%Y-%m", &tm);
        break;
    }
}

/* Is set i the newest of its period, and that one of the last wanted ones that have a set? */
static bool kept_by_period(const History *h, size_t i, Period period, int wanted)
{
    char own[32];
    char last[32];
    int newer = 0;
    period_name(own, h->sets[i].seconds, period);
    memcpy(last, own, sizeof(last));
    for (size_t k = i + 1; k < h->count; k++)
    {
        char name[32];
        period_name(name, h->sets[k].seconds, period);
        if (h->sets[k].group != h->sets[i].group)
            continue;
        if (strcmp(name, own) == 0)
            return false;
        newer += strcmp(name, last) != 0 ? 1 : 0;
        memcpy(last, name, sizeof(last));
    }
    return newer < wanted;
}

static size_t rank_of(const History *h, size_t i)
{
    size_t rank = 0;
    for (size_t k = i + 1; k < h->count; k++)
        rank += h->sets[k].group == h->sets[i].group ? 1 : 0;
    return rank;
}

static bool stays_by_rule(const History *h, const RetentionRule *r, size_t i)
{
    size_t rank = rank_of(h, i);
    return !is_any(r) || h->sets[i].needed || rank == 0 || rank < (size_t) r->keep ||
           kept_by_period(h, i, A_DAY, r->keep_daily) ||
           kept_by_period(h, i, A_WEEK, r->keep_weekly) ||
           kept_by_period(h, i, A_MONTH, r->keep_monthly) ||
           (r->older_than_days > 0 && h->now - h->sets[i].seconds <= r->older_than_days * DAY);
}

/* Another way than the one under test: is it, or is one that cannot do without it, kept by a rule? */
static bool stays(const History *h, const RetentionRule *r, size_t i)
{
    if (stays_by_rule(h, r, i))
        return true;
    for (size_t k = i + 1; k < h->count; k++)
    {
        for (size_t n = 0; n < h->sets[k].need_count; n++)
        {
            if (h->needs[k][n] == i && stays(h, r, k))
                return true;
        }
    }
    return false;
}

static void decide_history(const RetentionRule *rule, History *h)
{
    link_needs(h);
    retention_decide(rule, h->now, h->sets, h->count);
}

/* The sets of a history that are wanted; what one of them needs must be among them. */
static void pick(const History *h, const bool *wanted, History *ret)
{
    size_t place[SETS_MAX];
    *ret = (History){.now = h->now};
    for (size_t i = 0; i < h->count; i++)
    {
        if (!wanted[i])
            continue;
        for (size_t n = 0; n < h->sets[i].need_count; n++)
        {
            assert_true(wanted[h->needs[i][n]]);
            ret->needs[ret->count][n] = place[h->needs[i][n]];
        }
        place[i] = ret->count;
        ret->sets[ret->count++] = h->sets[i];
    }
}

/* What is left of a history when a rule has been applied to it: never a set without what it needs. */
static void apply(const History *h, const RetentionRule *rule, History *ret)
{
    History copy = *h;
    bool kept[SETS_MAX];
    decide_history(rule, &copy);
    for (size_t i = 0; i < copy.count; i++)
        kept[i] = copy.sets[i].reasons != 0;
    pick(h, kept, ret);
}

static void check_decision(const History *h, const RetentionRule *rule)
{
    History copy = *h;
    decide_history(rule, &copy);
    for (size_t i = 0; i < copy.count; i++)
    {
        if ((copy.sets[i].reasons != 0) != stays(h, rule, i))
            fail_msg("set %zu of %zu: reasons %u", i, copy.count, copy.sets[i].reasons);
    }
}

/* A second run with the same rule finds nothing more to remove. */
static void check_settled(const History *h, const RetentionRule *rule)
{
    History once;
    History twice;
    apply(h, rule, &once);
    apply(&once, rule, &twice);
    assert_int_equal(once.count, twice.count);
}

/* One more rule never removes more. */
static void check_monotone(const History *h, const RetentionRule *rule)
{
    RetentionRule more = *rule;
    History few = *h;
    History many = *h;
    if (!is_any(rule))
        return;
    more.keep += (int) dice(5);
    more.keep_daily += (int) dice(5);
    more.keep_monthly += (int) dice(3);
    more.older_than_days += (int) dice(30);
    decide_history(rule, &few);
    decide_history(&more, &many);
    for (size_t i = 0; i < h->count; i++)
        assert_true(few.sets[i].reasons == 0 || many.sets[i].reasons != 0);
}

/* What becomes of a group depends on no other. */
static void check_apart(const History *h, const RetentionRule *rule)
{
    History all;
    size_t in_all = 0;
    apply(h, rule, &all);
    for (size_t i = 0; i < all.count; i++)
        in_all += all.sets[i].group == 1 ? 1 : 0;
    History alone;
    bool own[SETS_MAX];
    for (size_t i = 0; i < h->count; i++)
        own[i] = h->sets[i].group == 1;
    pick(h, own, &alone);
    History left;
    apply(&alone, rule, &left);
    assert_int_equal(left.count, in_all);
}

/* One that was to go and cannot: from then on it is as if a rule kept it. */
static void check_late(const History *h, const RetentionRule *rule)
{
    History copy = *h;
    decide_history(rule, &copy);
    for (size_t i = copy.count; i-- > 0;)
    {
        if (copy.sets[i].reasons == 0 && dice(4) == 0)
            retention_keep(copy.sets, i, RETENTION_NEEDED);
        for (size_t n = 0; copy.sets[i].reasons != 0 && n < copy.sets[i].need_count; n++)
            assert_int_not_equal(copy.sets[copy.needs[i][n]].reasons, 0);
    }
}

static void test_needs(void **state)
{
    (void) state;
    const size_t on_first[] = {0};
    const size_t on_both[] = {0, 1};
    RetentionSet sets[] = {
        {.seconds = 1},
        {.seconds = 2, .needs = on_first, .need_count = 1},
        {.seconds = 3, .needs = on_both, .need_count = 2},
        {.seconds = 4},
        {.seconds = 5, .group = 1, .needs = on_first, .need_count = 1},
    };
    decide((RetentionRule){.keep = 1}, sets, 4);
    assert_int_equal(sets[0].reasons,
                     0); /* the newest is a full one: no chain is needed any more */
    assert_int_equal(sets[2].reasons, 0);
    decide((RetentionRule){.keep = 2}, sets, 4);
    assert_int_equal(sets[2].reasons, RETENTION_KEEP);
    assert_int_equal(sets[1].reasons, RETENTION_NEEDED);
    assert_int_equal(sets[0].reasons, RETENTION_NEEDED);
    decide((RetentionRule){.keep = 1}, sets, 5); /* by a set of another group */
    assert_int_equal(sets[0].reasons, RETENTION_NEEDED);
    assert_int_equal(sets[1].reasons, 0);
    retention_keep(sets, 2, RETENTION_NEEDED);
    assert_int_equal(sets[1].reasons, RETENTION_NEEDED);
    sets[2].needed = true;
    decide((RetentionRule){.keep = 1}, sets, 4);
    assert_int_equal(sets[2].reasons, RETENTION_NEEDED);
    assert_int_equal(sets[1].reasons, RETENTION_NEEDED);
}

static void test_properties(void **state)
{
    (void) state;
    random_state = UINT64_C(0x9e3779b97f4a7c15);
    for (int i = 0; i < HISTORIES; i++)
    {
        History h;
        random_history(&h);
        RetentionRule rule = random_rule();
        check_decision(&h, &rule);
        check_settled(&h, &rule);
        check_monotone(&h, &rule);
        check_apart(&h, &rule);
        check_late(&h, &rule);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_periods),    cmocka_unit_test(test_age),
        cmocka_unit_test(test_none),       cmocka_unit_test(test_needs),
        cmocka_unit_test(test_properties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

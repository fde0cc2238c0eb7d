/* export/binary_time.c - dates and times; the contract is in binary_value.h. */
#include "export/binary_value.h"

#define US_PER_SECOND INT64_C(1000000)
#define US_PER_DAY    (INT64_C(86400) * US_PER_SECOND)

/* From 0000-03-01 to 2000-01-01. */
#define DAYS_TO_2000 INT64_C(730425)
#define DAYS_PER_ERA INT64_C(146097) /* 400 years */

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

/* Appends the date; *ret_bc: it lies before the year 1, whose mark comes behind the time. days are
 * counted from 2000-01-01, in the Gregorian calendar also before there was one. */
static void add_date(Str *out, int64_t days, bool *ret_bc)
{
    int64_t since = days + DAYS_TO_2000;
    int64_t era = floor_divide(since, DAYS_PER_ERA);
    int64_t day = since - era * DAYS_PER_ERA; /* of the era */
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t of_year = day - (365 * year + year / 4 - year / 100); /* from March on */
    int64_t month = (5 * of_year + 2) / 153;
    int64_t of_month = of_year - (153 * month + 2) / 5 + 1;
    month += month < 10 ? 3 : -9;
    year += era * 400 + (month <= 2 ? 1 : 0);
    *ret_bc = year <= 0;
    str_addu(out, (uint64_t) (year <= 0 ? 1 - year : year), 4);
    str_addc(out, '-');
    str_addu(out, (uint64_t) month, 2);
    str_addc(out, '-');
    str_addu(out, (uint64_t) of_month, 2);
}

static void add_time(Str *out, uint64_t us)
{
    uint64_t seconds = us / US_PER_SECOND;
    uint64_t fraction = us % US_PER_SECOND;
    int digits = 6;
    str_addu(out, seconds / 3600, 2);
    str_addc(out, ':');
    str_addu(out, seconds / 60 % 60, 2);
    str_addc(out, ':');
    str_addu(out, seconds % 60, 2);
    if (fraction == 0)
        return;
    for (; fraction % 10 == 0; fraction /= 10)
        digits--;
    str_addc(out, '.');
    str_addu(out, fraction, digits);
}

void value_date(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    int32_t days = value_i32(r);
    bool bc = false;
    if (days == INT32_MAX || days == INT32_MIN)
        str_add(out, days == INT32_MAX ? "infinity" : "-infinity");
    else
        add_date(out, days, &bc);
    str_add(out, bc ? " BC" : "");
}

static uint64_t time_of_day(ValueReader *r)
{
    int64_t us = value_i64(r);
    r->bad = r->bad || us < 0 || us > US_PER_DAY;
    return r->bad ? 0 : (uint64_t) us;
}

void value_time(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    add_time(out, time_of_day(r));
}

void value_timetz(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    add_time(out, time_of_day(r));
    int32_t west = value_i32(r); /* seconds */
    if (west <= -86400 || west >= 86400)
        r->bad = true;
    if (r->bad)
        return;
    int32_t seconds = west < 0 ? -west : west;
    str_addf(out, "%c%02d", west > 0 ? '-' : '+', seconds / 3600);
    if (seconds % 3600 != 0)
        str_addf(out, ":%02d", seconds / 60 % 60);
    if (seconds % 60 != 0)
        str_addf(out, ":%02d", seconds % 60);
}

static void add_timestamp(ValueReader *r, const char *zone, Str *out)
{
    int64_t us = value_i64(r);
    bool bc;
    if (us == INT64_MAX || us == INT64_MIN)
    {
        str_add(out, us == INT64_MAX ? "infinity" : "-infinity");
        return;
    }
    /* Not us minus the days: near the lowest value that product is none. */
    int64_t of_day = us % US_PER_DAY;
    add_date(out, floor_divide(us, US_PER_DAY), &bc);
    str_addc(out, ' ');
    add_time(out, (uint64_t) (of_day < 0 ? of_day + US_PER_DAY : of_day));
    str_add(out, zone);
    str_add(out, bc ? " BC" : "");
}

void value_timestamp(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    add_timestamp(r, "", out);
}

void value_timestamptz(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    add_timestamp(r, "+00", out);
}

/* As AddPostgresIntPart and EncodeInterval in adt/datetime.c: a part behind a negative one shows
 * its sign. */
typedef struct IntervalText
{
    Str *out;
    bool empty;
    bool before; /* the last part was negative */
} IntervalText;

static void add_part(IntervalText *t, int value, const char *unit)
{
    if (value == 0)
        return;
    str_addf(t->out, "%s%s%d %s%s", t->empty ? "" : " ", t->before && value > 0 ? "+" : "", value,
             unit, value != 1 ? "s" : "");
    t->before = value < 0;
    t->empty = false;
}

static void add_clock(IntervalText *t, int64_t us)
{
    uint64_t left = us < 0 ? UINT64_C(0) - (uint64_t) us : (uint64_t) us;
    if (us == 0 && !t->empty)
        return;
    str_addf(t->out, "%s%s", t->empty ? "" : " ", us < 0 ? "-" : t->before ? "+" : "");
    add_time(t->out, left);
}

void value_interval(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    int64_t us = value_i64(r);
    int32_t days = value_i32(r);
    int32_t months = value_i32(r);
    IntervalText t = {.out = out, .empty = true};
    bool can_end = r->server_version_num >= 170000;
    if (can_end && us == INT64_MAX && days == INT32_MAX && months == INT32_MAX)
        str_add(out, "infinity");
    else if (can_end && us == INT64_MIN && days == INT32_MIN && months == INT32_MIN)
        str_add(out, "-infinity");
    else
    {
        add_part(&t, months / 12, "year");
        add_part(&t, months % 12, "mon");
        add_part(&t, days, "day");
        add_clock(&t, us);
    }
}

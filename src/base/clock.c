/* base/clock.c - the two clocks; the contract is in clock.h. */
#include "base/clock.h"

#include <time.h>

int64_t clock_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
    return clock_us() / 1000;
}

int64_t clock_wall_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

char *clock_iso(char buf[CLOCK_ISO_LEN], int64_t wall_us)
{
    time_t seconds = (time_t) (wall_us / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(buf, CLOCK_ISO_LEN, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return buf;
}

void clock_sleep_ms(int ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long) (ms % 1000) * 1000000};
    nanosleep(&ts, NULL);
}

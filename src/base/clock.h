/*
 * base/clock.h - the two clocks.
 *
 * Durations come from the monotonic clock only, so that a wall clock that steps cannot disturb a
 * run; the wall clock (UTC) is for keys and for people.
 */
#ifndef PGARK_BASE_CLOCK_H
#define PGARK_BASE_CLOCK_H

#include "base/build.h"

/* clock_ms and clock_us: monotonic, from an arbitrary start. */
int64_t clock_ms(void);
int64_t clock_us(void);

/* clock_wall_us: microseconds since 1970-01-01 UTC. */
int64_t clock_wall_us(void);

/* clock_iso writes "2026-11-20T23:15:02Z" for wall_us microseconds since 1970; returns buf. */
#define CLOCK_ISO_LEN 32
char *clock_iso(char buf[CLOCK_ISO_LEN], int64_t wall_us);

/* clock_sleep_ms sleeps, at most the given time (a signal may end it early). */
void clock_sleep_ms(int ms);

#endif

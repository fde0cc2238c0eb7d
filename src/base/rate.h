/*
 * base/rate.h - no more than so many bytes in a second, whoever of several threads wants them.
 */
#ifndef PGARK_BASE_RATE_H
#define PGARK_BASE_RATE_H

#include "base/cancel.h"

typedef struct RateLimit RateLimit;

/* rate_new: bytes_per_s > 0. Below ctx. */
RateLimit *rate_new(void *ctx, uint64_t bytes_per_s);

/* rate_take waits until the bytes are due; who is late by up to a tenth of a second may catch up. Thread-safe.
 * ERR_CANCELLED. */
bool rate_take(RateLimit *rate, uint64_t bytes, const Cancel *cancel, Error *err) MUST_CHECK;

/* rate_delay is the reckoning behind it, with a clock of the caller's: for how many us to wait. */
int64_t rate_delay(RateLimit *rate, uint64_t bytes, int64_t now_us);

#endif

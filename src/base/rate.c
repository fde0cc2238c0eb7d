/* base/rate.c - so many bytes in a second; the contract is in rate.h. */
#include "base/rate.h"

#include <poll.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"

#define LATE_US 100000

struct RateLimit
{
    pthread_mutex_t mutex;
    uint64_t bytes_per_s;
    int64_t due_us; /* when all that was taken is due */
};

static int rate_free(RateLimit *rate)
{
    pthread_mutex_destroy(&rate->mutex);
    return 0;
}

RateLimit *rate_new(void *ctx, uint64_t bytes_per_s)
{
    RateLimit *rate = mem_new(ctx, RateLimit);
    pthread_mutex_init(&rate->mutex, NULL);
    rate->bytes_per_s = bytes_per_s;
    rate->due_us = INT64_MIN;
    talloc_set_destructor(rate, rate_free);
    return rate;
}

int64_t rate_delay(RateLimit *rate, uint64_t bytes, int64_t now_us)
{
    /* Split, so that it does not overflow; rounded up, so that bytes one by one take their time, too. */
    uint64_t rest = (bytes % rate->bytes_per_s) * 1000000;
    int64_t cost = (int64_t) (bytes / rate->bytes_per_s * 1000000 +
                              (rest + rate->bytes_per_s - 1) / rate->bytes_per_s);
    pthread_mutex_lock(&rate->mutex);
    if (rate->due_us < now_us - LATE_US)
        rate->due_us = now_us - LATE_US;
    rate->due_us += cost;
    int64_t delay = rate->due_us - now_us;
    pthread_mutex_unlock(&rate->mutex);
    return delay < 0 ? 0 : delay;
}

bool rate_take(RateLimit *rate, uint64_t bytes, const Cancel *cancel, Error *err)
{
    int64_t now = clock_us();
    int64_t until = now + rate_delay(rate, bytes, now);
    while (cancel_check(cancel, err))
    {
        int64_t ms = (until - clock_us() + 999) / 1000;
        struct pollfd fd = {.fd = cancel_fd(cancel), .events = POLLIN};
        if (ms <= 0)
            return true;
        poll(&fd, 1, ms > 1000 ? 1000 : (int) ms);
    }
    return false;
}

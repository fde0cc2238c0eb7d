/*
 * io/limit.c - no more bytes than expected.
 */
#include "io/limit.h"

typedef struct Limit
{
    IoStage stage;
    uint64_t max;
    uint64_t left;
} Limit;

static bool limit_write(IoStage *stage, const void *data, size_t len, Error *err)
{
    Limit *limit = (Limit *) stage;

    if (len > limit->left)
        return error_set(err, ERR_CORRUPT, "more than the expected %" PRIu64 " bytes", limit->max);
    limit->left -= len;
    return io_write(stage->next, data, len, err);
}

static void limit_reset(IoStage *stage)
{
    Limit *limit = (Limit *) stage;

    limit->left = limit->max;
}

static void limit_free(IoStage *stage)
{
    mem_free(stage);
}

static const IoStageOps limit_ops = {
    .name = "limit",
    .write = limit_write,
    .reset = limit_reset,
    .free = limit_free,
};

IoStage *io_limit_new(uint64_t max, IoStage *next)
{
    Limit *limit = mem_new(NULL, Limit);

    limit->stage.ops = &limit_ops;
    limit->stage.next = next;
    io_limit_set(&limit->stage, max);
    return &limit->stage;
}

void io_limit_set(IoStage *stage, uint64_t max)
{
    Limit *limit = (Limit *) stage;

    limit->max = max;
    limit->left = max;
}

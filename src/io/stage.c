/*
 * io/stage.c - driving a chain, and the two stages every chain has: a sink and a buffer.
 */
#include "io/stage.h"

bool io_write(IoStage *chain, const void *data, size_t len, Error *err)
{
    if (len == 0 || chain == NULL)
        return true;
    return chain->ops->write(chain, data, len, err);
}

bool io_finish(IoStage *chain, Error *err)
{
    for (IoStage *stage = chain; stage != NULL; stage = stage->next)
    {
        if (stage->ops->finish != NULL && !stage->ops->finish(stage, err))
            return false;
    }
    return true;
}

void io_reset(IoStage *chain)
{
    for (IoStage *stage = chain; stage != NULL; stage = stage->next)
    {
        if (stage->ops->reset != NULL)
            stage->ops->reset(stage);
    }
}

void io_free(IoStage *chain)
{
    while (chain != NULL)
    {
        IoStage *next = chain->next;

        chain->ops->free(chain);
        chain = next;
    }
}

static void stage_free(IoStage *stage)
{
    mem_free(stage);
}

/* ---- sink ---- */

typedef struct Sink
{
    IoStage stage;
    IoSinkWrite write;
    void *arg;
} Sink;

static bool sink_write(IoStage *stage, const void *data, size_t len, Error *err)
{
    Sink *sink = (Sink *) stage;

    return sink->write(sink->arg, data, len, err);
}

static const IoStageOps sink_ops = {.name = "sink", .write = sink_write, .free = stage_free};

IoStage *io_sink_new(IoSinkWrite write, void *arg)
{
    Sink *sink = mem_new(NULL, Sink);

    sink->stage.ops = &sink_ops;
    sink->write = write;
    sink->arg = arg;
    return &sink->stage;
}

/* ---- buffer ---- */

typedef struct Buffer
{
    IoStage stage;
    size_t used;
    unsigned char data[IO_BUFFER_SIZE];
} Buffer;

static bool buffer_flush(IoStage *stage, Error *err)
{
    Buffer *b = (Buffer *) stage;
    size_t used = b->used;

    b->used = 0;
    return io_write(stage->next, b->data, used, err);
}

static bool buffer_write(IoStage *stage, const void *data, size_t len, Error *err)
{
    Buffer *b = (Buffer *) stage;
    const unsigned char *p = data;

    while (len > 0)
    {
        size_t n = IO_BUFFER_SIZE - b->used;

        /* A block that would only be copied through goes on as it is. */
        if (b->used == 0 && len >= IO_BUFFER_SIZE)
            return io_write(stage->next, p, len, err);
        if (n > len)
            n = len;
        memcpy(b->data + b->used, p, n);
        b->used += n;
        p += n;
        len -= n;
        if (b->used == IO_BUFFER_SIZE && !buffer_flush(stage, err))
            return false;
    }
    return true;
}

static void buffer_reset(IoStage *stage)
{
    ((Buffer *) stage)->used = 0;
}

static const IoStageOps buffer_ops = {
    .name = "buffer",
    .write = buffer_write,
    .finish = buffer_flush,
    .reset = buffer_reset,
    .free = stage_free,
};

IoStage *io_buffer_new(IoStage *next)
{
    Buffer *b = mem_new(NULL, Buffer);

    b->stage.ops = &buffer_ops;
    b->stage.next = next;
    return &b->stage;
}

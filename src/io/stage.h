/*
 * io/stage.h - a chain of stages that bytes are pushed through.
 *
 * Backup:  COPY rows -> tap(xxh3) -> rows -> compressor -> tap(sha256) -> sink (object or bundle)
 * Restore: object -> tap(sha256) -> decompressor -> tap(xxh3) -> rows -> sink (COPY)
 *
 * A stage owns the stage behind it: freeing the first frees the chain. Every stage returns its
 * status; none may hold a whole object; buffers are allocated once, when the stage is made.
 * After io_finish() a chain may be used again for another object by io_reset().
 */
#ifndef PGARK_IO_STAGE_H
#define PGARK_IO_STAGE_H

#include "base/error.h"
#include "base/mem.h"

#define IO_BUFFER_SIZE ((size_t) 131072)

typedef struct IoStage IoStage;

typedef struct IoStageOps
{
    const char *name;
    bool (*write)(IoStage *stage, const void *data, size_t len, Error *err) MUST_CHECK;
    /* NULL: nothing to flush; flushes own state, not the next's */
    bool (*finish)(IoStage *stage, Error *err) MUST_CHECK;
    void (*reset)(IoStage *stage); /* NULL: no state */
    void (*free)(IoStage *stage);
} IoStageOps;

/* The first member of every stage. */
struct IoStage
{
    const IoStageOps *ops;
    IoStage *next; /* NULL for a sink */
};

/* io_write pushes len bytes (0 is fine); io_finish flushes the whole chain, in order, to its sink;
 * io_reset prepares the whole chain for the next object; io_free frees the chain, NULL is fine. */
bool io_write(IoStage *chain, const void *data, size_t len, Error *err) MUST_CHECK;
bool io_finish(IoStage *chain, Error *err) MUST_CHECK;
void io_reset(IoStage *chain);
void io_free(IoStage *chain);
DEFINE_AUTO(IoStage, io_free)

/* A sink hands everything to a function. */
typedef bool (*IoSinkWrite)(void *arg, const void *data, size_t len, Error *err);
IoStage *io_sink_new(IoSinkWrite write, void *arg);

/* io_buffer_new gathers small writes into blocks of IO_BUFFER_SIZE. */
IoStage *io_buffer_new(IoStage *next);

#endif

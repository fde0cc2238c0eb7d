/*
 * io/worker.h - a stage behind which a chain runs on a thread of its own.
 *
 * What is written is copied into blocks; the thread pushes them through the chain behind, in order. So that
 * a slow codec or disk and whoever writes work at the same time; memory is bounded by the number of blocks.
 */
#ifndef PGARK_IO_WORKER_H
#define PGARK_IO_WORKER_H

#include "io/stage.h"

/* io_worker_new starts the thread; NULL with err set, and next freed, where there is none to be had. A failure of
 * the chain behind is that of the next write, or of io_finish, which returns when all of it has gone through and
 * the chain behind is finished. io_reset and io_free may be called whenever nobody writes. */
IoStage *io_worker_new(size_t blocks, IoStage *next, Error *err);

#endif

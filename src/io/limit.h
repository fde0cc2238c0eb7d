/*
 * io/limit.h - a stage that refuses more bytes than expected (a decompression bomb, an altered
 * object), before they reach what lies behind.
 */
#ifndef PGARK_IO_LIMIT_H
#define PGARK_IO_LIMIT_H

#include "io/stage.h"

/* io_limit_new passes up to max bytes; one more is ERR_CORRUPT. io_limit_set changes max for the
 * next object (call it with io_reset). */
IoStage *io_limit_new(uint64_t max, IoStage *next);
void io_limit_set(IoStage *stage, uint64_t max);

#endif

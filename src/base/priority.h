/*
 * base/priority.h - giving way to others: of this process, and of those that it starts.
 */
#ifndef PGARK_BASE_PRIORITY_H
#define PGARK_BASE_PRIORITY_H

#include "base/error.h"

/* priority_nice sets the niceness to nice (0 to 19) unless it is higher already. priority_io_idle lets the
 * disk serve everybody else first, with an I/O scheduler that knows of it. Both before any thread is started.
 * ERR_INTERNAL. */
bool priority_nice(int nice, Error *err) MUST_CHECK;
bool priority_io_idle(Error *err) MUST_CHECK;

#endif

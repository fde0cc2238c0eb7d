/*
 * base/fd.h - file descriptors.
 */
#ifndef PGARK_BASE_FD_H
#define PGARK_BASE_FD_H

#include "base/error.h"

/* fd_write writes all of it, and goes on after interruptions; name is what the error calls it. ERR_STORAGE. */
bool fd_write(int fd, const char *name, const void *data, size_t len, Error *err) MUST_CHECK;

/* fd_temporary opens a new file below TMPDIR (/tmp) that has no name; -1 on failure, ERR_STORAGE. */
int fd_temporary(Error *err) MUST_CHECK;

#endif

/*
 * base/fd.h - file descriptors.
 */
#ifndef PGARK_BASE_FD_H
#define PGARK_BASE_FD_H

#include "base/error.h"

/* fd_write writes all of it, and goes on after interruptions; name is what the error calls it. ERR_STORAGE. */
bool fd_write(int fd, const char *name, const void *data, size_t len, Error *err) MUST_CHECK;

/* fd_pass hands all from where fd is to its end to take, in blocks; name is what the error calls it. ERR_STORAGE, or
 * what take fails with. */
typedef bool (*FdTake)(void *arg, const void *data, size_t len, Error *err);
bool fd_pass(int fd, const char *name, FdTake take, void *arg, Error *err) MUST_CHECK;

/* fd_temporary opens a new file below TMPDIR (/tmp) that has no name; -1 on failure, ERR_STORAGE. */
int fd_temporary(Error *err) MUST_CHECK;

#endif

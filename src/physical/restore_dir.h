/*
 * physical/restore_dir.h - the directories that a restore writes to.
 *
 * All paths are absolute, without links, "." and ".." in them, as realpath(3) gives them.
 */
#ifndef PGARK_PHYSICAL_RESTORE_DIR_H
#define PGARK_PHYSICAL_RESTORE_DIR_H

#include "base/error.h"
#include "base/mem.h"

typedef struct RestoreDir
{
    char *path;
    bool made;   /* by restore_dir_make, not there before */
    bool opened; /* by restore_dir_make */
    int fd;      /* of it */
} RestoreDir;

/* restore_dir_check looks at the directory that a user named: it must be empty and this user's, or not there,
 * where its parent is, in which this user can make it. what names it in messages. path is filled; nothing is changed. ERR_USAGE, ERR_EXISTS. */
bool restore_dir_check(void *ctx, const char *path, const char *what, RestoreDir *ret, Error *err)
    MUST_CHECK;

/* restore_dir_overlap: they are the same, or one lies in the other. */
bool restore_dir_overlap(const RestoreDir *a, const RestoreDir *b);

/* restore_dir_make makes the directory unless it is there, with mode 0700, and opens it: from here on it is locked, and
 * the kernel keeps for restore_dir_sync what it could not write. ERR_EXISTS: it is locked, or not empty any more.
 * restore_dir_close closes it, if it is open. */
bool restore_dir_make(RestoreDir *dir, Error *err) MUST_CHECK;
void restore_dir_close(RestoreDir *dir);

/* restore_dir_clear removes everything in one that is open, and it where it was made; what cannot be removed is
 * warned about. */
void restore_dir_clear(const RestoreDir *dir);

/* restore_dir_space tells what this user can still write there, and on which device. */
bool restore_dir_space(const RestoreDir *dir, uint64_t *ret_free, uint64_t *ret_device, Error *err)
    MUST_CHECK;

/* restore_dir_sync makes everything durable that was written to its file system since restore_dir_make; also what
 * could not be written long before is its failure. */
bool restore_dir_sync(const RestoreDir *dir, Error *err) MUST_CHECK;

#endif

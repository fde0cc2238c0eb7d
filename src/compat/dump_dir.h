/*
 * compat/dump_dir.h - the directory that a dump goes to, and the place beside its files where its set is for
 * as long as scripts are made of it: DIR/.gp_dump_KEY.set.
 */
#ifndef PGARK_COMPAT_DUMP_DIR_H
#define PGARK_COMPAT_DUMP_DIR_H

#include "compat/dump_names.h"

typedef struct DumpDir
{
    const char *path;
    Storage *storage;
    const char *work;     /* name of the place, NULL: none */
    const char *set_repo; /* a repository in it, as a pattern for --repo */
    StorageLock *lock;    /* of the place */
    char key[SET_KEY_LEN];
} DumpDir;

/* dump_dir_make makes a directory with the parents that are missing, mode 0700. ERR_USAGE: something else
 * has its name. */
bool dump_dir_make(const char *path, Error *err) MUST_CHECK;

/* dump_dir_open makes the directory, removes what dead runs have left, and makes the place. key NULL: the
 * current second, or the next free one. ERR_EXISTS: there are files of that key. Below ctx. */
DumpDir *dump_dir_open(void *ctx, const char *path, const char *prefix, const char *key,
                       Error *err);

/* dump_dir_close removes the place; NULL is fine. What cannot be removed is warned about. */
void dump_dir_close(DumpDir *dir);

#endif

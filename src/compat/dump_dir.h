/*
 * compat/dump_dir.h - the directory that a dump goes to, and the place beside its files where its set is for
 * as long as scripts are made of it: DIR/.gp_dump_KEY.set; of an agent, which may share the directory with others
 * of the same dump, DIR/.gp_dump_KEY_N_D.set. Scripts are written there, too, and have their names in the directory
 * when all of them are complete.
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

/* dump_dir_is_upward: a part of the path is . or .., so that it does not say by itself where it is. */
bool dump_dir_is_upward(const char *path);

/* dump_dir_make makes a directory with the parents that are missing, mode 0700. ERR_USAGE: something else
 * has its name. */
bool dump_dir_make(const char *path, Error *err) MUST_CHECK;

typedef struct DumpDirSpec
{
    const char *path;
    const char *prefix; /* of the files' names; NULL: none */
    const char *key;    /* NULL: the current second, or the next free one */
    const char *mark;   /* what else the place is called by; "" for a whole dump's */
    const char *own; /* only files with that in their names are in the way; NULL: all of the key */
} DumpDirSpec;

/* dump_dir_open makes the directory, removes what dead runs have left, and makes the place. ERR_EXISTS: there
 * are files of that key. Below ctx. */
DumpDir *dump_dir_open(void *ctx, const DumpDirSpec *spec, Error *err);

/* dump_dir_place gives the path of a file in the place, below ctx; dump_dir_reveal gives it the same name in the
 * directory, which dump_dir_sync makes durable. */
char *dump_dir_place(const DumpDir *dir, void *ctx, const char *name);
bool dump_dir_reveal(const DumpDir *dir, const char *name, Error *err) MUST_CHECK;
bool dump_dir_sync(const DumpDir *dir, Error *err) MUST_CHECK;

/* dump_dir_close removes the place; NULL is fine. What cannot be removed is warned about. */
void dump_dir_close(DumpDir *dir);

#endif

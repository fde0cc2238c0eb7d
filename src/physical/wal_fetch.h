/*
 * physical/wal_fetch.h - one file of WAL, from a set to where a server wants it: its restore_command.
 */
#ifndef PGARK_PHYSICAL_WAL_FETCH_H
#define PGARK_PHYSICAL_WAL_FETCH_H

#include "base/error.h"

#define WAL_FETCH_COMMAND "get-wal"

/* wal_fetch writes the file of that name of a node of the set to path; *ret_found false: the set has none of that
 * name, which servers ask for to find out. A file that is not what the manifest says is ERR_CORRUPT, and is not
 * there then. */
bool wal_fetch(const char *repo, const char *key, int content, const char *name, const char *path,
               bool *ret_found, Error *err) MUST_CHECK;

#endif

/*
 * physical/wal_fetch.h - one file of WAL, from a set to where a server wants it: its restore_command.
 */
#ifndef PGARK_PHYSICAL_WAL_FETCH_H
#define PGARK_PHYSICAL_WAL_FETCH_H

#include "base/error.h"

#define WAL_FETCH_COMMAND "get-wal"
#define WAL_FETCH_ARCHIVE "archive"

/* wal_fetch writes the file of that name of a node of the set to path; *ret_found false: there is none of that
 * name, which servers ask for to find out. With archive, what receive-wal has received of that server goes before
 * what the set has, as the set's last segment is not complete; of one that is not complete there either, what has
 * come. A file that is not what the records say is ERR_CORRUPT, and is not there then. */
bool wal_fetch(const char *repo, const char *key, int content, const char *name, const char *path,
               bool archive, bool *ret_found, Error *err) MUST_CHECK;

#endif

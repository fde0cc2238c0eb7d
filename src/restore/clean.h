/*
 * restore/clean.h - drops what a restore is about to make (--clean).
 */
#ifndef PGARK_RESTORE_CLEAN_H
#define PGARK_RESTORE_CLEAN_H

#include "base/str.h"
#include "restore/node.h"

/* clean_statement sets sql to what drops the entry, as pg_restore does (pg_backup_archiver.c:
 * RestoreArchive): the archived statement, with if_exists made to bear that the object is not
 * there. False: nothing drops it. */
bool clean_statement(Str *sql, const TocEntry *e, bool if_exists);

/* clean_target drops everything of node->toc that is wanted by itself, last first, through
 * node->main. In one transaction, so that a failure leaves the target as it was; one statement after
 * another where the server cannot hold that many locks, or failures are to be passed over. Nothing
 * is ever dropped with CASCADE: what other objects depend on is an error that names them. */
bool clean_target(RestoreNode *node, Error *err) MUST_CHECK;

#endif

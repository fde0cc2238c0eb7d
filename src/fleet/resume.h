/*
 * fleet/resume.h - whether a run may go on with what another one, that died, has left.
 */
#ifndef PGARK_FLEET_RESUME_H
#define PGARK_FLEET_RESUME_H

#include "backup/node.h"
#include "fleet/topology.h"
#include "repo/hold.h"

/* resume_describe lists, below ctx, what of a request decides what is in the set: what two runs that
 * make one set must agree in. */
void resume_describe(const BackupRequest *request, void *ctx, char ***ret, size_t *ret_count);

/* resume_open opens the repository and finds the hold of set request->key, without changing anything.
 * *fleet becomes, below ctx, the databases that the set has, where all were wanted: those that were
 * created since are left out. ERR_NOT_FOUND: there is no such set, or its snapshots are gone;
 * ERR_EXISTS: it is finished; ERR_LOCK: its run lives; ERR_USAGE: it was asked for something else, the
 * message says what. */
bool resume_open(void *ctx, const BackupRequest *request, const Fleet **fleet, Repo **ret_repo,
                 HoldFile **ret_file, Error *err) MUST_CHECK;

/* resume_note_base adds to what resume_describe has listed the base that a run has chosen; resume_base
 * finds it, NULL: that run had none. */
void resume_note_base(void *ctx, const char *key, char ***texts, size_t *count);
const char *resume_base(const HoldFile *file);

/* resume_match gives every connected node its record in the file (node->held). ERR_USAGE: fleet or
 * nodes are not the set's. */
bool resume_match(const HoldFile *file, const char *fleet_name, BackupNode *nodes, size_t count,
                  Error *err) MUST_CHECK;

/* resume_helps tells whether a run that failed so may succeed if it goes on later, without anything
 * else being asked for: a server or the storage was not there or full, a lock was in the way. */
bool resume_helps(const Error *failure, bool resumed);

#endif

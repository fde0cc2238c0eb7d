/*
 * physical/chain.h - an incremental physical set, and the sets that it is incremental to.
 *
 * Each holds of every file what has changed since the one before it; the oldest is whole. A set that depends on
 * others is restored and verified with all of them.
 */
#ifndef PGARK_PHYSICAL_CHAIN_H
#define PGARK_PHYSICAL_CHAIN_H

#include "repo/repo.h"

typedef struct ChainSet
{
    char *dir; /* in the repository */
    Manifest *m;
    StorageLock *lock; /* shared: keeps expire away; NULL: of the newest, which is the caller's */
} ChainSet;

typedef struct Chain
{
    ChainSet *sets; /* the oldest first, the set itself last */
    size_t count;
} Chain;

/* chain_open finds, locks and reads what the set in set_dir (m) is incremental to; of one that is whole there is
 * none but itself. ERR_NOT_FOUND: a set is gone; ERR_CORRUPT: they are no chain - a node is another server there, or
 * of another major version, or a set is incremental to another one. Below ctx; to be closed in any case. */
bool chain_open(Repo *repo, void *ctx, const char *set_dir, Manifest *m, Chain *ret, Error *err)
    MUST_CHECK;

/* chain_close gives the locks back. */
void chain_close(Chain *chain);

#endif

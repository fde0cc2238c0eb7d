/*
 * fleet/keeper.h - a process beside a run that keeps the snapshots of the cut should the run die.
 *
 * The keeper is this program, started once more (keeper_main) in a session of its own, so that nothing
 * that ends the run or its terminal's processes ends it. It has one connection to every database of
 * the run, whose transaction imports the run's snapshot, takes the locks that the run's holder has at
 * that time, and exports the snapshot again.
 *
 * It ends when it is told to (keeper_end, keeper_stop, SIGTERM), when one of its transactions is lost,
 * and, once the run is dead, when the set is finished or removed or when its time is over. The time
 * begins when the run has died, and again when a run that resumed the set has.
 */
#ifndef PGARK_FLEET_KEEPER_H
#define PGARK_FLEET_KEEPER_H

#include "backup/node.h"
#include "repo/hold.h"

/* The first argument of the program when it is to be a keeper. */
#define KEEPER_COMMAND "hold-snapshots"

typedef struct Keeper Keeper;

/* What a run has to be kept. */
typedef struct KeeperJob
{
    Repo *repo;
    const RepoSet *set;
    const BackupNode *nodes; /* with the cut's snapshots, which their scouts export */
    size_t count;
    const Cancel *cancel;
    HoldFile *file; /* to be written as hold.jsonl; nodes, host and pid are filled here, below it */
} KeeperJob;

/* keeper_start returns when the keeper holds everything and hold.jsonl says so. NULL with err: it
 * could not, and is gone. Blocks for as long as connecting takes, at most a minute. */
Keeper *keeper_start(const KeeperJob *job, Error *err);

/* keeper_end ends the keeper and waits until it is gone; NULL is fine. */
void keeper_end(Keeper *keeper);

/* keeper_keep asks the keeper whether it still holds everything, and leaves it to itself then: true,
 * and its time begins now. false: it does not. Frees keeper in both cases. */
bool keeper_keep(Keeper *keeper);

/* keeper_stop ends the keeper that another run has left with a set, on whatever host, and waits until
 * it lets go of its lock. ERR_LOCK: it did not within some seconds. */
bool keeper_stop(Repo *repo, const char *set_dir, Error *err) MUST_CHECK;

/* keeper_main is that process; it reads what it is to do from standard input, a socket. Returns the
 * exit code. */
int keeper_main(void);

#endif

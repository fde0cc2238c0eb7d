/*
 * fleet/space.h - is there room for the set that a run is about to make?
 */
#ifndef PGARK_FLEET_SPACE_H
#define PGARK_FLEET_SPACE_H

#include "backup/node.h"
#include "repo/repo.h"

/* What is known before a row has been read. */
typedef struct SpaceEstimate
{
    uint64_t
        tables; /* bytes of heap and TOAST of what is to be copied, over all nodes; the planner's page counts,
                        so what has grown since the last VACUUM or ANALYZE is not in it */
    uint64_t needed; /* what the set will take in the repository */
    bool by_earlier; /* by what an earlier set of the fleet and series took, compressed alike */
} SpaceEstimate;

/* space_estimate asks the nodes, which are connected and have their list of tables. All of them write into one
 * repository, so their parts add up. */
bool space_estimate(Repo *repo, BackupNode *nodes, size_t count, const char *fleet,
                    SpaceEstimate *ret, Error *err) MUST_CHECK;

/* space_guess is the reckoning behind it. Without an earlier set, a twentieth of the tables: sets are rarely
 * smaller, and a run that could succeed is not refused. With one (logical > 0), tables are taken to compress
 * as its rows did - but a heap may be bloated where COPY data is not, so not for more than half as much
 * again as that set took, unless that is less than the twentieth. */
uint64_t space_guess(uint64_t tables, uint64_t earlier_logical, uint64_t earlier_stored);

/* space_guess_incremental: of a set that will be built on another, not more than a full one takes. Half as
 * much again as the newest such set took by itself; without one, only what every set takes. */
uint64_t space_guess_incremental(uint64_t full, bool has_earlier, uint64_t earlier_own);

/* space_check refuses a run (ERR_STORAGE) whose set would not fit, or would leave less than min_free per cent of
 * the file system. */
bool space_check(Repo *repo, const SpaceEstimate *estimate, int min_free, Error *err) MUST_CHECK;

#endif

/*
 * physical/recovery_target.h - where the recovery of a physical set ends.
 *
 * Without a wish at the set's own restore point, which its own WAL reaches. Anything later needs WAL that is
 * received all the time (repo/wal_archive.h); several servers can only come back to a point that is of one instant
 * on all of them: one that restore-point has made, or that of another set of the fleet, which "pgark_KEY" means as
 * well as its name.
 */
#ifndef PGARK_PHYSICAL_RECOVERY_TARGET_H
#define PGARK_PHYSICAL_RECOVERY_TARGET_H

#include "repo/repo.h"

typedef struct RecoveryTarget
{
    const char *name; /* of a restore point; NULL: a time */
    const char *time; /* as servers read it, in UTC; NULL: a name */
    int64_t time_us;  /* of either, 0: not known */
    bool archive;     /* WAL behind the set's is needed */
} RecoveryTarget;

/* recovery_target_parse_time reads "2026-11-20 23:15:02.5+01" (also with T, Z, +01:00, and without a fraction) as
 * microseconds since 1970. Without a time zone, or no time: ERR_USAGE. */
bool recovery_target_parse_time(const char *text, int64_t *ret_us, Error *err) MUST_CHECK;

/* What a user asks for: one of them, or neither. */
typedef struct RecoveryWish
{
    const char *name;
    const char *time;
} RecoveryWish;

/* recovery_target_find turns a wish into a target for the given nodes of a set; its texts
 * live below ctx. Of several nodes a time becomes the nearest common point before it. ERR_NOT_FOUND: there is no such
 * point, or WAL up to it is missing; ERR_USAGE: it lies before the end of the base backups. */
bool recovery_target_find(void *ctx, Repo *repo, const Manifest *m, const int *contents,
                          size_t count, RecoveryWish wish, RecoveryTarget *ret, Error *err)
    MUST_CHECK;

#endif

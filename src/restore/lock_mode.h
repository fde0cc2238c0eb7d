/*
 * restore/lock_mode.h - PostgreSQL's table locks and which of them exclude each other.
 *
 * Source: "Table-Level Locks" in PostgreSQL's manual, the same in all versions; lockdefs.h numbers
 * them alike.
 */
#ifndef PGARK_RESTORE_LOCK_MODE_H
#define PGARK_RESTORE_LOCK_MODE_H

#include "base/build.h"

typedef enum LockMode
{
    LOCK_ACCESS_SHARE = 1,
    LOCK_ROW_SHARE,
    LOCK_ROW_EXCLUSIVE,
    LOCK_SHARE_UPDATE_EXCLUSIVE,
    LOCK_SHARE,
    LOCK_SHARE_ROW_EXCLUSIVE,
    LOCK_EXCLUSIVE,
    LOCK_ACCESS_EXCLUSIVE,
    LOCK_MODE_COUNT,
} LockMode;

/* lock_mode_conflicts tells whether two transactions cannot have a and b on one table at the same
 * time; lock_mode_conflicts_with is the same for a set of modes, each a bit 1 << mode. */
bool lock_mode_conflicts(LockMode a, LockMode b);
bool lock_mode_conflicts_with(LockMode a, unsigned set);

#endif

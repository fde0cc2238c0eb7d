/* restore/lock_mode.c - PostgreSQL's conflict table; the contract is in lock_mode.h. */
#include "restore/lock_mode.h"

#define BIT(mode) (1U << (LOCK_##mode))

/* Every mode from this one up. */
#define FROM(mode) ((1U << LOCK_MODE_COUNT) - BIT(mode))

static const unsigned conflicts[LOCK_MODE_COUNT] = {
    [LOCK_ACCESS_SHARE] = FROM(ACCESS_EXCLUSIVE),
    [LOCK_ROW_SHARE] = FROM(EXCLUSIVE),
    [LOCK_ROW_EXCLUSIVE] = FROM(SHARE),
    [LOCK_SHARE_UPDATE_EXCLUSIVE] = FROM(SHARE_UPDATE_EXCLUSIVE),
    [LOCK_SHARE] = FROM(ROW_EXCLUSIVE) & ~BIT(SHARE),
    [LOCK_SHARE_ROW_EXCLUSIVE] = FROM(ROW_EXCLUSIVE),
    [LOCK_EXCLUSIVE] = FROM(ROW_SHARE),
    [LOCK_ACCESS_EXCLUSIVE] = FROM(ACCESS_SHARE),
};

bool lock_mode_conflicts_with(LockMode a, unsigned set)
{
    return (conflicts[a] & set) != 0;
}

bool lock_mode_conflicts(LockMode a, LockMode b)
{
    return lock_mode_conflicts_with(a, 1U << b);
}

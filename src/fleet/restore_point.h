/*
 * fleet/restore_point.h - a restore point of one instant on all nodes of a fleet, at any time.
 */
#ifndef PGARK_FLEET_RESTORE_POINT_H
#define PGARK_FLEET_RESTORE_POINT_H

#include "backup/request.h"
#include "fleet/supervise.h"
#include "fleet/topology.h"
#include "repo/point.h"

/* restore_point_make makes it behind the barrier that a physical backup ends with (fleet/cut.h), and notes it in the
 * repository, so that a restore finds it by name or time. Of the request repository, cut and its time are looked at.
 * Result below ctx. ERR_EXISTS: the fleet has one of that name. */
bool restore_point_make(void *ctx, const Fleet *fleet, const BackupRequest *request,
                        const char *name, Supervisor *supervisor, Point *ret, Error *err)
    MUST_CHECK;

#endif

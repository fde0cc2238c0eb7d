/*
 * fleet/restore_physical.h - one restore of a physical set: data directories on this host.
 */
#ifndef PGARK_FLEET_RESTORE_PHYSICAL_H
#define PGARK_FLEET_RESTORE_PHYSICAL_H

#include "fleet/supervise.h"
#include "physical/restore.h"

/* restore_physical finds the set, which must be a physical one (ERR_USAGE), and restores what the request names
 * (physical/restore.h). Result below ctx. */
bool restore_physical(void *ctx, const PhysicalRestoreRequest *request, Supervisor *supervisor,
                      ProgressMode mode, PhysicalRestoreResult *ret, Error *err) MUST_CHECK;

#endif

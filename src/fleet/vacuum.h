/*
 * fleet/vacuum.h - VACUUM of every database of a fleet, before or after a backup.
 */
#ifndef PGARK_FLEET_VACUUM_H
#define PGARK_FLEET_VACUUM_H

#include "fleet/topology.h"

/* vacuum_fleet runs VACUUM in all databases: of several nodes at the same time, of several databases of one
 * server one after the other, so that one session of each server is busy. Tables that the role may not
 * vacuum are passed over by the server, with a notice. Blocks, cancellably. */
bool vacuum_fleet(void *ctx, const Fleet *fleet, Cancel *cancel, Error *err) MUST_CHECK;

#endif

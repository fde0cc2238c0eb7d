/*
 * restore/target.h - the database that is restored into: there and empty, or to be created.
 */
#ifndef PGARK_RESTORE_TARGET_H
#define PGARK_RESTORE_TARGET_H

#include "restore/node.h"

/* target_prepare decides the database's name (node->database) and proves that it is empty, or with
 * --create that it does not exist yet. Without a name in the target's conninfo, or with that of an
 * existing maintenance database (postgres, template1), --create makes a database of the set's own
 * name. ERR_EXISTS names the first object found. A standby, and a role that may not create the
 * database, are refused. node->main is then a connection there, to the target or to a maintenance
 * database, and node->spec names that one server only. */
bool target_prepare(RestoreNode *node, Error *err) MUST_CHECK;

/* target_create runs CREATE DATABASE through the maintenance database. */
bool target_create(RestoreNode *node, Error *err) MUST_CHECK;

/* target_set_encoding makes names go over conn as the set has them. */
bool target_set_encoding(const RestoreNode *node, PgConn *conn, Error *err) MUST_CHECK;

/* target_connect opens one connection to the target database, in the encoding of the set's chunks,
 * with the archive's session settings. */
PgConn *target_connect(RestoreNode *node, const char *role, Error *err);

#endif

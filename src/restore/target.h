/*
 * restore/target.h - the database that is restored into: there and empty, or to be created.
 */
#ifndef PGARK_RESTORE_TARGET_H
#define PGARK_RESTORE_TARGET_H

#include "restore/node.h"

/* target_prepare decides the database's name (node->database) and proves that it is there; with
 * --create it need not be. Where it is, node->journal is opened. Without a name in the target's
 * conninfo, or with that of an existing maintenance database (postgres, template1), --create makes a
 * database of the set's own name. A standby, a server older than the source (unless failures are to
 * be passed over, or only rows restored), and a role that may not create the database, are refused.
 * node->main is then a connection there, to the target or to a maintenance database, and node->spec
 * names that one server only. */
bool target_prepare(RestoreNode *node, Error *err) MUST_CHECK;

/* target_check proves, with --create, that the database is not there (or may be dropped), where no
 * restore into it goes on. A database "postgres" that is there and empty is good, too: node->fills.
 * ERR_EXISTS, ERR_NOT_FOUND, ERR_USAGE. */
bool target_check(RestoreNode *node, Error *err) MUST_CHECK;

/* target_refuse_content proves that the database is empty. ERR_EXISTS names the first object found. */
bool target_refuse_content(RestoreNode *node, Error *err) MUST_CHECK;

/* target_make_globals makes the roles and tablespaces of node->globals that are not there. */
bool target_make_globals(RestoreNode *node, Error *err) MUST_CHECK;

/* target_create runs, with --clean, DROP DATABASE, and then CREATE DATABASE, through the maintenance
 * database. */
bool target_create(RestoreNode *node, Error *err) MUST_CHECK;

/* target_drop_database drops the database of the target's name, if it is there, on the server that conn is
 * connected to; what servers of a cluster keep open there is ended. */
bool target_drop_database(const RestoreNode *node, PgConn *conn, Error *err) MUST_CHECK;

/* target_set_encoding makes names go over conn as the set has them. */
bool target_set_encoding(const RestoreNode *node, PgConn *conn, Error *err) MUST_CHECK;

/* target_connect opens one connection to the target database, in the encoding of the set's chunks,
 * with the archive's session settings, as the role that was asked for. */
PgConn *target_connect(RestoreNode *node, const char *role, Error *err);

/* target_connect_to opens one to another server of the same target in the same way. */
PgConn *target_connect_to(RestoreNode *node, const PgConnSpec *server, const char *role,
                          Error *err);

#endif

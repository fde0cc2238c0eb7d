/*
 * restore/globals.h - roles and tablespaces of a set, made on a target that lacks them.
 *
 * A set has them as the SQL that pg_dumpall --globals-only wrote. Roles and tablespaces that the
 * target has already stay as they are: neither a password nor an attribute of theirs is touched.
 * Memberships are granted in any case.
 */
#ifndef PGARK_RESTORE_GLOBALS_H
#define PGARK_RESTORE_GLOBALS_H

#include "pg/conn.h"
#include "repo/manifest.h"

typedef struct Globals Globals;

/* globals_read reads a node's globals below ctx; their length and SHA-256 must be those of the
 * record. ERR_NOT_FOUND: the set has none; ERR_CORRUPT. */
Globals *globals_read(void *ctx, Storage *st, const char *set_dir, const NodeRecord *node,
                      CompressMethod method, Error *err);

/* globals_parse makes them from the SQL itself: the part that is fuzzed. Any text is accepted. */
Globals *globals_parse(void *ctx, const char *sql);

/* globals_has_role and globals_has_tablespace tell whether they create one of that name. */
bool globals_has_role(const Globals *g, const char *name);
bool globals_has_tablespace(const Globals *g, const char *name);

/* globals_create makes on conn's server what is not there. Nothing is ever there by half, whenever it
 * ends: all roles come in one transaction, then each tablespace gets its name in the one that gives it its
 * settings; until then it is called pgark_restore_ and a hash, and the same globals take it over.
 * Sessions of one database that do so take turns, and find what was made before: two nodes may go into one server.
 * ERR_QUERY-class failures name the statement's object, never a password. */
bool globals_create(const Globals *g, PgConn *conn, Error *err) MUST_CHECK;

#endif

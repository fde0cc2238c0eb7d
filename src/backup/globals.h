/*
 * backup/globals.h - what a server has besides its databases: roles, tablespaces.
 */
#ifndef PGARK_BACKUP_GLOBALS_H
#define PGARK_BACKUP_GLOBALS_H

#include "backup/node.h"

/* globals_path is where, in a set, those of the node's server are; below ctx. */
char *globals_path(void *ctx, const BackupNode *node);

/* globals_dump stores what pg_dumpall --globals-only says of the node's server: roles with their
 * passwords (unless no_role_passwords), settings and memberships, tablespaces. Fills
 * node->record.globals. They are shared by all databases and pg_dumpall takes no snapshot from
 * others, so they are as they were shortly after the cut. */
bool globals_dump(BackupNode *node, Error *err) MUST_CHECK;

#endif

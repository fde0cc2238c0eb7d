/*
 * compat/dump_files.h - the nodes of a dump, and which files each has.
 */
#ifndef PGARK_COMPAT_DUMP_FILES_H
#define PGARK_COMPAT_DUMP_FILES_H

#include "compat/dump_run.h"
#include "fleet/backup_run.h"

/* dump_files_wanted: files of the node with that dbid were asked for. */
bool dump_files_wanted(const DumpRequest *r, int dbid);

/* dump_files_name, of a node's file of the key, with its suffix; dump_files_path: in a directory. Below ctx. */
char *dump_files_name(void *ctx, const DumpRequest *r, const char *key, const DumpNode *node,
                      DumpFileKind kind);
char *dump_files_path(void *ctx, const DumpRequest *r, const char *dir, const char *key,
                      const DumpNode *node, DumpFileKind kind);

/* dump_files_fleet fills result's nodes with what is known before the backup: enough for the report of one that
 * fails. dump_files_set fills them from the set, whose nodes they are in the same order. result->key is known; their
 * scripts will be in dir. */
void dump_files_fleet(void *ctx, const DumpRequest *r, const char *dir, DumpResult *result);
void dump_files_set(void *ctx, const DumpRequest *r, const char *dir, const Manifest *m,
                    DumpResult *result);

/* dump_files_backup takes the set of the key into repo, a place of the dump's own: not durable, as it is gone when the scripts are
 * there. work: what agents make in its place; NULL: without agents. Blocks, as backup_run() does. */
bool dump_files_backup(void *ctx, const DumpRequest *r, const char *repo, const char *key,
                       const BackupAgentWork *work, Supervisor *supervisor, BackupResult *ret,
                       Error *err) MUST_CHECK;

/* dump_files_warn tells the log what the set's nodes have left out. */
void dump_files_warn(const Manifest *m);

#endif

/*
 * physical/restore_files.h - members of a server's tar streams to files of a data directory.
 */
#ifndef PGARK_PHYSICAL_RESTORE_FILES_H
#define PGARK_PHYSICAL_RESTORE_FILES_H

#include <pthread.h>

#include "io/stage.h"
#include "physical/manifest_check.h"
#include "physical/name_set.h"
#include "physical/recovery.h"
#include "physical/restore_dir.h"
#include "repo/manifest.h"
#include "report/progress.h"

typedef struct RestoreTablespace
{
    uint32_t oid;
    RestoreDir dir;
} RestoreTablespace;

/* A node's directories while they are filled; several threads may fill it. */
typedef struct RestoreTree
{
    const PhysicalRecord *record;
    RestoreDir data;
    RestoreTablespace *tablespaces;
    size_t tablespace_count;
    ProgressNode *progress;
    bool no_sync;          /* nobody waits for the disk */
    bool greenplum;        /* the node is one of its clusters */
    pthread_mutex_t mutex; /* guards what follows */
    ManifestCheck *check;  /* which files have come */
    uint64_t files, bytes;
    uint32_t mode;  /* of directories, as the server had it */
    bool control;   /* global/pg_control has come */
    NameSet *names; /* that have come; NULL: nobody wants to know, as the backup is whole */
    bool later;     /* what comes changes files that are there: it is of an incremental backup */
} RestoreTree;

/* restore_files_new makes a sink that takes the parts of one tar stream, from one that begins with a member on;
 * stream as in a part's record. Files are new, directories may be there; what the restored server must not find is
 * left out. restore_files_end: no part follows; ERR_CORRUPT when a file is not complete. */
IoStage *restore_files_new(RestoreTree *tree, const char *stream, Error *err);

/* restore_files_skip makes one that takes them as well, for what the server's manifest says of them, and writes
 * nothing: of a tablespace that later backups of a chain do not have. */
IoStage *restore_files_skip(RestoreTree *tree, const char *stream);
bool restore_files_end(const IoStage *stage, Error *err) MUST_CHECK;

/* A chain of incremental backups comes one after the other, the whole one first. restore_files_next, before each
 * other one, begins to count files anew; from then on a file that comes replaces the one that is there, and one of
 * changed blocks (physical/incremental_file.h) changes it, which must be there (ERR_CORRUPT). restore_files_sweep,
 * behind all streams of each but the first, removes what did not come: the server did not have it any more.
 * restore_files_label, at the end, takes out of backup_label what tells a server that its directory is no whole
 * one; ERR_CORRUPT: it is not incremental to a backup that began there. */
void restore_files_next(RestoreTree *tree);
bool restore_files_sweep(RestoreTree *tree, Error *err) MUST_CHECK;
bool restore_files_label(const RestoreTree *tree, uint64_t base_lsn, uint32_t base_timeline,
                         Error *err) MUST_CHECK;

/* When all streams are through: restore_files_whole tells whether what has come is a data directory;
 * restore_files_manifest makes a sink that takes the server's own manifest, keeps it, and compares. ERR_CORRUPT. */
bool restore_files_whole(const RestoreTree *tree, Error *err) MUST_CHECK;
IoStage *restore_files_manifest(RestoreTree *tree, Error *err);

/* restore_files_recover adds settings to postgresql.auto.conf, and the file that says how a server starts
 * (recovery.h). restore_files_settle sets the modes of directories and makes all durable (unless the
 * tree's no_sync). restore_files_admit then lets the server start: global/pg_control gets its name. restore_files_withdraw
 * takes that away again, where it was given, from what is about to be removed. */
bool restore_files_recover(RestoreTree *tree, const char *settings, const RecoveryFile *file,
                           Error *err) MUST_CHECK;
bool restore_files_settle(const RestoreTree *tree, Error *err) MUST_CHECK;
bool restore_files_admit(const RestoreTree *tree, Error *err) MUST_CHECK;
void restore_files_withdraw(const RestoreTree *tree);

/* restore_files_release takes RECOVERY_HOLD (recovery.h) away. */
bool restore_files_release(const RestoreTree *tree, Error *err) MUST_CHECK;

/* restore_files_seal writes what tells the server where its tablespaces are and how to recover, and then
 * does what restore_files_recover and restore_files_settle do. */
bool restore_files_seal(RestoreTree *tree, const Recovery *recovery, Error *err) MUST_CHECK;

#endif

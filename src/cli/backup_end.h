/*
 * cli/backup_end.h - what goes on around a backup: programs before and after it, the line or row of history,
 * the file of metrics.
 */
#ifndef PGARK_CLI_BACKUP_END_H
#define PGARK_CLI_BACKUP_END_H

#include "cli/cli.h"
#include "fleet/backup_run.h"

typedef struct BackupEnd BackupEnd;

/* backup_end_prepare looks at what was asked for before any work is done, and begins the run's time. NULL with
 * err set: it could not be done in the end. Below ctx. */
BackupEnd *backup_end_prepare(void *ctx, const Options *o, const Fleet *fleet, Error *err);

/* backup_end_before runs the program of --before; one that fails ends the run. */
bool backup_end_before(BackupEnd *end, Supervisor *supervisor, Error *err) MUST_CHECK;

/* backup_end does the rest, whether the run made a set (err is empty) or not (err says why). What fails here is
 * logged as a warning: the set is there, or not, all the same. result may be empty. */
void backup_end(BackupEnd *end, const BackupResult *result, const Error *err);

#endif

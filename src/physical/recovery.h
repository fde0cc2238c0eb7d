/*
 * physical/recovery.h - what tells a restored server how to recover.
 *
 * Source: PostgreSQL documentation, "Archive Recovery", "Recovery Target" (the settings), "Parameter Interaction
 * via the Configuration File" (quoting), "Recovering Using a Continuous Archive Backup" (recovery.signal,
 * standby.signal).
 */
#ifndef PGARK_PHYSICAL_RECOVERY_H
#define PGARK_PHYSICAL_RECOVERY_H

#include "base/error.h"
#include "base/mem.h"

typedef struct Recovery
{
    const char *program; /* pgark, absolute */
    const char *repo;    /* absolute */
    const char *key;
    int content;
    const char *target_name; /* a restore point; NULL: none */
    const char *target_time; /* NULL: none; without both, the end of all WAL there is */
    bool archive;            /* WAL that is received all the time is wanted, too */
    bool standby;            /* go on with recovery for ever */
    bool held; /* no server may be started by itself until RECOVERY_HOLD is taken away */
} Recovery;

/* The last line of the settings of one that is held: starting it fails, and its log says why. */
#define RECOVERY_HOLD "shared_preload_libraries = 'pgark_restore_is_not_finished'\n"

/* recovery_command gives the value of restore_command, below ctx: "pgark get-wal" with its arguments, quoted for
 * the shell that the server runs it by. There are no secrets in it. ERR_USAGE: a path that a shell cannot be
 * given (line breaks). */
char *recovery_command(void *ctx, const Recovery *r, Error *err);

/* recovery_settings gives the lines for postgresql.auto.conf, below ctx. Of other targets that the server's own
 * files may have, none stays in force. */
char *recovery_settings(void *ctx, const Recovery *r, Error *err);

/* The file that makes a server recover from an archive. */
const char *recovery_signal(const Recovery *r);

#endif

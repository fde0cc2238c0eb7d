/*
 * physical/recovery.h - what tells a restored server how to recover.
 *
 * Servers before version 12, as Greenplum 6, which is 9.4, are told by a file of its own, recovery.conf, and not by
 * settings; there is no such file of other versions.
 *
 * Source: PostgreSQL documentation, "Archive Recovery", "Recovery Target" (the settings), "Parameter Interaction
 * via the Configuration File" (quoting), "Recovering Using a Continuous Archive Backup" (recovery.signal,
 * standby.signal); of version 9.4 "Recovery Configuration".
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
    bool by_file;            /* the server is older than 12 */
    int greenplum_dbid;      /* which its node of a Greenplum cluster has; 0: it is of none */
    bool held; /* no server may be started by itself until RECOVERY_HOLD is taken away */
} Recovery;

/* Servers before this version are told by a file. */
#define RECOVERY_BY_FILE 120000

/* The last line of the settings of one that is held: starting it fails, and its log says why. */
#define RECOVERY_HOLD "shared_preload_libraries = 'pgark_restore_is_not_finished'\n"

/* recovery_command gives the value of restore_command, below ctx: "pgark get-wal" with its arguments, quoted for
 * the shell that the server runs it by. There are no secrets in it. ERR_USAGE: a path that a shell cannot be
 * given (line breaks). */
char *recovery_command(void *ctx, const Recovery *r, Error *err);

/* recovery_settings gives the lines for postgresql.auto.conf, below ctx. Of other targets that the server's own
 * files may have, none stays in force. */
char *recovery_settings(void *ctx, const Recovery *r, Error *err);

/* The file that makes a server recover from an archive, and what is in it, below ctx. */
typedef struct RecoveryFile
{
    const char *name;
    const char *text;
} RecoveryFile;
bool recovery_file(void *ctx, const Recovery *r, RecoveryFile *ret, Error *err) MUST_CHECK;

#endif

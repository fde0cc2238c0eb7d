/*
 * compat/psql_run.h - psql, run on one script of a dump.
 */
#ifndef PGARK_COMPAT_PSQL_RUN_H
#define PGARK_COMPAT_PSQL_RUN_H

#include "base/cancel.h"
#include "compat/script_filter.h"
#include "pg/conn.h"
#include "pg/program.h"

typedef struct Psql
{
    PgProgram program;
    bool restricts; /* it knows \restrict: a script cannot run its commands then */
} Psql;

/* psql_find finds a psql for the server of conn. must_restrict: the oldest of those that keep scripts from running its
 * commands; ERR_PROGRAM where there is none. */
bool psql_find(void *ctx, const PgConn *conn, bool must_restrict, const Cancel *cancel, Psql *ret,
               Error *err) MUST_CHECK;

typedef struct PsqlRun
{
    const Psql *psql;
    const char *dsn;      /* without the password, which is given in its own way */
    const char *password; /* NULL: none */
    const char *path;     /* of the script */
    bool gzip;
    ScriptHalf half;
    const LegacyNames *tables; /* those only, NULL: all */
    bool go_on;                /* over errors; else the first one ends it */
    int errors;                /* descriptor that all it says goes to */
    Cancel *cancel;
} PsqlRun;

/* psql_run runs a script to its end. ERR_QUERY: statements failed (with go_on after all others were run);
 * ERR_CORRUPT: the script is damaged or ends too early; as script_filter.h; ERR_CANCELLED. Blocks. */
bool psql_run(const PsqlRun *run, Error *err) MUST_CHECK;

#endif

/*
 * pg/program.h - PostgreSQL's own programs on this host.
 */
#ifndef PGARK_PG_PROGRAM_H
#define PGARK_PG_PROGRAM_H

#include "base/cancel.h"
#include "base/mem.h"

typedef struct PgProgram
{
    char *path;
    int major;      /* version, of PostgreSQL */
    bool snapshots; /* pg_dump can take somebody's snapshot (from 9.5 on) */
} PgProgram;

/* pg_program_find finds a program ("pg_dump") that can serve a server of the given major version:
 * the path given by the user, else the packages' own directory of that major version, else PATH,
 * else the directories of newer versions. ERR_NOT_FOUND when there is none; ERR_PROGRAM when what
 * was found is older than the server. Runs "PROGRAM --version". */
bool pg_program_find(void *ctx, const char *name, const char *user_path, int server_major,
                     const Cancel *cancel, PgProgram *ret, Error *err) MUST_CHECK;

/* pg_program_find_greenplum does the same for a server that is Greenplum or Cloudberry, whose own
 * programs alone know how tables are distributed: the path given by the user, else that of $GPHOME/bin,
 * else of PATH. They call themselves PostgreSQL's; what they are is told by their --help, which names
 * --gp-syntax. ERR_PROGRAM also for a program of PostgreSQL's, or of another major version. */
bool pg_program_find_greenplum(void *ctx, const char *name, const char *user_path, int server_major,
                               const Cancel *cancel, PgProgram *ret, Error *err) MUST_CHECK;

/* pg_program_find_greenplum_server finds a program ("postgres") of a Greenplum server of that major version (6): that
 * beside a postgres of it in $GPHOME/bin, else in PATH; its path, below ctx. NULL: ERR_NOT_FOUND, ERR_PROGRAM. */
char *pg_program_find_greenplum_server(void *ctx, const char *name, int major, const Cancel *cancel,
                                       Error *err);

#endif

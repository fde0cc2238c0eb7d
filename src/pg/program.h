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
    int major; /* version */
} PgProgram;

/* pg_program_find finds a program ("pg_dump") that can serve a server of the given major version:
 * the path given by the user, else the packages' own directory of that major version, else PATH,
 * else the directories of newer versions. ERR_NOT_FOUND when there is none; ERR_PROGRAM when what
 * was found is older than the server. Runs "PROGRAM --version". */
bool pg_program_find(void *ctx, const char *name, const char *user_path, int server_major,
                     const Cancel *cancel, PgProgram *ret, Error *err) MUST_CHECK;

#endif

/*
 * compat/cron_place.h - where the dumps of gpcrondump lie, and which server they are of: what both programs find
 * out from -u, -d and the environment.
 *
 *   DIR/db_dumps                    a repository of the layout "days"
 *   DIR/db_dumps/YYYYMMDD/KEY       a set
 *   DIR/db_dumps/YYYYMMDD/...KEY... the files beside it
 */
#ifndef PGARK_COMPAT_CRON_PLACE_H
#define PGARK_COMPAT_CRON_PLACE_H

#include "repo/repo.h"

#define CRON_DUMPS "db_dumps"

typedef struct CronPlace
{
    const char *dir;      /* DIR */
    const char *repo_dir; /* DIR/db_dumps */
    const char *repo;     /* the same as --repo takes it */
    const char *
        host; /* socket directory of the server whose data directory was named; NULL: libpq decides */
    const char *port;
} CronPlace;

/* cron_place_find: dir is -u, data_dir is -d; NULL: not given, then MASTER_DATA_DIRECTORY counts. Where PGHOST,
 * PGPORT and PGSERVICE say nothing, the data directory tells the server. ERR_USAGE: there is no directory. Below
 * ctx. */
bool cron_place_find(void *ctx, const char *dir, const char *data_dir, CronPlace *ret, Error *err)
    MUST_CHECK;

/* cron_place_conninfo names a database of that server, below ctx. */
char *cron_place_conninfo(void *ctx, const CronPlace *place, const char *database);

/* cron_place_day: DIR/db_dumps/YYYYMMDD of a key, below ctx; cron_place_beside: a file there. */
char *cron_place_day(void *ctx, const CronPlace *place, const char *key);
char *cron_place_beside(void *ctx, const CronPlace *place, const char *key, const char *name);

/* cron_place_name is PREFIXgp_dump_KEYSUFFIX, below ctx. */
char *cron_place_name(void *ctx, const char *prefix, const char *key, const char *suffix);

#endif

/*
 * compat/gpdbrestore_parts.h - what the parts of gpdbrestore share.
 *
 *   gpdbrestore.c          the run
 *   gpdbrestore_source.c   which dump; what it says of itself
 *   gpdbrestore_request.c  its options as those of pgark restore
 *   gpdbrestore_list.c     -L, --list-backup
 *   gpdbrestore_stats.c    --restore-stats
 */
#ifndef PGARK_COMPAT_GPDBRESTORE_PARTS_H
#define PGARK_COMPAT_GPDBRESTORE_PARTS_H

#include "cli/cli.h"
#include "compat/cron_place.h"
#include "compat/gpdbrestore_options.h"
#include "compat/legacy_names.h"

/* Exit codes. */
#define RESTORE_DONE     0
#define RESTORE_WARNINGS 1
#define RESTORE_FATAL    2
#define RESTORE_DECLINED 4 /* the question was answered with no */

typedef struct DbRestore
{
    void *ctx;
    const LegacyOptions *o;
    Supervisor *supervisor;
    CronPlace place;
    Repo *repo;
    const char *line;
    const char *prefix; /* NULL: none was named */
    char key[SET_KEY_LEN];
    char *set_dir;
    StorageLock *lock; /* of the set */
    const Manifest *manifest;
    const char *source; /* the set's database */
    const char *target; /* the database that is restored into */
    bool there;         /* it exists */
    LegacyNames tables; /* name "*": all of the schema */
    LegacyNames schemas;
    /* What the dump was made with, and a restore has to know. */
    bool clean, no_owner, session_authorization;
} DbRestore;

static inline bool restore_given(const DbRestore *r, RestoreOption id)
{
    return legacy_options_given(r->o, id);
}

/* gpdbrestore_source.c: finds, locks and reads the set. ERR_NOT_FOUND, ERR_USAGE. */
bool restore_source(DbRestore *r, Error *err) MUST_CHECK;

/* gpdbrestore_request.c: reads -T, --table-file and -S; the arguments of pgark restore, below ctx, NULL behind the
 * last. */
bool restore_filter(DbRestore *r, Error *err) MUST_CHECK;
char **restore_arguments(const DbRestore *r, size_t *ret_count);

/* gpdbrestore_stats.c: with --restore-stats, is there a file of statistics, and may this role put them back? conn: any
 * database of the target's server. ERR_NOT_FOUND, ERR_USAGE. restore_stats puts those of the restored tables back; a table
 * that they do not fit is warned about. */
bool restore_stats_check(const DbRestore *r, PgConn *conn, Error *err) MUST_CHECK;
bool restore_stats(const DbRestore *r, Error *err) MUST_CHECK;

/* gpdbrestore_list.c */
void restore_list_tables(const DbRestore *r);
bool restore_list_backup(const DbRestore *r, Error *err) MUST_CHECK;

#endif

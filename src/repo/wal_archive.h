/*
 * repo/wal_archive.h - WAL that is received all the time, of any number of servers, beside the sets.
 *
 *   wal/<system identifier>/receive.lock                        held by whoever receives that server's WAL
 *   wal/<system identifier>/<16 digits>/<24 digits><suffix>     a segment; the directory is named by the first digits
 *   wal/<system identifier>/<16 digits>/<24 digits>.json        its record, written last: without it there is none
 *   wal/<system identifier>/<16 digits>/<24 digits>.partial     what has come of a segment that is not complete
 *   wal/<system identifier>/<8 digits>.history<suffix>, .json   the history file of a timeline
 *
 * Names are the server's own: they sort by timeline, then by place.
 */
#ifndef PGARK_REPO_WAL_ARCHIVE_H
#define PGARK_REPO_WAL_ARCHIVE_H

#include "repo/retention.h"

#define WAL_ARCHIVE_DIR     "wal"
#define WAL_ARCHIVE_PARTIAL ".partial"
#define WAL_ARCHIVE_DIGITS  24

/* wal_archive_dir: the directory that holds what has that name, below ctx; relative to the repository. */
char *wal_archive_dir(void *ctx, const char *system_identifier, const char *name);

/* wal_archive_note writes the record of an object that is durable, and makes both names last. */
bool wal_archive_note(Repo *repo, const ArchivedRecord *record, Error *err) MUST_CHECK;

/* wal_archive_find reads the record of a name, below ctx; *ret_found false: there is none. ERR_CORRUPT: it is not one of
 * that name. */
bool wal_archive_find(Repo *repo, void *ctx, const char *system_identifier, const char *name,
                      ArchivedRecord *ret, bool *ret_found, Error *err) MUST_CHECK;

/* wal_archive_last gives the name of the newest segment, "": there is none; *ret_complete false: some of it has come. */
bool wal_archive_last(Repo *repo, const char *system_identifier,
                      char ret_name[WAL_ARCHIVE_DIGITS + 1], bool *ret_complete, Error *err)
    MUST_CHECK;

/* Places that there is WAL of: complete segments, and what has come of one that is not; of any timeline. */
typedef struct WalPlaces
{
    uint64_t *places; /* sorted; the digits of names behind the timeline, as a number */
    size_t count, capacity;
} WalPlaces;

/* wal_archive_places lists them below ctx, 8 bytes for each; wal_places_has looks a segment's name up. */
bool wal_archive_places(Repo *repo, void *ctx, const char *system_identifier, WalPlaces *ret,
                        Error *err) MUST_CHECK;
bool wal_places_has(const WalPlaces *places, const char *name);

/* wal_archive_partial opens what has come of a segment that is not complete; NULL with
 * ERR_NOT_FOUND: there is none. */
StorageReader *wal_archive_partial(Repo *repo, const char *system_identifier, const char *name,
                                   uint64_t *ret_size, Error *err);

/* wal_archive_lock makes the server's directory and takes its lock; *ret_lock NULL: somebody else receives its WAL,
 * *ret_owner says who (below ctx). */
bool wal_archive_lock(Repo *repo, void *ctx, const char *system_identifier, StorageLock **ret_lock,
                      char **ret_owner, Error *err) MUST_CHECK;

/* wal_archive_sweep removes what a process that was killed has left of objects that it had not finished. To be called
 * with the lock held. */
bool wal_archive_sweep(Repo *repo, const char *system_identifier, Error *err) MUST_CHECK;

/* What an expire has removed, or would. */
typedef struct WalExpired
{
    uint64_t files; /* segments */
    uint64_t bytes;
} WalExpired;

/* wal_archive_expire removes (or with dry_run counts) the WAL that no finished physical set of the repository can need:
 * of each server what lies before the oldest set of it, but for the newest segment, behind which receiving goes on; and common restore points that lie before. Where a server has
 * no set, or a manifest cannot be read, its WAL stays. removed: sets that
 * are gone, or would be with dry_run. */
bool wal_archive_expire(Repo *repo, bool dry_run, const ExpireResult *removed, WalExpired *ret,
                        Error *err) MUST_CHECK;

#endif

/*
 * repo/part.h - sets whose nodes lie in several repositories, each on its node's own host.
 *
 * The set is in the coordinator's repository, its home: there is its manifest, and the lock of its run.
 * A node's files lie under the same names below the same set's directory in another repository, which
 * the node's record names (repo, repo_id). There the directory also has
 *
 *   part.home        the id of the home repository, from the first moment on
 *   manifest.jsonl   a copy of the set's manifest, byte by byte, so that what is there explains itself
 *
 * What parts there are is the home's to say: only part_sweep removes one, never retention_expire of the
 * repository where it lies. Files that are brought together below one set's directory are one set again.
 */
#ifndef PGARK_REPO_PART_H
#define PGARK_REPO_PART_H

#include "repo/retention.h"

#define PART_FILE "part.home"

/* Of repo_place: the coordinator's own repository. */
#define PLACE_HOME INT32_MIN

/* repo_place gives the URI, below ctx, that a pattern means on this host: %c is the node's content id,
 * or "home"; %h this host's name, %% a percent sign. ERR_USAGE: another letter behind %, or a host whose name
 * has other characters than letters, digits, - _ and . or begins with a dot. */
char *repo_place(void *ctx, const char *pattern, int content, Error *err);

/* repo_place_escape: the pattern, below ctx, that means just this URI. */
char *repo_place_escape(void *ctx, const char *uri);

/* repo_place_is_absolute: it does not depend on where a process works. */
bool repo_place_is_absolute(const char *pattern);

/* repo_place_varies: it means another place for each node, or on each host. */
bool repo_place_varies(const char *pattern);

/* part_mark says that a set's directory is a part. Durable. */
bool part_mark(Repo *repo, const char *set_dir, const char *home, Error *err) MUST_CHECK;

/* part_home reads it; "": the directory is a set of this repository. */
bool part_home(Repo *repo, const char *set_dir, char ret_home[33], Error *err) MUST_CHECK;

/* part_is_here tells whether the files of a node of the set lie in this repository. */
bool part_is_here(Repo *repo, const char *set_dir, const NodeRecord *node, bool *ret_here,
                  Error *err) MUST_CHECK;

/* part_remove removes a part of home, published or not; *ret_removed false: somebody reads or writes it, or it
 * is none. */
bool part_remove(Repo *repo, const char *set_dir, const char *home, bool *ret_removed, Error *err)
    MUST_CHECK;

/* Which parts go. */
typedef struct PartSweep
{
    const char *home;        /* of which repository they are parts */
    const char *const *keep; /* sets that are there */
    size_t keep_count;
    const char *before; /* a key: sets that were begun later are none of this sweep's business */
    bool dry_run;
} PartSweep;

/* part_sweep removes (or with dry_run lists) the parts whose set is gone from its home, but for those
 * that somebody reads or writes. */
bool part_sweep(Repo *repo, void *ctx, const PartSweep *sweep, ExpireResult *ret, Error *err)
    MUST_CHECK;

#endif

/*
 * repo/repo.h - a repository: its marker, its sets, their keys, its locks.
 *
 *   pgark.repo                              {"format":1,"id":"<32 hex digits>"}
 *   locks/<fleet>.lock                      flock: one writer per fleet
 *   sets/YYYYMMDD/KEY/run.lock              flock: held by the run that makes the set
 *   sets/YYYYMMDD/KEY/hold.lock, hold.jsonl of an unfinished set: repo/hold.h
 *   history.jsonl                           a line for each backup: report/history.h
 *   sets/YYYYMMDD/KEY/manifest.jsonl        the commit
 *   sets/YYYYMMDD/KEY/report.txt, report.json
 *   sets/YYYYMMDD/KEY/node<content>.jsonl
 *   sets/YYYYMMDD/KEY/db/<db>/node<content>/schema.dump
 *   sets/YYYYMMDD/KEY/db/<db>/node<content>/<oid>.<chunk>.<txt|bin><suffix>, bundle-<n>
 *
 * In the layout "days" the directories YYYYMMDD lie at the root, and files beside the sets belong to them.
 */
#ifndef PGARK_REPO_REPO_H
#define PGARK_REPO_REPO_H

#include "repo/manifest.h"

/* Of the marker: where things lie. Sets have a format of their own, MANIFEST_FORMAT. */
#define REPO_FORMAT 1

/* In a set's directory, for people: what the manifest holds is the truth. */
#define SET_REPORT_TEXT "report.txt"
#define SET_REPORT_JSON "report.json"

typedef enum RepoLayout
{
    LAYOUT_SETS, /* sets/YYYYMMDD/KEY */
    LAYOUT_DAYS, /* YYYYMMDD/KEY, with others' files beside */
} RepoLayout;

typedef struct Repo
{
    Storage *storage;
    char id[33];
    RepoLayout layout;
} Repo;

/* repo_open opens an existing repository (ERR_NOT_FOUND when there is none, ERR_USAGE when the path
 * is a file or no repository or of a newer format, ERR_CORRUPT when its marker is damaged).
 * repo_open_or_create also makes one where the directory is missing (its parent exists) or empty;
 * it proves that the repository is writable. The result lives below ctx. */
Repo *repo_open(void *ctx, const char *uri, Error *err);
Repo *repo_open_or_create(void *ctx, const char *uri, Error *err);

/* repo_open_or_make_days is repo_open_or_create for the layout "days": a new one may be made in a directory that
 * has days already. ERR_USAGE: there is a repository of the other layout. */
Repo *repo_open_or_make_days(void *ctx, const char *uri, Error *err);

/* The first two take a pattern, too (repo_place in repo/part.h), and open the home; repo_open_at opens the place of
 * a node, or of PLACE_HOME. */
Repo *repo_open_at(void *ctx, const char *pattern, int content, bool create, Error *err);

/* repo_check_writable finds out, before any work is done, that a file can be made and written
 * there. */
bool repo_check_writable(Repo *repo, Error *err) MUST_CHECK;

/* repo_key_parse accepts exactly 14 digits that are a date and time of the years 2000..2199, not
 * more than a day in the future: else ERR_USAGE with what is wrong. */
bool repo_key_parse(const char *text, Error *err) MUST_CHECK;

/* repo_key_is_date: 14 digits that are a date and time of those years, in the future or not. */
bool repo_key_is_date(const char *text);

/* repo_key_seconds: a sound key as seconds since 1970 UTC; repo_key_from_seconds: the reverse. */
int64_t repo_key_seconds(const char *key);
void repo_key_from_seconds(char key[SET_KEY_LEN], int64_t seconds);

/* repo_set_dir: "sets/YYYYMMDD/KEY", or "YYYYMMDD/KEY", below ctx. */
char *repo_set_dir(const Repo *repo, void *ctx, const char *key);

/* repo_set_dir_like is that of another set in the repository where set_dir is one's. */
char *repo_set_dir_like(void *ctx, const char *set_dir, const char *key);

/* repo_next_key is the key that a set begun now would be given. */
bool repo_next_key(Repo *repo, char ret_key[SET_KEY_LEN], Error *err) MUST_CHECK;

/* repo_path_in is the path of what has that name in a directory; below ctx. */
static inline char *repo_path_in(void *ctx, const char *dir, const char *name)
{
    return mem_printf(ctx, "%s/%s", dir, name);
}

/* repo_escape makes a file name part of any text: [A-Za-z0-9_-] and '.' (not first) stay, every
 * other byte becomes %XX; "" becomes "%". Reversible, so two names never meet. */
char *repo_escape(void *ctx, const char *text);

/* A set that is being made. repo_set_begin takes the fleet's writer lock (ERR_LOCK, naming the
 * owner, when another run has it), creates the set's directory exclusively and takes its run lock.
 * key NULL: the current second, or the next free one; a given key that exists is ERR_EXISTS. In the layout "days"
 * a key is not free that files of another dump have. */
typedef struct RepoSet
{
    Repo *repo;
    char key[SET_KEY_LEN];
    char *dir; /* relative to the repository */
    StorageLock *fleet_lock;
    StorageLock *run_lock;
    bool committed; /* set by the caller once the manifest is published */
    bool kept;      /* set by the caller where another run can go on with what is there */
} RepoSet;
RepoSet *repo_set_begin(Repo *repo, void *ctx, const char *fleet, const char *key, Error *err);

/* repo_set_take takes over, with both locks, an unfinished set whose run has died; it is kept, until
 * the caller says otherwise. ERR_NOT_FOUND: there is no such set; ERR_EXISTS: it is finished;
 * ERR_LOCK: its run lives, or somebody removes it. */
RepoSet *repo_set_take(Repo *repo, void *ctx, const char *fleet, const char *key, Error *err);

/* repo_set_end releases the locks and frees set (NULL is fine); a set that is neither committed nor
 * kept is removed with everything in it (what cannot be removed is logged as a warning: expire will
 * find it). */
void repo_set_end(RepoSet *set);

/* repo_remove_set removes a set's directory, its manifest first, and the date's directory when it
 * is empty then. In the layout "days" what repo_is_beside finds next to it goes, too. The caller holds the set's
 * run.lock exclusively. */
bool repo_remove_set(Repo *repo, const char *dir, Error *err) MUST_CHECK;

/* repo_is_beside tells by its name whether a file of a date's directory belongs to the set of that key: it
 * has the key in it, and "gp_" somewhere before. */
bool repo_is_beside(const char *name, const char *key);

/* repo_lock_is_held tells whether somebody holds the lock on path exclusively. A lock that cannot
 * even be looked at (no right to read it) counts as not held. */
bool repo_lock_is_held(Repo *repo, const char *path);

/* repo_list_sets returns every set, oldest first. finished: it has a manifest. alive: a run
 * owns it now. held: it is not finished, and its snapshots live on (repo/hold.h). */
typedef struct RepoSetInfo
{
    char key[SET_KEY_LEN];
    char *dir;
    bool finished;
    bool alive;
    bool held;
} RepoSetInfo;
bool repo_list_sets(Repo *repo, void *ctx, RepoSetInfo **ret_sets, size_t *ret_count, Error *err)
    MUST_CHECK;

/* What a set must be to be wanted. */
typedef enum SetForm
{
    SET_ANY_FORM,
    SET_OF_ROWS, /* and definitions */
    SET_OF_FILES /* base backups */
} SetForm;

typedef struct SetChoice
{
    const char *prefix; /* of its series; NULL: none, or any where the key is named */
    SetForm form;       /* of the newest; whoever names a key looks at the form himself */
} SetChoice;

/* repo_resolve turns "latest" or a key into the directory of a finished set (below ctx) and its
 * key. With a prefix latest is the newest set of that series, and a key must be of one of its sets; without, latest is
 * the newest set that belongs to no series, and any key will do, as with no choice (NULL). A set whose record cannot be
 * read counts as the newest all the same: none that is older takes its place unnoticed.
 * Malformed or future: ERR_USAGE; no such set, or no set at all: ERR_NOT_FOUND; unfinished:
 * ERR_NOT_FOUND that says so. A shared lock on the set's run.lock (in *ret_lock) keeps expire away
 * from a set that is being read; ERR_LOCK when it is being removed. *ret_lock is NULL in a copy
 * without lock files that cannot be written. */
bool repo_resolve(Repo *repo, void *ctx, const char *key_or_latest, const SetChoice *choice,
                  char ret_key[SET_KEY_LEN], char **ret_dir, StorageLock **ret_lock, Error *err)
    MUST_CHECK;

#endif

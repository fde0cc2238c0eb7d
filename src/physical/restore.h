/*
 * physical/restore.h - from a physical set to data directories.
 *
 * An incremental set is restored by all of its chain, the whole one first: each of the others then changes in place what
 * has come, block by block, so that the room is not the sum of all (restore_room.h).
 *
 * Nothing is changed before everything that can be known is checked: the set's records, all directories, room.
 * Then workers take pieces of the servers' tar streams and write files, each byte proven by the set's hashes,
 * each file by the server's own manifest. What lets a server start comes last, when all nodes have all else: settings,
 * then - all before it durable - global/pg_control. So a directory that is not complete is never mistaken for one that is. A
 * restore that fails removes what it has written, global/pg_control first; one that is killed leaves directories that no
 * server starts from.
 */
#ifndef PGARK_PHYSICAL_RESTORE_H
#define PGARK_PHYSICAL_RESTORE_H

#include "base/cancel.h"
#include "physical/recovery_target.h"
#include "repo/repo.h"
#include "report/progress.h"

/* How far a restore is that stands and falls with others. */
typedef enum PhysicalStage
{
    PHYSICAL_CHECKED, /* all that can be known before is checked, and nothing is written */
    PHYSICAL_WRITTEN, /* all is written, and durable, but for what lets servers start */
    PHYSICAL_WHOLE,   /* servers can start */
} PhysicalStage;

/* Where a node of the set goes. */
typedef struct PhysicalDirectory
{
    int content;
    const char *path;
} PhysicalDirectory;

/* A tablespace's directory that is another one here. from may begin with the node's content id and a colon,
 * "1:/srv/fast", which goes before one without. */
typedef struct PhysicalMap
{
    const char *from;
    const char *to;
} PhysicalMap;

typedef struct PhysicalRestoreRequest
{
    const char *repo;   /* URI */
    const char *key;    /* or "latest" */
    const char *prefix; /* of the series that the set must belong to; NULL: see repo_resolve() */
    int jobs;           /* workers in all */
    const PhysicalDirectory *directories;
    size_t directory_count;
    const PhysicalMap *tablespaces;
    size_t tablespace_count;
    const char *target_name; /* a restore point other than the set's own; NULL */
    const char *target_time; /* NULL; at most one of the two */
    bool standby; /* the servers become standbys, and do not end recovery by themselves */
    bool no_sync;
    bool no_space_check;
    const char *program; /* path of pgark, for the servers' restore_command */
    /* NULL; or called once, when all files are there and no server can be started yet but by who knows how
     * (recovery.h, held), with the absolute paths of the directories; the result has its target by then. A failure of it
     * is one of the restore. */
    bool (*finish)(void *arg, const PhysicalDirectory *directories, size_t count, Error *err);
    void *finish_arg;
    /* NULL; or called at each stage, which it leaves when all others are as far; a failure of it is one of the
     * restore. */
    bool (*meet)(void *arg, PhysicalStage stage, Error *err);
    void *meet_arg;
    bool one_progress; /* all nodes are counted in the first of progress */
} PhysicalRestoreRequest;

/* What has become of a node. */
typedef struct PhysicalRestored
{
    int content;
    char *directory;  /* absolute */
    const char *host; /* of the server whose agent made it, with its port; NULL: it is here */
    const PhysicalRecord *record;
    uint64_t files;
    uint64_t bytes;
} PhysicalRestored;

typedef struct PhysicalRestoreResult
{
    Manifest *manifest; /* read as a whole, before */
    RecoveryTarget target;
    PhysicalRestored *nodes; /* as in the request */
    size_t node_count;
    int64_t elapsed_ms;
} PhysicalRestoreResult;

/* physical_restore_record gives a node's record; NULL with ERR_USAGE: --map names one that the set has not. */
const PhysicalRecord *physical_restore_record(const Manifest *m, int content, Error *err);

/* physical_restore restores the nodes that the request has directories for, of the set in set_dir whose manifest is
 * ret->manifest. ERR_USAGE: the set or a directory is not one for it; ERR_EXISTS: a directory is not
 * empty; ERR_CORRUPT: what is stored is not what it was, naming it; ERR_NOT_FOUND: a set
 * is gone that this one is incremental to. ctx: of the result. Blocks. */
bool physical_restore(void *ctx, Repo *repo, const char *set_dir,
                      const PhysicalRestoreRequest *request, Cancel *cancel, Progress *progress,
                      PhysicalRestoreResult *ret, Error *err) MUST_CHECK;

#endif

/*
 * fleet/backup_run.h - one backup of a whole fleet, from connecting to the published set.
 */
#ifndef PGARK_FLEET_BACKUP_RUN_H
#define PGARK_FLEET_BACKUP_RUN_H

#include <jansson.h>

#include "backup/node.h"
#include "fleet/supervise.h"
#include "fleet/topology.h"

/* What is known of a node when its agent is to be started. */
typedef struct BackupAgentView
{
    const BackupNode *node;
    const BackupNode *coordinator; /* of whose tables the node may have rows; NULL: there is none */
    Storage *storage;              /* where the coordinator's definitions are, below set_dir */
    const char *set_dir;
} BackupAgentView;

/* Agents that make something else of their nodes' rows than parts of a set; they wait for each other in phase
 * AGENT_CHECKED. There is no set then: its place at home is empty, and removed at the end. The callbacks come from
 * the nodes' threads. */
typedef struct BackupAgentWork
{
    const char *kind;
    /* Gives what the job has more; backup is what one of AGENT_BACKUP would have, and is taken. NULL with err. */
    json_t *(*describe)(void *arg, const BackupAgentView *view, json_t *backup, Error *err);
    /* Reads the answer, which has the fields of an AGENT_BACKUP's, too. */
    bool (*take)(void *arg, const BackupNode *node, const json_t *result, Error *err);
    void *arg;
} BackupAgentWork;

typedef struct BackupResult
{
    Manifest *manifest; /* what was published, folded (repo/fold.h); NULL for a dry run */
    int64_t elapsed_ms;
    int restarts;      /* how often it started over because the catalogue changed underneath */
    BackupNode *nodes; /* closed, but in a dry run */
    size_t node_count;
    /* Dry run: */
    uint64_t bytes;         /* heap and TOAST of all tables */
    char base[SET_KEY_LEN]; /* the set that would be compared with, "": none */
    bool repo_known;
    uint64_t free_bytes; /* of the repository */
} BackupResult;

/* backup_run takes the backup and publishes the set; result lives below ctx. Whatever fails,
 * nothing is published, what was stored is removed, and all connections are closed. With
 * request->hold_ms a keeper (fleet/keeper.h) keeps the snapshots beside the run: then a failure of
 * which resume_helps is true leaves set and keeper for a run with request->resume, which goes on with
 * them; so does the death of this process. A run whose
 * catalogue changed in a way that would make it inconsistent starts over, BACKUP_RESTARTS times at
 * most. With request->dry_run it connects, plans, and touches nothing. Blocks; draws through
 * supervisor. */
bool backup_run(void *ctx, const Fleet *fleet, const BackupRequest *request, Supervisor *supervisor,
                ProgressMode mode, BackupResult *result, Error *err) MUST_CHECK;

/* backup_publish_nodes publishes a set of nodes that are stored, for who has no run: fleet names topology and set,
 * request what was asked. Sets set->committed; *ret_manifest, folded, lies below ctx. */
bool backup_publish_nodes(void *ctx, const Fleet *fleet, const BackupRequest *request, RepoSet *set,
                          BackupNode *nodes, size_t count, Cancel *cancel, Manifest **ret_manifest,
                          Error *err) MUST_CHECK;

#endif

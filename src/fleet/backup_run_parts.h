/*
 * fleet/backup_run_parts.h - what the parts of a backup's run share: backup_run.c, backup_publish.c,
 * backup_hold.c, backup_agents.c.
 */
#ifndef PGARK_FLEET_BACKUP_RUN_PARTS_H
#define PGARK_FLEET_BACKUP_RUN_PARTS_H

#include "base/parallel.h"
#include "fleet/agent_state.h"
#include "fleet/backup_run.h"
#include "fleet/engine.h"
#include "fleet/keeper.h"
#include "physical/base_node.h"

typedef struct BackupAgents BackupAgents;

typedef struct BackupRun
{
    void *ctx;
    const Fleet *fleet;
    const BackupRequest *request;
    Supervisor *supervisor;
    ProgressMode mode;
    BackupResult *result;
    Repo *repo;
    pthread_mutex_t set_mutex; /* guards set and its committed: give_up runs on the main thread */
    RepoSet *set;              /* while one is being made */
    Progress *progress;
    Cancel *cancel; /* of this attempt */
    BackupNode *nodes;
    size_t count;
    size_t *servers; /* first node of each server, and behind the last one count */
    size_t server_count;
    bool *same;   /* per node: node_confirm's answer */
    bool *locked; /* per node: node_lock's answer */
    EngineMap
        *map; /* with an engine: what lies where, as of the cut at last; below the first node's */
    CutRecord cut;
    Base *base; /* of this attempt, NULL: none */
    int64_t started_us;
    const HoldFile *left; /* of the run that died, whose set is resumed; NULL: a set of our own */
    bool adopted;         /* its snapshots are ours now */
    Keeper *keeper;       /* of this run */
    BackupAgents *agents; /* of this attempt; NULL: the data goes through this process */
    BaseNode *bases;      /* of a physical backup, one for each node; NULL */
} BackupRun;

/* backup_run_each calls fn for all nodes at once; backup_run_check_space refuses what would not fit;
 * backup_run_begin_set makes run->set. */
bool backup_run_each(BackupRun *run, ParallelFn fn, Error *err) MUST_CHECK;
bool backup_run_check_space(BackupRun *run, Error *err) MUST_CHECK;
bool backup_run_begin_set(BackupRun *run, Error *err) MUST_CHECK;

/* backup_publish_fleet: the name that retention and the writers' lock go by; may lie below ctx. */
const char *backup_publish_fleet(const BackupRun *run, void *ctx);

/* backup_publish_set describes the set as far as it is known before anything is stored. Strings lie below
 * ctx. */
void backup_publish_set(const BackupRun *run, void *ctx, SetRecord *ret);

/* backup_base_open chooses what the nodes are to compare with, where that was asked for, and gives it
 * to them; of a run that goes on with a dead one's set, what that one had chosen. backup_base_close
 * gives it back. */
bool backup_base_open(BackupRun *run, Error *err) MUST_CHECK;
void backup_base_close(BackupRun *run);

/* backup_publish makes the manifest of what all nodes have stored, and commits it: the set is there, or
 * it is not. Sets run->set->committed and run->result->manifest. */
bool backup_publish(BackupRun *run, Error *err) MUST_CHECK;

/* backup_physical is an attempt of a physical backup, once the nodes are connected and what is to be locked for
 * the barrier is listed: to the published set. */
bool backup_physical(BackupRun *run, Error *err) MUST_CHECK;

/* backup_physical_fits tells whether base backups of the servers, once base_node_open has looked at them, can be
 * incremental to those of a set; err says what the set is or has that rules it out. */
bool backup_physical_fits(const BackupRun *run, const Manifest *m, Error *err) MUST_CHECK;

/* backup_physical_records puts what the nodes have stored into the manifest, and its sums. */
void backup_physical_records(const BackupRun *run, Manifest *m);

/* backup_physical_sync makes the names of all directories durable. */
bool backup_physical_sync(const BackupRun *run, Error *err) MUST_CHECK;

/* backup_physical_end ends all connections and threads of it. */
void backup_physical_end(BackupRun *run);

/* backup_hold_start starts a keeper for the snapshots of the cut. Where it cannot be had, that is
 * logged as a warning, and the run goes on. */
void backup_hold_start(BackupRun *run);

/* backup_hold_end ends what keeps the snapshots of the run's set, unless failure is one after which
 * another run may go on with it: true then, and the set must stay. The run's own connections are
 * closed. */
bool backup_hold_end(BackupRun *run, const Error *failure);

/* backup_agents_prepare tells the nodes, before they connect, whether agents may do their data phase.
 * backup_agents_open, once they are, decides it (run->agents), and opens the connections by which agents
 * are started: after the cut there is no time for logins. ERR_USAGE: agents are wanted, and a node cannot
 * start one. */
void backup_agents_prepare(BackupRun *run);
bool backup_agents_open(BackupRun *run, Error *err) MUST_CHECK;

/* backup_agents_event tells how far all nodes are. */
void backup_agents_event(BackupRun *run, AgentEvent event);

/* backup_agents_dump is the data phase of all nodes; it fills of every node what node_dump does. */
bool backup_agents_dump(BackupRun *run, Error *err) MUST_CHECK;

/* backup_agents_have_parts tells whether nodes have stored in repositories of their own; then
 * backup_agents_publish puts the bytes of the manifest there, before it is committed here. */
bool backup_agents_have_parts(const BackupRun *run);
bool backup_agents_publish(BackupRun *run, const char *manifest, size_t len, Error *err) MUST_CHECK;

/* backup_agents_end closes what belongs to this attempt; when the set is not committed, what agents have
 * stored elsewhere is removed. */
void backup_agents_end(BackupRun *run);

#endif

/*
 * backup/node.h - one node's part of a backup: its connections, its locks, its snapshot, its data.
 *
 * Connections of a node, all opened before the cut:
 *   holder   one transaction to the end, ACCESS SHARE on every table; imports the snapshot of the
 * cut only after it is proven, so a failed try costs no lock scout    takes the snapshots of the
 * tries; the one that is proven stays exported by it probe    no transaction of its own: second
 * looks, who blocks whom, the barrier's locks, sequences workers  one short transaction per chunk:
 * import the snapshot, lock one table, COPY, commit
 */
#ifndef PGARK_BACKUP_NODE_H
#define PGARK_BACKUP_NODE_H

#include <pthread.h>
#include <stdatomic.h>

#include "backup/base_chunks.h"
#include "backup/catalog.h"
#include "backup/left.h"
#include "backup/plan.h"
#include "backup/scope.h"
#include "base/rate.h"
#include "pg/program.h"
#include "report/progress.h"
#include "storage/storage.h"

typedef struct BackupNode
{
    /* Given by the caller before node_connect: */
    const BackupRequest *request;
    const PgConnSpec *spec;
    int content;
    /* Other databases of the same server are backed up, too: its connections are few, so the
     * workers come and go with each database's data. */
    bool shared_server;
    bool with_globals; /* this is the one of them that stores roles and tablespaces */
    bool with_config;  /* and that one its server's configuration files */
    int dbid;
    const NodeScope *scope; /* NULL: all that the selection wants */
    /* What node_plan is to compare with, for as long as the node is connected; NULL: nothing. */
    const Base *base;
    /* Set before node_adopt: the snapshot that it takes, of a run that died or of a coordinator. */
    const HoldNodeRecord *held;
    /* An agent on the node's own host will do the data phase: no workers, no pg_dump of ours. Set before
     * node_connect; node_stay_local takes it back. Together with held this is that agent: node_connect opens what
     * node_adopt needs, and looks at nothing that the coordinator has looked at; for the rest there is time when
     * the coordinator's locks are taken over. */
    bool remote;
    char label[160];        /* "node 1" until connected, then "node 1 (host:port)" */
    Cancel *cancel;         /* of the attempt: raised by whoever fails first */
    ProgressNode *progress; /* never NULL */
    Progress *progress_all;
    size_t progress_index;

    /* Filled as the phases go on: */
    void *ctx;
    PgConn *holder;
    PgConn *scout;
    PgConn *probe;
    PgConn **workers;
    NodeRecord record;
    char *started; /* pg_postmaster_start_time() in UTC, to tell servers apart */
    PgProgram pg_dump;
    PGresult *config;        /* configuration files, until they are stored: backup/config_files.h */
    int64_t lock_since_ms;   /* when node_lock first could not get a lock, 0: it could */
    int64_t lock_report_ms;  /* when the next line about a wait is due */
    Catalog locked;          /* what the holder has locked, the barrier's list too */
    Catalog catalog;         /* what the snapshot shows */
    char snapshot_id[64];    /* exported by the scout */
    BaseChunks *base_chunks; /* of base, NULL: it does not have this node */
    bool *base_used;         /* which of base->sets are referred to */
    Plan plan;
    SequenceRecord *sequences;
    size_t sequence_count;
    TableRecord *tables;          /* one per catalogue item, totals as chunks come in */
    atomic_uint_fast64_t objects; /* files made, schema and node file included */
    uint64_t rows;                /* in its chunks, and their bytes: of a set that was published */
    uint64_t stored;

    /* Of the data phase: */
    Storage *storage;
    const char *set_dir;
    char *node_dir; /* "db/<db>/node<content>" */
    ChunkQueue *queue;
    RateLimit *rate; /* NULL: none */
    ManifestWriter *chunks;
    pthread_mutex_t mutex; /* guards chunks, tables' totals, base_used */
    atomic_int bundle_ids;
    LeftChunks left; /* finished by the run that died */
} BackupNode;

/* node_keeps tells whether what is stored must be there should this run die or fail. */
static inline bool node_keeps(const BackupNode *node)
{
    return node->request->hold_ms > 0 || node->request->resume || node->request->keep_partial;
}

/* node_has_catalogue: the definitions of its database are part of the set. */
static inline bool node_has_catalogue(const BackupNode *node)
{
    return node->scope == NULL || node->scope->catalogue;
}

/* node_refer notes that a chunk of the node is stored in another set, one of base->sets. The caller has
 * node->mutex, where there are others. */
static inline void node_refer(BackupNode *node, const ChunkRecord *chunk)
{
    if (chunk->set[0] != '\0')
        node->base_used[base_set_index(node->base, chunk->set)] = true;
}

/* node_init fills what the caller gives, of a zeroed node, but for the cancel flag, which every attempt has
 * anew. index is the node's place in progress. */
void node_init(BackupNode *node, const BackupRequest *request, const PgConnSpec *spec, int content,
               Progress *progress, size_t index);

/* node_connect opens all connections and checks what can be checked without touching anything:
 * version, lock table, that a standby can export snapshots. probe_only: for plans and readiness. */
bool node_connect(BackupNode *node, bool probe_only, Error *err) MUST_CHECK;

/* node_open_workers opens the workers' connections; node_connect does it unless shared_server.
 * node_close_workers closes them early. */
bool node_open_workers(BackupNode *node, Error *err) MUST_CHECK;
void node_close_workers(BackupNode *node);

/* node_open_watch opens one more connection, which is the caller's. */
PgConn *node_open_watch(const BackupNode *node, Error *err);

/* node_stay_local makes up for what node_connect has left out for an agent. */
bool node_stay_local(BackupNode *node, Error *err) MUST_CHECK;

/* node_sync makes the names of what node_dump has stored durable, up to the set's directory. */
bool node_sync(const BackupNode *node, Storage *st, const char *set_dir, Error *err) MUST_CHECK;

/* node_find_pg_dump sets node->pg_dump, if definitions are read from the node. node_find_program finds
 * another one (path NULL: nobody named it) that fits the node's server. */
bool node_find_pg_dump(BackupNode *node, Error *err) MUST_CHECK;
bool node_find_program(BackupNode *node, const char *name, const char *path, PgProgram *ret,
                       Error *err) MUST_CHECK;

/* node_lock lists the tables and locks them all; starts over by itself when one vanishes meanwhile.
 * With slice_ms (0: none) it waits no longer than that, then gives all locks back: *ret_locked
 * false. ERR_LOCK when the user's own limit is over. */
bool node_lock(BackupNode *node, int64_t slice_ms, bool *ret_locked, Error *err) MUST_CHECK;

/* node_unlock gives all locks back, for another try. */
void node_unlock(BackupNode *node);

/* node_list lists the tables to lock, as the probe sees them; node_connect does it, and it is to be
 * done again when node->scope has changed. */
bool node_list(BackupNode *node, Error *err) MUST_CHECK;

/* node_confirm compares what the scout's snapshot shows with what is locked. *ret_same false:
 * tables have come since; they are locked now, too, and the cut has to be taken again. ERR_CHANGED:
 * they could not be locked within slice_ms (0: no such limit). */
bool node_confirm(BackupNode *node, int64_t slice_ms, bool *ret_same, Error *err) MUST_CHECK;

/* node_adopt takes, in the place of node_lock, cut and node_confirm, the snapshot that node->held
 * says: lists its tables, locks them, and proves that they have been locked ever since that snapshot
 * was taken. ERR_NOT_FOUND: the snapshot is gone; ERR_CHANGED: this is not the database it is of, or
 * its tables are no longer there under their names; ERR_LOCK: somebody waits for a stronger lock. */
bool node_adopt(BackupNode *node, Error *err) MUST_CHECK;

/* node_relist reads again, in the snapshot that was adopted, what belongs to the backup, as node->scope
 * has changed. ERR_CHANGED: some of it was not locked. */
bool node_relist(BackupNode *node, Error *err) MUST_CHECK;

/* node_plan reads sizes and columns through conn (the scout, or the probe for a dry run) and cuts
 * chunks; with node->base it reads what that has of this node, and where it cannot be read warns and
 * goes without. */
bool node_plan(BackupNode *node, PgConn *conn, Error *err) MUST_CHECK;

/* node_dump_schema stores the definitions at once, where the data has to wait for that of other
 * databases of the same server: pg_dump's locks must not come long after the holder's. */
bool node_dump_schema(BackupNode *node, Storage *st, const char *set_dir, Error *err) MUST_CHECK;

/* node_dump does the node's whole data phase: schema beside the chunks unless it is there, W
 * workers, the holder for the tables that workers cannot lock, sequences; ends with its chunk file
 * durable. */
bool node_dump(BackupNode *node, Storage *st, const char *set_dir, Error *err) MUST_CHECK;

/* node_close ends all transactions and connections and frees what the node holds; the fields that
 * the caller gave stay, so that node_connect can begin again. */
void node_close(BackupNode *node);

#endif

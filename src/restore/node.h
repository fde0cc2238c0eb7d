/*
 * restore/node.h - one node of a set goes into one database.
 */
#ifndef PGARK_RESTORE_NODE_H
#define PGARK_RESTORE_NODE_H

#include "pg/query.h"
#include "repo/fold.h"
#include "repo/repo.h"
#include "report/progress.h"
#include "restore/cluster.h"
#include "restore/ddl.h"
#include "restore/filter.h"
#include "restore/globals.h"
#include "restore/outcome.h"
#include "restore/request.h"

/* Where a chunk's record lies in the node's chunk file: all that is kept in memory per chunk. */
typedef struct ChunkRef
{
    uint64_t line_offset;
    uint64_t logical;
    uint32_t line_len;
    uint32_t number; /* of the chunk within its table: the order of the source's blocks */
    uint32_t table;  /* index into RestoreNode.tables */
    uint32_t part;   /* index into RestoreNode.fold's parts, NO_PART: the table's own */
} ChunkRef;

#define NO_PART UINT32_MAX

typedef struct RestoreTable
{
    const TableRecord *record;
    const char *schema;  /* that it goes to */
    bool made;           /* by this restore; else it is in the target already */
    bool fresh;          /* the transaction that loads it may empty it first: FREEZE needs that */
    uint32_t target_oid; /* of one that is not made */
    const char *before;  /* to be run before its rows are loaded, in the same transaction, */
    const char *after;   /* and behind them; both NULL mostly */
    bool remote;         /* the target keeps its rows on other servers */
    bool placed;   /* and its parts are loaded there, each into the relation that it will be; */
    bool anywhere; /* or the table, through any of places.writers */
    bool proven;   /* parts, when all are loaded, by the cluster (RestoreCluster.prove) */
    atomic_bool failed; /* its rows were not restored, and the run went on */
    atomic_uint_fast64_t loaded_rows, loaded_bytes; /* by this run (restore/before.h) */
    size_t first_chunk; /* its chunks are ChunkRefs first_chunk .. first_chunk + chunk_count - 1 */
    size_t chunk_count; /* chunks with rows */
    char *quoted;
    char *column_list;
    char *
        route; /* quoted ancestor that the rows are loaded through (restore/route.h), mostly NULL */
} RestoreTable;

/* A table whose rows must be there before those of another: positions in RestoreNode.tables. */
typedef struct TableOrder
{
    uint32_t before;
    uint32_t after;
} TableOrder;

/* What of the result was there already when a restore went on. */
typedef struct RestoreBefore
{
    uint64_t rows;
    uint64_t logical;
    uint64_t statements;
} RestoreBefore;

typedef struct RestoreNode
{
    /* Given by the caller: */
    const RestoreRequest *request;
    PgConnSpec spec; /* of the target as the user named it */
    Storage *storage;
    const char *set_dir;
    const Manifest *manifest;
    const NodeRecord *record;
    const Fold *fold; /* parts of this node's tables, on whichever node they were */
    bool own_name;    /* other databases go to the same server: this one by its own name */
    Cancel *cancel;
    Progress *progress_all;
    ProgressNode *progress;
    size_t progress_index;
    char label[160];
    const RestoreCluster
        *cluster; /* what a target needs whose tables are on several servers; NULL */
    void *cluster_state;

    /* Filled on the way: */
    void *ctx;
    char *database;          /* that is restored into */
    char identity[96];       /* system identifier and start time: tells servers apart */
    bool created;            /* by --create, in this run or the one that it goes on with */
    bool fills;              /* what --create would make is there and empty */
    bool touched;            /* something may have been changed there */
    bool resumed;            /* goes on with what a run before this one began */
    bool over;               /* that run has done everything */
    bool whole;              /* the target had to be empty: nothing was left out by name */
    struct Journal *journal; /* restore/journal.h; NULL: none */
    PgConn *main;            /* pre-data, sequences, ACLs */
    PgConn **workers;
    bool single_statements; /* definitions behind the data are sent one statement at a time */
    int jobs;               /* workers: as many as asked for, for each server that is loaded into */
    RestorePlaces places;
    char **part_columns; /* per part of fold: quoted list of its columns */
    Selection selection; /* the request's, with the sections that this set has */
    ArchiveToc *toc;     /* what is restored of the archive, as it is run */
    Filter *filter;      /* of toc, and of the manifest's records */
    const char *
        *new_schemas; /* that the archive does not make, to be made where they are not there */
    size_t new_schema_count, new_schema_capacity;
    DdlPlan *ddl;
    Globals *globals; /* roles and tablespaces to be made first, NULL: none */
    Outcome *outcome;
    RestoreTable *tables; /* sorted by oid; those with storage whose rows are restored */
    size_t table_count;
    uint32_t *left_out; /* oids of the node's other tables, sorted */
    size_t left_out_count, left_out_capacity;
    TableOrder *orders; /* foreign keys of tables that are in the target already */
    size_t order_count, order_capacity;
    ChunkRef *chunks;
    size_t chunk_count;
    size_t chunk_capacity;
    struct LargeObjects *large_objects; /* restore/large_objects.h; NULL: none */
    /* Result: */
    uint64_t rows;
    uint64_t logical;
    uint64_t statements;
    RestoreBefore before; /* of these three */
} RestoreNode;

/* restore_node_connect finds the target (restore/target.h), and whether a restore into it was begun
 * (restore/journal.h). To be called first. */
bool restore_node_connect(RestoreNode *node, Error *err) MUST_CHECK;

/* restore_node_prepare proves that this node can be restored, before anything is changed anywhere:
 * the archive and the chunk file are whole, the target answers, it has what the definitions count
 * on, and nothing that is in the way (restore/existing.h). */
bool restore_node_prepare(RestoreNode *node, Error *err) MUST_CHECK;

/* restore_node_run does it: database, pre-data, chunks in parallel, indexes as their tables are
 * complete, the rest of post-data when all data is in, sequences, ANALYZE, ACLs.
 * restore_node_finish, when all nodes have got there: event triggers, which would see whatever comes
 * behind them, in the transaction that removes the journal. */
bool restore_node_run(RestoreNode *node, Error *err) MUST_CHECK;
bool restore_node_finish(RestoreNode *node, Error *err) MUST_CHECK;

/* restore_node_table finds one of node->tables by the oid it had at the source; NULL: there is none. */
RestoreTable *restore_node_table(const RestoreNode *node, uint32_t oid);

/* node_schema gives the schema that what lay in this one goes to: another with --schema-map. */
const char *node_schema(const RestoreNode *node, const char *schema);

/* restore_node_close frees what the node has but for outcome and filter, which go below ctx: they
 * are part of the result. */
void restore_node_close(RestoreNode *node, void *ctx);

#endif

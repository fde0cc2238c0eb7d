/*
 * restore/node.h - one node of a set goes into one database.
 */
#ifndef PGARK_RESTORE_NODE_H
#define PGARK_RESTORE_NODE_H

#include "pg/query.h"
#include "repo/repo.h"
#include "report/progress.h"
#include "restore/ddl.h"
#include "restore/request.h"

/* Where a chunk's record lies in the node's chunk file: all that is kept in memory per chunk. */
typedef struct ChunkRef
{
    uint64_t line_offset;
    uint64_t logical;
    uint32_t line_len;
    uint32_t number; /* of the chunk within its table: the order of the source's blocks */
    uint32_t table;  /* index into RestoreNode.tables */
} ChunkRef;

typedef struct RestoreTable
{
    const TableRecord *record;
    size_t first_chunk; /* its chunks are ChunkRefs first_chunk .. first_chunk + chunk_count - 1 */
    size_t chunk_count; /* chunks with rows */
    char *quoted;
    char *column_list;
    char *
        route; /* quoted ancestor that the rows are loaded through (restore/route.h), mostly NULL */
} RestoreTable;

typedef struct RestoreNode
{
    /* Given by the caller: */
    const RestoreRequest *request;
    PgConnSpec spec; /* of the target as the user named it */
    Storage *storage;
    const char *set_dir;
    const Manifest *manifest;
    const NodeRecord *record;
    Cancel *cancel;
    Progress *progress_all;
    ProgressNode *progress;
    size_t progress_index;
    char label[160];

    /* Filled on the way: */
    void *ctx;
    char *database;    /* that is restored into */
    char identity[96]; /* system identifier and start time: tells servers apart */
    bool created;      /* by this run */
    bool touched;      /* something may have been changed there */
    PgConn *main;      /* pre-data, sequences, ACLs */
    PgConn **workers;
    DdlPlan *ddl;
    RestoreTable *tables; /* sorted by oid; only the node's tables of kind 'r' */
    size_t table_count;
    ChunkRef *chunks;
    size_t chunk_count;
    size_t chunk_capacity;
    struct LargeObjects *large_objects; /* restore/large_objects.h; NULL: none */
    /* Result: */
    uint64_t rows;
    uint64_t logical;
    uint64_t statements;
} RestoreNode;

/* restore_node_prepare proves that this node can be restored, before anything is changed anywhere:
 * the archive and the chunk file are whole, the target answers and is empty (or, with create, does
 * not exist). */
bool restore_node_prepare(RestoreNode *node, Error *err) MUST_CHECK;

/* restore_node_run does it: database, pre-data, chunks in parallel, indexes as their tables are
 * complete, the rest of post-data when all data is in, sequences, ANALYZE, ACLs, event triggers. */
bool restore_node_run(RestoreNode *node, Error *err) MUST_CHECK;

/* restore_node_table finds one of node->tables by the oid it had at the source; NULL: there is none. */
RestoreTable *restore_node_table(const RestoreNode *node, uint32_t oid);

void restore_node_close(RestoreNode *node);

#endif

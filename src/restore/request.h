/*
 * restore/request.h - what a restore is asked to do.
 */
#ifndef PGARK_RESTORE_REQUEST_H
#define PGARK_RESTORE_REQUEST_H

#include "config/distribute_file.h"
#include "pg/conn.h"
#include "report/progress.h"
#include "select/selection.h"

typedef struct RestoreTarget
{
    int content; /* the set's node that goes there */
    PgConnSpec spec;
} RestoreTarget;

/* OLD=NEW of --schema-map and --tablespace-map. */
typedef struct NameMap
{
    const char *from;
    const char *to;
} NameMap;

typedef enum OnError
{
    ON_ERROR_STOP,
    ON_ERROR_CONTINUE, /* go on with what does not depend on it, and list what failed */
} OnError;

/* Rows may go straight to the servers that will have them. */
typedef enum Direct
{
    DIRECT_AUTO, /* where all of a table's can */
    DIRECT_ALWAYS,
    DIRECT_NEVER,
} Direct;

typedef struct RestoreRequest
{
    const char *repo;
    const char *key;    /* or "latest" */
    const char *prefix; /* of the series that the set must belong to; NULL: see repo_resolve() */
    int jobs;           /* per node */
    bool create;
    bool analyze;
    uint64_t memory; /* bytes that a node's jobs may sort with, together; 0: see restore/budget.h */
    RestoreTarget *targets;
    size_t target_count;
    bool single_target; /* -d: content not named; the set must have one node */

    /* What: */
    const Selection *selection; /* never NULL */
    const char *from_database;  /* of a set with several databases only this one, NULL: all */
    bool globals;               /* roles and tablespaces that the target lacks, too */
    bool with_dependencies;     /* and what it depends on */

    /* How definitions are changed: */
    bool no_owner;
    bool no_tablespaces;
    bool no_table_am;
    const NameMap *schema_map;
    size_t schema_map_count;
    const NameMap *tablespace_map;
    size_t tablespace_map_count;

    /* As whom: */
    const char *role; /* SET ROLE on every connection, NULL: none */
    bool session_authorization;
    bool enable_row_security;

    /* Into what: at most one of clean, truncate and append; the last two are for rows only, but with
     * keep_existing. */
    bool clean;     /* drop first what will be made */
    bool if_exists; /* where it is there */
    bool truncate;  /* empty the tables first */
    bool append;    /* add to the rows that are there */
    bool
        keep_existing; /* what is there stays as it is, and its tables get their rows; with clean or create
                           it says nothing */
    bool disable_triggers;
    bool resume;   /* go on with a restore that is not complete */
    bool via_root; /* load partitions through the root of their tree */
    OnError on_error;

    /* A target whose tables have their rows on several servers: */
    const NameMap *host_map; /* names of its nodes that are others here */
    size_t host_map_count;
    const DistributeFile *distribute; /* NULL: as in the set */
    int shard_count;                  /* 0: as in the set */
    Direct direct;

    /* In an agent: only this node of the set is restored, and when all is checked, before anything is
     * changed, checked is called (progress: the node's), and may block. NULL: no agent. */
    int part;
    bool (*checked)(void *arg, ProgressNode *progress, Cancel *cancel, Error *err);
    void *checked_arg;
} RestoreRequest;

#endif

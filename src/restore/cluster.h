/*
 * restore/cluster.h - restoring into a database whose tables have their rows on several servers.
 *
 * The restore of a node goes through one server, the coordinator; what has to be done besides is an
 * implementation of this (in src/fleet, by engine). Without one the target is an ordinary database.
 */
#ifndef PGARK_RESTORE_CLUSTER_H
#define PGARK_RESTORE_CLUSTER_H

#include "pg/conn.h"

struct RestoreNode;

/* Where parts of tables are loaded directly. */
typedef struct RestorePlaces
{
    const PgConnSpec *servers;
    size_t server_count;
    const size_t
        *writers; /* servers of which each takes rows of RestoreTables that are anywhere; the
                              target itself is among them as the first server */
    size_t writer_count;
    struct RestorePlace
    {
        const char *quoted; /* the relation, NULL: this part goes through its table */
        size_t server;
        size_t copies;     /* how many servers, from that on, get a copy; 0: one */
        bool freeze;       /* COPY may freeze its rows */
        bool keep;         /* its storage stays: what a run before this one has left is deleted */
        const char *proof; /* a query that, behind the load, must give no row; NULL: none */
    } * parts;             /* per part of RestoreNode.fold */
} RestorePlaces;

typedef bool (*RestoreClusterStep)(struct RestoreNode *node, Error *err);

/* Functions but prepare may be NULL: then there is nothing to be done. */
typedef struct RestoreCluster
{
    /* Before anything is changed: node->main is connected (to a maintenance database, with
     * --create), node->toc is what will be run, node->tables are listed. May take entries out of
     * node->toc, and set node->jobs, node->single_statements and node->spec.setup. */
    RestoreClusterStep prepare;

    /* Definitions are sent as they were archived: one that takes long is not made several. */
    bool whole_statements;

    /* A query that ends the sessions which servers of a cluster keep with each other in the database $1
     * and which would keep it from being dropped; NULL: there are none. */
    const char *end_sessions;

    /* The database has been made by --create, and is empty. */
    RestoreClusterStep create;

    /* All definitions that come before the data are there. Spreads the tables over the servers, and
     * sets RestoreTable.remote, placed and proven, and node->places. */
    RestoreClusterStep spread;

    /* All parts of a table, which is in node->tables there and has RestoreTable.proven, are loaded where
     * they will be: are they where the server looks for them? conn is a worker's. ERR_CORRUPT. */
    bool (*prove)(struct RestoreNode *node, PgConn *conn, size_t table, Error *err);

    /* Gives the statement to be run for one of the definitions behind the data, with
     * RestoreNode.single_statements; below ctx where it is another. std_strings: as in the archive. */
    const char *(*statement)(void *ctx, const char *sql, bool std_strings);

    /* The sequences have their values. */
    RestoreClusterStep sequences;

    /* All has been done by the workers, and noted in the journal. */
    RestoreClusterStep finish;
} RestoreCluster;

#endif

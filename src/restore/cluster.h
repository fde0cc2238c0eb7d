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
        bool freeze;       /* COPY may freeze its rows */
        const char *proof; /* a query that, behind the load, must give no row; NULL: none */
    } * parts;             /* per part of RestoreNode.fold */
} RestorePlaces;

typedef struct RestoreCluster
{
    /* Before anything is changed: node->main is connected (to a maintenance database, with
     * --create), node->toc is what will be run, node->tables are listed. May take entries out of
     * node->toc, and set node->jobs, node->single_statements and node->spec.setup. */
    bool (*prepare)(struct RestoreNode *node, Error *err);

    /* A query that ends the sessions which servers of a cluster keep with each other in the database $1
     * and which would keep it from being dropped. */
    const char *end_sessions;

    /* The database has been made by --create, and is empty. */
    bool (*create)(struct RestoreNode *node, Error *err);

    /* All definitions that come before the data are there. Spreads the tables over the servers, and
     * sets RestoreTable.remote and placed, and node->places. */
    bool (*spread)(struct RestoreNode *node, Error *err);

    /* Gives the statement to be run for one of the definitions behind the data; below ctx where it is
     * another. std_strings: as in the archive. */
    const char *(*statement)(void *ctx, const char *sql, bool std_strings);

    /* The sequences have their values. */
    bool (*sequences)(struct RestoreNode *node, Error *err);

    /* All has been done by the workers, and noted in the journal. */
    bool (*finish)(struct RestoreNode *node, Error *err);
} RestoreCluster;

#endif

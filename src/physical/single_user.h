/*
 * physical/single_user.h - statements that are run in a data directory while no server of it is there for others.
 *
 * Source: PostgreSQL documentation, "postgres", "Options for Single-User Mode". Of Greenplum's own settings: that which
 * its initdb runs such a server with.
 */
#ifndef PGARK_PHYSICAL_SINGLE_USER_H
#define PGARK_PHYSICAL_SINGLE_USER_H

#include "base/cancel.h"
#include "base/mem.h"

typedef struct SingleUser
{
    const char *program;   /* the server's own, "postgres", of its major version */
    const char *directory; /* absolute; recovers first if it has to */
    bool no_sync;
    int prepared; /* so many prepared transactions may be there; 0: any number, which takes longer to start */
    int greenplum_dbid; /* of the coordinator of a Greenplum 6, whose catalogues may be changed; 0: of PostgreSQL */
    const Cancel *cancel;
} SingleUser;

/* What a row begins with that is wanted: of one column, a text without quotation marks and line breaks. */
#define SINGLE_USER_MARK "pgark:"

/* Told of each such row, without the mark. */
typedef bool (*SingleUserRow)(void *arg, const char *text, Error *err);

/* single_user_run recovers the server, runs statements, one a line, in the database, and ends it, everything durable.
 * No library is preloaded, no trigger fires, no configuration file of the server's own is read but
 * postgresql.auto.conf. A statement that fails is passed over: its rows do not come. ERR_PROGRAM. */
bool single_user_run(const SingleUser *s, const char *database, const char *statements,
                     SingleUserRow on_row, void *arg, Error *err) MUST_CHECK;

/* The rows in what such a process writes, as it comes in pieces; for single_user_run, and tests. */
typedef struct SingleUserOutput
{
    SingleUserRow on_row;
    void *arg;
    size_t len;
    bool too_long; /* the line at hand */
    char line[4096];
} SingleUserOutput;

bool single_user_take(SingleUserOutput *o, const void *data, size_t len, Error *err) MUST_CHECK;

#endif

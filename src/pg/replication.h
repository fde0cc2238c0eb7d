/*
 * pg/replication.h - what a walsender is asked, besides for streams of WAL.
 *
 * Source: PostgreSQL documentation, "Streaming Replication Protocol". All block, cancellably (pg/conn.h);
 * failures are as those of pg/query.h.
 */
#ifndef PGARK_PG_REPLICATION_H
#define PGARK_PG_REPLICATION_H

#include "pg/query.h"

/* replication_open connects to a walsender for physical replication, with the login that spec has. A
 * refusal that has a known cure (no privilege, no entry in pg_hba.conf, max_wal_senders used up) gets it as its
 * hint. */
PgConn *replication_open(const PgConnSpec *spec, const char *label, const char *application,
                         const Cancel *cancel, Error *err);

/* The answer to IDENTIFY_SYSTEM. */
typedef struct ReplicationSystem
{
    char identifier[24]; /* decimal */
    uint32_t timeline;
    uint64_t lsn; /* flushed up to there */
} ReplicationSystem;
bool replication_identify(PgConn *conn, ReplicationSystem *ret, Error *err) MUST_CHECK;

/* replication_temporary_slot makes a physical slot that ends with the connection, and keeps WAL from now on. name:
 * lower-case letters, digits and _. No slots left: the hint says which setting it is. */
bool replication_temporary_slot(PgConn *conn, const char *name, Error *err) MUST_CHECK;

/* replication_slot makes one that stays. */
bool replication_slot(PgConn *conn, const char *name, Error *err) MUST_CHECK;

/* replication_lsn reads a cell as a place in WAL. */
bool replication_lsn(const PGresult *res, int row, int column, uint64_t *ret, Error *err)
    MUST_CHECK;

#endif

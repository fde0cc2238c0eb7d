/*
 * pg/wal_files.h - WAL from a server of PostgreSQL 9.4, which Greenplum 6 has in it, read out of its files by SQL.
 *
 * A walsender would do as well, but for this: Greenplum takes everybody that streams for a synchronous standby, whatever
 * his name is. On the coordinator commits wait for whoever streams, even where no standby is set up, until he has called
 * them durable; and where there are mirrors it is the first one who calls anything durable whose word counts, and not the
 * mirror's. Whoever reads files is waited for by nobody.
 *
 * It takes a superuser, which wal_files_identify makes sure of (ERR_USAGE). Failures are as those of pg/query.h.
 */
#ifndef PGARK_PG_WAL_FILES_H
#define PGARK_PG_WAL_FILES_H

#include "pg/replication.h"

/* wal_files_identify tells who the server is, as a walsender would, and how large its segments are. */
bool wal_files_identify(PgConn *conn, ReplicationSystem *ret, uint64_t *ret_segment_size,
                        Error *err) MUST_CHECK;

/* wal_files_end gives the place up to which WAL is written to files. */
bool wal_files_end(PgConn *conn, uint64_t *ret, Error *err) MUST_CHECK;

/* wal_files_read reads len bytes from offset on of a file in the directory of WAL, by its name; the first cell of the
 * result, of PQgetlength() bytes, which are less at the end of the file. The caller's (PQclear). */
PGresult *wal_files_read(PgConn *conn, const char *name, uint64_t offset, size_t len, Error *err);

#endif

/*
 * pg/dialect.h - parts of queries that servers of different versions want to be told differently.
 *
 * PostgreSQL itself is 13 or newer; products that are built on an older one are 9.4 and 12 (Greenplum
 * 6 and 7). Where one text does for all of them, queries have that instead.
 */
#ifndef PGARK_PG_DIALECT_H
#define PGARK_PG_DIALECT_H

#include "pg/conn.h"

/* dialect_system_identifier: an expression that gives the server's system identifier as text. Before 9.6
 * only a superuser can read it; of others it gives a text that tells the servers of one fleet apart. */
const char *dialect_system_identifier(const PgConn *conn);

/* dialect_is_generated, dialect_is_partition: conditions on a row a of pg_attribute, c of pg_class. */
const char *dialect_is_generated(const PgConn *conn);
const char *dialect_is_partition(const PgConn *conn);

/* dialect_is_client: a condition on a row a of pg_stat_activity: not a process of the server's own. */
const char *dialect_is_client(const PgConn *conn);

#endif

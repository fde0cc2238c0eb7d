/*
 * restore/large_object_sql.h - the statements that give large objects what is theirs.
 */
#ifndef PGARK_RESTORE_LARGE_OBJECT_SQL_H
#define PGARK_RESTORE_LARGE_OBJECT_SQL_H

#include "pg/query.h"
#include "restore/large_object_groups.h"

/* Each appends statements, every one with its semicolon, to sql. ERR_CORRUPT: the row is not what
 * it should be. */

/* large_object_sql_unlink removes those objects of a group that are there. Locks each of them. */
void large_object_sql_unlink(Str *sql, const LargeObjectGroup *group);

/* large_object_sql_create makes the objects of a group. As the owner with as_owner: SET LOCAL ROLE,
 * to be run in a transaction. */
bool large_object_sql_create(Str *sql, PgConn *conn, const LargeObjectGroup *group, bool as_owner,
                             Error *err) MUST_CHECK;

bool large_object_sql_comment(Str *sql, PgConn *conn, const LargeObjectRow *row, Error *err)
    MUST_CHECK;
bool large_object_sql_labels(Str *sql, PgConn *conn, const LargeObjectRow *row, Error *err)
    MUST_CHECK;

#endif

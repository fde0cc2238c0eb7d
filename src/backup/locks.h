/*
 * backup/locks.h - ACCESS SHARE on every table, before any snapshot.
 */
#ifndef PGARK_BACKUP_LOCKS_H
#define PGARK_BACKUP_LOCKS_H

#include "backup/catalog.h"

/* locks_check_capacity compares the server's shared lock table with what a run needs (each table
 * once, by holder, pg_dump and barrier together: they share the entry). ERR_USAGE names
 * max_locks_per_transaction and a value that is enough. */
bool locks_check_capacity(PgConn *probe, size_t tables, Error *err) MUST_CHECK;

/* locks_capacity gives the numbers behind it: entries the table can hold, and those in use now. */
bool locks_capacity(PgConn *probe, int64_t *ret_capacity, int64_t *ret_used,
                    int *ret_per_transaction, Error *err) MUST_CHECK;

/* locks_take locks the relations in ACCESS SHARE MODE in the holder's open transaction, which must
 * not have a snapshot yet; LOCK takes none. Waits at most wait_ms each (0: for ever), and logs for
 * whom: after some seconds, then twice a minute; *report_ms (0 at first) is when the next line is
 * due, so that a caller who tries again does not say it again. ERR_CHANGED: a table has gone
 * meanwhile, or the wait was a deadlock; the transaction is lost. ERR_LOCK: the wait ran out; the
 * message names who holds or waits for the lock (found through probe). */
bool locks_take(PgConn *holder, PgConn *probe, const Catalog *relations, int64_t wait_ms,
                int64_t *report_ms, Error *err) MUST_CHECK;

/* locks_statement writes LOCK TABLE ONLY ... (without ONLY where lock_tree says so) for items
 * first..first+count-1 into a text below ctx. */
char *locks_statement(void *ctx, const Catalog *relations, size_t first, size_t count,
                      const char *mode);

/* locks_oids gives, below ctx, the oids of the relations as the text of an array. */
const char *locks_oids(void *ctx, const Catalog *relations);

/* At most this many tables in one LOCK statement. */
#define LOCKS_PER_STATEMENT 500

#endif

/*
 * restore/budget.h - memory and processes for statements that build and compare.
 *
 * maintenance_work_mem is what one CREATE INDEX, with its parallel workers, or one check of a foreign
 * key may use. Each of the restore's workers has a share of the budget; a statement that runs when
 * others are idle has theirs, too. Settings are the session's only.
 */
#ifndef PGARK_RESTORE_BUDGET_H
#define PGARK_RESTORE_BUDGET_H

#include "pg/query.h"

/* What the target's server has. */
typedef struct BudgetServer
{
    uint64_t maintenance_work_mem; /* bytes */
    uint64_t shared_buffers;       /* bytes */
    int max_parallel_maintenance_workers;
    int max_parallel_workers; /* and not more than max_worker_processes */
    int processors;           /* 0: not known, as it is another machine */
} BudgetServer;

typedef struct Budget
{
    int jobs;
    uint64_t share; /* bytes */
    BudgetServer server;
} Budget;

/* budget_derive: memory is what all jobs may use together. 0: as much as they would without a word,
 * or what the server's shared_buffers are, if that is more: that says how large the machine is; but
 * not more than 1 GB each. */
void budget_derive(Budget *ret, const BudgetServer *server, int jobs, uint64_t memory);

/* budget_read asks the server, and the machine where the connection is a local one. Blocks. */
bool budget_read(PgConn *conn, int jobs, uint64_t memory, Budget *ret, Error *err) MUST_CHECK;

/* budget_bytes and budget_processes: maintenance_work_mem, and max_parallel_maintenance_workers, of a
 * statement with so many shares. On a machine whose processors are known there are not more processes
 * than those; elsewhere the server's own setting is what its owner thinks right for one statement. */
uint64_t budget_bytes(const Budget *b, int shares);
int budget_processes(const Budget *b, int shares);

/* budget_apply sets the session for a statement with so many shares; *current, 0 in the beginning, is
 * what it is set to. budget_reset gives the session back as it was. Both block. */
bool budget_apply(const Budget *b, PgConn *conn, int shares, int *current, Error *err) MUST_CHECK;
bool budget_reset(PgConn *conn, int *current, Error *err) MUST_CHECK;

#endif

/*
 * restore/budget.h - memory and processes for statements that build and compare.
 *
 * maintenance_work_mem is what one CREATE INDEX, with its parallel workers, or one check of a foreign
 * key may use. Each of the restore's workers has a share of the budget; a statement that runs when
 * others are idle has theirs, too. Settings are the session's only.
 *
 * A sort does not use all it may have: in portions that the processor's caches hold, merged at the end,
 * it takes half the time that it takes in one piece (measured on 15 with 3 million texts: 3.1 s of
 * processor time in 8 MB, 5.0 s in 32 MB, 8.0 s in 512 MB), as long as all portions can be merged at
 * once. A check hashes a table, for which more is better.
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

/* What a session is set to; all 0: the server's own settings. */
typedef struct BudgetGrant
{
    uint64_t bytes; /* maintenance_work_mem */
    int processes;  /* max_parallel_maintenance_workers */
} BudgetGrant;

/* budget_sort is for a statement that sorts so many bytes, budget_check for one that compares. On a
 * machine whose processors are known there are as many processes as those; elsewhere the server's own
 * setting is what its owner thinks right for one statement. */
BudgetGrant budget_sort(const Budget *b, int shares, uint64_t bytes);
BudgetGrant budget_check(const Budget *b, int shares);

/* budget_apply sets the session; *current is what it is set to. budget_reset gives the session back as
 * it was. Both block. */
bool budget_apply(PgConn *conn, BudgetGrant grant, BudgetGrant *current, Error *err) MUST_CHECK;
bool budget_reset(PgConn *conn, BudgetGrant *current, Error *err) MUST_CHECK;

#endif

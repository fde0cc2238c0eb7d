/*
 * restore/work.h - a node's tasks and what each has to wait for.
 *
 * Loads first; a statement follows the loads of the tables it locks, or all loads, and the
 * statements it depends on; ANALYZE follows what belongs to its table: indexes and statistics
 * objects decide what it gathers. When all that is done, privileges are given, and then
 * materialized views are filled, as pg_restore has it: their queries run as their owners, who may
 * have been granted what they read, and are planned better with statistics.
 */
#ifndef PGARK_RESTORE_WORK_H
#define PGARK_RESTORE_WORK_H

#include "restore/analyze.h"
#include "restore/schedule.h"

/* work_plan: node->tables, chunks and ddl are there; analyze may be empty. The schedule has begun.
 * A table is loaded by one worker - in one transaction, frozen, in the source's order - unless all
 * would wait for that worker at the end: then its chunks are tasks of their own. ERR_INTERNAL. */
Schedule *work_plan(const RestoreNode *node, const AnalyzeList *analyze, Error *err);

#endif

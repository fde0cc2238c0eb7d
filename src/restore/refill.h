/*
 * restore/refill.h - rows for tables that are in the target already.
 *
 * Such tables have constraints and triggers that are in force while rows come. Foreign keys decide
 * the order: a table is loaded when those that it refers to are in. A circle of them, or
 * a table of several chunks that refers to itself, cannot be loaded in any order; --disable-triggers
 * switches foreign keys and triggers off for the transactions that load.
 */
#ifndef PGARK_RESTORE_REFILL_H
#define PGARK_RESTORE_REFILL_H

#include "restore/node.h"

/* refill_prepare looks at the tables that this restore does not make (existing_tables has run), and
 * sets their fresh, before and after, and node->orders; node->chunks are listed. ERR_USAGE: foreign
 * keys that no order satisfies; with --truncate, foreign keys of tables that are not emptied, too;
 * with --disable-triggers, a role that may not. Changes nothing. */
bool refill_prepare(RestoreNode *node, Error *err) MUST_CHECK;

/* refill_truncate empties, with --truncate, all these tables in one statement, through node->main.
 * Partitioned tables are emptied by name only where all their partitions are. */
bool refill_truncate(RestoreNode *node, Error *err) MUST_CHECK;

#endif

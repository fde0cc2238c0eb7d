/*
 * restore/estimate.h - what one statement of a node's plan is going to take.
 */
#ifndef PGARK_RESTORE_ESTIMATE_H
#define PGARK_RESTORE_ESTIMATE_H

#include "restore/node.h"

typedef struct Estimate
{
    double cost;    /* microseconds, as in cost.h */
    uint64_t bytes; /* of the rows that it sorts or compares */
} Estimate;

/* estimate_entry: by the rows of the tables that the entry locks; for an index, by the types of its
 * columns, too. */
Estimate estimate_entry(const RestoreNode *node, const DdlEntry *entry);

#endif

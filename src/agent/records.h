/*
 * agent/records.h - what a node has stored, as an agent tells it: lines of a manifest, packed.
 *
 * The first is the node's, then those of its tables in the catalogue's order, then its sequences'.
 */
#ifndef PGARK_AGENT_RECORDS_H
#define PGARK_AGENT_RECORDS_H

#include "backup/node.h"

/* agent_records_pack: of a node whose tables are known (node_plan), below ctx. NULL with err. */
char *agent_records_pack(void *ctx, const BackupNode *node, Error *err);

typedef struct AgentRecords
{
    NodeRecord node;
    TableRecord *tables;
    size_t table_count, table_capacity;
    SequenceRecord *sequences;
    size_t sequence_count, sequence_capacity;
} AgentRecords;

/* agent_records_read reads them, below ctx. Whose they are is for the caller to see. ERR_CORRUPT, ERR_INTERNAL:
 * they are not what was packed. */
bool agent_records_read(void *ctx, const char *packed, AgentRecords *ret, Error *err) MUST_CHECK;

#endif

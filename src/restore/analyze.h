/*
 * restore/analyze.h - which tables get ANALYZE, each with its partitions.
 */
#ifndef PGARK_RESTORE_ANALYZE_H
#define PGARK_RESTORE_ANALYZE_H

#include "restore/node.h"

/* What one ANALYZE is for: a table, or a partitioned table with its leaves, which it reads, too. */
typedef struct AnalyzeTarget
{
    char *quoted;
    size_t first, count; /* its tables: AnalyzeList.tables[first] and the next ones */
} AnalyzeTarget;

typedef struct AnalyzeList
{
    AnalyzeTarget *targets;
    size_t target_count;
    uint32_t *tables; /* indexes into node->tables */
    size_t table_count;
} AnalyzeList;

/* analyze_list asks the target, whose definitions must be there, for the tables of node->tables and
 * what they are partitions of. Below node->ctx. A hierarchy with a foreign table in it is analyzed
 * leaf by leaf: from the top the foreign server would be asked for its rows. A table that foreign
 * tables inherit from cannot be analyzed without them, and is left out; so are tables of system
 * schemas. Blocks. */
bool analyze_list(RestoreNode *node, AnalyzeList *ret, Error *err) MUST_CHECK;

#endif

/*
 * restore/ddl_planner.h - what the files that make a DdlPlan share; used by ddl*.c only.
 */
#ifndef PGARK_RESTORE_DDL_PLANNER_H
#define PGARK_RESTORE_DDL_PLANNER_H

#include "pg/string_pool.h"
#include "restore/ddl.h"
#include "restore/ddl_text.h"

/* One entry of the archive while the plan is made; the index is its position in the archive. */
typedef struct DdlNode
{
    const TocEntry *toc;
    const char *sql; /* NULL: nothing is run for this entry */
    DdlPass pass;
    size_t plan_index;
    uint32_t *deps; /* positions of the entries this one depends on */
    size_t dep_count;
    uint32_t *partitions; /* positions of tables that are locked with this table */
    size_t partition_count, partition_capacity;
    uint32_t parent; /* position of the table it is a partition of; DDL_NO_PARENT */
    size_t visit;    /* the last search that came by */
} DdlNode;

#define DDL_NO_PARENT UINT32_MAX

typedef struct DdlPlanner
{
    const ArchiveToc *toc;
    const char *new_database;
    DdlPlan *plan;
    DdlNode *nodes;                                           /* scratch, freed with the planner */
    const char *encoding, *std_strings_setting, *search_path; /* definitions, NULL when absent */
    size_t visits, partition_locks, partition_capacity;
    uint32_t *queue; /* one place per entry */
    DdlText text;
    StringPool pool;    /* below the plan */
    StringPool scratch; /* below the planner */
} DdlPlanner;

/* ddl_visit is true for the first visit to that node since p->visits was raised. */
static inline bool ddl_visit(DdlPlanner *p, uint32_t at)
{
    if (p->nodes[at].visit == p->visits)
        return false;
    p->nodes[at].visit = p->visits;
    return true;
}

/* ddl_session.c: ddl_session_find looks up the archive's settings and begins p->text;
 * ddl_session_setup is DdlPlan.session_setup; ddl_session_database fills in what is about the
 * database itself. */
void ddl_session_find(DdlPlanner *p);
const char *ddl_session_setup(const DdlPlanner *p);
void ddl_session_database(DdlPlanner *p);

/* ddl_order.c: ddl_order_nodes makes p->nodes with their statements and dependencies;
 * ddl_order_settle gives each its final pass (ERR_CORRUPT: a circle); ddl_order_waits tells whether
 * the node must wait for the one it depends on, or comes after it anyway. */
void ddl_order_nodes(DdlPlanner *p);
bool ddl_order_settle(DdlPlanner *p, Error *err) MUST_CHECK;
bool ddl_order_waits(const DdlPlanner *p, const DdlNode *node, uint32_t dep);

/* ddl_locks.c: ddl_locks_partitions finds out which tables are partitions or children of which;
 * ddl_locks_set fills in DdlEntry.locks and all_data. */
void ddl_locks_partitions(DdlPlanner *p);
void ddl_locks_set(DdlPlanner *p, const DdlNode *node, DdlEntry *entry);

#endif

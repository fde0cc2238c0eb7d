/*
 * restore/schedule.h - in which order a restore's workers do things, and what may run together.
 *
 * A graph of tasks: a task is ready when all before it are done. Of those that are ready, the one
 * with the longest way to the end goes first: what is left when it is done, and what follows, decides
 * when the whole is done. Two tasks whose locks exclude each other are never given out together: the
 * later one would only occupy its worker, and two that lock several tables each could wait for each
 * other. A server runs each task alike, so with one worker the order depends on the graph alone.
 */
#ifndef PGARK_RESTORE_SCHEDULE_H
#define PGARK_RESTORE_SCHEDULE_H

#include "base/error.h"
#include "restore/lock_mode.h"

typedef enum TaskKind
{
    TASK_TABLE,     /* load a table: one worker owns it */
    TASK_CHUNK,     /* load one chunk of a table that several workers share */
    TASK_PART,      /* load a part of a table where it will be */
    TASK_PROOF,     /* are the parts of a table where they belong? */
    TASK_DDL,       /* run one statement of the plan */
    TASK_SEQUENCES, /* give the sequences their values */
    TASK_ACL,       /* give the privileges, all of them in their order */
    TASK_ANALYZE,   /* ANALYZE a table with its partitions */
} TaskKind;

typedef struct Task
{
    TaskKind kind;
    uint32_t table; /* index into node->tables, for TABLE, CHUNK, PART and PROOF */
    size_t chunk;   /* index into node->chunks, for CHUNK; of the part's first one, for PART */
    size_t entry;   /* index into node->ddl->entries, for DDL; into what is analyzed, for ANALYZE */
    uint64_t bytes; /* of the rows that a statement sorts or compares */
    bool wide;      /* gains from more than one worker's share of processors and memory */
    /* Set when it is given out: */
    int shares; /* of the workers' number that it may use; 1 but for wide ones at the end */
    size_t id;
} Task;

typedef struct Schedule Schedule;

/* schedule_new begins a graph for so many workers. */
Schedule *schedule_new(int workers);
void schedule_free(Schedule *s);
DEFINE_AUTO(Schedule, schedule_free)

/* schedule_add adds a task and returns its number; cost is what it takes (cost.h), path what is to
 * be thought of it when its place in the order is found: more than its cost when it is one of
 * several pieces. schedule_add_mark adds a point that nobody works for: it is passed when all
 * before it is done. schedule_after makes task wait for before; schedule_lock adds a lock on a table.
 * All before schedule_begin. */
size_t schedule_add(Schedule *s, const Task *task, double cost, double path);
size_t schedule_add_mark(Schedule *s);
void schedule_after(Schedule *s, size_t task, size_t before);
void schedule_lock(Schedule *s, size_t task, uint32_t oid, LockMode mode);

/* schedule_begin closes the graph. ERR_INTERNAL: it has a circle. */
bool schedule_begin(Schedule *s, Error *err) MUST_CHECK;

/* schedule_next blocks until there is something to do; false: all is done, or schedule_stop was
 * called. Every task given out must come back by schedule_done. Thread-safe. */
bool schedule_next(Schedule *s, Task *ret_task);
void schedule_done(Schedule *s, const Task *task);
void schedule_stop(Schedule *s);

/* schedule_size: how many tasks there are, marks left out. */
size_t schedule_size(const Schedule *s);

#endif

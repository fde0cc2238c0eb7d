/*
 * restore/schedule.h - what a worker may do next.
 *
 * Tasks: loading a table (one worker owns it), loading one chunk of a table that several workers
 * share, running one index, constraint or other post-data statement. A statement is ready when what
 * it needs is done: an index when its table's data is in, the rest when all data is in; and
 * statements it depends on. Two statements that would lock the same table against each other do not
 * run together. Data comes first, biggest first: nothing may wait for a long table that was begun
 * last.
 */
#ifndef PGARK_RESTORE_SCHEDULE_H
#define PGARK_RESTORE_SCHEDULE_H

#include "restore/node.h"

typedef enum TaskKind
{
    TASK_TABLE,
    TASK_CHUNK,
    TASK_DDL,
} TaskKind;

typedef struct Task
{
    TaskKind kind;
    uint32_t table; /* index into node->tables, for TABLE and CHUNK */
    size_t chunk;   /* index into node->chunks, for CHUNK */
    size_t entry;   /* index into node->ddl->entries, for DDL */
    uint64_t bytes;
} Task;

typedef struct Schedule Schedule;

/* schedule_new plans the node's data and post-data; node->tables, chunks and ddl are there. A table
 * that is more than one worker's fair share of all bytes is shared by chunks, any other has one
 * owner. */
Schedule *schedule_new(const RestoreNode *node);
void schedule_free(Schedule *s);
DEFINE_AUTO(Schedule, schedule_free)

/* schedule_next blocks until there is something to do; false: all is done, or schedule_stop was
 * called. Every task given out must come back by schedule_done. Thread-safe. */
bool schedule_next(Schedule *s, Task *ret_task);
void schedule_done(Schedule *s, const Task *task);
void schedule_stop(Schedule *s);

/* schedule_size: how many tasks there are. */
size_t schedule_size(const Schedule *s);

#endif

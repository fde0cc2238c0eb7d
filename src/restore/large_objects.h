/*
 * restore/large_objects.h - brings a set's large objects back.
 *
 * A set has two tables for them (repo/large_object_tables.h), which are restored here and not by
 * the schedule. Three steps, each by all workers, chunk by chunk:
 *
 *   (removal   with --clean and --truncate, of what has the same oids in the target)
 *   list       lo_create, set-wise, as the owner (SET LOCAL ROLE): so the owner needs no ALTER, and
 *              a role may do it that may become the owners. One transaction per chunk, committed
 *              when its hashes and rows proved right.
 *   contents   COPY into a temporary table, then lo_put of its rows; one transaction per chunk,
 *              committed likewise. A piece of an object is written by one chunk only, so it does
 *              not matter in which order they come.
 *              A session that has not the owners' rights by itself becomes them.
 *   the rest   comments, security labels and rights, for the objects that have any; many objects
 *              per transaction
 *
 * Locks: lo_create and lo_put lock their catalogs only, whatever the number of objects (inv_api.c);
 * COMMENT, SECURITY LABEL and GRANT may lock each object (get_object_address), so their transactions
 * are short.
 */
#ifndef PGARK_RESTORE_LARGE_OBJECTS_H
#define PGARK_RESTORE_LARGE_OBJECTS_H

#include "restore/large_object_failed.h"
#include "restore/node.h"

typedef struct LargeObjects
{
    RestoreTable list;
    RestoreTable data;
    uint64_t count;
    bool extras;   /* some have a comment, a label or rights of their own that are wanted */
    bool occupied; /* the target has large objects that may have to give way */
    char **roles;  /* needed ones, sorted: owners and whom rights name */
    size_t role_count;
    size_t role_capacity;
    LargeObjectFailed *failed; /* could not be made */
} LargeObjects;

/* large_objects_prepare takes the two tables out of what is scheduled (their chunk_count becomes 0)
 * into node->large_objects (NULL: there are none, or they are not wanted), and reads the whole list:
 * which roles are needed, and whether the target (node->main, when it exists already) has an object
 * of the same oid, which is ERR_EXISTS where it is not to be replaced. To be called when node->tables and node->chunks are
 * complete. Changes nothing. ERR_CORRUPT as chunk_reader_run, or the list makes no sense. */
bool large_objects_prepare(RestoreNode *node, Error *err) MUST_CHECK;

/* large_objects_restore makes them; node->workers are connected. With --on-error=continue an object that
 * fails is noted in node->outcome, and so is each comment, label or right; of a chunk that proves
 * wrong, all of it. */
bool large_objects_restore(RestoreNode *node, Error *err) MUST_CHECK;

#endif

/*
 * restore/existing.h - what the target has already, and whether that is in the way.
 *
 * A restore of a whole set wants an empty database. One that was asked for a part of it, for rows
 * only, or for another schema, is for a database that is in use: there
 *   - what it would make must not be there, unless --clean drops it first;
 *   - a schema that is there stays as it is, and so does what was wanted only because something
 *     depends on it (Filter.needed);
 *   - tables that it does not make must be there, with the columns that the rows have, and be
 *     empty, unless --truncate or --append say otherwise.
 * With --keep-existing nothing is in the way: what is there stays, with all that belongs to it, its tables
 * are loaded as those that are not made are, and what is missing is made.
 * Everything that is wrong is named before anything is changed.
 */
#ifndef PGARK_RESTORE_EXISTING_H
#define PGARK_RESTORE_EXISTING_H

#include "restore/node.h"

/* existing_keys gives back the foreign keys that node->filter left out and that refer to a table
 * which the target has. Before the filter is applied. */
bool existing_keys(RestoreNode *node, Error *err) MUST_CHECK;

/* existing_definitions looks at what node->toc would make, through node->main, and takes out of it
 * (and out of node->filter) what stays as it is. ERR_EXISTS lists what is in the way. */
bool existing_definitions(RestoreNode *node, Error *err) MUST_CHECK;

/* existing_tables looks at the tables in node->tables that toc does not make; sets made, fresh and
 * target_oid of all. ERR_NOT_FOUND: tables or columns that are missing; ERR_EXISTS: tables with rows. */
bool existing_tables(RestoreNode *node, Error *err) MUST_CHECK;

#endif

/*
 * restore/remap.h - definitions that move to another schema.
 *
 * pg_dump writes with an empty search_path, so every name of an object in a definition has its schema
 * before it, and can be replaced there: "old"."t" becomes "new"."t" for each object that is restored
 * itself; names of what stays where it is are left alone. A literal that is cast to regclass, as
 * in nextval('old.s'::regclass), is such a name, too.
 *
 * That is safe for tables, sequences, indexes, constraints, types and what is attached to them. It is not
 * for texts that only their language's own reader understands: bodies of functions, the queries of
 * views and rules (where an alias may have the schema's name), strings that hold names. Those are
 * refused, by name.
 */
#ifndef PGARK_RESTORE_REMAP_H
#define PGARK_RESTORE_REMAP_H

#include "pg/archive_toc.h"
#include "restore/request.h"

/* remap_archive moves the entries of toc (what is restored, nothing else) and all names in them;
 * new strings are below toc. ERR_USAGE, before anything is changed: two schemas become one, one is
 * mapped twice or onto itself, NEW is the schema of other objects of the set, something cannot be
 * moved: the message names the first of those and tells how many there are. */
bool remap_archive(ArchiveToc *toc, const NameMap *map, size_t count, Error *err) MUST_CHECK;

#endif

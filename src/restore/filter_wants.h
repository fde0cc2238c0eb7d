/*
 * restore/filter_wants.h - which entries of an archive a selection means by themselves.
 *
 * Whatever their parts and dependencies are: that is filter.c's matter. The rules for schemas are
 * those of selectDumpableNamespace in pg_dump.c.
 */
#ifndef PGARK_RESTORE_FILTER_WANTS_H
#define PGARK_RESTORE_FILTER_WANTS_H

#include "pg/archive_toc.h"
#include "select/selection.h"

/* filter_wants_by_kind: -I, -P or --trigger choose single objects; then nothing else is wanted but
 * what -t names. */
bool filter_wants_by_kind(const Selection *s);

/* filter_wants_object: an object that is no relation and no part of one. */
bool filter_wants_object(const Selection *s, const TocEntry *e);

/* filter_wants_orphan: a comment or privilege of something that the archive does not have, as the
 * schema public, or a function of the server's own. */
bool filter_wants_orphan(const Selection *s, const TocEntry *e);

/* filter_wants_chosen: -I, -P or --trigger name it. A function may be named with its arguments or
 * without, a trigger with its table's name (table; NULL: unknown) before it or without. matched gets
 * true for each pattern of the list of e's kind that matches. */
bool filter_wants_chosen(const Selection *s, const TocEntry *e, const char *table, bool *matched);

/* filter_wants_list: the list of patterns that choose objects of e's kind, NULL: there is none. */
const PatternList *filter_wants_list(const Selection *s, const TocEntry *e);

/* filter_wants_without: left out by its kind, whatever it belongs to (--no-comments and so on). */
bool filter_wants_without(const Selection *s, const TocEntry *e);

#endif

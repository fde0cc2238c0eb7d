/*
 * export/plain.h - a set as SQL text for psql.
 */
#ifndef PGARK_EXPORT_PLAIN_H
#define PGARK_EXPORT_PLAIN_H

#include "base/cancel.h"
#include "export/plan.h"

/* With request->marks lines of the script say which part of it begins: the first lines name a mark that nothing
 * else in the script can hold, "-- MARK definitions" and "-- MARK rows" begin such parts, and what is before
 * the first of them, settings, belongs to both. */
#define EXPORT_MARK_LEN         33 /* 32 hex digits and NUL */
#define EXPORT_MARK_HEAD        "-- The parts of this script are marked by "
#define EXPORT_MARK_ROWS        "rows"
#define EXPORT_MARK_DEFINITIONS "definitions"

/* The last line but one of every script, and the last. */
#define EXPORT_END       "-- pgark: export complete"
#define EXPORT_END_FRAME "--"

/* export_plain writes what pg_restore would run, in its order (RestoreArchive in
 * pg_backup_archiver.c): definitions with the data between pre-data and post-data, then privileges,
 * then refreshes of materialized views and event triggers. The text is for psql: data follows COPY
 * ... FROM stdin. A file has its name when all of it is there and proved right; of standard output
 * the caller learns by the error. */
bool export_plain(const ExportSource *source, const ExportPlan *plan, const ExportRequest *request,
                  const Cancel *cancel, Error *err) MUST_CHECK;

#endif

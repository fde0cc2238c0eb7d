/*
 * export/plain.h - a set as SQL text for psql.
 */
#ifndef PGARK_EXPORT_PLAIN_H
#define PGARK_EXPORT_PLAIN_H

#include "base/cancel.h"
#include "export/marks.h"
#include "export/plan.h"

/* The last line but one of every script, and the last. */
#define EXPORT_END       "-- pgark: export complete"
#define EXPORT_END_FRAME "--"

/* export_plain writes what pg_restore would run, in its order (RestoreArchive in
 * pg_backup_archiver.c): definitions with the data between pre-data and post-data, then privileges,
 * then refreshes of materialized views and event triggers. The text is for psql: data follows COPY
 * ... FROM stdin. With request->marks lines of it say what they are about (export/marks.h). A file has its name when all of it is there and proved right; of standard output
 * the caller learns by the error. */
bool export_plain(const ExportSource *source, const ExportPlan *plan, const ExportRequest *request,
                  const Cancel *cancel, Error *err) MUST_CHECK;

#endif

/*
 * export/directory.h - a set as a directory archive of pg_dump (-Fd).
 */
#ifndef PGARK_EXPORT_DIRECTORY_H
#define PGARK_EXPORT_DIRECTORY_H

#include "base/cancel.h"
#include "export/plan.h"

/* export_directory writes toc.dat and one file per table, request->jobs at a time. The directory
 * has its name when all of it is there and proved right. ERR_EXISTS, ERR_STORAGE, ERR_CORRUPT;
 * ERR_USAGE when the archive's version does not know the method of compression. */
bool export_directory(const ExportSource *source, const ExportPlan *plan,
                      const ExportRequest *request, Cancel *cancel, Error *err) MUST_CHECK;

#endif

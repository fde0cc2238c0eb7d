/*
 * export/export.h - one node of a set, written in a form that PostgreSQL's own programs read.
 */
#ifndef PGARK_EXPORT_EXPORT_H
#define PGARK_EXPORT_EXPORT_H

#include "base/cancel.h"
#include "export/request.h"
#include "repo/repo.h"

typedef struct ExportResult
{
    int content; /* of the node that was exported */
    uint64_t tables;
    uint64_t rows;
    uint64_t logical; /* bytes of rows as the set has them */
} ExportResult;

/* export_set writes one node of the set in set_dir, as the request says. Blocks; cancellable. No
 * server is needed. ERR_USAGE: the set has several nodes and none was named, or a table that cannot
 * be written as text. ERR_NOT_FOUND: no such node. Then as export_plain and export_directory. */
bool export_set(Repo *repo, const char *set_dir, const ExportRequest *request, Cancel *cancel,
                ExportResult *ret, Error *err) MUST_CHECK;

#endif

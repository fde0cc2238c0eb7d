/*
 * export/large_object_files.h - the contents of large objects as files of a directory archive:
 * blob_<oid>.dat, and blobs.toc, which lists them ("<oid> blob_<oid>.dat"). Source:
 * pg_backup_directory.c (_StartLO, _EndLO, _LoadLOs).
 */
#ifndef PGARK_EXPORT_LARGE_OBJECT_FILES_H
#define PGARK_EXPORT_LARGE_OBJECT_FILES_H

#include "export/large_objects.h"
#include "export/output.h"

#define LARGE_OBJECT_TOC "blobs.toc"

/* large_object_files writes them into dir. Pieces come in any order and are put into their places;
 * compression comes afterwards, object by object. */
bool large_object_files(TableData *data, const ExportEntry *list, const ExportEntry *contents,
                        OutputDir *dir, Compress compress, const Cancel *cancel, Error *err)
    MUST_CHECK;

#endif

/*
 * export/toc_write.h - toc.dat of a directory archive.
 *
 * Source of the format: PostgreSQL's pg_backup_archiver.c (WriteHead, WriteToc, WriteInt, WriteStr)
 * and pg_backup_directory.c (the code of the format is that of tar; WriteExtraToc: the name of an
 * entry's data file). The counterpart of pg/archive_toc.h.
 */
#ifndef PGARK_EXPORT_TOC_WRITE_H
#define PGARK_EXPORT_TOC_WRITE_H

#include "export/output.h"
#include "export/table_data.h"

/* The first archive version that knows other methods than gzip: it came with pg_dump 16. */
#define TOC_VERSION_COMPRESSION 15

/* toc_write writes the plan's table of contents in the version of the set's own archive. at_us is
 * the point in time that it names as that of the dump; data serves to read the list of large
 * objects. */
bool toc_write(Output *out, const ExportPlan *plan, TableData *data, Compress compress,
               int64_t at_us, Error *err) MUST_CHECK;

#endif

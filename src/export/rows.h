/*
 * export/rows.h - the rows of a table in the form that was asked for: COPY data or INSERTs.
 */
#ifndef PGARK_EXPORT_ROWS_H
#define PGARK_EXPORT_ROWS_H

#include "export/output.h"
#include "export/table_data.h"

/* rows_write writes the rows of the entry's table: with ROWS_COPY COPY text without its end mark,
 * else whole INSERT statements. */
bool rows_write(TableData *data, const ExportEntry *e, const ExportRequest *request, Output *out,
                Error *err) MUST_CHECK;

#endif

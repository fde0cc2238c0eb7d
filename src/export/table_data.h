/*
 * export/table_data.h - the rows of a table as COPY text, chunk after chunk.
 */
#ifndef PGARK_EXPORT_TABLE_DATA_H
#define PGARK_EXPORT_TABLE_DATA_H

#include "base/cancel.h"
#include "export/plan.h"

typedef struct TableData TableData;

/* One per thread: keeps decompressors and buffers. */
TableData *table_data_new(const ExportSource *source, const Cancel *cancel);
void table_data_free(TableData *d);
DEFINE_AUTO(TableData, table_data_free)

/* table_data_source is what it reads from. */
const ExportSource *table_data_source(const TableData *d);

/* table_data_check tells before anything is written whether the table's rows can be had as text.
 * ERR_USAGE names table and column when binary values of its type cannot be converted. */
bool table_data_check(const TableRecord *table, Error *err) MUST_CHECK;

/* table_data_write pushes all rows of the entry's table through sink, each ended by a newline,
 * without the line "\.". The bytes of a chunk are checked as they pass: what has gone through the
 * sink counts only when this returns true. ERR_CORRUPT names the table. Blocks. */
bool table_data_write(TableData *d, const ExportEntry *entry, IoSinkWrite sink, void *arg,
                      Error *err) MUST_CHECK;

#endif

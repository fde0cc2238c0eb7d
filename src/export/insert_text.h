/*
 * export/insert_text.h - COPY text becomes INSERT statements.
 *
 * Columns are always named: the archive does not tell which columns of a table are generated, or
 * lie in another order in the table that the rows go through. Literals look as those of pg_dump
 * --column-inserts (dumpTableData_insert in pg_dump.c).
 */
#ifndef PGARK_EXPORT_INSERT_TEXT_H
#define PGARK_EXPORT_INSERT_TEXT_H

#include "export/plan.h"
#include "io/stage.h"

/* A row is held in memory while it is rewritten: longer ones are ERR_USAGE. */
#define INSERT_ROW_MAX ((size_t) 96 * 1024 * 1024)

typedef struct InsertText InsertText;

/* insert_text_new: statements of request->rows_per_insert rows go to sink. */
InsertText *insert_text_new(const ExportEntry *e, const ExportRequest *request, IoSinkWrite sink,
                            void *arg);

/* insert_text_write has the form of an IoSinkWrite, arg is the InsertText; its input may be cut
 * anywhere. insert_text_finish ends the last statement. ERR_CORRUPT: a row with too many or too few
 * columns. */
bool insert_text_write(void *arg, const void *data, size_t len, Error *err) MUST_CHECK;
bool insert_text_finish(InsertText *t, Error *err) MUST_CHECK;
void insert_text_free(InsertText *t);
DEFINE_AUTO(InsertText, insert_text_free)

#endif

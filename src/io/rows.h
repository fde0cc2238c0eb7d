/*
 * io/rows.h - a stage that counts the rows of a COPY stream without a server.
 *
 * Text: a row ends with a newline (newlines in data are escaped by COPY), "\." is not expected.
 * Binary: signature, flags, header extension, then per row a 16-bit field count and per field a
 * 32-bit length and its bytes, a field count of -1 at the end; any other shape is ERR_CORRUPT.
 * Source: PostgreSQL documentation, COPY, "Text Format" and "Binary Format".
 */
#ifndef PGARK_IO_ROWS_H
#define PGARK_IO_ROWS_H

#include "io/stage.h"

/* io_rows_new: io_finish fails with ERR_CORRUPT when a binary stream ends inside a row or without
 * its trailer, or a text stream without a final newline. */
IoStage *io_rows_new(bool binary, IoStage *next);

/* io_rows_count: rows seen so far. */
uint64_t io_rows_count(IoStage *rows);

#endif

/*
 * export/binary_text.h - a COPY BINARY stream becomes COPY text, exactly as the server would have
 * written it (with UTC as its time zone).
 */
#ifndef PGARK_EXPORT_BINARY_TEXT_H
#define PGARK_EXPORT_BINARY_TEXT_H

#include "export/binary_value.h"
#include "io/stage.h"

/* Values of most types are held in memory while they are rewritten; those of text, bytea and json
 * are not, and may be as long as a server allows. */
#define BINARY_VALUE_MAX ((size_t) 96 * 1024 * 1024)

typedef struct BinaryText BinaryText;

/* binary_text_new: types are those of the columns, none NULL; text goes to sink. */
BinaryText *binary_text_new(ValueType *const *types, size_t count, int server_version_num,
                            IoSinkWrite sink, void *arg);

/* binary_text_begin makes it ready for another stream. binary_text_write has the form of an
 * IoSinkWrite, arg is the BinaryText; its input may be cut anywhere. binary_text_finish: the stream
 * must have ended. ERR_CORRUPT for what is no such stream, or holds a malformed value: the message
 * has the column's number; ERR_USAGE for a value beyond BINARY_VALUE_MAX. */
void binary_text_begin(BinaryText *t);
bool binary_text_write(void *arg, const void *data, size_t len, Error *err) MUST_CHECK;
bool binary_text_finish(BinaryText *t, Error *err) MUST_CHECK;
void binary_text_free(BinaryText *t);
DEFINE_AUTO(BinaryText, binary_text_free)

#endif

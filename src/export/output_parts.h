/*
 * export/output_parts.h - what output.c and output_dir.c share.
 */
#ifndef PGARK_EXPORT_OUTPUT_PARTS_H
#define PGARK_EXPORT_OUTPUT_PARTS_H

#include "export/output.h"

/* output_split: the directory that path lies in, and its name there, below ctx. */
void output_split(void *ctx, const char *path, char **ret_parent, char **ret_name);

/* output_check_new: nothing has that name. */
bool output_check_new(const char *path, Error *err) MUST_CHECK;

/* output_in opens name in st; path is for messages. */
Output *output_in(Storage *st, const char *name, const char *path, Compress compress,
                  StorageWriteFlags flags, Error *err);

#endif

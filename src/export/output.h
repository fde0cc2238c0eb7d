/*
 * export/output.h - where an export goes: a file, a directory of files, or standard output.
 *
 * Files and directories appear under their name when they are complete, or never: they are written
 * under a temporary name beside it, and freeing what was not committed removes that. An existing
 * name is ERR_EXISTS. Failures to write are ERR_STORAGE. Everything blocks.
 */
#ifndef PGARK_EXPORT_OUTPUT_H
#define PGARK_EXPORT_OUTPUT_H

#include "io/compress.h"
#include "storage/storage.h"

typedef struct Output Output;

/* output_open: path NULL is standard output. */
Output *output_open(const char *path, Compress compress, bool no_sync, Error *err);

/* output_write has the form of an IoSinkWrite, arg is the Output; output_text writes a string. */
bool output_write(void *arg, const void *data, size_t len, Error *err) MUST_CHECK;
bool output_text(Output *o, const char *text, Error *err) MUST_CHECK;

/* output_commit completes the output; nothing may be written behind it. */
bool output_commit(Output *o, Error *err) MUST_CHECK;
void output_free(Output *o);
DEFINE_AUTO(Output, output_free)

/* A directory, written by several threads. */
typedef struct OutputDir OutputDir;

OutputDir *output_dir_open(const char *path, bool no_sync, Error *err);

/* output_dir_file opens a new file in it; commit and free it before the directory. */
Output *output_dir_file(OutputDir *dir, const char *name, Compress compress, Error *err);

/* output_dir_descriptor is the directory, open as long as dir is, for files that output_dir_file
 * does not suit; -1: it cannot be opened. output_dir_sync_files makes the contents of such files
 * durable, if that is wanted. */
int output_dir_descriptor(OutputDir *dir, Error *err);
bool output_dir_sync_files(OutputDir *dir, Error *err) MUST_CHECK;

/* output_dir_commit makes the directory durable and gives it its name. */
bool output_dir_commit(OutputDir *dir, Error *err) MUST_CHECK;
void output_dir_free(OutputDir *dir);
DEFINE_AUTO(OutputDir, output_dir_free)

#endif

/*
 * io/compress.h - the codecs, chosen by name.
 */
#ifndef PGARK_IO_COMPRESS_H
#define PGARK_IO_COMPRESS_H

#include "io/stage.h"

typedef enum CompressMethod
{
    COMPRESS_NONE,
    COMPRESS_ZSTD,
    COMPRESS_LZ4,
    COMPRESS_GZIP,
} CompressMethod;

typedef struct Compress
{
    CompressMethod method;
    int level; /* of that method; 0 for none */
} Compress;

/* compress_parse reads "none", "zstd", "zstd:3", "zstd:level=3", "lz4:9", "gzip:6", and pg_dump's
 * bare digits ("0" is none, "1".."9" is gzip). Defaults: zstd 1, lz4 1, gzip 6.
 * Ranges: zstd 1..22, lz4 1..12, gzip 1..9; otherwise ERR_USAGE. */
bool compress_parse(const char *text, Compress *ret_compress, Error *err) MUST_CHECK;

/* compress_name: "none", "zstd", "lz4", "gzip"; compress_suffix: "", ".zst", ".lz4", ".gz". */
const char *compress_name(CompressMethod method);
const char *compress_suffix(CompressMethod method);

/* compress_method_by_name: the reverse; false for an unknown name. */
bool compress_method_by_name(const char *name, CompressMethod *ret_method);

/* All three return a stage, or next itself for none. Never NULL: they need only memory. Frames are the
 * codecs' standard ones: zstd, lz4 and gunzip read them. */

/* io_compress_new: one frame, for readers of which nothing is known. */
IoStage *io_compress_new(Compress compress, IoStage *next);
/* io_compress_stored_new: for what lies in a repository. zstd makes a frame of each megabyte at its fast levels, and
 * uses so many more threads, and a few MB for each: then it is one frame. */
IoStage *io_compress_stored_new(Compress compress, int threads, IoStage *next);
/* io_decompress_new: of one frame, or of several of zstd's. Fails with ERR_CORRUPT on bad input, on input that is no
 * frame behind the end of one, and at io_finish when the last was not complete or there was none; its
 * output is not bounded (the caller knows how many bytes to expect, see io/limit.h). */
IoStage *io_decompress_new(CompressMethod method, IoStage *next);

#endif

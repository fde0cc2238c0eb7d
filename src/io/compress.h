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

/* io_compress_new and io_decompress_new return a stage, or next itself for none. Never NULL: they
 * need only memory. A decompressor fails with ERR_CORRUPT on bad input, on input behind the end of
 * the frame, and at io_finish when the frame was not complete; its output is not bounded (the
 * caller knows how many bytes to expect, see io/limit.h). Frames are the codecs' standard ones:
 * zstd, lz4 and gunzip read them. */
IoStage *io_compress_new(Compress compress, IoStage *next);
/* io_compress_threads_new: the same, but that zstd uses so many more threads, and a few MB for each. */
IoStage *io_compress_threads_new(Compress compress, int threads, IoStage *next);
IoStage *io_decompress_new(CompressMethod method, IoStage *next);

#endif

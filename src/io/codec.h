/*
 * io/codec.h - the stages of each codec, for io/compress.c only.
 */
#ifndef PGARK_IO_CODEC_H
#define PGARK_IO_CODEC_H

#include "io/stage.h"

#define FRAMES_LEVEL_MAX 3

IoStage *io_zstd_compress_new(int level, int threads, IoStage *next);
/* Frames end to end, for levels up to FRAMES_LEVEL_MAX. */
IoStage *io_zstd_frames_new(int level, IoStage *next);
IoStage *io_zstd_decompress_new(IoStage *next);

IoStage *io_lz4_compress_new(int level, IoStage *next);
IoStage *io_lz4_decompress_new(IoStage *next);

IoStage *io_gzip_compress_new(int level, IoStage *next);
IoStage *io_gzip_decompress_new(IoStage *next);

#endif

/*
 * io/zstd.c - one zstd frame of any length, and the reader of frames; one context for the life of the stage.
 *
 * No content checksum in a frame: the manifest holds stronger ones of both sides.
 */
#include <zstd.h>

#include "io/codec.h"

#define JOB_SIZE (2 * 1024 * 1024) /* what a thread takes; some of them are in memory for each */

typedef struct ZstdCompress
{
    IoStage stage;
    ZSTD_CCtx *ctx;
    ZSTD_outBuffer out;
    unsigned char buffer[IO_BUFFER_SIZE];
} ZstdCompress;

static bool zstd_push(ZstdCompress *z, Error *err)
{
    size_t len = z->out.pos;

    z->out.pos = 0;
    return io_write(z->stage.next, z->buffer, len, err);
}

/* The output is handed on when the buffer is full, so that the sink sees large blocks. */
static bool zstd_compress_write(IoStage *stage, const void *data, size_t len, Error *err)
{
    ZstdCompress *z = (ZstdCompress *) stage;
    ZSTD_inBuffer in = {.src = data, .size = len};

    while (in.pos < in.size)
    {
        size_t rc = ZSTD_compressStream2(z->ctx, &z->out, &in, ZSTD_e_continue);

        if (ZSTD_isError(rc))
            return error_set(err, ERR_INTERNAL, "zstd: %s", ZSTD_getErrorName(rc));
        if (z->out.pos == z->out.size && !zstd_push(z, err))
            return false;
    }
    return true;
}

static bool zstd_compress_finish(IoStage *stage, Error *err)
{
    ZstdCompress *z = (ZstdCompress *) stage;
    ZSTD_inBuffer in = {.src = ""};
    size_t rc;

    do
    {
        rc = ZSTD_compressStream2(z->ctx, &z->out, &in, ZSTD_e_end);
        if (ZSTD_isError(rc))
            return error_set(err, ERR_INTERNAL, "zstd: %s", ZSTD_getErrorName(rc));
        if (!zstd_push(z, err))
            return false;
    } while (rc != 0);
    return true;
}

static void zstd_compress_reset(IoStage *stage)
{
    ZstdCompress *z = (ZstdCompress *) stage;

    ZSTD_CCtx_reset(z->ctx, ZSTD_reset_session_only);
    z->out.pos = 0;
}

static void zstd_compress_free(IoStage *stage)
{
    ZSTD_freeCCtx(((ZstdCompress *) stage)->ctx);
    mem_free(stage);
}

static const IoStageOps zstd_compress_ops = {
    .name = "zstd",
    .write = zstd_compress_write,
    .finish = zstd_compress_finish,
    .reset = zstd_compress_reset,
    .free = zstd_compress_free,
};

IoStage *io_zstd_compress_new(int level, int threads, IoStage *next)
{
    ZstdCompress *z = mem_new(NULL, ZstdCompress);

    z->stage.ops = &zstd_compress_ops;
    z->stage.next = next;
    z->ctx = mem_check(ZSTD_createCCtx());
    z->out.dst = z->buffer;
    z->out.size = sizeof(z->buffer);
    ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_checksumFlag, 0);
    /* A library that was built without threads refuses them, and does it all by itself. */
    if (threads > 0)
    {
        ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_nbWorkers, threads);
        ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_jobSize, JOB_SIZE);
    }
    return &z->stage;
}

typedef struct ZstdDecompress
{
    IoStage stage;
    ZSTD_DCtx *ctx;
    bool done; /* the frame is complete; another may follow */
    unsigned char buffer[IO_BUFFER_SIZE];
} ZstdDecompress;

static bool zstd_decompress_write(IoStage *stage, const void *data, size_t len, Error *err)
{
    ZstdDecompress *z = (ZstdDecompress *) stage;
    ZSTD_inBuffer in = {.src = data, .size = len};
    bool full = false; /* a full output buffer may mean that more is waiting inside */

    while (in.pos < in.size || (full && !z->done))
    {
        ZSTD_outBuffer out = {.dst = z->buffer, .size = sizeof(z->buffer)};
        size_t rc = ZSTD_decompressStream(z->ctx, &out, &in);

        if (ZSTD_isError(rc))
            return error_set(err, ERR_CORRUPT, "not a sound zstd frame: %s", ZSTD_getErrorName(rc));
        z->done = rc == 0;
        full = out.pos == out.size;
        if (!io_write(stage->next, z->buffer, out.pos, err))
            return false;
    }
    return true;
}

static bool zstd_decompress_finish(IoStage *stage, Error *err)
{
    if (!((ZstdDecompress *) stage)->done)
        return error_set(err, ERR_CORRUPT, "the zstd frame is not complete");
    return true;
}

static void zstd_decompress_reset(IoStage *stage)
{
    ZstdDecompress *z = (ZstdDecompress *) stage;

    ZSTD_DCtx_reset(z->ctx, ZSTD_reset_session_only);
    z->done = false;
}

static void zstd_decompress_free(IoStage *stage)
{
    ZSTD_freeDCtx(((ZstdDecompress *) stage)->ctx);
    mem_free(stage);
}

static const IoStageOps zstd_decompress_ops = {
    .name = "zstd decompression",
    .write = zstd_decompress_write,
    .finish = zstd_decompress_finish,
    .reset = zstd_decompress_reset,
    .free = zstd_decompress_free,
};

IoStage *io_zstd_decompress_new(IoStage *next)
{
    ZstdDecompress *z = mem_new(NULL, ZstdDecompress);

    z->stage.ops = &zstd_decompress_ops;
    z->stage.next = next;
    z->ctx = mem_check(ZSTD_createDCtx());
    return &z->stage;
}

/*
 * io/lz4.c - lz4 frames.
 */
#include <lz4frame.h>

#include "io/codec.h"

typedef struct Lz4Compress
{
    IoStage stage;
    LZ4F_cctx *ctx;
    LZ4F_preferences_t prefs;
    bool begun; /* the frame's header is written */
    size_t capacity;
    unsigned char *buffer; /* takes what IO_BUFFER_SIZE input bytes can become at worst */
} Lz4Compress;

static bool lz4_push(Lz4Compress *l, size_t rc, Error *err)
{
    if (LZ4F_isError(rc))
        return error_set(err, ERR_INTERNAL, "lz4: %s", LZ4F_getErrorName(rc));
    return io_write(l->stage.next, l->buffer, rc, err);
}

static bool lz4_begin(Lz4Compress *l, Error *err)
{
    if (l->begun)
        return true;
    l->begun = true;
    return lz4_push(l, LZ4F_compressBegin(l->ctx, l->buffer, l->capacity, &l->prefs), err);
}

static bool lz4_compress_write(IoStage *stage, const void *data, size_t len, Error *err)
{
    Lz4Compress *l = (Lz4Compress *) stage;
    const unsigned char *p = data;

    if (!lz4_begin(l, err))
        return false;
    while (len > 0)
    {
        size_t n = len < IO_BUFFER_SIZE ? len : IO_BUFFER_SIZE;

        if (!lz4_push(l, LZ4F_compressUpdate(l->ctx, l->buffer, l->capacity, p, n, NULL), err))
            return false;
        p += n;
        len -= n;
    }
    return true;
}

static bool lz4_compress_finish(IoStage *stage, Error *err)
{
    Lz4Compress *l = (Lz4Compress *) stage;

    return lz4_begin(l, err) &&
           lz4_push(l, LZ4F_compressEnd(l->ctx, l->buffer, l->capacity, NULL), err);
}

static void lz4_compress_reset(IoStage *stage)
{
    ((Lz4Compress *) stage)->begun = false; /* the next begin starts the context over */
}

static void lz4_compress_free(IoStage *stage)
{
    LZ4F_freeCompressionContext(((Lz4Compress *) stage)->ctx);
    mem_free(stage);
}

static const IoStageOps lz4_compress_ops = {
    .name = "lz4",
    .write = lz4_compress_write,
    .finish = lz4_compress_finish,
    .reset = lz4_compress_reset,
    .free = lz4_compress_free,
};

IoStage *io_lz4_compress_new(int level, IoStage *next)
{
    Lz4Compress *l = mem_new(NULL, Lz4Compress);

    l->stage.ops = &lz4_compress_ops;
    l->stage.next = next;
    l->prefs.frameInfo.blockSizeID = LZ4F_max256KB;
    l->prefs.compressionLevel = level;
    l->capacity = LZ4F_compressBound(IO_BUFFER_SIZE, &l->prefs) + LZ4F_HEADER_SIZE_MAX;
    l->buffer = mem_array(l, unsigned char, l->capacity);
    if (LZ4F_isError(LZ4F_createCompressionContext(&l->ctx, LZ4F_VERSION)))
        mem_check(NULL);
    return &l->stage;
}

typedef struct Lz4Decompress
{
    IoStage stage;
    LZ4F_dctx *ctx;
    bool done; /* the frame is complete */
    unsigned char buffer[IO_BUFFER_SIZE];
} Lz4Decompress;

static bool lz4_decompress_write(IoStage *stage, const void *data, size_t len, Error *err)
{
    Lz4Decompress *l = (Lz4Decompress *) stage;
    const unsigned char *p = data;
    bool full = false; /* a full output buffer may mean that more is waiting inside */

    while (len > 0 || full)
    {
        size_t in = len, out = sizeof(l->buffer), rc;

        if (l->done && len > 0)
            return error_set(err, ERR_CORRUPT, "bytes behind the end of the lz4 frame");
        if (l->done)
            break;
        rc = LZ4F_decompress(l->ctx, l->buffer, &out, p, &in, NULL);
        if (LZ4F_isError(rc))
            return error_set(err, ERR_CORRUPT, "not a sound lz4 frame: %s", LZ4F_getErrorName(rc));
        p += in;
        len -= in;
        l->done = rc == 0;
        full = out == sizeof(l->buffer);
        if (in == 0 && out == 0 && len > 0)
            return error_set(err, ERR_CORRUPT, "not a sound lz4 frame: no progress");
        if (!io_write(stage->next, l->buffer, out, err))
            return false;
    }
    return true;
}

static bool lz4_decompress_finish(IoStage *stage, Error *err)
{
    if (!((Lz4Decompress *) stage)->done)
        return error_set(err, ERR_CORRUPT, "the lz4 frame is not complete");
    return true;
}

static void lz4_decompress_reset(IoStage *stage)
{
    Lz4Decompress *l = (Lz4Decompress *) stage;

    LZ4F_resetDecompressionContext(l->ctx);
    l->done = false;
}

static void lz4_decompress_free(IoStage *stage)
{
    LZ4F_freeDecompressionContext(((Lz4Decompress *) stage)->ctx);
    mem_free(stage);
}

static const IoStageOps lz4_decompress_ops = {
    .name = "lz4 decompression",
    .write = lz4_decompress_write,
    .finish = lz4_decompress_finish,
    .reset = lz4_decompress_reset,
    .free = lz4_decompress_free,
};

IoStage *io_lz4_decompress_new(IoStage *next)
{
    Lz4Decompress *l = mem_new(NULL, Lz4Decompress);

    l->stage.ops = &lz4_decompress_ops;
    l->stage.next = next;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&l->ctx, LZ4F_VERSION)))
        mem_check(NULL);
    return &l->stage;
}

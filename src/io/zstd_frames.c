/*
 * io/zstd_frames.c - zstd frames of at most a megabyte each, one behind the other.
 *
 * A frame of any length is compressed from a ring: behind its first turn the window lies in two pieces, for which the
 * library's fast levels have a second, slower search, and all bytes are copied into it. Of a frame whose bytes lie
 * in one place neither is true: the levels up to FRAMES_LEVEL_MAX take 5 to 35 percent less time, and their
 * output is as large, as their windows are hardly longer than a frame. Higher levels live on long windows.
 */
#include <zstd.h>

#include "io/codec.h"

#define FRAME_SIZE ((size_t) 1048576)

typedef struct ZstdFrames
{
    IoStage stage;
    ZSTD_CCtx *ctx;
    size_t have; /* of the next frame */
    bool begun;  /* there is a frame: of nothing, too, one is made */
    unsigned char *frame;
    size_t packed_size;
    unsigned char *packed;
} ZstdFrames;

static bool put_frame(ZstdFrames *z, const void *data, size_t len, Error *err)
{
    size_t n = ZSTD_compress2(z->ctx, z->packed, z->packed_size, data, len);

    if (ZSTD_isError(n))
        return error_set(err, ERR_INTERNAL, "zstd: %s", ZSTD_getErrorName(n));
    z->begun = true;
    return io_write(z->stage.next, z->packed, n, err);
}

static bool frames_write(IoStage *stage, const void *data, size_t len, Error *err)
{
    ZstdFrames *z = (ZstdFrames *) stage;
    const unsigned char *p = data;

    while (len > 0)
    {
        size_t n = FRAME_SIZE - z->have < len ? FRAME_SIZE - z->have : len;
        bool in_place = n == FRAME_SIZE;

        if (!in_place)
            memcpy(z->frame + z->have, p, n);
        z->have += n;
        if (z->have == FRAME_SIZE)
        {
            z->have = 0;
            if (!put_frame(z, in_place ? p : z->frame, FRAME_SIZE, err))
                return false;
        }
        p += n;
        len -= n;
    }
    return true;
}

static bool frames_finish(IoStage *stage, Error *err)
{
    ZstdFrames *z = (ZstdFrames *) stage;

    return (z->have == 0 && z->begun) || put_frame(z, z->frame, z->have, err);
}

static void frames_reset(IoStage *stage)
{
    ZstdFrames *z = (ZstdFrames *) stage;

    z->have = 0;
    z->begun = false;
}

static void frames_free(IoStage *stage)
{
    ZSTD_freeCCtx(((ZstdFrames *) stage)->ctx);
    mem_free(stage);
}

static const IoStageOps frames_ops = {
    .name = "zstd frames",
    .write = frames_write,
    .finish = frames_finish,
    .reset = frames_reset,
    .free = frames_free,
};

IoStage *io_zstd_frames_new(int level, IoStage *next)
{
    ZstdFrames *z = mem_new(NULL, ZstdFrames);

    z->stage.ops = &frames_ops;
    z->stage.next = next;
    z->ctx = mem_check(ZSTD_createCCtx());
    z->frame = mem_array(z, unsigned char, FRAME_SIZE);
    z->packed_size = ZSTD_compressBound(FRAME_SIZE);
    z->packed = mem_array(z, unsigned char, z->packed_size);
    ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_checksumFlag, 0);
    return &z->stage;
}

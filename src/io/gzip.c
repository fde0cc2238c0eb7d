/*
 * io/gzip.c - gzip members, by zlib.
 */
#define ZLIB_CONST
#include <zlib.h>

#include "io/codec.h"

#define GZIP_WINDOW_BITS (15 + 16) /* the largest window; 16 asks for gzip's header and trailer */
#define GZIP_MEM_LEVEL   8

typedef struct Gzip
{
    IoStage stage;
    z_stream z;
    bool done; /* decompression: the member is complete */
    unsigned char buffer[IO_BUFFER_SIZE];
} Gzip;

/* gzip_deflate feeds what z.next_in holds; full buffers go on, with Z_FINISH the rest too. */
static bool gzip_deflate(Gzip *g, int flush, Error *err)
{
    for (;;)
    {
        int rc = deflate(&g->z, flush);

        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
            return error_set(err, ERR_INTERNAL, "gzip: deflate failed (%d)", rc);
        if (g->z.avail_out == 0 || flush == Z_FINISH)
        {
            size_t len = sizeof(g->buffer) - g->z.avail_out;

            g->z.next_out = g->buffer;
            g->z.avail_out = sizeof(g->buffer);
            if (!io_write(g->stage.next, g->buffer, len, err))
                return false;
        }
        if (flush == Z_FINISH ? rc == Z_STREAM_END : g->z.avail_in == 0)
            return true;
    }
}

/* gzip_feed hands data to step in blocks of at most IO_BUFFER_SIZE, by z.next_in. */
static bool gzip_feed(IoStage *stage, const void *data, size_t len,
                      bool (*step)(Gzip *g, Error *err), Error *err)
{
    Gzip *g = (Gzip *) stage;
    const unsigned char *p = data;

    while (len > 0)
    {
        size_t n = len < IO_BUFFER_SIZE ? len : IO_BUFFER_SIZE;

        g->z.next_in = p;
        g->z.avail_in = (uInt) n;
        if (!step(g, err))
            return false;
        p += n;
        len -= n;
    }
    return true;
}

static bool deflate_block(Gzip *g, Error *err)
{
    return gzip_deflate(g, Z_NO_FLUSH, err);
}

static bool gzip_compress_write(IoStage *stage, const void *data, size_t len, Error *err)
{
    return gzip_feed(stage, data, len, deflate_block, err);
}

static bool gzip_compress_finish(IoStage *stage, Error *err)
{
    Gzip *g = (Gzip *) stage;

    g->z.next_in = g->buffer;
    g->z.avail_in = 0;
    return gzip_deflate(g, Z_FINISH, err);
}

static void gzip_compress_reset(IoStage *stage)
{
    Gzip *g = (Gzip *) stage;

    deflateReset(&g->z);
    g->z.next_out = g->buffer;
    g->z.avail_out = sizeof(g->buffer);
}

static void gzip_compress_free(IoStage *stage)
{
    deflateEnd(&((Gzip *) stage)->z);
    mem_free(stage);
}

static const IoStageOps gzip_compress_ops = {
    .name = "gzip",
    .write = gzip_compress_write,
    .finish = gzip_compress_finish,
    .reset = gzip_compress_reset,
    .free = gzip_compress_free,
};

IoStage *io_gzip_compress_new(int level, IoStage *next)
{
    Gzip *g = mem_new(NULL, Gzip);

    g->stage.ops = &gzip_compress_ops;
    g->stage.next = next;
    g->z.next_out = g->buffer;
    g->z.avail_out = sizeof(g->buffer);
    if (deflateInit2(&g->z, level, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        mem_check(NULL);
    return &g->stage;
}

/* inflate_block hands a block of at most IO_BUFFER_SIZE to inflate and what comes out to next. */
static bool inflate_block(Gzip *g, Error *err)
{
    do
    {
        int rc;

        if (g->done)
            return g->z.avail_in == 0 ||
                   error_set(err, ERR_CORRUPT, "bytes behind the end of the gzip member");
        g->z.next_out = g->buffer;
        g->z.avail_out = sizeof(g->buffer);
        rc = inflate(&g->z, Z_NO_FLUSH);
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
            return error_set(err, ERR_CORRUPT, "not a sound gzip member: %s",
                             g->z.msg != NULL ? g->z.msg : "no reason given");
        g->done = rc == Z_STREAM_END;
        if (!io_write(g->stage.next, g->buffer, sizeof(g->buffer) - g->z.avail_out, err))
            return false;
    } while (g->z.avail_in > 0 || (g->z.avail_out == 0 && !g->done));
    return true;
}

static bool gzip_decompress_write(IoStage *stage, const void *data, size_t len, Error *err)
{
    return gzip_feed(stage, data, len, inflate_block, err);
}

static bool gzip_decompress_finish(IoStage *stage, Error *err)
{
    if (!((Gzip *) stage)->done)
        return error_set(err, ERR_CORRUPT, "the gzip member is not complete");
    return true;
}

static void gzip_decompress_reset(IoStage *stage)
{
    Gzip *g = (Gzip *) stage;

    inflateReset(&g->z);
    g->done = false;
}

static void gzip_decompress_free(IoStage *stage)
{
    inflateEnd(&((Gzip *) stage)->z);
    mem_free(stage);
}

static const IoStageOps gzip_decompress_ops = {
    .name = "gzip decompression",
    .write = gzip_decompress_write,
    .finish = gzip_decompress_finish,
    .reset = gzip_decompress_reset,
    .free = gzip_decompress_free,
};

IoStage *io_gzip_decompress_new(IoStage *next)
{
    Gzip *g = mem_new(NULL, Gzip);

    g->stage.ops = &gzip_decompress_ops;
    g->stage.next = next;
    if (inflateInit2(&g->z, GZIP_WINDOW_BITS) != Z_OK)
        mem_check(NULL);
    return &g->stage;
}

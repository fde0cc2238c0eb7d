/*
 * io/compress.c - naming and choosing a codec.
 */
#include "io/compress.h"

#include "io/codec.h"

static const struct Method
{
    const char *name;
    const char *suffix;
    int default_level;
    int max_level;
} methods[] = {
    [COMPRESS_NONE] = {"none", "", 0, 0},
    [COMPRESS_ZSTD] = {"zstd", ".zst", 1, 22},
    [COMPRESS_LZ4] = {"lz4", ".lz4", 1, 12},
    [COMPRESS_GZIP] = {"gzip", ".gz", 6, 9},
};

/* parse_level reads one or two digits; -1 for anything else. */
static int parse_level(const char *text)
{
    size_t len = strlen(text);

    if (len < 1 || len > 2 || strspn(text, "0123456789") != len)
        return -1;
    return atoi(text);
}

static bool bad_level(const char *text, CompressMethod method, Error *err)
{
    error_set(err, ERR_USAGE, "compression \"%.64s\": the level of %s is not in 1..%d", text,
              methods[method].name, methods[method].max_level);
    return error_hint(err, "Write it as %s:%d.", methods[method].name,
                      methods[method].default_level);
}

bool compress_parse(const char *text, Compress *ret_compress, Error *err)
{
    const char *colon = strchr(text, ':');
    size_t name_len = colon != NULL ? (size_t) (colon - text) : strlen(text);
    const char *level_text;
    char name[8] = "";
    CompressMethod method;
    int level = parse_level(text);

    if (level >= 0)
    {
        method = level == 0 ? COMPRESS_NONE : COMPRESS_GZIP;
        if (level > methods[COMPRESS_GZIP].max_level)
            return bad_level(text, COMPRESS_GZIP, err);
        *ret_compress = (Compress){.method = method, .level = level};
        return true;
    }
    if (name_len < sizeof(name))
        snprintf(name, sizeof(name), "%.*s", (int) name_len, text);
    if (!compress_method_by_name(name, &method))
    {
        error_set(err, ERR_USAGE, "unknown compression \"%.64s\"", text);
        return error_hint(err, "Use zstd, lz4, gzip or none, with a level as in zstd:3.");
    }
    if (colon == NULL)
    {
        *ret_compress = (Compress){.method = method, .level = methods[method].default_level};
        return true;
    }
    if (method == COMPRESS_NONE)
        return error_set(err, ERR_USAGE, "compression \"%.64s\": none has no level", text);
    level_text = strncmp(colon + 1, "level=", 6) == 0 ? colon + 7 : colon + 1;
    level = parse_level(level_text);
    if (level < 1 || level > methods[method].max_level)
        return bad_level(text, method, err);
    *ret_compress = (Compress){.method = method, .level = level};
    return true;
}

const char *compress_name(CompressMethod method)
{
    return methods[method].name;
}

const char *compress_suffix(CompressMethod method)
{
    return methods[method].suffix;
}

bool compress_method_by_name(const char *name, CompressMethod *ret_method)
{
    for (size_t i = 0; i < LENGTH_OF(methods); i++)
    {
        if (strcmp(methods[i].name, name) == 0)
        {
            *ret_method = (CompressMethod) i;
            return true;
        }
    }
    return false;
}

IoStage *io_compress_new(Compress compress, IoStage *next)
{
    switch (compress.method)
    {
    case COMPRESS_ZSTD:
        return io_zstd_compress_new(compress.level, 0, next);
    case COMPRESS_LZ4:
        return io_lz4_compress_new(compress.level, next);
    case COMPRESS_GZIP:
        return io_gzip_compress_new(compress.level, next);
    case COMPRESS_NONE:
        break;
    }
    return next;
}

IoStage *io_compress_stored_new(Compress compress, int threads, IoStage *next)
{
    if (compress.method != COMPRESS_ZSTD)
        return io_compress_new(compress, next);
    return threads == 0 && compress.level <= FRAMES_LEVEL_MAX
               ? io_zstd_frames_new(compress.level, next)
               : io_zstd_compress_new(compress.level, threads, next);
}

IoStage *io_decompress_new(CompressMethod method, IoStage *next)
{
    switch (method)
    {
    case COMPRESS_ZSTD:
        return io_zstd_decompress_new(next);
    case COMPRESS_LZ4:
        return io_lz4_decompress_new(next);
    case COMPRESS_GZIP:
        return io_gzip_decompress_new(next);
    case COMPRESS_NONE:
        break;
    }
    return next;
}

/*
 * test/fuzz/fuzz_manifest.c - lines of a manifest from anywhere.
 *
 * What is accepted must be written again by the writer: both sides hold the same rules.
 */
#include "repo/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const char *line, size_t len)
{
    void *ctx = mem_context(NULL, "fuzz");
    ManifestLine record;
    Error err = ERROR_INIT;

    if (manifest_parse_line(ctx, line, len, &record, &err))
    {
        json_t *object = record_encode(record.type, &record.u, &err);

        if (object == NULL)
        {
            fprintf(stderr, "read and not writable: %s\n", err.message);
            abort();
        }
        json_decref(object);
    }
    else if (err.code != ERR_CORRUPT)
        abort();
    mem_free(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *) data;

    while (size > 0)
    {
        const char *newline = memchr(p, '\n', size);
        size_t len = newline != NULL ? (size_t) (newline - p) : size;

        parse(p, len);
        p += len + (newline != NULL);
        size -= len + (newline != NULL);
    }
    return 0;
}

/*
 * test/fuzz/fuzz_rows.c - COPY streams and compressed frames from anywhere.
 *
 * The first byte chooses codec and format, the second the size of the pieces; a stream must be
 * judged the same in pieces as in one.
 */
#include "io/compress.h"
#include "io/limit.h"
#include "io/rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUTPUT_MAX ((uint64_t) 1 << 20)

static bool run(CompressMethod method, bool binary, const uint8_t *data, size_t size, size_t step,
                uint64_t *ret_rows)
{
    IoStage *rows = io_rows_new(binary, NULL);
    IoStage *chain = io_decompress_new(method, io_limit_new(OUTPUT_MAX, rows));
    Error err = ERROR_INIT;
    bool ok = true;

    for (size_t i = 0; ok && i < size; i += step)
        ok = io_write(chain, data + i, size - i < step ? size - i : step, &err);
    ok = ok && io_finish(chain, &err);
    if (!ok && err.code != ERR_CORRUPT)
        abort();
    *ret_rows = io_rows_count(rows);
    io_free(chain);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole, pieces;
    CompressMethod method;
    bool binary;

    if (size < 3)
        return 0;
    method = (CompressMethod) (data[0] % 4);
    binary = (data[0] & 4) != 0;
    if (run(method, binary, data + 2, size - 2, size, &whole) !=
            run(method, binary, data + 2, size - 2, (size_t) data[1] + 1, &pieces) ||
        whole != pieces)
    {
        /* After an error the count may stop at different places. */
        if (run(method, binary, data + 2, size - 2, size, &whole))
            abort();
    }
    return 0;
}

/*
 * test/fuzz/fuzz_wal.c - pages of WAL from anywhere.
 *
 * The first two bytes choose how large the pieces are; they must be judged as the whole is.
 */
#include "physical/wal_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool run(const uint8_t *data, size_t size, size_t step)
{
    AUTO(io_free) IoStage *stage = wal_check_new(UINT64_C(0x0102030405060708), 1024 * 1024, NULL);
    Error err = ERROR_INIT;
    bool ok = true;

    io_reset(stage);
    wal_check_set(stage, 3, UINT64_C(0x500000));
    for (size_t i = 0; ok && i < size; i += step)
        ok = io_write(stage, data + i, size - i < step ? size - i : step, &err);
    if (!ok && err.code != ERR_CORRUPT)
        abort();
    err.code = ERR_NONE;
    if (io_finish(stage, &err) && size != 1024 * 1024)
        abort();
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    size_t step = (size_t) data[0] * 256 + data[1] + 1;
    if (run(data + 2, size - 2, size) != run(data + 2, size - 2, step))
        abort();
    return 0;
}

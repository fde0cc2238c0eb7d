/*
 * test/fuzz/fuzz_server_version.c - what a server may answer to version().
 */
#include "base/mem.h"
#include "pg/server_version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_strndup(NULL, (const char *) data, size);
    ServerVersion v = server_version_parse(text);

    if (v.major < 0 || v.minor < 0 || v.patch < 0 ||
        (v.product == SERVER_POSTGRESQL && (v.major != 0 || v.minor != 0 || v.patch != 0)))
        abort();
    mem_free(text);
    return 0;
}

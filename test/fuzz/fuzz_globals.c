/*
 * fuzz_globals.c - the roles and tablespaces of a set, as SQL: any text ends, and is taken apart.
 */
#include <stdint.h>

#include "restore/globals.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "fuzz");
    Globals *g = globals_parse(ctx, mem_strndup(ctx, (const char *) data, size));
    (void) globals_has_role(g, "a");
    return 0;
}

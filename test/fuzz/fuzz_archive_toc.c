/* Fuzzes the reader of schema archives and the planner behind it. */
#include "restore/ddl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "fuzz");
    Error err = ERROR_INIT;
    ArchiveToc *toc = archive_toc_parse(ctx, data, size, &err);

    if (toc != NULL)
        (void) ddl_plan(ctx, toc, "new \"name", &err);
    return 0;
}

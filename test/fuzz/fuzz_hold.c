/*
 * test/fuzz/fuzz_hold.c - any bytes as the file of a hold.
 *
 * What is accepted goes into SQL and is compared: its nodes are distinct, and the names of snapshots
 * have no character that could end a literal.
 */
#include "repo/hold.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const HoldFile *file)
{
    if (file->node_count == 0 || file->hold.pid <= 0 || file->hold.time_ms <= 0)
        abort();
    for (size_t i = 0; i < file->node_count; i++)
    {
        const HoldNodeRecord *n = &file->nodes[i];
        if (strpbrk(n->snapshot_id, "'\\; ") != NULL || strlen(n->snapshot_id) >= 64)
            abort();
        for (size_t j = 0; j < i; j++)
        {
            if (file->nodes[j].content == n->content &&
                strcmp(file->nodes[j].database, n->database) == 0)
                abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "fuzz");
    Error err = ERROR_INIT;
    const HoldFile *file = hold_parse(ctx, (const char *) data, size, &err);
    if ((file == NULL) != error_is_set(&err) || (file == NULL && err.code != ERR_CORRUPT))
        abort();
    if (file != NULL)
        check(file);
    return 0;
}

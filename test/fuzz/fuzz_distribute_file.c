/* test/fuzz/fuzz_distribute_file.c - any bytes as the file of --distribute. */
#include "config/distribute_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a caller may rely on. */
static void check_table(const DistributeFile *file, size_t i)
{
    const DistributeTable *t = &file->tables[i];
    if (t->schema[0] == '\0' || t->name[0] == '\0' || (t->column == NULL) != t->reference ||
        t->shard_count < 0 || t->shard_count > DISTRIBUTE_SHARDS_MAX)
        abort();
    if (t->colocate_with != NULL &&
        (t->colocated >= i || file->tables[t->colocated].column == NULL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "fuzz");
    Error err = ERROR_INIT;
    const DistributeFile *file = distribute_file_parse(ctx, (const char *) data, size, "fuzz",
                                                       &err);
    if ((file == NULL) != error_is_set(&err) || (file != NULL && file->count == 0))
        abort();
    for (size_t i = 0; file != NULL && i < file->count; i++)
        check_table(file, i);
    return 0;
}

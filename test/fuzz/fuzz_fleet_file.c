/* test/fuzz/fuzz_fleet_file.c - any bytes as a fleet file and as a configuration file. */
#include "config/fleet_file.h"
#include "config/options_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a caller may rely on: one conninfo for each node, none of them empty. */
static void check_fleet(const FleetFile *file)
{
    if (file->node_count == 0 || file->topology == NULL)
        abort();
    for (size_t i = 0; i < file->node_count; i++)
    {
        if (file->conninfo[i] == NULL || file->conninfo[i][0] == '\0')
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "fuzz");
    Error err = ERROR_INIT;
    const FleetFile *file = fleet_file_parse(ctx, (const char *) data, size, "fuzz", &err);
    if ((file == NULL) != error_is_set(&err))
        abort();
    if (file != NULL)
        check_fleet(file);

    error_clear(&err);
    Options *o = options_new(ctx, CMD_BACKUP);
    if (options_read_text(o, (const char *) data, size, "fuzz", &err) == error_is_set(&err))
        abort();
    return 0;
}

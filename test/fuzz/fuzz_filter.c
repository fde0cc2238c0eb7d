/* Fuzzes what is done to a schema archive before it is planned: filter, remap, adapt, drops. */
#include "restore/adapt.h"
#include "restore/clean.h"
#include "restore/filter.h"
#include "restore/remap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void change(void *ctx, ArchiveToc *toc)
{
    static const NameMap map[] = {{"sales", "new \"name"}, {"public", "other schema"}};
    RestoreRequest request = {.session_authorization = true,
                              .tablespace_map = map,
                              .tablespace_map_count = LENGTH_OF(map)};
    Error err = ERROR_INIT;
    Str *sql = str_new(ctx);

    (void) remap_archive(toc, map, LENGTH_OF(map), &err);
    adapt_archive(toc, &request);
    for (size_t i = 0; i < toc->entry_count; i++)
        (void) clean_statement(sql, &toc->entries[i], true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "fuzz");
    Error err = ERROR_INIT;
    ArchiveToc *toc = archive_toc_parse(ctx, data, size, &err);
    Selection *selection = selection_new(ctx);
    Manifest manifest = {.table_count = 0};
    NodeRecord node = {.database = mem_strdup(ctx, "d")};

    if (toc == NULL || !pattern_add(&selection->tables, ctx, PATTERN_TABLE, "*.o*", false, &err) ||
        !pattern_add(&selection->triggers, ctx, PATTERN_NAME, "*", false, &err))
        return 0;
    Filter *all = filter_new(ctx, toc, &manifest, &node, selection_new(ctx), false, &err);
    Filter *some = filter_new(ctx, toc, &manifest, &node, selection, true, &err);
    if (all != NULL && some != NULL)
        filter_apply(some, toc);
    change(ctx, toc);
    return 0;
}

/* Fuzzes the reader of schema archives, the planner behind it, and what takes constraints apart. */
#include "restore/constraint_text.h"
#include "restore/ddl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_apart(void *ctx, const char *sql, bool std_strings)
{
    KeyText key;
    ForeignKeyText fk;
    const char *first;

    (void) constraint_text_key(ctx, sql, std_strings, &key);
    (void) constraint_text_foreign_key(ctx, sql, std_strings, &fk);
    (void) constraint_text_index(ctx, sql, std_strings, &first);
    (void) constraint_text_names(sql, std_strings, "a");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "fuzz");
    Error err = ERROR_INIT;
    ArchiveToc *toc = archive_toc_parse(ctx, data, size, &err);

    if (toc == NULL)
        return 0;
    (void) ddl_plan(ctx, toc, "new \"name", &err);
    for (size_t i = 0; i < toc->entry_count; i++)
        take_apart(ctx, toc->entries[i].defn, i % 2 == 0);
    return 0;
}

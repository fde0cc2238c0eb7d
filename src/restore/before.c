/* restore/before.c - what a restore that goes on found done; the contract is in before.h. */
#include "restore/before.h"

#include "repo/large_object_tables.h"
#include "restore/journal.h"

static bool is_there(const RestoreNode *node, const ChunkRef *ref)
{
    const Journal *journal = node->journal;
    uint32_t oid = node->tables[ref->table].record->oid;
    JournalItem chunk = {.kind = JOURNAL_CHUNK, .id = oid, .part = ref->number};
    if (oid == LARGE_OBJECT_LIST_OID || oid == LARGE_OBJECT_DATA_OID)
    {
        chunk.kind = JOURNAL_OBJECTS;
        chunk.id = oid == LARGE_OBJECT_LIST_OID ? JOURNAL_OBJECTS_CREATED : JOURNAL_OBJECTS_FILLED;
    }
    JournalItem part = {.kind = JOURNAL_PART, .id = oid};
    if (ref->part != NO_PART)
        part.part = node->fold->parts[ref->part].first_chunk;
    return journal_has(journal, chunk) || (ref->part != NO_PART && journal_has(journal, part)) ||
           journal_has_any(journal, JOURNAL_TABLE, oid) || journal_is(journal, JOURNAL_COMPLETE);
}

void before_chunks(RestoreNode *node)
{
    uint64_t bytes = 0;
    for (size_t i = 0; node->resumed && i < node->chunk_count; i++)
        bytes += is_there(node, &node->chunks[i]) ? node->chunks[i].logical : 0;
    atomic_store(&node->progress->bytes_before, bytes);
}

void before_definitions(RestoreNode *node)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "before");
    const ArchiveToc *toc = node->toc;
    bool complete = journal_is(node->journal, JOURNAL_COMPLETE);
    bool *seen = mem_array(tmp, bool, toc->entry_count);
    bool *left = mem_array(tmp, bool, toc->entry_count);
    if (!node->resumed)
        return;
    /* One of the archive may be several here; all of them must be there. */
    for (size_t i = 0; i < node->ddl->entry_count; i++)
    {
        const DdlEntry *entry = &node->ddl->entries[i];
        size_t at = (size_t) (entry->toc - toc->entries);
        if (entry->toc < toc->entries || at >= toc->entry_count)
            continue;
        seen[at] = true;
        left[at] = left[at] || !(complete || journal_has(node->journal, journal_definition(entry)));
    }
    for (size_t i = 0; i < toc->entry_count; i++)
        node->before.statements += seen[i] && !left[i] ? 1 : 0;
}

void before_loaded(RestoreNode *node, const ChunkRef *ref, uint64_t rows)
{
    RestoreTable *t = &node->tables[ref->table];
    atomic_fetch_add(&t->loaded_rows, rows);
    atomic_fetch_add(&t->loaded_bytes, ref->logical);
}

/* What was loaded twice, as the first time failed, counts once. */
static uint64_t rest(uint64_t all, uint64_t loaded)
{
    return all > loaded ? all - loaded : 0;
}

void before_rows(RestoreNode *node)
{
    for (size_t i = 0; i < node->table_count; i++)
    {
        RestoreTable *t = &node->tables[i];
        if (t->failed)
            continue;
        node->rows += t->record->rows;
        node->logical += t->record->logical;
        if (!node->resumed)
            continue;
        node->before.rows += rest(t->record->rows, atomic_load(&t->loaded_rows));
        node->before.logical += rest(t->record->logical, atomic_load(&t->loaded_bytes));
    }
}

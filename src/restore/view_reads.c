/* restore/view_reads.c - the contract is in view_reads.h. */
#include "restore/view_reads.h"

struct ViewReads
{
    const ArchiveToc *toc;
    size_t *visit; /* per entry: the last search that came by */
    size_t visits;
    uint32_t *queue;
};

ViewReads *view_reads_new(void *ctx, const ArchiveToc *toc)
{
    ViewReads *reads = mem_new(ctx, ViewReads);
    reads->toc = toc;
    reads->visit = mem_array(reads, size_t, toc->entry_count);
    reads->queue = mem_array(reads, uint32_t, toc->entry_count + 1);
    return reads;
}

void view_reads_each(ViewReads *reads, const TocEntry *view, ViewReadsEach each, void *arg)
{
    const TocEntry *entries = reads->toc->entries;
    size_t head = 0;
    size_t tail = 0;
    reads->visits++;
    reads->queue[tail++] = (uint32_t) (view - entries);
    reads->visit[reads->queue[0]] = reads->visits;
    while (head < tail)
    {
        const TocEntry *e = &entries[reads->queue[head++]];
        for (size_t i = 0; i < e->dependency_count; i++)
        {
            const TocEntry *on = archive_toc_find(reads->toc, e->dependencies[i]);
            size_t at = on == NULL ? 0 : (size_t) (on - entries);
            if (on == NULL || reads->visit[at] == reads->visits)
                continue;
            reads->visit[at] = reads->visits;
            if (each(arg, on))
                reads->queue[tail++] = (uint32_t) at;
        }
    }
}

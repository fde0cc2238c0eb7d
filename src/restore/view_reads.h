/*
 * restore/view_reads.h - what a materialized view reads, as far as the archive's dependencies tell.
 */
#ifndef PGARK_RESTORE_VIEW_READS_H
#define PGARK_RESTORE_VIEW_READS_H

#include "pg/archive_toc.h"

typedef struct ViewReads ViewReads;

/* One of the entries that a view reads; the result tells whether to look at what that one reads, too. */
typedef bool (*ViewReadsEach)(void *arg, const TocEntry *e);

ViewReads *view_reads_new(void *ctx, const ArchiveToc *toc);

/* view_reads_each calls each once for every entry that view depends on, directly or through others. */
void view_reads_each(ViewReads *reads, const TocEntry *view, ViewReadsEach each, void *arg);

#endif

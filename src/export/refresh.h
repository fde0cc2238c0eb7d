/*
 * export/refresh.h - in which order materialized views are filled again.
 */
#ifndef PGARK_EXPORT_REFRESH_H
#define PGARK_EXPORT_REFRESH_H

#include "pg/archive_toc.h"

typedef struct RefreshOrder RefreshOrder;

RefreshOrder *refresh_order_new(void *ctx, const ArchiveToc *toc);

/* refresh_order_has_rows tells of a materialized view that it had rows; to be said of all of them
 * first. */
void refresh_order_has_rows(RefreshOrder *order, const TocEntry *view);

/* refresh_order_sort puts entries of the archive into the order in which it creates them: a view
 * that reads another comes behind it. */
void refresh_order_sort(const TocEntry **views, size_t count);

/* refresh_order_depend adds, below ctx, to the dependencies of refresh (the refresh of view) those
 * refreshes, given before, of the views that view reads, be it through other views. False: it reads
 * a materialized view that has no rows, so a refresh would fail. */
bool refresh_order_depend(RefreshOrder *order, void *ctx, const TocEntry *view, TocEntry *refresh);

#endif

/*
 * export/refresh.h - in which order materialized views are filled again.
 */
#ifndef PGARK_EXPORT_REFRESH_H
#define PGARK_EXPORT_REFRESH_H

#include "pg/archive_toc.h"

typedef struct RefreshOrder RefreshOrder;

RefreshOrder *refresh_order_new(void *ctx, const ArchiveToc *toc);

/* refresh_order_sort puts entries of the archive into the order in which it creates them: a view
 * that reads another comes behind it. */
void refresh_order_sort(RefreshOrder *order, const TocEntry **views, size_t count);

/* refresh_order_depend adds, below ctx, to the dependencies of refresh (the refresh of view) those
 * refreshes, given before, of the views that view reads, be it through other views. */
void refresh_order_depend(RefreshOrder *order, void *ctx, const TocEntry *view, TocEntry *refresh);

#endif

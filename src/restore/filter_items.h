/*
 * restore/filter_items.h - the relations of a set, as a selection sees them.
 *
 * They are those of the archive and of the manifest, joined by their oid (sequences, which a
 * manifest lists without one, by their name): a set without definitions has tables and sequences,
 * too, and the configuration tables of extensions are in no archive.
 */
#ifndef PGARK_RESTORE_FILTER_ITEMS_H
#define PGARK_RESTORE_FILTER_ITEMS_H

#include "pg/archive_toc.h"
#include "repo/manifest.h"
#include "select/selection.h"

typedef struct FilterItems FilterItems;

/* filter_items_new lists them below ctx and applies the selection. ERR_USAGE: see selection_apply. */
FilterItems *filter_items_new(void *ctx, const ArchiveToc *toc, const Manifest *manifest,
                              const NodeRecord *node, const Selection *selection, Error *err);

/* filter_items_definition: the relation at that position of the archive is wanted. */
bool filter_items_definition(const FilterItems *f, uint32_t position);

/* filter_items_data sets the flags of the manifest's tables and sequences whose rows and values are
 * wanted. */
void filter_items_data(const FilterItems *f, bool *tables, bool *sequences);

/* filter_items_add_data sets the flag of the one at that position of the archive. */
void filter_items_add_data(const FilterItems *f, uint32_t position, bool *tables, bool *sequences);

#endif

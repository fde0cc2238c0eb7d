/*
 * restore/filter.h - what of a set is wanted: a selection against an archive and a manifest.
 *
 * The rules are pg_dump's (selectDumpableNamespace, selectDumpableTable, selectDumpableObject and
 * their kin in pg_dump.c): a table brings its indexes, constraints, triggers, rules, policies,
 * statistics, defaults, the sequences that its columns own, its comments, labels and privileges.
 * What joins two objects (a foreign key, the attachment of a partition or of its index, a table's
 * membership in a publication) comes only where both are restored. -I, -P and --trigger choose single
 * objects by name, as pg_restore has it; they add to what -t names.
 *
 * With dependencies, everything comes along that the wanted objects depend on in the archive, again
 * with all that belongs to it: types, functions, sequences, extensions, schemas, parents, tables
 * that foreign keys and views refer to. Rows come along only where the wanted objects are wrong
 * without them: those of tables that a foreign key refers to, and of those that a materialized view
 * reads.
 */
#ifndef PGARK_RESTORE_FILTER_H
#define PGARK_RESTORE_FILTER_H

#include "pg/archive_toc.h"
#include "repo/manifest.h"
#include "select/selection.h"

/* A foreign key whose other table is not restored. */
typedef struct FilterKey
{
    uint32_t entry;        /* position in the archive as it was when the filter was made */
    const TocEntry *table; /* that it refers to */
} FilterKey;

typedef struct Filter
{
    bool *keep;      /* per entry of the archive as it was when the filter was made */
    bool *needed;    /* per entry: came by a dependency only */
    bool *data;      /* per table of the manifest: its rows (a materialized view's refresh) */
    bool *sequences; /* per sequence of the manifest: its value */
    bool whole;      /* every entry of the archive is kept */
    FilterKey *keys; /* foreign keys that are left out */
    size_t key_count, key_capacity;
    char **left_out; /* their labels, when filter_apply is done */
    size_t left_out_count;
    const Selection *selection;
} Filter;

/* filter_new makes the filter below ctx; toc may have no entries (a set of rows only). ERR_USAGE:
 * what selection_apply says, and a pattern of -I, -P or --trigger that matches nothing. Takes
 * O(n log n) for n entries, tables and sequences. */
Filter *filter_new(void *ctx, const ArchiveToc *toc, const Manifest *manifest,
                   const NodeRecord *node, const Selection *selection, bool with_dependencies,
                   Error *err);

/* filter_return_keys keeps those left-out foreign keys, with their comments, for whose other table is_there
 * says that it is in the target already. Before filter_apply. */
typedef bool (*FilterIsThere)(void *arg, const TocEntry *table);
void filter_return_keys(Filter *f, const ArchiveToc *toc, FilterIsThere is_there, void *arg);

/* filter_apply takes out of toc what is not kept; keep and needed are then those of what is left. */
void filter_apply(Filter *f, ArchiveToc *toc);

#endif

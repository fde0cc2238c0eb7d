/*
 * repo/archive.h - the archive of a node's definitions.
 */
#ifndef PGARK_REPO_ARCHIVE_H
#define PGARK_REPO_ARCHIVE_H

#include "pg/archive_toc.h"
#include "repo/manifest.h"
#include "storage/storage.h"

/* archive_read gives its table of contents below ctx; an empty one where the set has none, as one of rows
 * only may. ERR_CORRUPT: it is damaged, or no archive. */
ArchiveToc *archive_read(void *ctx, Storage *st, const char *set_dir, const NodeRecord *node,
                         Error *err);

#endif

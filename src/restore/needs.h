/*
 * restore/needs.h - what an archive counts on and a restore does not make: roles and tablespaces.
 */
#ifndef PGARK_RESTORE_NEEDS_H
#define PGARK_RESTORE_NEEDS_H

#include "restore/node.h"

/* needs_check asks the target (node->main) for every role that owns or is granted something in the
 * archive, and for every tablespace. The statement that names a missing one would fail, some only
 * when all data is in. ERR_NOT_FOUND lists what is missing. */
bool needs_check(const RestoreNode *node, const ArchiveToc *toc, Error *err) MUST_CHECK;

#endif

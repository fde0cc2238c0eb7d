/*
 * restore/needs.h - what an archive counts on and a restore does not make.
 *
 * Roles, tablespaces, extensions, access methods, collations of the system, languages,
 * foreign-data wrappers. A statement that names one that is missing would fail, some only when all
 * data is in.
 */
#ifndef PGARK_RESTORE_NEEDS_H
#define PGARK_RESTORE_NEEDS_H

#include "restore/node.h"

/* needs_check asks the target (node->main) for all of them, as far as toc - what is really
 * restored - and the node's large objects name them. What an extension of the archive may bring is
 * not missed. ERR_NOT_FOUND lists everything that is missing, and the hint the options that go
 * around it; with --on-error=continue it is a warning, and the statements will fail one by one. */
bool needs_check(const RestoreNode *node, const ArchiveToc *toc, Error *err) MUST_CHECK;

#endif

/*
 * restore/adapt.h - an archive's entries, changed as a restore was asked to.
 *
 * What can be said of single entries, without a look at their definitions: owners, tablespaces,
 * access methods, as pg_restore's options of these names have it. The entries change in place, so that all
 * that reads them later (ddl.h, needs.h) sees what will really be run.
 */
#ifndef PGARK_RESTORE_ADAPT_H
#define PGARK_RESTORE_ADAPT_H

#include "pg/archive_toc.h"
#include "restore/request.h"

/* adapt_archive changes toc; new strings are below it.
 *   no_owner               no ALTER ... OWNER TO
 *   session_authorization  the owner makes the object himself, instead
 *   no_tablespaces         everything goes to the database's own tablespace, which is the server's
 *                          default one, too
 *   tablespace_map         OLD becomes NEW, also that of the database
 *   no_table_am            tables get the target's default access method */
void adapt_archive(ArchiveToc *toc, const RestoreRequest *request);

/* adapt_lookup gives what the map has for name, NULL: nothing. */
const char *adapt_lookup(const NameMap *map, size_t count, const char *name);

#endif

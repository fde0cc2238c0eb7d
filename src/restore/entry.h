/*
 * restore/entry.h - what kind of thing an entry of an archive is.
 *
 * By the entry's type, as pg_dump writes it (pg_dump.c, the .description of each ArchiveEntry), and,
 * for what is attached to another object, by its tag, which then begins with that object's type.
 */
#ifndef PGARK_RESTORE_ENTRY_H
#define PGARK_RESTORE_ENTRY_H

#include "pg/archive_toc.h"

/* entry_is compares the entry's type; entry_is_any compares a text with those of a list that ends
 * with NULL. */
bool entry_is(const TocEntry *e, const char *desc);
bool entry_is_any(const char *desc, const char *const *list);

/* entry_has_schema: the object lies in a schema. */
bool entry_has_schema(const TocEntry *e);

/* entry_is_attachment: a comment, a security label or a privilege of another object. */
bool entry_is_attachment(const TocEntry *e);

/* entry_is_of: an attachment whose object has this type ("EVENT TRIGGER ", with the space) and lies
 * in no schema. */
bool entry_is_of(const TocEntry *e, const char *prefix);

/* entry_is_about_database: the database itself, its settings, comment, privileges, label. */
bool entry_is_about_database(const TocEntry *e);

/* entry_is_relation: a table, view, materialized view or foreign table. */
bool entry_is_relation(const TocEntry *e);

/* entry_is_setting: not an object, but how the archive's texts are to be read (ENCODING and the
 * like). */
bool entry_is_setting(const TocEntry *e);

/* entry_is_no_ddl: nothing is run for it as it stands: data, settings that become the session's, the
 * database, and what is restored by other ways. */
bool entry_is_no_ddl(const TocEntry *e);

#endif

/*
 * restore/owner.h - which object an entry of an archive belongs to.
 */
#ifndef PGARK_RESTORE_OWNER_H
#define PGARK_RESTORE_OWNER_H

#include "pg/archive_toc.h"

/* How an entry comes into a restore. */
typedef enum EntryRole
{
    ROLE_SETTING,    /* always: how the archive is to be read, the database itself */
    ROLE_RELATION,   /* table, view, sequence ...: selected by its own name */
    ROLE_OBJECT,     /* selected by its schema, or with everything */
    ROLE_PART,       /* comes with the object that it is a part of */
    ROLE_LINK,       /* comes when all objects that it joins are there */
    ROLE_ATTACHMENT, /* comment, label, privileges: as a part, but may be of nothing in the archive */
} EntryRole;

EntryRole owner_role(const TocEntry *e);

/* owner_joins: it is one of those that a link joins (not what says how): a relation, or an index, key, publication,
 * subscription or schema. */
bool owner_joins(const TocEntry *e);

/* owner_find gives the entry that e is a part of or attached to, NULL when the archive has none. Of
 * several dependencies it is the one that e is named after: pg_dump calls a table's parts
 * "table part" (dumpConstraint, dumpTrigger, dumpRule, dumpPolicy, dumpAttrDef in pg_dump.c); an
 * index is followed into its definition. */
const TocEntry *owner_find(const ArchiveToc *toc, const TocEntry *e);

/* owner_table gives the table whose column owns a sequence, NULL for a free one. */
const TocEntry *owner_table(const ArchiveToc *toc, const TocEntry *sequence);

/* owner_is_identity: the sequence is that of an identity column. */
bool owner_is_identity(const TocEntry *sequence);

#endif

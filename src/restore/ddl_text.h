/*
 * restore/ddl_text.h - the text that is sent for an entry of an archive.
 *
 * What pg_restore sends for the same entry (pg_backup_archiver.c: _printTocEntry, _getObjectDescription,
 * _becomeOwner, _selectTablespace, _selectTableAccessMethod).
 */
#ifndef PGARK_RESTORE_DDL_TEXT_H
#define PGARK_RESTORE_DDL_TEXT_H

#include "base/str.h"
#include "pg/archive_toc.h"
#include "pg/string_pool.h"

typedef struct DdlText
{
    StringPool *pool; /* what is returned lives in it, or in the archive */
    Str *buffer;      /* to build one in */
    bool std_strings; /* of the archive: a backslash in '...' is an ordinary character */
    bool qualified;   /* the archive's names have their schemas written out */
    const char *last_tablespace, *last_table_am; /* settings already in the pool */
} DdlText;

/* ddl_text_sql: the definition and what gives it its owner; NULL: nothing is run for the entry. */
const char *ddl_text_sql(DdlText *t, const TocEntry *e);

/* ddl_text_tablespace, ddl_text_table_am: the SET to be run before, NULL where it makes no
 * difference. */
const char *ddl_text_tablespace(DdlText *t, const TocEntry *e);
const char *ddl_text_table_am(DdlText *t, const TocEntry *e);

/* ddl_text_label: "INDEX public.t_idx" for messages and progress. */
const char *ddl_text_label(DdlText *t, const TocEntry *e);

#endif

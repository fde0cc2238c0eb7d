/*
 * pg/archive_toc.h - reads the table of contents of a pg_dump custom archive (-Fc).
 *
 * Source of the format: PostgreSQL's pg_backup_archiver.c (ReadHead, ReadToc, ReadInt, ReadStr) and
 * pg_backup_custom.c; archive versions 1.12 (pg_dump 9.x/10) to 1.16 (18) are read. The bytes are
 * hostile: every length is bounded by what is left, counts by the bytes they need at least.
 */
#ifndef PGARK_PG_ARCHIVE_TOC_H
#define PGARK_PG_ARCHIVE_TOC_H

#include "base/error.h"
#include "base/mem.h"

typedef enum TocSection
{
    TOC_SECTION_NONE = 1, /* comments, ACLs and the like of older archives; as in the format */
    TOC_SECTION_PRE_DATA,
    TOC_SECTION_DATA,
    TOC_SECTION_POST_DATA,
} TocSection;

typedef struct TocEntry
{
    int dump_id;
    uint32_t table_oid; /* catalogue ids of the object: tableoid and oid, 0 when none */
    uint32_t oid;
    const char *tag;
    const char *desc; /* "TABLE", "INDEX", "FK CONSTRAINT", ... */
    TocSection section;
    const char *defn;      /* "" when none */
    const char *drop_stmt; /* "" when none */
    const char *copy_stmt;
    const char *schema;     /* namespace, NULL when none */
    const char *tablespace; /* NULL: not an object with one; "": the default */
    const char *table_am;   /* NULL likewise */
    char relkind;           /* 1.16, else 0 */
    const char *owner;
    int *dependencies; /* dump ids */
    size_t dependency_count;
} TocEntry;

typedef struct ArchiveToc
{
    int version_major, version_minor;
    const char *database;       /* archdbname */
    const char *server_version; /* of the dumped server */
    const char *dump_version;   /* of pg_dump */
    TocEntry *entries;          /* in the archive's order: a valid creation order */
    size_t entry_count;
    uint32_t *by_dump_id; /* positions in entries by ascending dump id, for archive_toc_find */
} ArchiveToc;

/* archive_toc_parse reads the head and table of contents from the first len bytes of an archive.
 * The result lives below ctx and does not refer to data. Not an archive, not the custom format, an
 * unknown version, truncated or inconsistent: ERR_CORRUPT. */
ArchiveToc *archive_toc_parse(void *ctx, const void *data, size_t len, Error *err);

/* archive_toc_find returns the entry with that dump id or NULL (binary search over an index made by
 * archive_toc_parse). */
const TocEntry *archive_toc_find(const ArchiveToc *toc, int dump_id);

/* archive_toc_keep takes the entries out whose flag (one per entry) is false; their order stays. */
void archive_toc_keep(ArchiveToc *toc, const bool *keep);

#endif

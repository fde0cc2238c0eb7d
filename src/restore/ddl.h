/*
 * restore/ddl.h - which statements of an archive's table of contents are run, and in which order.
 *
 * Follows what pg_restore does with the same archive (pg_backup_archiver.c: RestoreArchive,
 * restore_toc_entries_*, _printTocEntry, _becomeOwner and friends), but as data: a list of DdlEntry
 * that a scheduler runs on its own connections.
 */
#ifndef PGARK_RESTORE_DDL_H
#define PGARK_RESTORE_DDL_H

#include "pg/archive_toc.h"
#include "restore/lock_mode.h"

typedef enum DdlPass
{
    DDL_PRE_DATA,  /* in list order, one after another */
    DDL_INDEX,     /* needs only its own table's data: indexes, PRIMARY KEY, UNIQUE, EXCLUDE,
                      INDEX ATTACH, statistics of one table, CLUSTER marks */
    DDL_POST_DATA, /* needs all data: foreign keys, triggers, rules, policies, the rest */
    DDL_ACL,       /* after everything above, in list order: GRANT, REVOKE, default privileges */
    DDL_REFRESH,   /* after the ACLs: the query of a materialized view runs as its owner */
    DDL_LAST,      /* after all others, in list order: event triggers, publications are NOT here */
} DdlPass;

typedef struct DdlLock
{
    uint32_t oid; /* of the table at the source: TocEntry.oid */
    LockMode mode;
} DdlLock;

/* What a statement's time depends on. */
typedef enum DdlWork
{
    DDL_WORK_CATALOG, /* catalogs only */
    DDL_WORK_BUILD,   /* reads and sorts the rows of its table: an index, a constraint with one */
    DDL_WORK_CHECK,   /* compares rows: a foreign key, a check constraint */
    DDL_WORK_REFRESH, /* runs a query */
} DdlWork;

typedef struct DdlEntry
{
    const TocEntry *toc;
    DdlPass pass;
    DdlWork work;
    const char *label;          /* "INDEX public.t_idx" for messages and progress */
    const char *set_tablespace; /* statement to be run before, or NULL when the entry has none */
    const char *set_table_am;   /* likewise */
    const char *sql;            /* the definition and ALTER ... OWNER TO behind it */
    bool own_transaction; /* must be sent alone, not inside a transaction block or with others */
    /* Tables that the entry locks. Entries whose locks exclude each other are not run together: the
     * later would wait, and two that lock two tables each might wait for each other. */
    DdlLock *locks;
    size_t lock_count;
    bool all_data; /* runs when all data is in; else when that of the tables in locks is */
    bool failed;   /* set when it is run: it did not work, or was passed over */
    size_t *needs; /* indexes in DdlPlan.entries that must be done before (post-data only) */
    size_t need_count;
} DdlEntry;

typedef struct DdlPartition
{
    uint32_t oid;
    uint32_t parent; /* oid of the table it is attached to */
} DdlPartition;

typedef struct DdlPlan
{
    const ArchiveToc *toc;
    bool std_strings;  /* in the archive a backslash in '...' is an ordinary character */
    DdlEntry *entries; /* pre-data first, then by pass, archive order within a pass */
    size_t entry_count;
    const char
        *session_setup; /* SET statements for every connection that runs DDL (client_encoding,
                           standard_conforming_strings, search_path '', check_function_bodies
                           false, row_security off, timeouts 0, xmloption content,
                           client_min_messages warning, default_table_access_method...) */
    const char *create_database;      /* CREATE DATABASE as archived, with the name replaced by the
                                         new_database given; NULL when the archive has none */
    const char **database_properties; /* after data: ALTER DATABASE ... SET, comment, ACL, owner;
                                         name replaced too, each statement list to be sent alone */
    size_t database_property_count;
    DdlPartition *partitions; /* sorted by oid */
    size_t partition_count;
} DdlPlan;

/* ddl_plan makes the plan below ctx; it refers to toc, which must live as long. new_database (never
 * NULL) is the name of the database that is restored into; the archived one (toc->database) is
 * replaced where a definition names it. Entries of type TABLE DATA, SEQUENCE SET, BLOB(S),
 * MATERIALIZED VIEW DATA have no DDL and are left out. ERR_CORRUPT when dependencies of post-data
 * entries form a circle. */
DdlPlan *ddl_plan(void *ctx, const ArchiveToc *toc, const char *new_database, Error *err);

/* ddl_parent gives the oid of the table that the one with this oid is a partition of; 0: of none. */
uint32_t ddl_parent(const DdlPlan *plan, uint32_t oid);

#endif

/*
 * backup/schema.h - the definitions, by pg_dump in the snapshot of the cut.
 */
#ifndef PGARK_BACKUP_SCHEMA_H
#define PGARK_BACKUP_SCHEMA_H

#include "backup/catalog.h"
#include "pg/program.h"
#include "storage/storage.h"

typedef struct SchemaDump
{
    const BackupRequest *request;
    const PgProgram *pg_dump;
    const PgConn *conn; /* to the database; only its parameters are used */
    PgConn *watch;      /* of its own, no transaction open: for a pg_dump that can take no snapshot;
                           else NULL */
    const char *snapshot;
    const Catalog *catalog; /* with its selection */
} SchemaDump;

/* schema_dump stores pg_dump's custom archive of the selected definitions as set_dir/<record->path>
 * and fills bytes and hash of record.
 * pg_dump locks all tables again, in its own session: where somebody has queued a stronger lock
 * behind the holder's, that would be a deadlock no server sees (they wait for the holder, pg_dump
 * for them, the holder for pg_dump). A pg_dump that cannot take the snapshot (before 9.5) reads what is there
 * now: ERR_CHANGED unless that is proven to be what the snapshot shows (backup/catalogue_mark.h).
 * So pg_dump waits SCHEMA_LOCK_WAIT_MS at most; then this is
 * ERR_CHANGED: nobody else can make it wait, and the caller starts over. */
bool schema_dump(const SchemaDump *dump, Storage *st, const char *set_dir, ObjectRecord *record,
                 Error *err) MUST_CHECK;

#endif

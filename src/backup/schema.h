/*
 * backup/schema.h - the definitions, by pg_dump in the snapshot of the cut.
 */
#ifndef PGARK_BACKUP_SCHEMA_H
#define PGARK_BACKUP_SCHEMA_H

#include "backup/request.h"
#include "repo/manifest.h"
#include "storage/storage.h"

/* schema_dump stores pg_dump's custom archive, schema only, as set_dir/<record->path> and fills
 * bytes and hash of record.
 * pg_dump locks all tables again, in its own session: where somebody has queued a stronger lock
 * behind the holder's, that would be a deadlock no server sees (they wait for the holder, pg_dump
 * for them, the holder for pg_dump). So pg_dump waits SCHEMA_LOCK_WAIT_MS at most; then this is
 * ERR_CHANGED: nobody else can make it wait, and the caller starts over. */
bool schema_dump(const char *program, const PgConn *conn, const char *snapshot, Storage *st,
                 const char *set_dir, bool no_sync, ObjectRecord *record, Error *err) MUST_CHECK;

#endif

/*
 * backup/program_store.h - what one of PostgreSQL's own programs writes, stored as an object.
 */
#ifndef PGARK_BACKUP_PROGRAM_STORE_H
#define PGARK_BACKUP_PROGRAM_STORE_H

#include "io/compress.h"
#include "pg/conn.h"
#include "repo/manifest.h"
#include "storage/storage.h"

typedef struct ProgramStore
{
    const char *const *argv; /* NULL-terminated; the connection string without a password */
    const char *password;    /* goes by the environment, NULL: there is none */
    const Cancel *cancel;
    Storage *storage;
    const char *set_dir;
    Compress compress;
    bool no_sync;
} ProgramStore;

/* program_store runs the program and stores its standard output, compressed, as
 * set_dir/<record->path>; fills bytes and hash of record. Nothing is left of it when it fails:
 * ERR_PROGRAM with what the program said, ERR_CANCELLED, ERR_STORAGE. Blocks until it has ended. */
bool program_store(const ProgramStore *run, ObjectRecord *record, Error *err) MUST_CHECK;

#endif

/*
 * physical/basebackup_parts.h - the two forms of a base backup's directory; for basebackup*.c only.
 */
#ifndef PGARK_PHYSICAL_BASEBACKUP_PARTS_H
#define PGARK_PHYSICAL_BASEBACKUP_PARTS_H

#include "pg/base_backup.h"
#include "physical/basebackup.h"
#include "physical/restore_dir.h"
#include "storage/storage.h"

typedef struct BasebackupForm BasebackupForm;

/* What a form is told, in this order: begin; archive and data; manifest and data; wal for each finished file of
 * WAL, from the thread that receives it; end (recovery: settings of a standby, NULL: it is to be none). */
typedef struct BasebackupFormOps
{
    bool (*begin)(BasebackupForm *f, const BaseBackupStart *start, Error *err);
    bool (*archive)(BasebackupForm *f, const BaseBackupTablespace *space, Error *err);
    bool (*manifest)(BasebackupForm *f, Error *err);
    bool (*data)(BasebackupForm *f, const void *data, size_t len, Error *err);
    bool (*wal)(BasebackupForm *f, const char *name, uint64_t size, Error *err);
    bool (*end)(BasebackupForm *f, const char *recovery, Error *err);
    void (*free)(BasebackupForm *f);
    /* removes what was made outside of the directory */
    void (*clear)(const BasebackupForm *f);
} BasebackupFormOps;

/* A directory as an object store has it: root, and the names of the directory above and of itself. */
typedef struct BasebackupPlace
{
    Storage *storage;
    char *above;
    char *name;
} BasebackupPlace;

/* The first member of each. */
struct BasebackupForm
{
    const BasebackupFormOps *ops;
    const BasebackupRequest *request;
    const RestoreDir *dir;
    BasebackupPlace wal; /* where received WAL goes; set by begin */
};

/* basebackup_place: path is absolute, and not right below the root (ERR_USAGE). Below ctx. */
bool basebackup_place(void *ctx, const char *path, BasebackupPlace *ret, Error *err) MUST_CHECK;

BasebackupForm *basebackup_plain_new(const BasebackupRequest *request, const RestoreDir *dir);
BasebackupForm *basebackup_tar_new(const BasebackupRequest *request, const RestoreDir *dir);

#endif

/*
 * backup/change.h - who decides what has changed since the base of an incremental backup.
 *
 * A provider says of a table whether its chunks may be cut as they were, so that they can be compared;
 * what is to be expected of them, on which nothing but time depends; and of a chunk that was read
 * whether it is the one that the base has. Only the last answer makes a set refer to another one.
 */
#ifndef PGARK_BACKUP_CHANGE_H
#define PGARK_BACKUP_CHANGE_H

#include "backup/catalog.h"

typedef struct ChangeProvider
{
    const char *name;
    bool (*comparable)(const TableRecord *base, const Relation *now);
    /* Of a table that is comparable: most of its chunks will have to be stored. */
    bool (*likely_changed)(const TableRecord *base, const Relation *now);
    /* base has an object. */
    bool (*unchanged)(const ChunkRecord *base, const ChunkRecord *now);
} ChangeProvider;

/* By what was read: exact, and nothing but the relations' files and bytes is looked at. */
extern const ChangeProvider change_digest;

#endif

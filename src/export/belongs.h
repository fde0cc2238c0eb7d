/*
 * export/belongs.h - which relations an entry of a plan is nothing without.
 */
#ifndef PGARK_EXPORT_BELONGS_H
#define PGARK_EXPORT_BELONGS_H

#include "export/plan.h"

#define BELONGS_MAX 8

typedef struct Belongs
{
    const TocEntry *relations[BELONGS_MAX]; /* no two alike; their schema and tag */
    size_t count;                           /* 0: it is about something else */
} Belongs;

/* belongs_find: a relation is about itself, or, as a sequence that a column owns, about that column's table; its rows,
 * comments, privileges, indexes, constraints, triggers and the like are about it, too. What joins two (a foreign key,
 * the attachment of a partition or of its index) is about both; what joins one and something that is none (a
 * publication), about something else. */
Belongs belongs_find(const ArchiveToc *toc, const ExportEntry *e);

/* belongs_is_listed: it defines a relation that has a name of its own here, or has rows of one that is not defined. */
bool belongs_is_listed(const ArchiveToc *toc, const ExportEntry *e);

#endif

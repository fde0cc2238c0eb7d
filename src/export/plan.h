/*
 * export/plan.h - what an export writes, and in which order.
 *
 * The archive of a set has definitions only. The plan is the list of entries that an archive of
 * pg_dump with data would have: those of the archive, and between pre-data and post-data one TABLE
 * DATA per table with data and one SEQUENCE SET per sequence; at the end one MATERIALIZED VIEW DATA
 * per view that was populated. Source of what these entries look like, and which depend on which:
 * PostgreSQL's pg_dump.c (dumpTableData, dumpSequenceData, refreshMatViewData,
 * buildMatViewRefreshDependencies).
 */
#ifndef PGARK_EXPORT_PLAN_H
#define PGARK_EXPORT_PLAN_H

#include "base/cancel.h"
#include "export/request.h"
#include "pg/archive_toc.h"
#include "repo/chunk_index.h"
#include "repo/manifest.h"

typedef enum ExportKind
{
    EXPORT_DEFINITION, /* as archived */
    EXPORT_ROWS,       /* TABLE DATA */
    EXPORT_STATEMENT,  /* SEQUENCE SET, MATERIALIZED VIEW DATA: definition is all there is */
    EXPORT_OBJECTS,  /* stands for the entries of all large objects (export/large_objects.h), whose
                          dump ids begin at its own; its rows are their list */
    EXPORT_CONTENTS, /* BLOBS: its rows are their contents */
} ExportKind;

typedef struct ExportEntry
{
    TocEntry toc;
    ExportKind kind;
    const TableRecord *table; /* of what has rows */
    const char *into;         /* quoted name of the table that its rows are loaded into */
    const char *column_list;  /* quoted, comma separated; "" for none */
    bool overriding;          /* an INSERT must say that it gives identity columns their values */
    const ChunkPlace *chunks; /* those with rows, in the source's order */
    size_t chunk_count;
    const char *file; /* name of the data file without the suffix of its compression, NULL: none */
} ExportEntry;

typedef struct ExportPlan
{
    const ArchiveToc *toc;
    const NodeRecord *node;
    ExportEntry *entries; /* in the order of a table of contents */
    size_t entry_count;
    size_t entry_capacity;
    int object_entries; /* that EXPORT_OBJECTS stands for */
    ChunkIndex *chunks;
    uint64_t rows;    /* of all tables */
    uint64_t logical; /* bytes of their rows as stored */
    size_t tables;
} ExportPlan;

/* What the plan is made from. */
typedef struct ExportSource
{
    Storage *storage;
    const char *set_dir;
    const Manifest *manifest;
    const Fold *fold;
    const NodeRecord *node;
    unsigned without;       /* SelectionWithout, of what large objects have */
    ProgressNode *progress; /* NULL: none */
} ExportSource;

/* export_plan_make reads the node's schema archive and chunk file and makes the plan below ctx.
 * ERR_CORRUPT: one of them is not what the manifest says. */
ExportPlan *export_plan_make(void *ctx, const ExportSource *source, const ExportRequest *request,
                             const Cancel *cancel, Error *err);

/* export_plan_find gives the plan's entry of kind EXPORT_OBJECTS or EXPORT_CONTENTS, or NULL. */
const ExportEntry *export_plan_find(const ExportPlan *plan, ExportKind kind);

#endif

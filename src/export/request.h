/*
 * export/request.h - what an export is asked to do.
 */
#ifndef PGARK_EXPORT_REQUEST_H
#define PGARK_EXPORT_REQUEST_H

#include "io/compress.h"
#include "report/progress.h"
#include "select/selection.h"

typedef enum ExportFormat
{
    EXPORT_PLAIN,     /* SQL text for psql */
    EXPORT_DIRECTORY, /* an archive for pg_restore */
} ExportFormat;

typedef enum ExportRows
{
    ROWS_COPY,
    ROWS_INSERTS, /* INSERT INTO t (a, b) VALUES */
} ExportRows;

/* What of it is written: a plain export can be several scripts, to be run one after another. */
typedef enum ExportPart
{
    EXPORT_WHOLE,
    EXPORT_FIRST, /* definitions before the rows, rows, sequences' values; with clean all that is dropped */
    EXPORT_REST,     /* what comes behind the rows: indexes, constraints, triggers ... */
    EXPORT_DATA,     /* rows alone */
    EXPORT_CREATION, /* CREATE DATABASE and the database's settings */
} ExportPart;

#define EXPORT_ANY_CONTENT (-2)

typedef struct ExportRequest
{
    ExportFormat format;
    const char *file;     /* NULL: standard output (plain only) */
    Compress compress;    /* of the file, or of each data file */
    int content;          /* the set's node; EXPORT_ANY_CONTENT: its only one */
    const char *database; /* which of the node's databases; NULL: its only one */
    int jobs;             /* data files written at the same time (directory) */
    bool no_sync;
    ProgressNode *progress; /* its bytes are counted, as stored before compression; NULL: not */
    const Selection *selection;
    ExportPart part; /* plain */
    bool split_rows; /* only rows that the node rows_of, a content id, has stored */
    int rows_of;
    bool marks; /* lines say where rows and definitions begin: see export/plain.h */
    ExportRows rows;
    int rows_per_insert; /* 1 and up */
    bool on_conflict_do_nothing;
    bool create;    /* CREATE DATABASE and connecting to it (plain) */
    bool clean;     /* DROP statements first (plain) */
    bool if_exists; /* with IF EXISTS */
    bool no_owner;
    bool session_authorization; /* owners by SET SESSION AUTHORIZATION */
    bool no_tablespaces;
    bool no_table_am;
    bool disable_triggers; /* around each table's rows (plain, rows only) */
} ExportRequest;

#endif

/*
 * backup/request.h - what a backup is asked to do; made by the command line, read by everybody
 * below.
 */
#ifndef PGARK_BACKUP_REQUEST_H
#define PGARK_BACKUP_REQUEST_H

#include "base/error.h"
#include "io/compress.h"
#include "pg/conn.h"
#include "select/selection.h"

typedef enum CutMode
{
    CUT_STRICT,
    CUT_BARRIER,
    CUT_NONE,
} CutMode;

/* Who moves the data of a node. */
typedef enum AgentsMode
{
    AGENTS_NO,   /* this process */
    AGENTS_AUTO, /* agents, where all nodes can start one */
    AGENTS_YES,  /* agents on the nodes' own hosts */
} AgentsMode;

typedef enum DataFormat
{
    FORMAT_AUTO,
    FORMAT_TEXT,
    FORMAT_BINARY,
} DataFormat;

struct PhysicalRequest;
struct BackupAgentWork;

typedef struct BackupRequest
{
    const struct PhysicalRequest *physical; /* base backups (physical/request.h); NULL: rows */
    const char *repo;                       /* URI, or a pattern of such (repo/part.h) */
    AgentsMode agents;
    const struct BackupAgentWork
        *work;          /* what agents make of it (fleet/backup_run.h), NULL: parts of a set */
    const char *key;    /* NULL: automatic */
    const char *prefix; /* of the series that the set will belong to, NULL: none */
    int jobs;           /* workers per node */
    Compress compress;
    DataFormat format;
    uint64_t chunk_size;   /* bytes of heap and TOAST, at most, per chunk */
    bool chunk_size_exact; /* given by the user: never made smaller for balance */
    CutMode cut;
    int64_t cut_timeout_ms;
    int retries;          /* how often a run may start over when the catalogue changes underneath */
    int64_t lock_wait_ms; /* 0: wait for ever */
    const char *pg_dump;  /* program */
    const char *asked;    /* options_describe(), for the report of the set */
    bool dry_run;
    bool no_sync;
    bool no_space_check;
    bool incremental;       /* chunks that a set before has are referred to there, not stored */
    const char *base;       /* key of that set; NULL: the newest that fits */
    bool base_required;     /* ERR_NOT_FOUND where none fits; else the set is a full one then */
    int min_free;           /* per cent of the repository's file system that shall stay free */
    bool keep_partial;      /* what a run that fails has stored stays, as an unfinished set */
    uint64_t rate_limit;    /* bytes of COPY data per second and node, 0: none */
    int64_t hold_ms;        /* keep the snapshots so long when the run dies; 0: do not */
    bool resume;            /* go on with the set of that key, whose run has died */
    bool all_databases;     /* the fleet's nodes are all databases of its servers */
    bool globals;           /* roles, memberships, role settings, tablespaces of every server */
    bool config_files;      /* of every server */
    bool no_role_passwords; /* without the roles' passwords: needs no superuser */
    const Selection *selection;
    const char *role;             /* SET ROLE after connecting, NULL: none */
    bool enable_row_security;     /* rows that policies hide are left out instead of refused */
    const char *const *dump_args; /* more arguments for pg_dump, NULL-terminated: they change how
                                      definitions are written (--no-tablespaces, ...), not which */
} BackupRequest;

/* backup_format_name: "auto", "text", "binary". */
static inline const char *backup_format_name(DataFormat format)
{
    return format == FORMAT_TEXT ? "text" : format == FORMAT_BINARY ? "binary" : "auto";
}

#endif

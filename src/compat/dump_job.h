/*
 * compat/dump_job.h - what gp_dump asks the agents on its nodes' hosts for, in both directions.
 */
#ifndef PGARK_COMPAT_DUMP_JOB_H
#define PGARK_COMPAT_DUMP_JOB_H

#include "agent/job.h"
#include "agent/records.h"
#include "compat/dump_run.h"

#define DUMP_AGENT        "gp_dump_node"   /* dumps a node into a directory of its own host */
#define DUMP_AGENT_REMOVE "gp_dump_remove" /* takes back what it has written */

/* A node's files, as its host has them: which directory, and how they are called. */
typedef struct DumpNodeFiles
{
    const char *dir;    /* relative: below the server's data directory */
    const char *prefix; /* NULL: none */
    int number;         /* in their names: content id or role */
    int dbid;
    bool gzip;
} DumpNodeFiles;

/* Of a coordinator's tables, to who has rows of them. */
typedef struct DumpDefinitions
{
    const char *records; /* agent/records.h */
    const char *schema;  /* archive of pg_dump, packed */
} DumpDefinitions;

typedef struct DumpNodeJob
{
    AgentBackupJob backup;
    DumpNodeFiles files;
    const char *topology;
    bool wanted; /* files of this node were asked for */
    ExportRequest form;
    DumpDefinitions definitions; /* records NULL: the node has its own */
} DumpNodeJob;

/* dump_files_json gives the files as an object; dump_files_parse reads it. */
json_t *dump_files_json(const DumpNodeFiles *files);
bool dump_files_parse(json_t *object, DumpNodeFiles *ret, Error *err) MUST_CHECK;

/* dump_job_json gives the whole job; backup is taken. NULL with err. dump_job_parse reads it, below ctx; what the
 * node's options say (a selection ...) is no part of it. ERR_USAGE names what is wrong. */
json_t *dump_job_json(const DumpNodeJob *job, json_t *backup, Error *err);
bool dump_job_parse(void *ctx, json_t *more, DumpNodeJob *ret, Error *err) MUST_CHECK;

#endif

/*
 * compat/dump_run.h - one dump as gp_dump makes it: plain SQL scripts, per node, of one cut.
 *
 * A set of pgark is taken into a place beside the files, as pgark backup would: that is where the cut, the
 * parallel copying and every check come from. Scripts are written from it, each chunk proven on its way, and
 * the set is removed. Only when all files are complete and durable the report says so; of a dump that failed,
 * report and status files stay, and no script.
 *
 *   gp_dump_N_D_KEY[.gz]             definitions and rows; of a segment rows alone, which psql loads through
 *                                    the coordinator
 *   gp_dump_N_D_KEY_post_data[.gz]   indexes, constraints, triggers, views' contents
 *   gp_cdatabase_N_D_KEY             CREATE DATABASE
 *   gp_dump_status_N_D_KEY           what was done
 *   gp_dump_KEY.rpt                  the report
 */
#ifndef PGARK_COMPAT_DUMP_RUN_H
#define PGARK_COMPAT_DUMP_RUN_H

#include "compat/dump_names.h"
#include "export/request.h"
#include "fleet/supervise.h"
#include "fleet/topology.h"

struct DumpDir;

/* Where the set comes from, if no backup of this process is to take it: an agent's own. */
typedef struct DumpSource
{
    /* Makes a published set of the key in dir->set_repo. */
    bool (*make)(void *arg, const struct DumpDir *dir, Manifest **ret, Error *err);
    /* Waits until all nodes have their scripts. */
    bool (*meet)(void *arg, Error *err);
    void *arg;
    Cancel *cancel; /* of the whole dump: it does not run under a supervisor */
} DumpSource;

typedef struct DumpRequest
{
    Fleet *fleet; /* with passwords, its coordinator found */
    const char *dir;
    const char *report_dir; /* NULL: dir */
    const char *prefix;     /* NULL: none */
    const char *key;        /* NULL: automatic */
    bool gzip;
    const char *pg_dump;        /* program; NULL: as pgark backup finds one */
    int jobs;                   /* per node */
    const Selection *selection; /* with the sections that are wanted */
    ExportRequest form; /* how the scripts are written; what part of which node is filled here */
    const int *dbids;   /* nodes whose files are wanted; dbid_count 0: all */
    size_t dbid_count;
    bool by_role; /* files are named by role: of a single server */
    int role;
    bool
        without_extension; /* scripts have no extension pgark, which gp_restore_launch finds there */
    const DumpSource *source; /* NULL: a backup */
    const char *mark; /* what the place of the set is called by, besides the key; NULL: nothing */
    bool by_agents;   /* each node's host has its own files */
    const char *whereabouts; /* of the files, for the report; NULL: it does not say */
    bool no_report;          /* an agent makes none */
    bool to_stdout;   /* the script of the only node; its other files go to dir all the same */
    const char *line; /* command line and what agents would have been passed, for the report */
    const char *passed;
    const char *compression; /* what the report calls it; NULL: as gzip says */
    bool incremental;        /* of its kind */
    ProgressMode progress;
} DumpRequest;

/* What became of a node. */
typedef struct DumpNode
{
    int content; /* -1: the coordinator, or the only server */
    int dbid;
    const char *host;
    int port;
    const char *database;
    const char *script; /* path; NULL: it has none, as nothing of it is wanted */
    const char *post_data;
} DumpNode;

typedef struct DumpResult
{
    char key[SET_KEY_LEN];
    DumpNode *nodes;
    size_t node_count;
    const char *report; /* path, NULL: none could be written */
} DumpResult;

/* dump_dbid: the number of a node that files are named by. A coordinator's is from 1 on: where an engine counts from
 * 0, one more. */
static inline int dump_dbid(const Fleet *fleet, int dbid)
{
    return fleet->nodes[0].dbid > 0 ? dbid : dbid + 1;
}

/* dump_run makes the dump. Blocks; result lives below ctx, and has its nodes also where it fails, as far as
 * they were known. */
bool dump_run(void *ctx, const DumpRequest *request, Supervisor *supervisor, DumpResult *ret,
              Error *err) MUST_CHECK;

#endif

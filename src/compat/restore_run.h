/*
 * compat/restore_run.h - the scripts of a dump, run by psql.
 *
 * The script of the coordinator, or of the only server, first; then those of all segments at once, through the
 * coordinator, as their rows are those of its tables; then what comes behind the rows. Of a fleet of shards
 * each server gets its own scripts, all of one kind at the same time. The first failure ends all.
 */
#ifndef PGARK_COMPAT_RESTORE_RUN_H
#define PGARK_COMPAT_RESTORE_RUN_H

#include "compat/dump_names.h"
#include "compat/psql_run.h"
#include "fleet/supervise.h"
#include "fleet/topology.h"

/* A node whose scripts an agent on its host is to run. */
typedef struct ScriptNode
{
    int number; /* content id */
    int dbid;
    bool segment; /* its rows go through the coordinator */
} ScriptNode;

typedef struct ScriptRestore
{
    const Fleet *fleet; /* with passwords, its coordinator found */
    const char *dir;
    const char *status_dir; /* of status files; NULL: dir */
    const char *report_dir; /* NULL: dir */
    const char *prefix;
    const char *key;
    const char *file; /* only this one, of the coordinator; NULL: those of the key in dir */
    bool definitions; /* -s */
    bool rows;        /* -a */
    bool post_data; /* -P: with definitions, all but what comes behind the rows; alone, that only */
    const LegacyNames *tables; /* --gp-f; NULL: all */
    const char *identity;      /* of the only server; NULL: whichever answers */
    const ScriptNode *only;    /* scripts with its dbid, by whatever number; NULL: of all nodes */
    bool may_have_none;        /* that no script is wanted of those that are there is no failure */
    bool no_post_data;         /* what comes behind the rows stays away */
    bool by_agents;            /* on the hosts that have the scripts: restore_agents.h */
    bool go_on;                /* --gp-i */
    bool by_role;              /* status files are named by role */
    bool no_report;
    bool must_restrict; /* psql must not run commands of scripts */
    const int *dbids;   /* whose scripts; dbid_count 0: all */
    size_t dbid_count;
    const char *line; /* command line, for the report */
} ScriptRestore;

/* A step: scripts that run at the same time. */
typedef enum RestoreStage
{
    RESTORE_FIRST,
    RESTORE_SEGMENTS,
    RESTORE_POST_DATA,
    RESTORE_STAGES,
} RestoreStage;

/* restore_wants tells whether the options want what a node with that dbid has for a stage. */
bool restore_wants(const ScriptRestore *r, int dbid, RestoreStage stage);

typedef struct RestoredScript
{
    int content; /* -1: the coordinator's, or the only server's */
    int dbid;
    const char *path;
    const char *database; /* "", host "", port 0: not connected to */
    const char *host;
    int port;
    bool run;
    bool ok;
} RestoredScript;

typedef struct ScriptRestoreResult
{
    RestoredScript *scripts;
    size_t count;
} ScriptRestoreResult;

/* restore_scripts runs them. Blocks; result lives below ctx. ERR_NOT_FOUND: there are none of that key. */
bool restore_scripts(void *ctx, const ScriptRestore *request, Supervisor *supervisor,
                     ScriptRestoreResult *ret, Error *err) MUST_CHECK;

/* restore_all_ran_well: ERR_QUERY where some did not, of scripts that all were run. */
bool restore_all_ran_well(const ScriptRestoreResult *result, Error *err) MUST_CHECK;

/* restore_report_text: the report, below ctx; failure NULL: all is restored. */
char *restore_report_text(void *ctx, const ScriptRestore *request,
                          const ScriptRestoreResult *result, const Error *failure);

#endif

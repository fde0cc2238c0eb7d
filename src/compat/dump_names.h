/*
 * compat/dump_names.h - how the files of a dump are called, and what a key is.
 *
 * gp_dump names a node by its content id, -1 for the coordinator or the only server; the agents, which know one
 * server only, by its role: 1 for a coordinator or the only server, 0 for a segment.
 */
#ifndef PGARK_COMPAT_DUMP_NAMES_H
#define PGARK_COMPAT_DUMP_NAMES_H

#include "base/error.h"
#include "repo/repo.h"

typedef enum DumpFileKind
{
    DUMP_SCRIPT,         /* gp_dump_N_D_KEY */
    DUMP_POST_DATA,      /* gp_dump_N_D_KEY_post_data */
    DUMP_STATUS,         /* gp_dump_status_N_D_KEY */
    DUMP_DATABASE,       /* gp_cdatabase_N_D_KEY */
    DUMP_RESTORE_STATUS, /* gp_restore_status_N_D_KEY */
    DUMP_STATISTICS,     /* gp_statistics_N_D_KEY */
} DumpFileKind;

#define DUMP_GZIP_SUFFIX ".gz"

/* dump_name: below ctx. prefix may be NULL; node is a content id or a role. */
char *dump_name(void *ctx, DumpFileKind kind, const char *prefix, int node, int dbid,
                const char *key);
/* gp_dump_KEY.rpt, gp_restore_KEY.rpt */
char *dump_report_name(void *ctx, bool restore, const char *prefix, const char *key);

/* A file of a dump, read from its name. */
typedef struct DumpName
{
    int node;
    int dbid;
    bool gzip;
    bool post_data;
} DumpName;

/* dump_name_parse tells whether name is that of a script (post_data: of its second half) of the key. */
bool dump_name_parse(const char *name, const char *prefix, const char *key, bool post_data,
                     DumpName *ret);
/* dump_name_parse_script: of either half; ret->post_data tells which. */
bool dump_name_parse_script(const char *name, const char *prefix, const char *key, DumpName *ret);

/* The key of an agent: KEY, or KEY_ROLE_DBID_ as gp_dump gave it to its agents, which may also have the base64
 * of a password at its end: that is refused, as everybody sees a command line. */
typedef struct DumpAgentKey
{
    char key[SET_KEY_LEN];
    int role;
    int dbid;
} DumpAgentKey;
bool dump_agent_key_parse(const char *text, DumpAgentKey *ret, Error *err) MUST_CHECK;

/* dump_prefix_check: a plain name. */
bool dump_prefix_check(const char *prefix, Error *err) MUST_CHECK;

#endif

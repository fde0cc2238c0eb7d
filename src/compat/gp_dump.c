/* compat/gp_dump.c - gp_dump: a dump of all nodes of a fleet. */
#include "compat/gp_dump.h"

#include <sys/stat.h>

#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"
#include "compat/dump_agents.h"
#include "compat/dump_options.h"
#include "compat/dump_report.h"

enum
{
    GP_REPORT_DIR = DUMP_OPTION_NEXT,
    GP_SEGMENTS,
    GP_NODE,
    GP_FLEET,
    GP_PG_DUMP,
};

static const LegacyOption options[] = {
    DUMP_CONTENT_ROWS,
    DUMP_FILE_ROWS,
    DUMP_CONNECTION_ROWS,
    {.id = DUMP_DIR,
     .name = "gp-d",
     .type = LEGACY_LAST,
     .arg = "DIR",
     .help = "directory of the files; with agents on each node's host, below the data directory "
             "where it is relative (default: the current one, or the data directory)"},
    {.id = GP_REPORT_DIR,
     .name = "gp-r",
     .type = LEGACY_LAST,
     .arg = "DIR",
     .help = "directory of the report (default: $MASTER_DATA_DIRECTORY, else that of --gp-d)"},
    {.id = DUMP_KEY,
     .name = "gp-k",
     .type = LEGACY_VALUE,
     .arg = "KEY",
     .help = "14 digits YYYYMMDDHHMMSS in the files' names (default: now, UTC)"},
    {.id = DUMP_GZIP,
     .name = "gp-c",
     .type = LEGACY_OPTIONAL,
     .arg = "gzip|none",
     .help = "compress the scripts, or not (default: gzip)"},
    {.id = GP_SEGMENTS,
     .name = "gp-s",
     .type = LEGACY_VALUE,
     .arg = "p|i[DBID,...]",
     .help = "scripts of all nodes, or of those with these dbids (default: p)"},
    {.id = DUMP_JOBS,
     .name = "jobs",
     .letter = 'j',
     .type = LEGACY_VALUE,
     .arg = "N",
     .help = "so many connections copy rows of each node (default: 2)"},
    {.id = GP_NODE,
     .name = "node",
     .type = LEGACY_LIST,
     .arg = "CONNINFO",
     .help = "a server of a fleet without coordinator, repeated"},
    {.id = GP_FLEET,
     .name = "fleet",
     .type = LEGACY_VALUE,
     .arg = "FILE",
     .help = "file that names the servers of such a fleet, as for pgark --fleet"},
    {.id = GP_PG_DUMP,
     .name = "pg-dump",
     .type = LEGACY_VALUE,
     .arg = "PROGRAM",
     .help =
         "the pg_dump that reads definitions (of Greenplum: the one that came with the server)"},
    DUMP_AGENT_ROWS,
    DUMP_DEAD_ROWS,
    {.name = NULL},
};

static const LegacyExclusion excluded[] = {
    DUMP_EXCLUSION_ROWS,
    {.first_only = true, .ids = {GP_NODE, GP_FLEET, DUMP_HOST, DUMP_PORT, DUMP_USER}},
    {.first_only = true, .ids = {GP_FLEET, DUMP_HOST, DUMP_PORT, DUMP_USER}},
    {.ids = {0}},
};

const LegacyProgram gp_dump_program = {
    .name = "gp_dump",
    .summary = "dumps a database of a cluster as SQL scripts, one for each node",
    .synopsis = "[OPTION]... [DBNAME]",
    .about =
        "Dumps a database as SQL scripts, one per node of a Greenplum or Citus cluster or of a "
        "fleet of shards, all of one instant; or a single server's. gunzip and psql restore "
        "them, or gp_restore.",
    .exits = "0 done\n1 it failed\n130 a signal ended it",
    .options = options,
    .excluded = excluded,
    .max_arguments = 1,
};

static bool check_dbids(const DumpRequest *r, Error *err)
{
    for (size_t i = 0; i < r->dbid_count; i++)
    {
        bool known = false;
        for (size_t n = 0; n < r->fleet->node_count; n++)
            known = known || dump_dbid(r->fleet, r->fleet->nodes[n].dbid) == r->dbids[i];
        if (!known)
            return error_set(err, ERR_USAGE, "--gp-s: no node has the dbid %d", r->dbids[i]);
    }
    return true;
}

static const char *report_dir(const LegacyOptions *o)
{
    struct stat st;
    const char *dir = legacy_options_string(o, GP_REPORT_DIR);
    const char *home = getenv("MASTER_DATA_DIRECTORY");
    if (dir != NULL || home == NULL || stat(home, &st) != 0 || !S_ISDIR(st.st_mode))
        return dir;
    return home;
}

/* Four parts, as for an agent, name one server: *ret is filled then. */
static bool read_key(void *ctx, const LegacyOptions *o, DumpRequest *r, DumpAgentKey *ret,
                     Error *err)
{
    const char *text = legacy_options_string(o, DUMP_KEY);
    *ret = (DumpAgentKey){.key = ""};
    r->key = text;
    if (text == NULL)
        return true;
    if (strchr(text, '_') == NULL)
        return repo_key_parse(text, err) || error_prefix(err, "--gp-k");
    if (!dump_agent_key_parse(text, ret, err))
        return false;
    r->key = mem_strdup(ctx, ret->key);
    return true;
}

static bool make_request(void *ctx, const LegacyOptions *o, DumpRequest *r, Error *err)
{
    size_t arguments;
    FleetRequest more = {.file = legacy_options_string(o, GP_FLEET)};
    const char *const *words = legacy_options_arguments(o, &arguments);
    const char *dir = legacy_options_string(o, DUMP_DIR);
    DumpAgentKey key;
    more.nodes = legacy_options_list(o, GP_NODE, &more.node_count);
    if (arguments > 0 && (more.file != NULL || more.node_count > 0))
        return error_set(err, ERR_USAGE, "a database and %s exclude each other",
                         legacy_options_called(o, more.file != NULL ? GP_FLEET : GP_NODE));
    r->line = legacy_options_line(o, ctx);
    r->passed = dump_options_passed(ctx, o);
    r->dir = dir == NULL || dir[0] == '\0' ? "." : dir;
    r->report_dir = report_dir(o);
    r->pg_dump = legacy_options_string(o, GP_PG_DUMP);
    if (!read_key(ctx, o, r, &key, err) || !dump_options_apply(ctx, o, r, err) ||
        !dump_options_gzip(o, true, &r->gzip, err) ||
        !dump_options_segments(ctx, o, GP_SEGMENTS, &r->dbids, &r->dbid_count, err))
        return false;
    r->fleet = dump_options_fleet(ctx, o, arguments == 0 ? NULL : words[0], &more, err);
    if (r->fleet == NULL || (key.key[0] != '\0' && !dump_options_one(r, &key, err)))
        return false;
    if (!check_dbids(r, err) ||
        !dump_options_agents(o, r->fleet, NULL, dir == NULL ? "" : dir, &r->by_agents, err))
        return false;
    if (r->by_agents && dir == NULL)
        r->dir = "";
    r->whereabouts = r->by_agents ? "on each node's host, written by agents"
                                  : "where gp_dump runs, without agents";
    return true;
}

int gp_dump(void *ctx, int argc, char **argv, Supervisor *supervisor, Error *err)
{
    bool done = false;
    DumpRequest request = {.fleet = NULL};
    DumpResult result;
    const LegacyOptions *o = legacy_options_parse(ctx, &gp_dump_program, argc, argv, &done, err);
    if (done)
        return EXIT_DONE;
    if (o == NULL || !make_request(ctx, o, &request, err))
        return EXIT_ERROR;
    bool ok = request.by_agents ? dump_agents_run(ctx, &request, supervisor, &result, err)
                                : dump_run(ctx, &request, supervisor, &result, err);
    if (result.key[0] != '\0')
        fputs(dump_report_text(ctx, &request, &result, ok ? NULL : err), stdout);
    if (ok)
        return EXIT_DONE;
    return err->code == ERR_CANCELLED ? EXIT_CANCELLED : EXIT_ERROR;
}

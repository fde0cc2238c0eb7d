/* compat/gp_restore.c - gp_restore, of all nodes, and gp_restore_agent, of one script. */
#include "compat/gp_restore.h"

#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"
#include "compat/dump_options.h"
#include "compat/restore_agents.h"
#include "compat/script_tables.h"

enum
{
    GR_DATABASE = DUMP_OPTION_NEXT,
    GR_POST_DATA,
    GR_GO_ON,
    GR_STOP,
    GR_REPORT_DIR,
    GR_STATUS_DIR,
    GR_SEGMENTS,
    GR_TABLES,
    GR_NODE,
    GR_FLEET,
};

/* Rows of both programs. */
#define RESTORE_ROWS                                                                               \
    {.id = GR_DATABASE,                                                                            \
     .name = "dbname",                                                                             \
     .letter = 'd',                                                                                \
     .type = LEGACY_LAST,                                                                          \
     .arg = "DBNAME",                                                                              \
     .help = "the database, which must be there (default: $PGDATABASE)"},                          \
        {.id = DUMP_KEY,                                                                           \
         .name = "gp-k",                                                                           \
         .type = LEGACY_VALUE,                                                                     \
         .arg = "KEY",                                                                             \
         .help = "of the dump"},                                                                   \
        {.id = DUMP_DIR,                                                                           \
         .name = "gp-d",                                                                           \
         .type = LEGACY_LAST,                                                                      \
         .arg = "DIR",                                                                             \
         .help = "directory of its files (default: the current one)"},                             \
        {.id = DUMP_PREFIX,                                                                        \
         .name = "prefix",                                                                         \
         .type = LEGACY_VALUE,                                                                     \
         .arg = "NAME",                                                                            \
         .help = "what their names begin with"},                                                   \
        {.id = DUMP_DATA_ONLY,                                                                     \
         .name = "data-only",                                                                      \
         .letter = 'a',                                                                            \
         .type = LEGACY_FLAG,                                                                      \
         .help = "rows and sequences' values only"},                                               \
        {.id = DUMP_SCHEMA_ONLY,                                                                   \
         .name = "schema-only",                                                                    \
         .letter = 's',                                                                            \
         .type = LEGACY_FLAG,                                                                      \
         .help = "definitions only; with -P those before the rows"},                               \
        {.id = GR_POST_DATA,                                                                       \
         .name = "post-data-schema-only",                                                          \
         .letter = 'P',                                                                            \
         .type = LEGACY_FLAG,                                                                      \
         .help = "what comes behind the rows only: indexes, constraints, triggers"},               \
        {.id = DUMP_VERBOSE,                                                                       \
         .name = "verbose",                                                                        \
         .letter = 'v',                                                                            \
         .type = LEGACY_FLAG,                                                                      \
         .help = "say more"},                                                                      \
        {.id = DUMP_GZIP,                                                                          \
         .name = "gp-c",                                                                           \
         .type = LEGACY_OPTIONAL,                                                                  \
         .arg = "gunzip",                                                                          \
         .words = "gunzip|gzip",                                                                   \
         .help = "accepted: scripts whose names end in .gz are decompressed anyway"},              \
        {.id = GR_TABLES,                                                                          \
         .name = "gp-f",                                                                           \
         .type = LEGACY_VALUE,                                                                     \
         .arg = "FILE",                                                                            \
         .help = "only the tables that are listed in this file, one SCHEMA.TABLE or SCHEMA.* a "   \
                 "line"},                                                                          \
        {.name = "ignore-version",                                                                 \
         .letter = 'i',                                                                            \
         .type = LEGACY_IGNORED,                                                                   \
         .help = "versions are always looked at"},                                                 \
        DUMP_STORAGE_ROWS

static const LegacyOption options[] = {
    RESTORE_ROWS,
    {.id = GR_GO_ON,
     .name = "gp-i",
     .type = LEGACY_FLAG,
     .help = "go on over statements that fail; the restore still fails at its end"},
    {.id = GR_REPORT_DIR,
     .name = "gp-r",
     .type = LEGACY_LAST,
     .arg = "DIR",
     .help = "directory of the report (default: that of --gp-d)"},
    {.id = GR_STATUS_DIR,
     .name = "status",
     .type = LEGACY_LAST,
     .arg = "DIR",
     .help = "directory of the status files (default: that of --gp-d)"},
    {.id = GR_SEGMENTS,
     .name = "gp-l",
     .type = LEGACY_VALUE,
     .arg = "p|i[DBID,...]",
     .help = "scripts of all nodes, or of those with these dbids (default: p)"},
    {.id = GR_SEGMENTS, .name = "gp-s", .type = LEGACY_VALUE},
    {.id = GR_NODE,
     .name = "node",
     .type = LEGACY_LIST,
     .arg = "CONNINFO",
     .help = "a server for a dump of shards, repeated; the first is for content id 0"},
    {.id = GR_FLEET,
     .name = "fleet",
     .type = LEGACY_VALUE,
     .arg = "FILE",
     .help = "file that names these servers, as for pgark --fleet"},
    DUMP_CONNECTION_ROWS,
    DUMP_AGENT_ROWS,
    {.name = "gp-nostats",
     .type = LEGACY_IGNORED,
     .help = "append-only statistics come by ANALYZE"},
    {.name = NULL},
};

static const LegacyOption agent_options[] = {
    RESTORE_ROWS,
    {.id = GR_STOP,
     .name = "gp-e",
     .type = LEGACY_FLAG,
     .help = "stop at the first statement that fails"},
    DUMP_CONNECTION_ROWS,
    {.id = DUMP_HOST, .name = "target-host", .type = LEGACY_LAST, .arg = "HOST", .help = "as -h"},
    {.id = DUMP_PORT, .name = "target-port", .type = LEGACY_LAST, .arg = "PORT", .help = "as -p"},
    {.name = "target-dbid", .type = LEGACY_IGNORED_VALUE, .help = "the server knows its own"},
    {.name = "status",
     .type = LEGACY_IGNORED_VALUE,
     .help = "the status file is beside the script"},
    {.name = NULL},
};

#define HALVES                                                                                     \
    {.ids = {DUMP_DATA_ONLY, DUMP_SCHEMA_ONLY}}, {.ids = {DUMP_DATA_ONLY, GR_POST_DATA}},          \
    {                                                                                              \
        .ids = { DUMP_PASSWORD, DUMP_NO_PASSWORD }                                                 \
    }

static const LegacyExclusion excluded[] = {
    HALVES,
    {.first_only = true, .ids = {GR_NODE, GR_FLEET, DUMP_HOST, DUMP_PORT, DUMP_USER, GR_DATABASE}},
    {.first_only = true, .ids = {GR_FLEET, DUMP_HOST, DUMP_PORT, DUMP_USER, GR_DATABASE}},
    {.ids = {0}},
};

static const LegacyExclusion agent_excluded[] = {HALVES, {.ids = {0}}};

const LegacyProgram gp_restore_program = {
    .name = "gp_restore",
    .summary = "restores the SQL scripts of gp_dump",
    .synopsis = "--gp-k=KEY [OPTION]...",
    .about =
        "Restores a dump of gp_dump into a database that is there: definitions, the rows of all "
        "nodes, then what comes behind them. psql runs the scripts.",
    .exits = "0 done\n1 it failed\n130 a signal ended it",
    .options = options,
    .excluded = excluded,
};

const LegacyProgram gp_restore_agent_program = {
    .name = "gp_restore_agent",
    .summary = "restores one SQL script of a dump into one server",
    .synopsis = "--gp-k=KEY -d DBNAME [OPTION]... [SCRIPT]",
    .about =
        "Restores one script of a dump into one server, or the two that gp_dump_agent has made.",
    .exits = "0 done\n1 it failed\n130 a signal ended it",
    .options = agent_options,
    .excluded = agent_excluded,
    .max_arguments = 1,
};

static bool read_key(void *ctx, const LegacyOptions *o, bool agent, ScriptRestore *r, Error *err)
{
    const char *text = legacy_options_string(o, DUMP_KEY);
    DumpAgentKey key;
    if (text == NULL)
        return error_set(err, ERR_USAGE, "--gp-k names the dump, and is missing");
    if (!agent && !repo_key_parse(text, err))
        return error_prefix(err, "--gp-k");
    if (agent && !dump_agent_key_parse(text, &key, err))
        return false;
    r->key = agent ? mem_strdup(ctx, key.key) : text;
    return dump_prefix_check(r->prefix, err);
}

static bool read_tables(void *ctx, const LegacyOptions *o, ScriptRestore *r, Error *err)
{
    const char *path = legacy_options_string(o, GR_TABLES);
    if (path != NULL)
        r->tables = script_tables_load(ctx, legacy_options_called(o, GR_TABLES), path, err);
    return path == NULL || r->tables != NULL;
}

static bool make_request(void *ctx, const LegacyOptions *o, bool agent, ScriptRestore *r,
                         Error *err)
{
    const char *dir = legacy_options_string(o, DUMP_DIR);
    FleetRequest more = {.file = legacy_options_string(o, GR_FLEET)};
    more.nodes = legacy_options_list(o, GR_NODE, &more.node_count);
    r->dir = dir == NULL || dir[0] == '\0' ? "." : dir;
    r->report_dir = legacy_options_string(o, GR_REPORT_DIR);
    r->status_dir = legacy_options_string(o, GR_STATUS_DIR);
    r->prefix = legacy_options_string(o, DUMP_PREFIX);
    r->definitions = legacy_options_given(o, DUMP_SCHEMA_ONLY);
    r->rows = legacy_options_given(o, DUMP_DATA_ONLY);
    r->post_data = legacy_options_given(o, GR_POST_DATA);
    r->go_on = agent ? !legacy_options_given(o, GR_STOP) : legacy_options_given(o, GR_GO_ON);
    r->by_role = r->no_report = agent;
    r->line = legacy_options_line(o, ctx);
    if (legacy_options_given(o, DUMP_VERBOSE))
        log_setup(LOG_DEBUG, false);
    if (!read_key(ctx, o, agent, r, err) || !read_tables(ctx, o, r, err) ||
        !dump_options_segments(ctx, o, GR_SEGMENTS, &r->dbids, &r->dbid_count, err))
        return false;
    r->fleet = dump_options_fleet(ctx, o, legacy_options_string(o, GR_DATABASE), &more, err);
    if (r->fleet == NULL || agent)
        return r->fleet != NULL;
    if (!dump_options_agents(o, r->fleet, RESTORE_AGENT_DATABASE, dir == NULL ? "" : dir,
                             &r->by_agents, err))
        return false;
    if (r->by_agents && dir == NULL)
        r->dir = "";
    return true;
}

static int exit_code(bool ok, const Error *err)
{
    return ok ? EXIT_DONE : err->code == ERR_CANCELLED ? EXIT_CANCELLED : EXIT_ERROR;
}

int gp_restore(void *ctx, int argc, char **argv, Supervisor *supervisor, Error *err)
{
    bool done = false;
    ScriptRestore request = {.fleet = NULL};
    ScriptRestoreResult result;
    const LegacyOptions *o = legacy_options_parse(ctx, &gp_restore_program, argc, argv, &done, err);
    if (done)
        return EXIT_DONE;
    if (o == NULL || !make_request(ctx, o, false, &request, err))
        return EXIT_ERROR;
    bool ok = request.by_agents ? restore_agents_run(ctx, &request, supervisor, &result, err)
                                : restore_scripts(ctx, &request, supervisor, &result, err);
    if (result.count > 0)
        fputs(restore_report_text(ctx, &request, &result, ok ? NULL : err), stdout);
    return exit_code(ok, err);
}

int gp_restore_agent(void *ctx, int argc, char **argv, Supervisor *supervisor, Error *err)
{
    bool done = false;
    size_t words;
    ScriptRestore request = {.fleet = NULL};
    ScriptRestoreResult result;
    const LegacyOptions *o = legacy_options_parse(ctx, &gp_restore_agent_program, argc, argv, &done,
                                                  err);
    if (done)
        return EXIT_DONE;
    if (o == NULL || !make_request(ctx, o, true, &request, err))
        return EXIT_ERROR;
    const char *const *arguments = legacy_options_arguments(o, &words);
    request.file = words == 0 ? NULL : arguments[0];
    return exit_code(restore_scripts(ctx, &request, supervisor, &result, err), err);
}

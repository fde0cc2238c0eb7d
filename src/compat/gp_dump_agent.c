/* compat/gp_dump_agent.c - gp_dump_agent: the dump of one server, its script on standard output. */
#include "cli/cli.h"
#include "compat/dump_options.h"
#include "compat/gp_dump.h"

static const LegacyOption options[] = {
    DUMP_CONTENT_ROWS,
    DUMP_FILE_ROWS,
    DUMP_CONNECTION_ROWS,
    {.id = DUMP_KEY,
     .name = "gp-k",
     .type = LEGACY_VALUE,
     .arg = "KEY[_ROLE_DBID_]",
     .help = "what the files are named by: 20161103233926_1_1_"},
    {.id = DUMP_DIR,
     .name = "gp-d",
     .type = LEGACY_LAST,
     .arg = "DIR",
     .help = "directory of the other files (default: the current one)"},
    {.id = DUMP_GZIP,
     .name = "gp-c",
     .type = LEGACY_OPTIONAL,
     .arg = "gzip|none",
     .help = "compress the scripts (default: none)"},
    {.id = DUMP_JOBS,
     .name = "jobs",
     .letter = 'j',
     .type = LEGACY_VALUE,
     .arg = "N",
     .help = "so many connections copy rows (default: 2)"},
    {.id = DUMP_BOTH_HALVES,
     .name = "pre-and-post-data-schema-only",
     .type = LEGACY_FLAG,
     .help = "definitions only, as -s"},
    DUMP_DEAD_ROWS,
    {.name = NULL},
};

static const LegacyExclusion excluded[] = {
    DUMP_EXCLUSION_ROWS,
    {.ids = {DUMP_DATA_ONLY, DUMP_BOTH_HALVES}},
    {.ids = {0}},
};

const LegacyProgram gp_dump_agent_program = {
    .name = "gp_dump_agent",
    .summary = "dumps one server as an SQL script",
    .synopsis = "--gp-k=KEY [OPTION]... [DBNAME]",
    .about =
        "Dumps one server as an SQL script on standard output. What comes behind the rows, and "
        "CREATE DATABASE, go to files in the directory. gp_dump needs no such agents.",
    .exits = "0 done\n1 it failed\n130 a signal ended it",
    .options = options,
    .excluded = excluded,
    .max_arguments = 1,
};

static bool make_request(void *ctx, const LegacyOptions *o, DumpRequest *r, Error *err)
{
    size_t arguments;
    DumpAgentKey key;
    const char *const *words = legacy_options_arguments(o, &arguments);
    const char *text = legacy_options_string(o, DUMP_KEY);
    const char *dir = legacy_options_string(o, DUMP_DIR);
    r->line = legacy_options_line(o, ctx);
    r->passed = "";
    r->dir = dir == NULL || dir[0] == '\0' ? "." : dir;
    r->no_report = r->to_stdout = true;
    if (text == NULL)
        return error_set(err, ERR_USAGE, "--gp-k names the files, and is missing");
    if (!dump_agent_key_parse(text, &key, err) || !dump_options_apply(ctx, o, r, err) ||
        !dump_options_gzip(o, false, &r->gzip, err))
        return false;
    r->key = mem_strdup(ctx, key.key);
    r->progress = PROGRESS_NONE;
    r->fleet = dump_options_fleet(ctx, o, arguments == 0 ? NULL : words[0], NULL, err);
    return r->fleet != NULL && dump_options_one(r, &key, err);
}

int gp_dump_agent(void *ctx, int argc, char **argv, Supervisor *supervisor, Error *err)
{
    bool done = false;
    DumpRequest request = {.fleet = NULL};
    DumpResult result;
    const LegacyOptions *o = legacy_options_parse(ctx, &gp_dump_agent_program, argc, argv, &done,
                                                  err);
    if (done)
        return EXIT_DONE;
    if (o == NULL || !make_request(ctx, o, &request, err))
        return EXIT_ERROR;
    if (dump_run(ctx, &request, supervisor, &result, err))
        return EXIT_DONE;
    return err->code == ERR_CANCELLED ? EXIT_CANCELLED : EXIT_ERROR;
}

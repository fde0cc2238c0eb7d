/* compat/launched.c - the contract is in launched.h. */
#include "compat/launched.h"

#include "base/str.h"
#include "compat/dump_dir.h"
#include "compat/dump_options.h"
#include "compat/restore_run.h"

/* ---- what is passed through ---- */

enum
{
    LAUNCHED_POST_DATA = DUMP_OPTION_NEXT,
};

static const LegacyOption dump_table[] = {
    DUMP_CONTENT_ROWS,
    {.id = DUMP_BOTH_HALVES,
     .name = "pre-and-post-data-schema-only",
     .type = LEGACY_FLAG,
     .help = "definitions only"},
    {.id = DUMP_JOBS, .name = "jobs", .letter = 'j', .type = LEGACY_VALUE, .help = "connections"},
    DUMP_DEAD_ROWS,
    {.name = NULL},
};

static const LegacyExclusion dump_excluded[] = {
    DUMP_EXCLUSION_ROWS,
    {.ids = {DUMP_DATA_ONLY, DUMP_BOTH_HALVES}},
    {.ids = {0}},
};

static const LegacyProgram dump_program = {
    .name = "gp_backup_launch", .options = dump_table, .excluded = dump_excluded};

static const LegacyOption restore_table[] = {
    {.id = DUMP_DATA_ONLY, .name = "data-only", .letter = 'a', .type = LEGACY_FLAG, .help = "rows"},
    {.id = DUMP_SCHEMA_ONLY,
     .name = "schema-only",
     .letter = 's',
     .type = LEGACY_FLAG,
     .help = "definitions before the rows"},
    {.id = LAUNCHED_POST_DATA,
     .name = "post-data-schema-only",
     .letter = 'P',
     .type = LEGACY_FLAG,
     .help = "what comes behind the rows"},
    {.id = DUMP_PREFIX, .name = "prefix", .type = LEGACY_VALUE, .help = "of the files' names"},
    {.id = DUMP_VERBOSE, .name = "verbose", .letter = 'v', .type = LEGACY_FLAG, .help = "more"},
    {.name = NULL},
};

static const LegacyExclusion restore_excluded[] = {
    {.ids = {DUMP_DATA_ONLY, DUMP_SCHEMA_ONLY, LAUNCHED_POST_DATA}},
    {.ids = {0}},
};

static const LegacyProgram restore_program = {
    .name = "gp_restore_launch", .options = restore_table, .excluded = restore_excluded};

/* What every program has, a function has not. */
static bool is_errand(const char *word)
{
    size_t len = strlen(word);
    if (word[0] == '-' && word[1] != '-')
        return strpbrk(word, "?V") != NULL;
    return len > 2 && (strncmp("--help", word, len) == 0 || strncmp("--version", word, len) == 0);
}

static LegacyOptions *parse(void *ctx, const LegacyProgram *program, const AgentJob *job,
                            Error *err)
{
    size_t count = job->argument_count;
    const char **argv = mem_array(ctx, const char *, count + 1);
    bool done = false;
    argv[0] = program->name;
    for (size_t i = 0; i < count; i++)
    {
        argv[i + 1] = job->arguments[i];
        if (!is_errand(job->arguments[i]))
            continue;
        error_set(err, ERR_USAGE, "%s takes no such option", program->name);
        return NULL;
    }
    return legacy_options_parse(ctx, program, (int) count + 1, (char **) (uintptr_t) argv, &done,
                                err);
}

/* ---- what both do ---- */

typedef struct Place
{
    const char *dir;
    bool flag; /* gzip, stop */
} Place;

static bool read_place(const AgentProcess *p, const char *flag, Place *ret, Error *err)
{
    json_error_t why;
    int value;
    if (json_unpack_ex(p->job.more, &why, JSON_STRICT, "{s:s, s:b}", "dir", &ret->dir, flag,
                       &value) != 0)
        return error_set(err, ERR_USAGE, "the job cannot be understood: %s", why.text);
    ret->flag = value != 0;
    return (ret->dir[0] == '/' && !dump_dir_is_upward(ret->dir)) ||
           error_set(err, ERR_USAGE, "the directory is no absolute path");
}

/* The server that started us, and no other. */
static Fleet *own_server(AgentProcess *p)
{
    Fleet *fleet = mem_new(p->ctx, Fleet);
    fleet->topology = "single";
    fleet->nodes = mem_array(fleet, FleetNode, 1);
    fleet->node_count = 1;
    fleet->nodes[0].dbid = p->order.server.dbid;
    fleet->nodes[0].spec = p->spec;
    return fleet;
}

static const char *words_line(void *ctx, const AgentJob *job)
{
    Str *s = str_new(ctx);
    for (size_t i = 0; i < job->argument_count; i++)
        str_addf(s, "%s%s", i == 0 ? "" : " ", job->arguments[i]);
    return s->data;
}

static bool tell_file(const char *path, json_t **ret, Error *err)
{
    *ret = json_pack("{s:s}", "file", path);
    return *ret != NULL || error_set(err, ERR_INTERNAL, "the path of the script cannot be told");
}

bool launched_dump(AgentProcess *p, const Options *o UNUSED, json_t **ret, Error *err)
{
    Place place;
    DumpResult result;
    const AgentServer *server = &p->order.server;
    DumpRequest r = {.key = p->order.key,
                     .by_role = true,
                     .role = server->content < 0 ? 1 : 0,
                     .without_extension = true,
                     .no_report = true};
    if (!read_place(p, "gzip", &place, err))
        return false;
    const LegacyOptions *options = parse(p->ctx, &dump_program, &p->job, err);
    if (options == NULL || !dump_options_apply(p->ctx, options, &r, err))
        return false;
    r.fleet = own_server(p);
    r.dir = place.dir;
    r.gzip = place.flag;
    r.progress = PROGRESS_NONE;
    r.line = "gp_backup_launch";
    r.passed = words_line(p->ctx, &p->job);
    agent_monitor_phase(p->monitor, "dumping");
    return dump_run(p->ctx, &r, supervise_new(p->ctx), &result, err) &&
           tell_file(result.nodes[0].script, ret, err);
}

bool launched_restore(AgentProcess *p, const Options *o UNUSED, json_t **ret, Error *err)
{
    Place place;
    ScriptRestoreResult result;
    const int dbids[] = {p->order.server.dbid};
    if (!read_place(p, "stop", &place, err))
        return false;
    const LegacyOptions *options = parse(p->ctx, &restore_program, &p->job, err);
    if (options == NULL)
        return false;
    ScriptRestore r = {.fleet = own_server(p),
                       .dir = place.dir,
                       .key = p->order.key,
                       .prefix = legacy_options_string(options, DUMP_PREFIX),
                       .definitions = legacy_options_given(options, DUMP_SCHEMA_ONLY),
                       .rows = legacy_options_given(options, DUMP_DATA_ONLY),
                       .post_data = legacy_options_given(options, LAUNCHED_POST_DATA),
                       .go_on = !place.flag,
                       .by_role = true,
                       .no_report = true,
                       .must_restrict = true,
                       .dbids = dbids,
                       .dbid_count = LENGTH_OF(dbids),
                       .line = "gp_restore_launch"};
    r.no_post_data = !r.post_data;
    if (!dump_prefix_check(r.prefix, err))
        return false;
    agent_monitor_phase(p->monitor, "restoring");
    return restore_scripts(p->ctx, &r, supervise_new(p->ctx), &result, err) &&
           tell_file(result.scripts[0].path, ret, err);
}

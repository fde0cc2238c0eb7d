/* cli/cmd_restore_physical.c - pgark restore --physical, and the command that restored servers run. */
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"
#include "pg/server_version.h"
#include "physical/wal_fetch.h"
#include "report/set_report.h"

/* With one of these, and from 126 on, a server stops its recovery; with others it looks for WAL elsewhere. */
#define EXIT_FETCH_BROKEN 200
#define EXIT_FETCH_ABSENT 1

/* ---- request ---- */

static void map_directories(void *ctx, const Options *o, PhysicalRestoreRequest *r)
{
    size_t count;
    const char *const *map = options_list(o, OPT_MAP, &count);
    PhysicalDirectory *directories = mem_array(ctx, PhysicalDirectory, count);
    for (size_t i = 0; i < count; i++)
    {
        char *end;
        directories[i].content = (int) strtol(map[i], &end, 10);
        directories[i].path = end + 1;
    }
    r->directories = directories;
    r->directory_count = count;
}

static bool map_tablespaces(void *ctx, const Options *o, PhysicalRestoreRequest *r, Error *err)
{
    NameMap *names;
    if (!cli_name_map(ctx, o, OPT_TABLESPACE_MAP, &names, &r->tablespace_count, err))
        return false;
    PhysicalMap *maps = mem_array(ctx, PhysicalMap, r->tablespace_count);
    for (size_t i = 0; i < r->tablespace_count; i++)
        maps[i] = (PhysicalMap){.from = names[i].from, .to = names[i].to};
    r->tablespaces = maps;
    return true;
}

/* What agents are told. What is last of these is told by who starts them, as it is each one's own, or found out. */
static const OptionId agent_options[] = {
    OPT_PHYSICAL, OPT_JOBS,           OPT_STANDBY, OPT_TABLESPACE_MAP, OPT_HOST_MAP,
    OPT_NO_SYNC,  OPT_NO_SPACE_CHECK, OPT_MAP,     OPT_TARGET_NAME,    OPT_TARGET_TIME};
#define AGENTS_OWN 3

const OptionId *cmd_restore_physical_agent_options(size_t *ret_count)
{
    *ret_count = LENGTH_OF(agent_options);
    return agent_options;
}

static bool map_agents(void *ctx, const Options *o, RestoreAgents *ret, Error *err)
{
    const char *const *map = options_list(o, OPT_AGENT_MAP, &ret->count);
    RestoreAgent *agents = mem_array(ctx, RestoreAgent, ret->count);
    for (size_t i = 0; i < ret->count; i++)
    {
        char *end;
        char what[48];
        RestoreAgent *agent = &agents[i];
        agent->content = (int) strtol(map[i], &end, 10);
        agent->spec.conninfo = end + 1;
        snprintf(what, sizeof(what), "--agent-map %d", agent->content);
        if (!fleet_check_conninfo(agent->spec.conninfo, what, err))
            return false;
        if (pg_conn_spec_database(ctx, &agent->spec)[0] == '\0')
            agent->spec.database = RESTORE_AGENT_DATABASE;
    }
    ret->items = agents;
    ret->arguments = cli_arguments(ctx, o, agent_options, LENGTH_OF(agent_options) - AGENTS_OWN,
                                   &ret->argument_count);
    return true;
}

/* This program, as servers can call it. */
static char *own_path(void *ctx, Error *err)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n <= 0)
    {
        error_errno(err, ERR_INTERNAL, "could not find out where this program is");
        return NULL;
    }
    return mem_strndup(ctx, path, (size_t) n);
}

bool cmd_restore_physical_request(void *ctx, const Options *o, FleetRestore *ret, Error *err)
{
    NameMap *hosts = NULL;
    PhysicalRestoreRequest *r = &ret->files;
    memset(ret, 0, sizeof(*ret));
    *r = (PhysicalRestoreRequest){.repo = options_string(o, OPT_REPO),
                                  .key = options_key(o),
                                  .prefix = options_string(o, OPT_PREFIX),
                                  .jobs = (int) options_int(o, OPT_JOBS),
                                  .target_name = options_string(o, OPT_TARGET_NAME),
                                  .target_time = options_string(o, OPT_TARGET_TIME),
                                  .standby = options_flag(o, OPT_STANDBY),
                                  .no_sync = options_flag(o, OPT_NO_SYNC),
                                  .no_space_check = options_flag(o, OPT_NO_SPACE_CHECK),
                                  .program = own_path(ctx, err)};
    map_directories(ctx, o, r);
    if (r->program == NULL || !map_tablespaces(ctx, o, r, err) ||
        !cli_name_map(ctx, o, OPT_HOST_MAP, &hosts, &ret->hosts.count, err))
        return false;
    ret->hosts.map = hosts;
    return map_agents(ctx, o, &ret->agents, err);
}

/* ---- report ---- */

static int version_of(const PhysicalRestoreResult *r, size_t node)
{
    return manifest_node(r->manifest, r->nodes[node].content)->server_version_num;
}

static bool is_greenplum(const PhysicalRestoreResult *r)
{
    return strcmp(r->manifest->set.topology, "greenplum") == 0;
}

/* Which programs start the servers: "PostgreSQL 15"; "PostgreSQL 15 (node 0), 16 (node 1)"; "Greenplum's PostgreSQL 9.4". */
static const char *programs_text(void *ctx, const PhysicalRestoreResult *r)
{
    Str *s = str_new(ctx);
    char major[SERVER_VERSION_TEXT_LEN];
    bool same = true;
    for (size_t i = 1; i < r->node_count; i++)
        same = same &&
               server_version_major(version_of(r, i)) == server_version_major(version_of(r, 0));
    str_add(s, is_greenplum(r) ? "Greenplum's PostgreSQL" : "PostgreSQL");
    for (size_t i = 0; i < (same ? 1 : r->node_count); i++)
    {
        str_addf(s, "%s %s", i > 0 ? "," : "", server_version_major_text(major, version_of(r, i)));
        if (!same)
            str_addf(s, " (node %d)", r->nodes[i].content);
    }
    return s->data;
}

/* What is to be done now. */
static void print_next(void *ctx, const PhysicalRestoreResult *r, const Options *o)
{
    const char *programs = programs_text(ctx, r);
    const char *kind = r->target.name != NULL ? "restore point" : "the time";
    const char *target = r->target.name != NULL ? r->target.name : r->target.time;
    if (is_greenplum(r))
        printf("next        start the segments by %s, then the coordinator, or all with gpstart: "
               "each recovers up to %s %s\n",
               programs, kind, target);
    else if (options_flag(o, OPT_STANDBY))
        printf("next        start the servers by %s: they are standbys, and reach what their "
               "primary_conninfo gives them\n",
               programs);
    else if (options_given(o, OPT_HOST_MAP))
        printf("next        start the servers by %s: they are recovered up to %s %s, and look for "
               "each other where --host-map says\n",
               programs, kind, target);
    else
        printf("next        start the servers by %s: each recovers up to %s %s\n", programs, kind,
               target);
    if (strcmp(r->manifest->set.topology, "citus") == 0 && !options_given(o, OPT_HOST_MAP))
        printf("nodes       the servers look for each other where the nodes of the cluster were; "
               "--host-map=OLD=NEW tells of new places\n");
}

static void print_text(void *ctx, const PhysicalRestoreResult *r, const Options *o)
{
    char bytes[STR_BYTES_LEN];
    char duration[STR_BYTES_LEN];
    uint64_t all = 0;
    printf("set         %s of fleet %s\n", r->manifest->set.key, r->manifest->set.fleet);
    for (size_t i = 0; i < r->node_count; i++)
    {
        const PhysicalRestored *n = &r->nodes[i];
        printf("node %-6d %" PRIu64 " files (%s) in %s", n->content, n->files,
               str_format_bytes(bytes, n->bytes), n->directory);
        if (n->host != NULL)
            printf(", by the agent of %s", n->host);
        printf("\n");
        all += n->bytes;
    }
    printf("restored    %s in %s, every byte verified\n", str_format_bytes(bytes, all),
           str_format_duration(duration, r->elapsed_ms));
    print_next(ctx, r, o);
}

/* 15, and "9.4", which is no number of its own. */
static json_t *major_json(int version_num)
{
    char text[SERVER_VERSION_TEXT_LEN];
    return version_num >= 100000 ? json_integer(server_version_major(version_num))
                                 : json_string(server_version_major_text(text, version_num));
}

static void print_json(const PhysicalRestoreResult *r)
{
    json_t *nodes = json_array();
    for (size_t i = 0; i < r->node_count; i++)
    {
        const PhysicalRestored *n = &r->nodes[i];
        json_array_append_new(
            nodes,
            json_pack("{s:i, s:o, s:o, s:o, s:I, s:I}", "content", n->content, "postgresql",
                      major_json(version_of(r, i)), "directory", set_report_string(n->directory),
                      "agent", n->host == NULL ? json_null() : set_report_string(n->host), "files",
                      (json_int_t) n->files, "bytes", (json_int_t) n->bytes));
    }
    set_report_print(stdout,
                     json_pack("{s:s, s:o, s:s?, s:s?, s:I, s:o}", "key", r->manifest->set.key,
                               "fleet", set_report_string(r->manifest->set.fleet), "restore_point",
                               r->target.name, "time", r->target.time, "elapsed_ms",
                               (json_int_t) r->elapsed_ms, "nodes", nodes));
}

int cmd_restore_physical(void *ctx, const Options *o, Supervisor *supervisor, Error *err)
{
    FleetRestore request;
    PhysicalRestoreResult result;
    if (!cmd_restore_physical_request(ctx, o, &request, err) ||
        !restore_physical(ctx, &request, supervisor, cli_progress(o), &result, err))
        return EXIT_ERROR;
    if (cli_json(o))
        print_json(&result);
    else
        print_text(ctx, &result, o);
    return cli_exit();
}

/* ---- restore_command ---- */

/* Servers run it in their data directory. A standby looks elsewhere, too, and for as long as it lives: it must not go
 * down with the repository, or with a set that has expired. */
static int fetch_failed(void)
{
    return access("standby.signal", F_OK) == 0 ? EXIT_FETCH_ABSENT : EXIT_FETCH_BROKEN;
}

int cmd_get_wal(int argc, char **argv)
{
    Error err = ERROR_INIT;
    bool found = false;
    char *end = NULL;
    bool archive = argc == 8 && str_equal(argv[7], WAL_FETCH_ARCHIVE);
    long content = argc >= 7 ? strtol(argv[4], &end, 10) : 0;
    if ((argc != 7 && !archive) || end == argv[4] || *end != '\0' || content < -1 ||
        content > INT_MAX)
    {
        error_set(&err, ERR_USAGE,
                  WAL_FETCH_COMMAND " needs REPO KEY CONTENT NAME PATH [" WAL_FETCH_ARCHIVE "]");
        error_hint(&err, "It is for the restore_command of servers that pgark has restored.");
    }
    else if (wal_fetch(argv[2], argv[3], (int) content, argv[5], argv[6], archive, &found, &err))
        return found ? EXIT_DONE : EXIT_FETCH_ABSENT;
    log_error_value(&err);
    return fetch_failed();
}

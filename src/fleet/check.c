/* fleet/check.c - is this fleet ready; the contract is in check.h. */
#include "fleet/check.h"

#include <errno.h>
#include <unistd.h>

#include "backup/locks.h"
#include "base/clock.h"
#include "base/parallel.h"
#include "base/str.h"
#include "fleet/engine.h"
#include "pg/dialect.h"
#include "repo/repo.h"

#define SKEW_WARNING_MS 1000

typedef struct CheckRun
{
    void *ctx;
    const Fleet *fleet;
    const BackupRequest *request;
    Supervisor *supervisor;
    CheckResult *result;
    BackupNode *nodes;
    size_t count;
    bool *reached;
    Error *errors;
    Progress *progress;
    uint64_t bytes;
    bool estimated; /* bytes holds every node's tables */
} CheckRun;

static void add(CheckRun *run, int content, const char *what, CheckLevel level, const char *fmt,
                ...) PRINTF_LIKE(5, 6);

static void add(CheckRun *run, int content, const char *what, CheckLevel level, const char *fmt,
                ...)
{
    CheckResult *r = run->result;
    va_list args;
    va_start(args, fmt);
    char *text = mem_check(talloc_vasprintf(run->ctx, fmt, args));
    va_end(args);
    CheckItem *item = mem_push(run->ctx, r->items, r->count, r->capacity, CheckItem);
    *item = (CheckItem){.content = content, .what = what, .level = level, .text = text};
    if (level > r->worst)
        r->worst = level;
}

static void add_error(CheckRun *run, int content, const char *what, const Error *err)
{
    add(run, content, what, CHECK_FAILED, "%s%s%s", err->message, err->hint[0] ? "; " : "",
        err->hint);
}

/* A node that fails is a finding, so nothing stops the others. */
static bool reach(void *arg, size_t i, Error *err)
{
    CheckRun *run = arg;
    (void) err;
    run->reached[i] = node_connect(&run->nodes[i], true, &run->errors[i]);
    return true;
}

/* Our clock is read before and behind the question: the true difference lies within half of that
 * time. */
static bool check_clock(CheckRun *run, BackupNode *node, Error *err)
{
    int64_t before = clock_wall_us();
    AUTO(PQclear)
    PGresult *res = pg_query(
        node->probe, "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint",
        0, NULL, err);
    if (res == NULL)
        return false;
    int64_t after = clock_wall_us();
    int64_t skew_ms = (pg_cell_int(res, 0, 0) - (before + after) / 2) / 1000;
    bool far = skew_ms > SKEW_WARNING_MS || skew_ms < -SKEW_WARNING_MS;
    add(run, node->content, "clock", far ? CHECK_WARNING : CHECK_OK,
        "%" PRId64 " ms %s this host%s", skew_ms < 0 ? -skew_ms : skew_ms,
        skew_ms < 0 ? "behind" : "ahead of",
        far ? "; the cut does not depend on clocks, but times in reports will disagree" : "");
    return true;
}

/* Beside the probe, which is there: holder, scout and workers; pg_dump where definitions are read, and who
 * watches these beside a pg_dump that can take no snapshot. */
static int64_t own_connections(const CheckRun *run, const BackupNode *node)
{
    int64_t count = run->request->jobs + 2 + (run->request->hold_ms > 0 ? 1 : 0);
    if (!node_has_catalogue(node))
        return count;
    return count + (node->pg_dump.path != NULL && !node->pg_dump.snapshots ? 2 : 1);
}

/* Where everybody goes through the coordinator, each of its sessions has one on every other node. */
static int64_t needed_connections(const CheckRun *run, const BackupNode *node)
{
    const FleetEngine *engine = run->fleet->engine;
    bool through = engine != NULL && engine->cut.through_coordinator && node != &run->nodes[0];
    return own_connections(run, node) + (through ? 1 + own_connections(run, &run->nodes[0]) : 0);
}

static bool check_connections(CheckRun *run, BackupNode *node, Error *err)
{
    const char *client = dialect_is_client(node->probe);
    const char *sql = mem_printf(
        run->ctx,
        "SELECT pg_catalog.current_setting('max_connections')::int"
        " - CASE WHEN r.rolsuper THEN 0"
        "   ELSE pg_catalog.current_setting('superuser_reserved_connections')::int END"
        " - (SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE %s),"
        " r.rolsuper, r.rolconnlimit, (SELECT count(*) FROM pg_catalog.pg_stat_activity a"
        "  WHERE a.usesysid = r.oid AND %s),"
        " (SELECT d.datconnlimit FROM pg_catalog.pg_database d"
        "  WHERE d.datname = pg_catalog.current_database()),"
        " (SELECT count(*) FROM pg_catalog.pg_stat_activity a"
        "  WHERE a.datname = pg_catalog.current_database() AND %s)"
        " FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER",
        client, client, client);
    AUTO(PQclear) PGresult *res = pg_query(node->probe, sql, 0, NULL, err);
    if (res == NULL)
        return false;
    bool hold = run->request->hold_ms > 0;
    int64_t needed = needed_connections(run, node);
    int64_t available = pg_cell_int(res, 0, 0);
    /* Limits of the role and of the database, -1 for none; superusers have none. */
    for (int column = 2; column <= 4 && !pg_cell_bool(res, 0, 1); column += 2)
    {
        int64_t left = pg_cell_int(res, 0, column) - pg_cell_int(res, 0, column + 1);
        if (pg_cell_int(res, 0, column) >= 0 && left < available)
            available = left;
    }
    bool enough = available >= needed;
    add(run, node->content, "connections", enough ? CHECK_OK : CHECK_FAILED,
        "%" PRId64 " free, %" PRId64 " needed for -j %d%s%s", available, needed, run->request->jobs,
        hold ? " and --hold" : "", enough ? "" : "; lower -j or raise max_connections");
    return true;
}

static bool check_locks(CheckRun *run, BackupNode *node, Error *err)
{
    int64_t capacity;
    int64_t used;
    int per_transaction;
    Error full = ERROR_INIT;
    if (!locks_capacity(node->probe, &capacity, &used, &per_transaction, err))
        return false;
    if (locks_check_capacity(node->probe, node->locked.count, &full))
        add(run, node->content, "lock table", CHECK_OK,
            "%" PRId64 " entries, %" PRId64 " in use, %zu tables to lock", capacity, used,
            node->locked.count);
    else
        add_error(run, node->content, "lock table", &full);
    return true;
}

/* Row security came with 9.5. */
static bool check_privileges(CheckRun *run, BackupNode *node, Error *err)
{
    const char *sql = mem_printf(
        run->ctx,
        "SELECT count(*) FILTER (WHERE NOT pg_catalog.has_table_privilege(c.oid, 'SELECT')"
        "  OR NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')),"
        " min(n.nspname || '.' || c.relname) FILTER (WHERE"
        "  NOT pg_catalog.has_table_privilege(c.oid, 'SELECT')"
        "  OR NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')),"
        " count(*) FILTER (WHERE %s),"
        " bool_and(r.rolsuper)"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,"
        " pg_catalog.pg_roles r"
        " WHERE r.rolname = CURRENT_USER AND c.relkind IN ('r', 'p', 'S')"
        " AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'"
        " AND n.nspname <> 'information_schema' AND NOT EXISTS (SELECT 1"
        "  FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
        "  AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e') AND c.oid >= 16384",
        PQserverVersion(node->probe->raw) < 90500
            ? "false"
            : "c.relrowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls"
              " AND (c.relforcerowsecurity OR NOT pg_catalog.pg_has_role(c.relowner, 'USAGE'))");
    AUTO(PQclear) PGresult *res = pg_query(node->probe, sql, 0, NULL, err);
    if (res == NULL)
        return false;
    if (pg_cell_int(res, 0, 0) > 0)
        add(run, node->content, "privileges", CHECK_FAILED,
            "%s tables or sequences cannot be read, \"%s\" is the first; grant pg_read_all_data to "
            "the backup role",
            pg_cell(res, 0, 0), pg_cell(res, 0, 1));
    else if (pg_cell_int(res, 0, 2) > 0)
        add(run, node->content, "privileges", CHECK_FAILED,
            "row security hides rows of %s tables from this role; give it BYPASSRLS",
            pg_cell(res, 0, 2));
    else
        add(run, node->content, "privileges", CHECK_OK, "all tables and sequences can be read");
    return true;
}

static bool check_prepared(CheckRun *run, BackupNode *node, Error *err)
{
    const FleetEngine *engine = run->fleet->engine;
    const char *own[] = {engine == NULL || engine->cut.own_gids == NULL ? ""
                                                                        : engine->cut.own_gids};
    AUTO(PQclear)
    PGresult *res = pg_query(
        node->probe,
        "SELECT count(*), coalesce(min(gid), '') FROM pg_catalog.pg_prepared_xacts"
        " WHERE database = pg_catalog.current_database() AND prepared < now() - interval '1 "
        "minute' AND gid NOT LIKE $1",
        1, own, err);
    if (res == NULL)
        return false;
    char gid[100];
    if (pg_cell_int(res, 0, 0) > 0 && run->count > 1)
        add(run, node->content, "prepared transactions", CHECK_WARNING,
            "%s older than a minute, \"%s\" is one; a forgotten one makes a strict cut impossible",
            pg_cell(res, 0, 0), str_one_line(gid, sizeof(gid), pg_cell(res, 0, 1)));
    return true;
}

static void check_identity(CheckRun *run, BackupNode *node)
{
    const NodeRecord *r = &node->record;
    const ServerVersion *server = &node->probe->server;
    char product[64] = "";
    if (server->product != SERVER_POSTGRESQL)
        snprintf(product, sizeof(product), "%s %d.%d.%d, ", server_version_name(server->product),
                 server->major, server->minor, server->patch);
    add(run, node->content, "server", CHECK_OK,
        "%s:%d, database \"%s\", %sPostgreSQL %s, system %s", r->host, r->port, r->database,
        product, r->server_version, r->system_identifier);
    if (r->in_recovery && run->count > 1)
        add(run, node->content, "recovery", CHECK_FAILED,
            "this is a standby, where no cut of several servers can be proven; name the primary, "
            "or back up with --cut=none");
    else if (r->in_recovery)
        add(run, node->content, "recovery", CHECK_WARNING,
            "this is a standby; replay may cancel a long backup (max_standby_streaming_delay), and "
            "no barrier can be taken");
    else
        add(run, node->content, "recovery", CHECK_OK, "primary");
}

/* The rest of the findings needs no pg_dump, so its absence is one of them. */
static void check_pg_dump(CheckRun *run, BackupNode *node)
{
    Error err = ERROR_INIT;
    const NodeRecord *r = &node->record;
    if (!node_find_pg_dump(node, &err))
    {
        add_error(run, node->content, "pg_dump", &err);
        return;
    }
    bool same = node->pg_dump.major == r->server_version_num / 10000;
    add(run, node->content, "pg_dump", CHECK_OK, "%s, version %d%s", node->pg_dump.path,
        node->pg_dump.major, same ? "" : " (newer than the server)");
}

static void check_content(CheckRun *run, BackupNode *node)
{
    const NodeRecord *r = &node->record;
    for (size_t i = 0; i < r->warning_count; i++)
        add(run, node->content, "content", CHECK_WARNING, "%s", r->warnings[i]);
}

static bool check_node(CheckRun *run, BackupNode *node, Error *err)
{
    check_identity(run, node);
    if (node_has_catalogue(node))
        check_pg_dump(run, node);
    check_content(run, node);
    if (!check_clock(run, node, err) || !check_connections(run, node, err) ||
        !check_locks(run, node, err) || !check_privileges(run, node, err) ||
        !check_prepared(run, node, err) || !node_plan(node, node->probe, err))
        return false;
    char bytes[STR_BYTES_LEN];
    add(run, node->content, "data", CHECK_OK, "%s of tables in %zu chunks",
        str_format_bytes(bytes, node->plan.bytes), node->plan.count);
    run->bytes += node->plan.bytes;
    return true;
}

static void check_same_server(CheckRun *run)
{
    for (size_t i = 0; i < run->count; i++)
    {
        for (size_t j = 0; j < i; j++)
        {
            const BackupNode *a = &run->nodes[j];
            const BackupNode *b = &run->nodes[i];
            if (run->fleet->engine != NULL || !run->reached[i] || !run->reached[j] ||
                strcmp(a->record.system_identifier, b->record.system_identifier) != 0)
                continue;
            bool same = strcmp(a->started, b->started) == 0;
            add(run, b->content, "fleet", same ? CHECK_FAILED : CHECK_WARNING,
                same ? "the same server as node %d"
                     : "the same system identifier as node %d: a copy or a standby of it",
                a->content);
        }
    }
}

static void check_space(CheckRun *run, Repo *repo)
{
    StorageSpace space;
    Error err = ERROR_INIT;
    char have[STR_BYTES_LEN];
    char want[STR_BYTES_LEN];
    if (!storage_space(repo->storage, &space, &err))
    {
        add_error(run, CHECK_REPOSITORY, "space", &err);
        return;
    }
    str_format_bytes(have, space.free);
    str_format_bytes(want, run->bytes);
    /* COPY data is smaller than the heap, and compresses; the tables' own size is a safe estimate.
     */
    if (!run->estimated)
        add(run, CHECK_REPOSITORY, "space", CHECK_WARNING, "%s free; no estimate without all nodes",
            have);
    else if (space.free < run->bytes / 20)
        add(run, CHECK_REPOSITORY, "space", CHECK_FAILED, "%s free, the tables have %s", have,
            want);
    else if (space.free < run->bytes)
        add(run, CHECK_REPOSITORY, "space", CHECK_WARNING,
            "%s free, less than the %s of the tables; enough only if they compress well", have,
            want);
    else
        add(run, CHECK_REPOSITORY, "space", CHECK_OK, "%s free, the tables have %s", have, want);
}

/* The first backup makes the last directory of the path, no more. */
static void check_new_repo(CheckRun *run)
{
    Error err = ERROR_INIT;
    Storage *storage = storage_open(run->ctx, run->request->repo, &err);
    char *path = storage == NULL ? NULL : storage_local_path(storage, run->ctx, "");
    while (path != NULL && strlen(path) > 1 && path[strlen(path) - 1] == '/')
        path[strlen(path) - 1] = '\0';
    char *slash = path == NULL ? NULL : strrchr(path, '/');
    if (slash != NULL)
        slash[slash == path ? 1 : 0] = '\0';
    const char *parent = slash != NULL ? path : ".";
    if (access(parent, W_OK | X_OK) != 0)
        add(run, CHECK_REPOSITORY, "repository", CHECK_FAILED,
            "\"%s\" is not there and cannot be made: %s", run->request->repo, strerror(errno));
    else
        add(run, CHECK_REPOSITORY, "repository", CHECK_WARNING,
            "\"%s\" is not there yet; the first backup creates it", run->request->repo);
}

static void check_repo(CheckRun *run)
{
    Error err = ERROR_INIT;
    if (run->request->repo == NULL)
        return;
    Repo *repo = repo_open(run->ctx, run->request->repo, &err);
    if (repo == NULL && err.code == ERR_NOT_FOUND)
    {
        check_new_repo(run);
        return;
    }
    if (repo == NULL || !repo_check_writable(repo, &err))
    {
        add_error(run, CHECK_REPOSITORY, "repository", &err);
        return;
    }
    add(run, CHECK_REPOSITORY, "repository", CHECK_OK, "\"%s\" is writable", run->request->repo);
    check_space(run, repo);
}

static void add_finding(void *arg, int content, const char *what, CheckLevel level,
                        const char *text)
{
    add(arg, content, what, level, "%s", text);
}

/* What lies where, once all nodes have been reached; and nobody is to be backed up alone who has parts of
 * others' tables. */
static bool check_fleet(CheckRun *run, Error *err)
{
    const FleetEngine *engine = run->fleet->engine;
    if (engine == NULL)
        return engine_refuse(run->nodes, run->count, err);
    if (!engine->check(run->nodes, run->count, err) ||
        engine_map(engine, run->nodes, run->count, run->nodes[0].probe, err) == NULL)
        return false;
    for (size_t i = 0; i < run->count; i++)
        if (!node_list(&run->nodes[i], err) || !engine->left_out(&run->nodes[i], err))
            return false;
    return engine->inspect(run->nodes, add_finding, run, err);
}

static bool reached_all(const CheckRun *run)
{
    for (size_t i = 0; i < run->count; i++)
        if (!run->reached[i])
            return false;
    return true;
}

static void make_nodes(CheckRun *run, Cancel *cancel)
{
    for (size_t i = 0; i < run->count; i++)
    {
        node_init(&run->nodes[i], run->request, &run->fleet->nodes[i].spec,
                  run->fleet->nodes[i].content, run->progress, i);
        run->nodes[i].cancel = cancel;
        run->nodes[i].dbid = run->fleet->nodes[i].dbid;
        run->nodes[i].scope = engine_scope_at_first(run->fleet->engine, i);
    }
}

static bool check_work(void *arg, Error *err)
{
    CheckRun *run = arg;
    Cancel *cancel = supervise_attempt(run->supervisor, err);
    if (cancel == NULL)
        return false;
    make_nodes(run, cancel);
    if (!parallel_run(run->count, reach, run, cancel, err))
        return false;
    run->estimated = true;
    Error apart = ERROR_INIT;
    if (reached_all(run) && !check_fleet(run, &apart))
        add_error(run, run->fleet->nodes[0].content, "fleet", &apart);
    for (size_t i = 0; i < run->count; i++)
    {
        Error failed = ERROR_INIT;
        if (!run->reached[i])
            add_error(run, run->nodes[i].content, "server", &run->errors[i]);
        else if (!check_node(run, &run->nodes[i], &failed))
            add_error(run, run->nodes[i].content, "server", &failed);
        else
            continue;
        run->estimated = false;
    }
    check_same_server(run);
    check_repo(run);
    for (size_t i = 0; i < run->count; i++)
        node_close(&run->nodes[i]);
    return cancel_check(cancel, err);
}

bool check_run(void *ctx, const Fleet *fleet, const BackupRequest *request, Supervisor *supervisor,
               CheckResult *result, Error *err)
{
    memset(result, 0, sizeof(*result));
    CheckRun run = {.ctx = ctx,
                    .fleet = fleet,
                    .request = request,
                    .supervisor = supervisor,
                    .result = result,
                    .count = fleet->node_count};
    run.nodes = mem_array(ctx, BackupNode, run.count);
    run.reached = mem_array(ctx, bool, run.count);
    run.errors = mem_array(ctx, Error, run.count);
    run.progress = progress_new(ctx, PROGRESS_NONE, "check", run.count, 1);
    return supervise_run(supervisor, check_work, NULL, &run, err);
}

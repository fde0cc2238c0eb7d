/* compat/restore_run.c - the contract is in restore_run.h. */
#include "compat/restore_run.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parallel.h"
#include "base/str.h"
#include "compat/dump_dir.h"
#include "compat/dump_report.h"
#include "pg/query.h"

#define COORDINATOR (-1)
#define APPLICATION "pgark gp_restore"

typedef struct Script
{
    const char *name;
    DumpName parsed;
    RestoreStage stage;
    RestoredScript *result;
    const char *dsn;
    const char *password;
    const Psql *psql;
    int errors;
} Script;

typedef struct Run
{
    void *ctx;
    const ScriptRestore *request;
    Supervisor *supervisor;
    ScriptRestoreResult *result;
    Storage *storage;
    Script *scripts;
    size_t count, capacity;
    Script **together; /* of the stage that runs */
    size_t together_count;
    bool shards;
    Cancel *cancel;
} Run;

/* ---- which scripts there are ---- */

static bool take_name(void *arg, const char *name, const StorageInfo *info, Error *err UNUSED)
{
    Run *run = arg;
    const ScriptRestore *r = run->request;
    Script s = {.name = NULL, .errors = -1};
    if (info->kind != STORAGE_FILE)
        return true;
    if (!dump_name_parse_script(name, r->prefix, r->key, &s.parsed))
        return true;
    if (r->only != NULL && s.parsed.dbid != r->only->dbid)
        return true;
    if (r->only != NULL)
        s.parsed.node = r->only->number;
    s.name = mem_strdup(run->ctx, name);
    *mem_push(run->ctx, run->scripts, run->count, run->capacity, Script) = s;
    return true;
}

static int by_place(const void *a, const void *b)
{
    const Script *x = a;
    const Script *y = b;
    if (x->parsed.node != y->parsed.node)
        return x->parsed.node - y->parsed.node;
    return x->parsed.post_data - y->parsed.post_data;
}

/* The servers of a fleet of shards are numbered from 0 and 1 on. By role a coordinator is 1, and its dbid
 * is not 2. */
static bool are_of_shards(const Run *run)
{
    bool first = false;
    for (size_t i = 0; i < run->count; i++)
    {
        const DumpName *n = &run->scripts[i].parsed;
        first = first || n->node == 0;
        if (n->node < 0 || n->dbid != n->node + 1)
            return false;
    }
    return first;
}

static bool has_node(const Run *run, int node)
{
    bool found = false;
    for (size_t i = 0; i < run->count; i++)
        found = found || run->scripts[i].parsed.node == node;
    return found;
}

/* From here on the coordinator's scripts have COORDINATOR for their node. */
static void settle_roles(Run *run)
{
    bool by_content = has_node(run, COORDINATOR);
    for (size_t i = 0; !by_content && i < run->count; i++)
    {
        if (run->scripts[i].parsed.node == 1)
            run->scripts[i].parsed.node = COORDINATOR;
    }
}

static bool check_fleet(const Run *run, Error *err)
{
    const Fleet *fleet = run->request->fleet;
    if (!run->shards && fleet->node_count > 1 && fleet->engine == NULL)
        return error_set(err, ERR_USAGE, "the dump is not one of a fleet of shards");
    for (size_t i = 0; run->shards && i < run->count; i++)
    {
        if (run->scripts[i].parsed.node < (int) fleet->node_count)
            continue;
        error_set(err, ERR_USAGE, "the dump has a node %d, and no server is named for it",
                  run->scripts[i].parsed.node);
        return error_hint(err, "Name as many by --node or --fleet, in their order.");
    }
    return true;
}

/* Whatever its name is: only whether it is compressed is read from that. */
static void take_file(Run *run)
{
    const ScriptRestore *r = run->request;
    size_t len = strlen(r->file);
    size_t suffix = strlen(DUMP_GZIP_SUFFIX);
    const char *slash = strrchr(r->file, '/');
    Script s = {
        .name = slash == NULL ? r->file : slash + 1,
        .parsed = {.node = COORDINATOR, .dbid = 1, .post_data = r->post_data && !r->definitions},
        .errors = -1};
    s.parsed.gzip = len > suffix && strcmp(r->file + len - suffix, DUMP_GZIP_SUFFIX) == 0;
    *mem_push(run->ctx, run->scripts, run->count, run->capacity, Script) = s;
}

static bool find_scripts(Run *run, Error *err)
{
    const ScriptRestore *r = run->request;
    if (r->file != NULL)
    {
        take_file(run);
        return true;
    }
    run->storage = storage_open(run->ctx, r->dir, err);
    if (run->storage == NULL || !storage_list(run->storage, "", take_name, run, err))
        return false;
    if (run->count == 0)
    {
        error_set(err, ERR_NOT_FOUND, "\"%s\" has no scripts of key %s", r->dir, r->key);
        return error_hint(err, "Name the directory by --gp-d, and the prefix by --prefix if there "
                               "is one.");
    }
    run->shards = r->only == NULL && are_of_shards(run);
    if (!run->shards && r->only == NULL)
        settle_roles(run);
    qsort(run->scripts, run->count, sizeof(Script), by_place);
    for (size_t i = 1; i < run->count; i++)
    {
        if (by_place(&run->scripts[i - 1], &run->scripts[i]) == 0)
            return error_set(err, ERR_USAGE, "\"%s\" and \"%s\" are two forms of one script",
                             run->scripts[i - 1].name, run->scripts[i].name);
    }
    return check_fleet(run, err);
}

/* ---- which of them are wanted ---- */

static bool is_listed(const ScriptRestore *r, int dbid)
{
    bool listed = r->dbid_count == 0;
    for (size_t i = 0; i < r->dbid_count; i++)
        listed = listed || r->dbids[i] == dbid;
    return listed;
}

static bool is_segment(const Run *run, const Script *s)
{
    const ScriptNode *only = run->request->only;
    return only != NULL ? only->segment : !run->shards && s->parsed.node != COORDINATOR;
}

bool restore_wants(const ScriptRestore *r, int dbid, RestoreStage stage)
{
    bool only_post = r->post_data && !r->definitions;
    if (!is_listed(r, dbid))
        return false;
    if (stage == RESTORE_POST_DATA)
        return !r->rows && !r->no_post_data && !(r->definitions && r->post_data);
    return !only_post && !(stage == RESTORE_SEGMENTS && r->definitions);
}

static RestoreStage stage_of(const Run *run, const Script *s)
{
    return s->parsed.post_data  ? RESTORE_POST_DATA
           : is_segment(run, s) ? RESTORE_SEGMENTS
                                : RESTORE_FIRST;
}

/* Whether a script is there, compressed or not: people unpack them. */
static bool is_there(const Run *run, const Script *s)
{
    bool found = false;
    for (size_t i = 0; i < run->count; i++)
    {
        const Script *x = &run->scripts[i];
        found = found ||
                (x->parsed.dbid == s->parsed.dbid && x->parsed.post_data == s->parsed.post_data);
    }
    return found;
}

/* What the dump wrote and is not there any more must not be left out unnoticed; its report tells, where that is. */
static bool check_whole(const Run *run, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "report");
    const ScriptRestore *r = run->request;
    const char *text = r->file != NULL ? NULL : dump_report_read(tmp, r->dir, r->prefix, r->key);
    if (text == NULL && r->file == NULL && r->report_dir != NULL)
        text = dump_report_read(tmp, r->report_dir, r->prefix, r->key);
    size_t count = 0;
    const ReportedScript *scripts = text == NULL
                                        ? NULL
                                        : dump_report_scripts(tmp, text, r->prefix, r->key, &count);
    for (size_t i = 0; i < count; i++)
    {
        const Script s = {.name = scripts[i].name, .parsed = scripts[i].parsed};
        if ((r->only != NULL && s.parsed.dbid != r->only->dbid) ||
            !restore_wants(r, s.parsed.dbid, stage_of(run, &s)) || is_there(run, &s))
            continue;
        error_set(err, ERR_NOT_FOUND, "\"%s\" is not in \"%s\", and the dump wrote it", s.name,
                  r->dir);
        return error_hint(err,
                          "Bring all files of the dump into one directory. What is there is "
                          "restored if the report %s is taken away.",
                          dump_report_name(tmp, false, r->prefix, r->key));
    }
    return true;
}

static void choose(Run *run)
{
    const char *file = run->request->file;
    size_t kept = 0;
    for (size_t i = 0; i < run->count; i++)
    {
        Script s = run->scripts[i];
        s.stage = stage_of(run, &s);
        if (restore_wants(run->request, s.parsed.dbid, s.stage))
            run->scripts[kept++] = s;
    }
    run->count = kept;
    run->result->scripts = mem_array(run->ctx, RestoredScript, kept);
    run->result->count = kept;
    for (size_t i = 0; i < kept; i++)
    {
        Script *s = &run->scripts[i];
        s->result = &run->result->scripts[i];
        *s->result = (RestoredScript){
            .content = s->parsed.node,
            .dbid = s->parsed.dbid,
            .path = file != NULL ? file : mem_printf(run->ctx, "%s/%s", run->request->dir, s->name),
            .database = "",
            .host = "",
        };
    }
}

/* ---- where they go ---- */

/* A name may mean another server on another host: no row goes to a server that nobody meant. */
static bool is_meant(const Run *run, PgConn *conn, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "identity");
    const char *wanted = run->request->identity;
    const char *found = wanted == NULL ? NULL : pg_server_identity(conn, tmp, err);
    if (wanted == NULL || (found != NULL && strcmp(found, wanted) == 0))
        return true;
    if (found == NULL)
        return false;
    error_set(err, ERR_USAGE,
              "host \"%s\" port %s is another server here than where gp_restore runs",
              PQhost(conn->raw), PQport(conn->raw));
    return error_hint(err,
                      "Give the coordinator's host (-h) by a name that means it on all hosts.");
}

static bool find_target(Run *run, Script *s, Error *err)
{
    size_t node = run->shards ? (size_t) s->parsed.node : 0;
    AUTO(pg_conn_close)
    PgConn *conn = pg_conn_open(&run->request->fleet->nodes[node].spec, NULL, APPLICATION,
                                run->cancel, err);
    Psql *psql = mem_new(run->ctx, Psql);
    if (conn == NULL || !is_meant(run, conn, err) ||
        !psql_find(run->ctx, conn, run->request->must_restrict, run->cancel, psql, err))
        return false;
    s->psql = psql;
    s->dsn = pg_conn_dsn(run->ctx, conn, &s->password);
    s->result->database = mem_strdup(run->ctx, PQdb(conn->raw));
    s->result->host = mem_strdup(run->ctx, PQhost(conn->raw));
    s->result->port = atoi(PQport(conn->raw));
    return true;
}

/* Scripts of one server add to one status file. */
static bool open_status(Run *run, Script *s, Error *err)
{
    const ScriptRestore *r = run->request;
    const char *dir = r->status_dir == NULL ? r->dir : r->status_dir;
    int node = !r->by_role ? s->parsed.node : s->parsed.node == COORDINATOR ? 1 : 0;
    const char *path = mem_printf(
        run->ctx, "%s/%s", dir,
        dump_name(run->ctx, DUMP_RESTORE_STATUS, r->prefix, node, s->parsed.dbid, r->key));
    s->errors = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    return s->errors >= 0 || error_errno(err, ERR_STORAGE, "could not open \"%s\"", path);
}

static bool note(const Script *s, const char *text, const Error *failure)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "status");
    const char *lines[] = {mem_printf(tmp, "%s \"%s\"", text, s->name)};
    const char *all = dump_status_text(tmp, "gp_restore", lines, 1, failure);
    return write(s->errors, all, strlen(all)) == (ssize_t) strlen(all) && fsync(s->errors) == 0;
}

/* ---- running them ---- */

static bool run_script(void *arg, size_t i, Error *err)
{
    Run *run = arg;
    Script *s = run->together[i];
    const ScriptRestore *r = run->request;
    const PsqlRun psql = {.psql = s->psql,
                          .dsn = s->dsn,
                          .password = s->password,
                          .path = s->result->path,
                          .gzip = s->parsed.gzip,
                          .half = s->parsed.post_data ? SCRIPT_WHOLE
                                  : r->definitions    ? SCRIPT_DEFINITIONS
                                  : r->rows           ? SCRIPT_ROWS
                                                      : SCRIPT_WHOLE,
                          .tables = r->tables,
                          .go_on = r->go_on,
                          .errors = s->errors,
                          .cancel = run->cancel};
    s->result->run = true;
    s->result->ok = psql_run(&psql, err);
    if (!note(s, "Ran", s->result->ok ? NULL : err))
        log_warning("the status file of dbid %d could not be written", s->parsed.dbid);
    return s->result->ok;
}

/* With go_on every script is run to its end, whatever failed before: the first error is told at last. */
static bool run_on(void *arg, size_t i, Error *err)
{
    Error failure = ERROR_INIT;
    const Run *run = arg;
    if (run_script(arg, i, &failure) || (failure.code == ERR_QUERY && run->request->go_on))
        return true;
    *err = failure;
    return false;
}

static bool run_stage(Run *run, RestoreStage stage, Error *err)
{
    run->together_count = 0;
    for (size_t i = 0; i < run->count; i++)
    {
        if (run->scripts[i].stage == stage)
            run->together[run->together_count++] = &run->scripts[i];
    }
    return parallel_run(run->together_count, run_on, run, run->cancel, err);
}

bool restore_all_ran_well(const ScriptRestoreResult *result, Error *err)
{
    size_t failed = 0;
    for (size_t i = 0; i < result->count; i++)
        failed += result->scripts[i].ok ? 0 : 1;
    if (failed == 0)
        return true;
    error_set(err, ERR_QUERY, "statements of %zu script%s failed", failed, failed == 1 ? "" : "s");
    return error_hint(err, "The status files gp_restore_status_* say which.");
}

static bool restore_work(void *arg, Error *err)
{
    Run *run = arg;
    run->cancel = supervise_attempt(run->supervisor, err);
    if (run->cancel == NULL)
        return false;
    for (size_t i = 0; i < run->count; i++)
    {
        if (!find_target(run, &run->scripts[i], err) || !open_status(run, &run->scripts[i], err))
            return false;
    }
    for (int stage = 0; stage < RESTORE_STAGES; stage++)
    {
        if (!run_stage(run, (RestoreStage) stage, err))
            return false;
    }
    return restore_all_ran_well(run->result, err);
}

static bool write_report(const Run *run, const Error *failure, Error *err)
{
    const ScriptRestore *r = run->request;
    return r->no_report ||
           dump_file_write(r->report_dir == NULL ? r->dir : r->report_dir,
                           dump_report_name(run->ctx, true, r->prefix, r->key),
                           restore_report_text(run->ctx, r, run->result, failure), err);
}

static bool make_dirs(const ScriptRestore *r, Error *err)
{
    return (r->status_dir == NULL || dump_dir_make(r->status_dir, err)) &&
           (r->report_dir == NULL || dump_dir_make(r->report_dir, err));
}

bool restore_scripts(void *ctx, const ScriptRestore *request, Supervisor *supervisor,
                     ScriptRestoreResult *ret, Error *err)
{
    Run run = {.ctx = ctx, .request = request, .supervisor = supervisor, .result = ret};
    *ret = (ScriptRestoreResult){.scripts = NULL};
    if (!make_dirs(request, err) || !find_scripts(&run, err) || !check_whole(&run, err))
        return false;
    choose(&run);
    if (run.count == 0)
        return request->may_have_none ||
               error_set(err, ERR_NOT_FOUND, "no script of key %s is wanted by these options",
                         request->key);
    run.together = mem_array(ctx, Script *, run.count);
    bool done = supervise_run(supervisor, restore_work, NULL, &run, err);
    for (size_t i = 0; i < run.count; i++)
    {
        if (run.scripts[i].errors >= 0)
            close(run.scripts[i].errors);
    }
    Error failure = ERROR_INIT;
    if (write_report(&run, done ? NULL : err, &failure))
        return done;
    if (done)
        *err = failure;
    return false;
}

/* ---- the report ---- */

char *restore_report_text(void *ctx, const ScriptRestore *request,
                          const ScriptRestoreResult *result, const Error *failure)
{
    char shown[1024];
    size_t failures = 0;
    Str *s = str_new(ctx);
    str_addf(s, "Greenplum Database Restore Report\nTimestamp Key: %s\n", request->key);
    str_addf(s, "gp_restore Command Line: %s\n\nIndividual Results\n", request->line);
    for (size_t i = 0; i < result->count; i++)
    {
        const RestoredScript *r = &result->scripts[i];
        const char *state = r->ok ? "Succeeded" : r->run ? "Failed" : "Not run";
        failures += r->ok ? 0 : 1;
        if (r->content == COORDINATOR)
            str_add(s, "\tMaster");
        else
            str_addf(s, "\tsegment %d", r->content);
        str_addf(s, " (dbid %d) Host %s Port %d Database ", r->dbid, r->host, r->port);
        str_add(s, str_one_line(shown, sizeof(shown), r->database));
        str_addf(s, " BackupFile %s: %s\n", str_one_line(shown, sizeof(shown), r->path), state);
    }
    if (failure == NULL)
        str_add(s, "\ngp_restore utility finished successfully.\n");
    else
        str_addf(s, "\n%s\ngp_restore utility finished unsuccessfully with %zu failures.\n",
                 str_one_line(shown, sizeof(shown), failure->message),
                 failures == 0 ? 1 : failures);
    return s->data;
}

/* cli/cmd_verify.c - pgark verify. */
#include "base/clock.h"
#include "base/str.h"
#include "cli/cli.h"
#include "fleet/agent_sets.h"
#include "physical/set_verify.h"
#include "report/set_report.h"

typedef struct VerifyRun
{
    void *ctx;
    Repo *repo;
    const Options *o;
    Supervisor *supervisor;
    char key[SET_KEY_LEN];
    char *dir;
    StorageLock *lock;
    Progress *progress;
    VerifyResult result;
    bool physical;
    SetVerifyResult bases; /* of a physical set, but for what is in result */
} VerifyRun;

static void count_bytes(void *arg, uint64_t bytes)
{
    VerifyRun *run = arg;
    atomic_store(&progress_node(run->progress, 0)->bytes_done, bytes);
}

/* Whatever set a chunk lies in, it is read; an incremental set of base backups with all that it is built on. */
static uint64_t bytes_to_read(const VerifyRun *run, const Manifest *m)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "chain");
    uint64_t bytes = m->totals.stored + m->totals.referenced;
    for (size_t i = 0; manifest_is_physical(m) && i < m->set.depends_count; i++)
    {
        Error ignored = ERROR_INIT;
        const char *dir = repo_set_dir_like(tmp, run->dir, m->set.depends_on[i]);
        const Manifest *other = manifest_read(run->repo->storage, tmp, dir, true, &ignored);
        bytes += other == NULL ? 0 : other->totals.stored;
    }
    return bytes;
}

/* What lies with the nodes: their agents read it. */
static bool verify_elsewhere(VerifyRun *run, Cancel *cancel, Error *err)
{
    if (run->result.elsewhere == 0)
        return true;
    if (!cli_names_servers(run->o))
    {
        error_set(err, ERR_USAGE, "%zu node%s of set %s lie in repositories of their own",
                  run->result.elsewhere, run->result.elsewhere == 1 ? "" : "s", run->key);
        return error_hint(err, "Name the nodes, as for the backup: their agents verify it there.");
    }
    const Fleet *fleet = cli_source(run->ctx, run->o, err);
    if (fleet == NULL)
        return false;
    supervise_progress(run->supervisor, NULL);
    progress_end(run->progress);
    Progress *progress = progress_new(run->ctx, cli_progress(run->o), "verify",
                                      run->result.elsewhere, 1);
    const AgentSetsWork work = {.fleet = fleet,
                                .repo = run->repo,
                                .pattern = options_string(run->o, OPT_REPO),
                                .cancel = cancel,
                                .progress = progress};
    supervise_progress(run->supervisor, progress);
    progress_phase(progress, "agents");
    return agent_sets_verify(&work, run->ctx, run->dir, options_flag(run->o, OPT_QUICK),
                             (int) options_int(run->o, OPT_JOBS), &run->result, err);
}

static bool verify_physical(VerifyRun *run, Cancel *cancel, Error *err)
{
    run->physical = true;
    bool ok = set_verify(run->repo, run->ctx, run->dir, options_flag(run->o, OPT_QUICK),
                         (int) options_int(run->o, OPT_JOBS), cancel, count_bytes, run, &run->bases,
                         err);
    run->result = run->bases.common;
    return ok;
}

static bool verify_work(void *arg, Error *err)
{
    VerifyRun *run = arg;
    Cancel *cancel = supervise_attempt(run->supervisor, err);
    run->repo = cancel == NULL ? NULL : repo_open(run->ctx, options_string(run->o, OPT_REPO), err);
    SetChoice choice = {.prefix = options_string(run->o, OPT_PREFIX)};
    if (run->repo == NULL || !repo_resolve(run->repo, run->ctx, options_key(run->o), &choice,
                                           run->key, &run->dir, &run->lock, err))
        return false;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "verify");
    Error ignored = ERROR_INIT;
    Manifest *m = manifest_read(run->repo->storage, tmp, run->dir, true, &ignored);
    if (m != NULL && !options_flag(run->o, OPT_QUICK))
        atomic_store(&progress_node(run->progress, 0)->bytes_total, bytes_to_read(run, m));
    progress_phase(run->progress, "reading");
    if (m != NULL && manifest_is_physical(m))
        return verify_physical(run, cancel, err);
    return verify_set(run->repo, run->ctx, run->dir, options_flag(run->o, OPT_QUICK),
                      (int) options_int(run->o, OPT_JOBS), cancel, count_bytes, run, &run->result,
                      err) &&
           verify_elsewhere(run, cancel, err);
}

static void print_json(const VerifyRun *run, int64_t ms)
{
    json_t *problems = json_array();
    for (size_t i = 0; i < run->result.problem_count; i++)
        json_array_append_new(problems, set_report_string(run->result.problems[i]));
    json_t *object = json_pack(
        "{s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:o}", "key", run->key, "ok",
        (int) (run->result.problem_count == 0), "quick", (int) options_flag(run->o, OPT_QUICK),
        "objects", (json_int_t) run->result.objects, "chunks", (json_int_t) run->result.chunks,
        "bytes", (json_int_t) run->result.bytes, "rows", (json_int_t) run->result.rows,
        "elapsed_ms", (json_int_t) ms, "problems", problems);
    if (run->physical)
        json_object_set_new(
            object, "physical",
            json_pack("{s:I, s:I, s:I, s:I, s:b}", "sets", (json_int_t) run->bases.sets, "parts",
                      (json_int_t) run->bases.parts, "files", (json_int_t) run->bases.files,
                      "wal_files", (json_int_t) run->bases.segments, "wal_records_read",
                      (int) run->bases.records_read));
    set_report_print(stdout, object);
}

static void print_physical(const VerifyRun *run, const char *duration)
{
    char bytes[STR_BYTES_LEN];
    const SetVerifyResult *b = &run->bases;
    printf("set %s is good: %" PRIu64 " objects, %" PRIu64 " parts with %" PRIu64 " files, %" PRIu64
           " files of WAL, %s, all hashes right, %s\n",
           run->key, run->result.objects, b->parts, b->files, b->segments,
           str_format_bytes(bytes, run->result.bytes), duration);
    if (b->sets > 1)
        printf("that is with %zu set%s that it is incremental to\n", b->sets - 1,
               b->sets == 2 ? "" : "s");
    printf("%s\n", b->records_read
                       ? "the records of WAL can be read up to the restore point"
                       : "the records of WAL were not read: there is no pg_waldump of the "
                         "server's version here");
}

static void print_text(const VerifyRun *run, int64_t ms)
{
    char bytes[STR_BYTES_LEN];
    char duration[STR_BYTES_LEN];
    const VerifyResult *r = &run->result;
    for (size_t i = 0; i < r->problem_count; i++)
        printf("problem: %s\n", r->problems[i]);
    str_format_duration(duration, ms);
    if (r->problem_count > 0)
        printf("set %s is damaged: %zu problem%s\n", run->key, r->problem_count,
               r->problem_count == 1 ? "" : "s");
    else if (options_flag(run->o, OPT_QUICK))
        printf("set %s is complete: %" PRIu64 " objects present with the right sizes (contents not "
               "read), %s\n",
               run->key, r->objects, duration);
    else if (run->physical)
        print_physical(run, duration);
    else
        printf("set %s is good: %" PRIu64 " objects, %" PRIu64 " chunks, %s, %" PRIu64
               " rows, all hashes right, %s\n",
               run->key, r->objects, r->chunks, str_format_bytes(bytes, r->bytes), r->rows,
               duration);
}

int cmd_verify(void *ctx, const Options *o, Supervisor *supervisor, Error *err)
{
    int64_t start = clock_ms();
    VerifyRun run = {.ctx = ctx, .o = o, .supervisor = supervisor};
    run.progress = progress_new(ctx, cli_progress(o), "verify", 1, 1);
    supervise_progress(supervisor, run.progress);
    bool ok = supervise_run(supervisor, verify_work, NULL, &run, err);
    storage_unlock(run.lock);
    if (!ok)
        return EXIT_ERROR;
    if (cli_json(o))
        print_json(&run, clock_ms() - start);
    else
        print_text(&run, clock_ms() - start);
    if (run.result.problem_count == 0)
        return cli_exit();
    error_set(err, ERR_CORRUPT, "set %s is damaged", run.key);
    error_hint(err,
               "Do not rely on it: take a new backup, and look for the cause on that storage.");
    return EXIT_ERROR;
}

/* cli/cmd_export.c - pgark export. */
#include "base/clock.h"
#include "base/str.h"
#include "cli/cli.h"
#include "export/export.h"
#include "report/set_report.h"

typedef struct ExportRun
{
    void *ctx;
    const Options *o;
    Supervisor *supervisor;
    ExportRequest request;
    char key[SET_KEY_LEN];
    StorageLock *lock;
    Progress *progress;
    ExportResult result;
} ExportRun;

static bool export_work(void *arg, Error *err)
{
    ExportRun *run = arg;
    char *dir;
    Cancel *cancel = supervise_attempt(run->supervisor, err);
    Repo *repo = cancel == NULL ? NULL : repo_open(run->ctx, options_string(run->o, OPT_REPO), err);
    progress_phase(run->progress, "writing");
    SetChoice choice = {.prefix = options_string(run->o, OPT_PREFIX), .form = SET_OF_ROWS};
    return repo != NULL &&
           repo_resolve(repo, run->ctx, options_key(run->o), &choice, run->key, &dir, &run->lock,
                        err) &&
           export_set(repo, dir, &run->request, cancel, &run->result, err);
}

/* The file's name tells the method where --compress does not: out.sql.zst. */
static bool choose_compression(const Options *o, ExportRequest *r, Error *err)
{
    static const CompressMethod methods[] = {COMPRESS_ZSTD, COMPRESS_LZ4, COMPRESS_GZIP};
    const char *text = options_given(o, OPT_EXPORT_COMPRESS)
                           ? options_string(o, OPT_EXPORT_COMPRESS)
                           : NULL;
    if (text == NULL)
        text = r->format == EXPORT_DIRECTORY ? "gzip" : "none";
    for (size_t i = 0; r->format == EXPORT_PLAIN && r->file != NULL &&
                       !options_given(o, OPT_EXPORT_COMPRESS) && i < LENGTH_OF(methods);
         i++)
    {
        const char *suffix = compress_suffix(methods[i]);
        size_t len = strlen(r->file);
        if (len > strlen(suffix) && strcmp(r->file + len - strlen(suffix), suffix) == 0)
            text = compress_name(methods[i]);
    }
    return compress_parse(text, &r->compress, err);
}

/* What the archive's reader decides. */
static bool check_directory(const Options *o, const ExportRequest *r, Error *err)
{
    static const struct
    {
        OptionId id;
        const char *name;
    } plain_only[] = {
        {OPT_EXPORT_CREATE, "--create"},
        {OPT_CLEAN, "--clean"},
        {OPT_IF_EXISTS, "--if-exists"},
        {OPT_NO_OWNER, "--no-owner"},
        {OPT_USE_SET_SESSION_AUTHORIZATION, "--use-set-session-authorization"},
        {OPT_NO_TABLESPACES, "--no-tablespaces"},
        {OPT_NO_TABLE_ACCESS_METHOD, "--no-table-access-method"},
        {OPT_DISABLE_TRIGGERS, "--disable-triggers"},
    };
    if (r->file == NULL)
    {
        error_set(err, ERR_USAGE, "a directory archive needs a name");
        return error_hint(err, "Give it with --file=DIRECTORY.");
    }
    for (size_t i = 0; i < LENGTH_OF(plain_only); i++)
    {
        if (!options_flag(o, plain_only[i].id))
            continue;
        error_set(err, ERR_USAGE, "%s is for --format=plain", plain_only[i].name);
        return error_hint(err, "Give it to pg_restore when it reads the archive.");
    }
    return true;
}

static bool make_request(void *ctx, const Options *o, ExportRequest *r, Error *err)
{
    const char *file = options_string(o, OPT_FILE);
    bool inserts = options_flag(o, OPT_INSERTS) || options_flag(o, OPT_COLUMN_INSERTS) ||
                   options_given(o, OPT_ROWS_PER_INSERT);
    *r = (ExportRequest){
        .format = str_equal(options_string(o, OPT_EXPORT_FORMAT), "directory") ? EXPORT_DIRECTORY
                                                                               : EXPORT_PLAIN,
        .file = str_equal(file, "-") ? NULL : file,
        .content = options_given(o, OPT_CONTENT) ? (int) options_int(o, OPT_CONTENT)
                                                 : EXPORT_ANY_CONTENT,
        .database = options_string(o, OPT_FROM_DATABASE),
        .jobs = (int) options_int(o, OPT_JOBS),
        .no_sync = options_flag(o, OPT_NO_SYNC),
        .selection = cli_selection(ctx, o, err),
        .rows = inserts ? ROWS_INSERTS : ROWS_COPY,
        .rows_per_insert = options_given(o, OPT_ROWS_PER_INSERT)
                               ? (int) options_int(o, OPT_ROWS_PER_INSERT)
                               : 1,
        .on_conflict_do_nothing = options_flag(o, OPT_ON_CONFLICT_DO_NOTHING),
        .create = options_flag(o, OPT_EXPORT_CREATE),
        .clean = options_flag(o, OPT_CLEAN),
        .if_exists = options_flag(o, OPT_IF_EXISTS),
        .no_owner = options_flag(o, OPT_NO_OWNER),
        .session_authorization = options_flag(o, OPT_USE_SET_SESSION_AUTHORIZATION),
        .no_tablespaces = options_flag(o, OPT_NO_TABLESPACES),
        .no_table_am = options_flag(o, OPT_NO_TABLE_ACCESS_METHOD),
        .disable_triggers = options_flag(o, OPT_DISABLE_TRIGGERS),
    };
    if (r->selection == NULL)
        return false;
    if (r->format == EXPORT_DIRECTORY && !check_directory(o, r, err))
        return false;
    return choose_compression(o, r, err);
}

/* On standard error when standard output is the export itself. */
static void print_text(const ExportRun *run, int64_t ms)
{
    char bytes[STR_BYTES_LEN];
    char duration[STR_BYTES_LEN];
    const ExportResult *r = &run->result;
    fprintf(run->request.file == NULL ? stderr : stdout,
            "exported    node %d of set %s: %" PRIu64 " tables, %" PRIu64
            " rows, %s in %s, every chunk verified\n",
            r->content, run->key, r->tables, r->rows, str_format_bytes(bytes, r->logical),
            str_format_duration(duration, ms));
}

static void print_json(const ExportRun *run, int64_t ms)
{
    const ExportResult *r = &run->result;
    set_report_print(run->request.file == NULL ? stderr : stdout,
                     json_pack("{s:s, s:i, s:I, s:I, s:I, s:I}", "key", run->key, "content",
                               r->content, "tables", (json_int_t) r->tables, "rows",
                               (json_int_t) r->rows, "bytes", (json_int_t) r->logical, "elapsed_ms",
                               (json_int_t) ms));
}

int cmd_export(void *ctx, const Options *o, Supervisor *supervisor, Error *err)
{
    int64_t start = clock_ms();
    ExportRun run = {.ctx = ctx, .o = o, .supervisor = supervisor};
    if (!make_request(ctx, o, &run.request, err))
        return EXIT_ERROR;
    run.progress = progress_new(ctx, cli_progress(o), "export", 1, 1);
    run.request.progress = progress_node(run.progress, 0);
    supervise_progress(supervisor, run.progress);
    bool ok = supervise_run(supervisor, export_work, NULL, &run, err);
    storage_unlock(run.lock);
    if (!ok)
        return EXIT_ERROR;
    if (cli_json(o))
        print_json(&run, clock_ms() - start);
    else if (!options_flag(o, OPT_QUIET))
        print_text(&run, clock_ms() - start);
    return cli_exit();
}

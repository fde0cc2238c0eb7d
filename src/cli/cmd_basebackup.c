/* cli/cmd_basebackup.c - pgark basebackup. */
#include "base/clock.h"
#include "base/lsn.h"
#include "base/str.h"
#include "cli/cli.h"
#include "physical/basebackup.h"
#include "report/set_report.h"

typedef struct BaseRun
{
    BasebackupRequest request;
    BasebackupResult result;
    Supervisor *supervisor;
    Progress *progress;
} BaseRun;

/* Kilobytes, or with a suffix: as pg_basebackup takes it. */
static bool parse_rate(const char *text, uint64_t *ret, Error *err)
{
    char *unit;
    double value = strtod(text, &unit);
    double factor = *unit == 'M' ? 1024 * 1024 : 1024;
    bool known = unit != text &&
                 (*unit == '\0' || ((*unit == 'k' || *unit == 'M') && unit[1] == '\0'));
    double bytes = value * factor;
    if (!known || !(bytes >= 32.0 * 1024) || !(bytes <= 1024.0 * 1024 * 1024))
        return error_set(err, ERR_USAGE, "--max-rate: \"%.40s\" is not in 32k to 1024M", text);
    *ret = (uint64_t) bytes;
    return true;
}

/* What stands behind the method is the server's affair, which may know more than this program does. */
static bool parse_server_compress(void *ctx, const char *text, BasebackupRequest *r, Error *err)
{
    size_t len = strcspn(text, ":");
    const char *name = mem_strndup(ctx, text, len);
    if (!compress_method_by_name(name, &r->server_compress))
        return error_set(err, ERR_USAGE, "--compress: \"server-%.40s\" is no method", name);
    if (text[len] == ':' && r->server_compress != COMPRESS_NONE)
        r->server_detail = mem_strdup(ctx, text + len + 1);
    if (r->server_compress == COMPRESS_NONE || !r->tar || !r->write_recovery)
        return true;
    error_set(err, ERR_USAGE,
              "--write-recovery-conf cannot add files to archives that the server compresses");
    return error_hint(err, "Leave server- out, or use --format=plain.");
}

static bool parse_compress(void *ctx, const char *text, BasebackupRequest *r, Error *err)
{
    if (strncmp(text, "server-", 7) == 0)
        return parse_server_compress(ctx, text + 7, r, err);
    if (strncmp(text, "client-", 7) == 0)
        text += 7;
    return compress_parse(text, &r->compress, err) || error_prefix(err, "--compress");
}

static bool parse_maps(void *ctx, const Options *o, BasebackupRequest *r, Error *err)
{
    NameMap *maps = NULL;
    size_t count = 0;
    if (!cli_name_map(ctx, o, OPT_TABLESPACE_MAPPING, &maps, &count, err))
        return false;
    BasebackupMap *to = mem_array(ctx, BasebackupMap, count);
    for (size_t i = 0; i < count; i++)
    {
        if (maps[i].from[0] != '/' || maps[i].to[0] != '/')
            return error_set(err, ERR_USAGE, "--tablespace-mapping=%s=%s: both must be absolute",
                             maps[i].from, maps[i].to);
        to[i] = (BasebackupMap){.from = maps[i].from, .to = maps[i].to};
    }
    r->maps = to;
    r->map_count = count;
    return true;
}

static bool make_request(void *ctx, const Options *o, BasebackupRequest *r, Error *err)
{
    char wal = options_string(o, OPT_WAL_METHOD)[0];
    const char *rate = options_string(o, OPT_MAX_RATE);
    const char *checksums = options_string(o, OPT_MANIFEST_CHECKSUMS);
    r->directory = strcmp(options_string(o, OPT_PGDATA), "-") == 0 ? NULL
                                                                   : options_string(o, OPT_PGDATA);
    r->tar = options_string(o, OPT_BASE_FORMAT)[0] == 't';
    r->wal = wal == 's'   ? BASEBACKUP_WAL_STREAM
             : wal == 'f' ? BASEBACKUP_WAL_FETCH
                          : BASEBACKUP_WAL_NONE;
    r->fast_checkpoint = options_string(o, OPT_BASE_CHECKPOINT)[0] == 'f';
    r->label = options_string(o, OPT_LABEL);
    r->write_recovery = options_flag(o, OPT_WRITE_RECOVERY_CONF);
    r->slot = options_string(o, OPT_BASE_SLOT);
    r->create_slot = options_flag(o, OPT_CREATE_SLOT);
    r->no_slot = options_flag(o, OPT_NO_SLOT);
    r->status_ms = options_int(o, OPT_STATUS_INTERVAL) * 1000;
    r->no_estimate = options_flag(o, OPT_NO_ESTIMATE_SIZE);
    r->manifest_checksums = options_flag(o, OPT_NO_MANIFEST) ? NULL : checksums;
    r->manifest_encode = options_flag(o, OPT_MANIFEST_FORCE_ENCODE);
    r->no_verify = options_flag(o, OPT_NO_VERIFY_CHECKSUMS);
    r->incremental = options_string(o, OPT_BASE_INCREMENTAL);
    r->wal_directory = options_string(o, OPT_WALDIR);
    r->no_sync = options_flag(o, OPT_NO_SYNC);
    r->no_clean = options_flag(o, OPT_NO_CLEAN);
    return (rate == NULL || parse_rate(rate, &r->max_rate, err)) && parse_maps(ctx, o, r, err) &&
           parse_compress(
               ctx, options_flag(o, OPT_BASE_GZIP) ? "gzip" : options_string(o, OPT_BASE_COMPRESS),
               r, err);
}

static bool work(void *arg, Error *err)
{
    BaseRun *run = arg;
    Cancel *cancel = supervise_attempt(run->supervisor, err);
    return cancel != NULL &&
           basebackup_run(&run->request, cancel, run->progress, &run->result, err);
}

static void print_result(const Options *o, const BaseRun *run, int64_t ms)
{
    char start[LSN_TEXT_LEN], stop[LSN_TEXT_LEN];
    char bytes[STR_BYTES_LEN], duration[STR_BYTES_LEN];
    const BasebackupResult *r = &run->result;
    lsn_format(start, r->start_lsn);
    lsn_format(stop, r->stop_lsn);
    if (cli_json(o))
        set_report_print(stdout,
                         json_pack("{s:o, s:s, s:s, s:I, s:I, s:I}", "directory",
                                   set_report_string(run->request.directory), "start_lsn", start,
                                   "stop_lsn", stop, "timeline", (json_int_t) r->timeline, "bytes",
                                   (json_int_t) r->bytes, "elapsed_ms", (json_int_t) ms));
    else if (!options_flag(o, OPT_QUIET))
        fprintf(run->request.directory == NULL ? stderr : stdout,
                "base backup in %s: %s, WAL from %s to %s on timeline %" PRIu32 ", %s\n",
                run->request.directory == NULL ? "standard output" : run->request.directory,
                str_format_bytes(bytes, r->bytes), start, stop, r->timeline,
                str_format_duration(duration, ms));
}

int cmd_basebackup(void *ctx, const Options *o, Supervisor *supervisor, Error *err)
{
    int64_t begin = clock_ms();
    BaseRun run = {.supervisor = supervisor};
    bool quiet = options_flag(o, OPT_QUIET) || !options_flag(o, OPT_BASE_PROGRESS);
    if (!make_request(ctx, o, &run.request, err))
        return EXIT_ERROR;
    Fleet *fleet = cli_fleet(ctx, o, err);
    if (fleet == NULL)
        return EXIT_ERROR;
    run.request.spec = &fleet->nodes[0].spec;
    run.progress = progress_new(ctx, progress_mode("auto", quiet), "base backup", 1, 1);
    supervise_progress(supervisor, run.progress);
    if (!supervise_run(supervisor, work, NULL, &run, err))
        return EXIT_ERROR;
    print_result(o, &run, clock_ms() - begin);
    return cli_exit();
}

/* cli/cmd_receive_wal.c - pgark receive-wal and pgark restore-point. */
#include "base/clock.h"
#include "base/log.h"
#include "base/lsn.h"
#include "base/str.h"
#include "cli/cli.h"
#include "fleet/receive_run.h"
#include "fleet/restore_point.h"
#include "report/set_report.h"

static void print_received(const Options *o, const ReceiveResult *r)
{
    char bytes[STR_BYTES_LEN];
    char stored[STR_BYTES_LEN];
    if (cli_json(o))
        set_report_print(stdout,
                         json_pack("{s:I, s:I, s:I}", "segments", (json_int_t) r->segments, "bytes",
                                   (json_int_t) r->bytes, "stored", (json_int_t) r->stored));
    else
        printf("received %" PRIu64 " segments, %s, stored as %s\n", r->segments,
               str_format_bytes(bytes, r->bytes), str_format_bytes(stored, r->stored));
}

/* Being told to end is how it ends. */
int cmd_receive_wal(void *ctx, const Options *o, Supervisor *supervisor, Error *err)
{
    ReceiveResult result;
    ReceiveRequest request = {.repo = options_string(o, OPT_REPO),
                              .slot = options_string(o, OPT_SLOT),
                              .no_loop = options_flag(o, OPT_NO_LOOP),
                              .skip_gap = options_flag(o, OPT_SKIP_GAP)};
    if (!compress_parse(options_string(o, OPT_COMPRESS), &request.compress, err))
        return EXIT_ERROR;
    Fleet *fleet = cli_source(ctx, o, err);
    if (fleet == NULL)
        return EXIT_ERROR;
    bool ok = receive_run(ctx, fleet, &request, supervisor, &result, err);
    if (!ok && err->code == ERR_CANCELLED)
        error_clear(err);
    else if (!ok)
        return EXIT_ERROR;
    print_received(o, &result);
    return cli_exit();
}

static void print_point(const Options *o, const Point *point)
{
    char lsn[LSN_TEXT_LEN];
    char at[CLOCK_ISO_LEN];
    const PointRecord *first = &point->nodes[0];
    json_t *nodes = json_array();
    clock_iso(at, first->at_us);
    if (!cli_json(o))
        printf("restore point %s of fleet %s at %s (%s)\n", first->name, first->fleet, at,
               first->method);
    for (size_t i = 0; i < point->count; i++)
    {
        const PointRecord *node = &point->nodes[i];
        lsn_format(lsn, node->lsn);
        json_array_append_new(nodes,
                              json_pack("{s:i, s:s, s:s}", "content", node->content,
                                        "system_identifier", node->system_identifier, "lsn", lsn));
        if (!cli_json(o))
            printf("node %-6d %s\n", node->content, lsn);
    }
    if (!cli_json(o))
    {
        json_decref(nodes);
        return;
    }
    set_report_print(stdout, json_pack("{s:s, s:o, s:s, s:s, s:o}", "name", first->name, "fleet",
                                       set_report_string(first->fleet), "at", at, "method",
                                       first->method, "nodes", nodes));
}

int cmd_restore_point(void *ctx, const Options *o, Supervisor *supervisor, Error *err)
{
    Point point;
    const char *cut = options_string(o, OPT_CUT);
    BackupRequest request = {.repo = options_string(o, OPT_REPO),
                             .jobs = 1,
                             .cut = str_equal(cut, "none") ? CUT_NONE : CUT_BARRIER,
                             .cut_timeout_ms = options_int(o, OPT_CUT_TIMEOUT),
                             .selection = selection_new(ctx)};
    Fleet *fleet = cli_source(ctx, o, err);
    if (fleet == NULL ||
        !restore_point_make(ctx, fleet, &request, options_key(o), supervisor, &point, err))
        return EXIT_ERROR;
    print_point(o, &point);
    return cli_exit();
}

/* report/run_outcome.c - how a backup ended; the contract is in run_outcome.h. */
#include "report/run_outcome.h"

#include "base/clock.h"
#include "report/set_report.h"

const char *run_end_word(RunEnd end)
{
    static const char *const words[] = {"done", "warnings", "failed", "cancelled"};
    return words[end];
}

static json_t *optional(const char *text)
{
    return text == NULL || text[0] == '\0' ? json_null() : set_report_string(text);
}

static json_t *time_json(int64_t us)
{
    char iso[CLOCK_ISO_LEN];
    return json_string(clock_iso(iso, us));
}

static void add_set(json_t *object, const Manifest *m)
{
    json_t *set = json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:I}", "key", m->set.key, "tables",
                            (json_int_t) m->totals.tables, "rows", (json_int_t) m->totals.rows,
                            "bytes", (json_int_t) m->totals.logical, "stored",
                            (json_int_t) m->totals.stored, "cut", m->cut.method, "stall_us",
                            (json_int_t) m->cut.stall_us);
    json_object_update(object, set);
    json_decref(set);
}

static json_t *error_json(const Error *err)
{
    return json_pack("{s:s, s:o, s:o, s:o}", "code", error_code_name(err->code), "sqlstate",
                     optional(err->sqlstate), "node", optional(err->node), "message",
                     set_report_string(err->message));
}

json_t *run_outcome_json(const RunOutcome *o)
{
    const char *fleet = o->manifest != NULL ? o->manifest->set.fleet : o->name;
    json_t *object = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:i, s:s, s:o}", "outcome",
                               run_end_word(o->end), "fleet", set_report_string(fleet), "prefix",
                               optional(o->prefix), "repository", optional(o->repo), "started_at",
                               time_json(o->started_us), "finished_at", time_json(o->finished_us),
                               "elapsed_ms", (json_int_t) ((o->finished_us - o->started_us) / 1000),
                               "warnings", o->warnings, "version", PGARK_VERSION, "options",
                               optional(o->asked));
    if (o->manifest != NULL)
        add_set(object, o->manifest);
    if (o->error != NULL)
        json_object_set_new(object, "error", error_json(o->error));
    return object;
}

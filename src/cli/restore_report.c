/* cli/restore_report.c - the report of a restore; the contract is in restore_report.h. */
#include "cli/restore_report.h"

#include "base/log.h"
#include "base/str.h"
#include "report/set_report.h"
#include "restore/filter.h"
#include "restore/outcome.h"

/* ---- one node ---- */

static json_t *outcome_json(const RestoreNode *n)
{
    size_t count;
    json_t *list = json_array();
    const OutcomeFailure *failures = outcome_failures(n->outcome, &count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:o, s:b, s:s, s:o}", "object",
                                              set_report_string(failures[i].object), "skipped",
                                              failures[i].skipped, "sqlstate", failures[i].sqlstate,
                                              "message", set_report_string(failures[i].message)));
    return list;
}

static json_t *texts_json(char *const *texts, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, set_report_string(texts[i]));
    return list;
}

/* before: what of the node's rows, bytes and definitions another run has restored. */
json_t *restore_report_node(const RestoreNode *n)
{
    return json_pack("{s:i, s:s, s:I, s:I, s:I, s:b, s:{s:I, s:I, s:I}, s:o, s:o, s:o}", "content",
                     n->record->content, "target", n->label, "rows", (json_int_t) n->rows, "bytes",
                     (json_int_t) n->logical, "definitions", (json_int_t) n->statements, "resumed",
                     (int) n->resumed, "before", "rows", (json_int_t) n->before.rows, "bytes",
                     (json_int_t) n->before.logical, "definitions",
                     (json_int_t) n->before.statements, "failures", outcome_json(n), "left_out",
                     texts_json(n->filter->left_out, n->filter->left_out_count), "warnings",
                     texts_json(n->record->warnings, n->record->warning_count));
}

static uint64_t number(json_t *object, const char *field)
{
    return (uint64_t) json_integer_value(json_object_get(object, field));
}

static const char *text(json_t *object, const char *field)
{
    const char *value = json_string_value(json_object_get(object, field));
    return value == NULL ? "" : value;
}

/* Every failure is a line of the log, so that it is seen where only that is kept, too. */
void restore_report_warn(json_t *node)
{
    json_t *warnings = json_object_get(node, "warnings");
    json_t *failures = json_object_get(node, "failures");
    for (size_t i = 0; i < json_array_size(warnings); i++)
        log_warning("node %d: %s", (int) json_integer_value(json_object_get(node, "content")),
                    json_string_value(json_array_get(warnings, i)));
    for (size_t i = 0; i < json_array_size(failures); i++)
    {
        json_t *f = json_array_get(failures, i);
        const char *state = text(f, "sqlstate");
        log_warning("%s: %s %s: %s%s%s%s", text(node, "target"), text(f, "object"),
                    json_is_true(json_object_get(f, "skipped")) ? "was skipped" : "failed",
                    state[0] == '\0' ? "" : "SQLSTATE ", state, state[0] == '\0' ? "" : ", ",
                    text(f, "message"));
    }
}

/* ---- all ---- */

static void print_before(json_t *node)
{
    char bytes[STR_BYTES_LEN];
    json_t *before = json_object_get(node, "before");
    if (json_is_true(json_object_get(node, "resumed")))
        printf("            of them there before: %" PRIu64 " rows (%s) and %" PRIu64
               " definitions\n",
               number(before, "rows"), str_format_bytes(bytes, number(before, "bytes")),
               number(before, "definitions"));
}

static void print_outcome(json_t *node)
{
    json_t *failures = json_object_get(node, "failures");
    size_t count = json_array_size(failures);
    size_t skipped = 0;
    for (size_t i = 0; i < count; i++)
        skipped += json_is_true(json_object_get(json_array_get(failures, i), "skipped")) ? 1 : 0;
    if (count > 0)
        printf("            %zu failed and %zu skipped\n", count - skipped, skipped);
    if (json_array_size(json_object_get(node, "left_out")) > 0)
        printf("            %zu foreign keys left out\n",
               json_array_size(json_object_get(node, "left_out")));
}

static void print_text(const SetRecord *set, json_t *nodes, int64_t elapsed_ms)
{
    char bytes[STR_BYTES_LEN];
    char duration[STR_BYTES_LEN];
    char rate[STR_BYTES_LEN];
    uint64_t rows = 0;
    uint64_t logical = 0;
    printf("set         %s of fleet %s\n", set->key, set->fleet);
    for (size_t i = 0; i < json_array_size(nodes); i++)
    {
        json_t *n = json_array_get(nodes, i);
        json_t *before = json_object_get(n, "before");
        printf("node %-6d %" PRIu64 " rows (%s) and %" PRIu64 " definitions\n",
               (int) json_integer_value(json_object_get(n, "content")), number(n, "rows"),
               str_format_bytes(bytes, number(n, "bytes")), number(n, "definitions"));
        print_before(n);
        print_outcome(n);
        rows += number(n, "rows") - number(before, "rows");
        logical += number(n, "bytes") - number(before, "bytes");
    }
    int64_t ms = elapsed_ms < 1 ? 1 : elapsed_ms;
    printf("restored    %" PRIu64 " rows, %s in %s (%s/s), every chunk verified\n", rows,
           str_format_bytes(bytes, logical), str_format_duration(duration, ms),
           str_format_bytes(rate, logical * 1000 / (uint64_t) ms));
}

void restore_report_print(bool json, const SetRecord *set, json_t *nodes, int64_t elapsed_ms)
{
    if (json)
    {
        set_report_print(stdout, json_pack("{s:s, s:o, s:I, s:o}", "key", set->key, "fleet",
                                           set_report_string(set->fleet), "elapsed_ms",
                                           (json_int_t) elapsed_ms, "nodes", nodes));
        return;
    }
    print_text(set, nodes, elapsed_ms);
    json_decref(nodes);
}

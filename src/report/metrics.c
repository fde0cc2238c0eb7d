/* report/metrics.c - Prometheus's text format; the contract is in metrics.h. */
#include "report/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "report/set_report.h"

#define OLD_MAX ((size_t) 1024 * 1024)

typedef struct Metrics
{
    const RunOutcome *outcome;
    const char *old;    /* text of the file as it was, "" */
    const char *labels; /* {fleet="...",prefix="..."} without the last brace */
    Str *out;
} Metrics;

/* A label's value: a backslash before \ and ", \n for a newline. */
static void add_value(Str *s, const char *value)
{
    json_t *string = set_report_string(value);
    for (const char *p = json_string_value(string); *p != '\0'; p++)
    {
        if (*p == '\\' || *p == '"')
            str_addc(s, '\\');
        if (*p == '\n')
            str_add(s, "\\n");
        else
            str_addc(s, *p);
    }
    json_decref(string);
}

static void add_family(Metrics *m, const char *name, const char *help)
{
    str_addf(m->out, "# HELP pgark_backup_%s %s\n# TYPE pgark_backup_%s gauge\n", name, help, name);
}

static void add_number(Metrics *m, const char *name, const char *help, double value)
{
    add_family(m, name, help);
    str_addf(m->out, "pgark_backup_%s%s} %.17g\n", name, m->labels, value);
}

/* What the old file says of a metric with our labels; false: nothing. */
static bool old_value(const Metrics *m, const char *name, double *ret)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "metric");
    const char *line = mem_printf(ctx, "pgark_backup_%s%s} ", name, m->labels);
    const char *at = m->old;
    while ((at = strstr(at, line)) != NULL && at != m->old && at[-1] != '\n')
        at++;
    if (at == NULL)
        return false;
    char *end;
    at += strlen(line);
    *ret = strtod(at, &end);
    return end > at && *end == '\n' && isfinite(*ret);
}

/* Of the last run that made a set: this one, or that of which the old file tells. */
static void add_success(Metrics *m, const char *name, const char *help, double value)
{
    if (run_has_set(m->outcome) || old_value(m, name, &value))
        add_number(m, name, help, value);
}

static double seconds(int64_t us)
{
    return (double) us / 1000000.0;
}

static void add_last_run(Metrics *m)
{
    const RunOutcome *o = m->outcome;
    add_number(m, "last_run_timestamp_seconds", "When the last run ended.",
               seconds(o->finished_us));
    add_number(m, "last_run_duration_seconds", "How long the last run took.",
               seconds(o->finished_us - o->started_us));
    add_number(m, "last_run_warnings", "What the last run warned about.", o->warnings);
    add_family(m, "last_run_outcome", "How the last run ended: 1 for one of its outcomes.");
    for (int end = 0; end < RUN_END_COUNT; end++)
        str_addf(m->out, "pgark_backup_last_run_outcome%s,outcome=\"%s\"} %d\n", m->labels,
                 run_end_word((RunEnd) end), o->end == (RunEnd) end ? 1 : 0);
}

static void add_last_success(Metrics *m)
{
    static const Manifest none = {.node_count = 0};
    const RunOutcome *o = m->outcome;
    const Manifest *set = o->manifest != NULL ? o->manifest : &none;
    add_success(m, "last_success_timestamp_seconds", "When the last set was finished.",
                seconds(o->finished_us));
    add_success(m, "last_success_duration_seconds", "How long the last set took.",
                seconds(o->finished_us - o->started_us));
    add_success(m, "last_success_tables", "Tables in the last set.", (double) set->totals.tables);
    add_success(m, "last_success_rows", "Rows in the last set.", (double) set->totals.rows);
    add_success(m, "last_success_bytes", "Bytes of COPY data in the last set.",
                (double) set->totals.logical);
    add_success(m, "last_success_stored_bytes", "Bytes that the last set takes in the repository.",
                (double) set->totals.stored);
    add_success(m, "last_success_cut_window_seconds", "How long the search for the last cut took.",
                seconds(set->cut.window_us));
    add_success(m, "last_success_cut_stall_seconds",
                "How long writers were stalled by the last cut, at most.",
                seconds(set->cut.stall_us));
}

static void add_node_labels(Metrics *m, const char *name, const RunNode *n)
{
    str_addf(m->out, "pgark_backup_%s%s,node=\"%d\",database=\"", name, m->labels, n->content);
    add_value(m->out, n->database);
    str_addc(m->out, '"');
}

static void add_nodes(Metrics *m)
{
    const RunOutcome *o = m->outcome;
    if (o->node_count == 0)
        return;
    add_family(m, "node_outcome", "How the last run ended for a database of a node.");
    for (size_t i = 0; i < o->node_count; i++)
    {
        for (int end = 0; end < RUN_END_COUNT; end++)
        {
            add_node_labels(m, "node_outcome", &o->nodes[i]);
            str_addf(m->out, ",outcome=\"%s\"} %d\n", run_end_word((RunEnd) end),
                     o->nodes[i].end == (RunEnd) end ? 1 : 0);
        }
    }
    if (!run_has_set(o))
        return;
    add_family(m, "node_rows", "Rows of a database of a node in the last set.");
    for (size_t i = 0; i < o->node_count; i++)
    {
        add_node_labels(m, "node_rows", &o->nodes[i]);
        str_addf(m->out, "} %" PRIu64 "\n", o->nodes[i].rows);
    }
    add_family(m, "node_stored_bytes", "Bytes of a database of a node in the repository.");
    for (size_t i = 0; i < o->node_count; i++)
    {
        add_node_labels(m, "node_stored_bytes", &o->nodes[i]);
        str_addf(m->out, "} %" PRIu64 "\n", o->nodes[i].stored);
    }
}

/* ---- the file ---- */

static char *directory_of(void *ctx, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return mem_strdup(ctx, ".");
    return slash == path ? mem_strdup(ctx, "/") : mem_strndup(ctx, path, (size_t) (slash - path));
}

bool metrics_check(const char *path, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "metrics");
    struct stat info;
    const char *dir = directory_of(ctx, path);
    if (path[strlen(path) - 1] == '/' || (stat(path, &info) == 0 && !S_ISREG(info.st_mode)))
        return error_set(err, ERR_USAGE, "--metrics-file: \"%s\" is not a file", path);
    if (access(dir, W_OK | X_OK) != 0)
        return error_errno(err, ERR_USAGE, "--metrics-file: cannot write to directory \"%s\"", dir);
    return true;
}

/* What cannot be read counts as nothing: it is only about the past. */
static const char *read_old(void *ctx, const char *path)
{
    char *text = mem_array(ctx, char, OLD_MAX + 1);
    FILE *file = fopen(path, "re");
    size_t len = file == NULL ? 0 : fread(text, 1, OLD_MAX, file);
    if (file != NULL)
        fclose(file);
    text[len] = '\0';
    return text;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0)
    {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t) n;
    }
    return true;
}

static bool replace_file(void *ctx, const char *path, const Str *text, Error *err)
{
    const char *temp = mem_printf(ctx, "%s.%ld.tmp", path, (long) getpid());
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_errno(err, ERR_STORAGE, "cannot write \"%s\"", temp);
    bool ok = fchmod(fd, 0644) == 0 && write_all(fd, text->data, text->len) && fsync(fd) == 0;
    int failure = errno;
    ok = close(fd) == 0 && ok;
    if (ok && rename(temp, path) == 0)
        return true;
    errno = ok ? errno : failure;
    error_errno(err, ERR_STORAGE, "cannot write \"%s\"", path);
    unlink(temp);
    return false;
}

bool metrics_write(const char *path, const RunOutcome *outcome, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "metrics");
    Str *labels = str_new(ctx);
    Metrics m = {.outcome = outcome, .old = read_old(ctx, path), .out = str_new(ctx)};
    str_add(labels, "{fleet=\"");
    add_value(labels, outcome->name);
    str_add(labels, "\",prefix=\"");
    add_value(labels, outcome->prefix == NULL ? "" : outcome->prefix);
    str_addc(labels, '"');
    m.labels = labels->data;
    add_last_run(&m);
    add_last_success(&m);
    add_nodes(&m);
    return replace_file(ctx, path, m.out, err);
}

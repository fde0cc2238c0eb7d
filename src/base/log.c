/* base/log.c - standard error, log file, syslog, one line at a time; the contract is in log.h. */
#include "base/log.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_syslog.h"
#include "base/mem.h"

static struct
{
    LogLevel level;
    bool json;
    FILE *file; /* NULL: none */
    bool file_failed;
    bool syslog;
    pthread_mutex_t mutex;
    void (*before)(void *);
    void (*after)(void *);
    void *arg;
    LogSink *sink; /* NULL: standard error */
    void *sink_arg;
    atomic_int warnings;
} log_state = {.level = LOG_INFO, .mutex = PTHREAD_MUTEX_INITIALIZER};

static const char *const level_names[] = {"debug", "info", "warning", "error"};

void log_setup(LogLevel level, bool json)
{
    log_state.level = level;
    log_state.json = json;
}

void log_to_file(FILE *file)
{
    log_state.file = file;
}

bool log_to_syslog(const char *facility)
{
    log_state.syslog = log_syslog_open(facility);
    return log_state.syslog;
}

void log_redirect(LogSink *sink, void *arg)
{
    log_state.sink = sink;
    log_state.sink_arg = arg;
}

void log_hooks(void (*before)(void *), void (*after)(void *), void *arg)
{
    pthread_mutex_lock(&log_state.mutex);
    log_state.before = before;
    log_state.after = after;
    log_state.arg = arg;
    pthread_mutex_unlock(&log_state.mutex);
}

void log_lock(void)
{
    pthread_mutex_lock(&log_state.mutex);
}

void log_unlock(void)
{
    pthread_mutex_unlock(&log_state.mutex);
}

static void json_field(json_t *object, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    json_t *text = json_string(value);
    json_object_set_new(object, name, text != NULL ? text : json_string("(not UTF-8)"));
}

/* Below ctx, without a newline. */
static char *line_json(void *ctx, LogLevel level, const char *message, const Error *err)
{
    char iso[CLOCK_ISO_LEN];
    json_t *object = json_object();
    json_field(object, "time", clock_iso(iso, clock_wall_us()));
    json_field(object, "level", level_names[level]);
    json_field(object, "message", message);
    if (err != NULL)
    {
        json_field(object, "code", error_code_name(err->code));
        json_field(object, "sqlstate", err->sqlstate);
        json_field(object, "node", err->node);
        json_field(object, "hint", err->hint);
    }
    char *text = json_dumps(object, JSON_COMPACT);
    char *line = mem_strdup(ctx, text != NULL ? text : "");
    free(text);
    json_decref(object);
    return line;
}

/* "error: node 1: message", with what stands before the level on each line. */
static char *line_text(void *ctx, const char *before, LogLevel level, const char *message,
                       const Error *err)
{
    bool node = err != NULL && err->node[0] != '\0';
    bool hint = err != NULL && err->hint[0] != '\0';
    return mem_printf(ctx, "%s%s: %s%s%s%s%s%s%s", before, level_names[level],
                      node ? err->node : "", node ? ": " : "", message, hint ? "\n" : "",
                      hint ? before : "", hint ? "hint: " : "", hint ? err->hint : "");
}

static void to_sink(void *ctx, LogLevel level, const char *message, const Error *err)
{
    bool node = err != NULL && err->node[0] != '\0';
    log_state.sink(log_state.sink_arg, level,
                   node ? mem_printf(ctx, "%s: %s", err->node, message) : message);
    if (err != NULL && err->hint[0] != '\0')
        log_state.sink(log_state.sink_arg, level, mem_printf(ctx, "hint: %s", err->hint));
}

static void to_stderr(void *ctx, LogLevel level, const char *message, const Error *err)
{
    if (log_state.sink != NULL)
    {
        to_sink(ctx, level, message, err);
        return;
    }
    if (log_state.before != NULL)
        log_state.before(log_state.arg);
    fprintf(stderr, "%s\n",
            log_state.json ? line_json(ctx, level, message, err)
                           : line_text(ctx, "pgark: ", level, message, err));
    fflush(stderr);
    if (log_state.after != NULL)
        log_state.after(log_state.arg);
}

static void to_file(void *ctx, LogLevel level, const char *message, const Error *err)
{
    char iso[CLOCK_ISO_LEN];
    const char *before = mem_printf(ctx, "%s [%ld] ", clock_iso(iso, clock_wall_us()),
                                    (long) getpid());
    fprintf(log_state.file, "%s\n",
            log_state.json ? line_json(ctx, level, message, err)
                           : line_text(ctx, before, level, message, err));
    /* A log on a full disk is no reason to end a backup; but somebody has to know. */
    if (fflush(log_state.file) == 0 || log_state.file_failed)
        return;
    log_state.file_failed = true;
    log_count_warning();
    to_stderr(ctx, LOG_WARNING, "the log file cannot be written any more", NULL);
}

static void log_emit(LogLevel level, bool record_only, const char *message, const Error *err)
{
    LogLevel recorded = log_state.level < LOG_INFO ? log_state.level : LOG_INFO;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "log line");
    pthread_mutex_lock(&log_state.mutex);
    if (level >= log_state.level && !record_only)
        to_stderr(ctx, level, message, err);
    if (level >= recorded && log_state.file != NULL)
        to_file(ctx, level, message, err);
    if (level >= recorded && log_state.syslog)
        log_syslog_line((int) level, line_text(ctx, "", level, message, err));
    pthread_mutex_unlock(&log_state.mutex);
}

static bool is_wanted(LogLevel level)
{
    return level >= log_state.level ||
           (level >= LOG_INFO && (log_state.file != NULL || log_state.syslog));
}

static void log_args(LogLevel level, bool record_only, const char *fmt, va_list args)
{
    char message[4096];
    vsnprintf(message, sizeof(message), fmt, args);
    log_emit(level, record_only, message, NULL);
}

void log_message(LogLevel level, const char *fmt, ...)
{
    if (!is_wanted(level))
        return;
    va_list args;
    va_start(args, fmt);
    log_args(level, false, fmt, args);
    va_end(args);
}

void log_record(const char *fmt, ...)
{
    if (log_state.file == NULL && !log_state.syslog)
        return;
    va_list args;
    va_start(args, fmt);
    log_args(LOG_INFO, true, fmt, args);
    va_end(args);
}

void log_error_value(const Error *err)
{
    log_emit(LOG_ERROR, false, err->message, err);
    log_message(LOG_DEBUG, "the error was first seen at %s:%d", err->file ? err->file : "?",
                err->line);
}

void log_count_warning(void)
{
    atomic_fetch_add(&log_state.warnings, 1);
}

int log_warnings(void)
{
    return atomic_load(&log_state.warnings);
}

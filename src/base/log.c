/* base/log.c - standard error, one line at a time; the contract is in log.h. */
#include "base/log.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"

static struct
{
    LogLevel level;
    bool json;
    pthread_mutex_t mutex;
    void (*before)(void *);
    void (*after)(void *);
    void *arg;
    atomic_int warnings;
} log_state = {.level = LOG_INFO, .mutex = PTHREAD_MUTEX_INITIALIZER};

static const char *const level_names[] = {"debug", "info", "warning", "error"};

void log_setup(LogLevel level, bool json)
{
    log_state.level = level;
    log_state.json = json;
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

static void log_line_json(LogLevel level, const char *message, const Error *err)
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
    if (text != NULL)
        fprintf(stderr, "%s\n", text);
    free(text);
    json_decref(object);
}

static void log_line_text(LogLevel level, const char *message, const Error *err)
{
    if (err != NULL && err->node[0] != '\0')
        fprintf(stderr, "pgark: %s: %s: %s\n", level_names[level], err->node, message);
    else
        fprintf(stderr, "pgark: %s: %s\n", level_names[level], message);
    if (err != NULL && err->hint[0] != '\0')
        fprintf(stderr, "pgark: hint: %s\n", err->hint);
}

static void log_emit(LogLevel level, const char *message, const Error *err)
{
    pthread_mutex_lock(&log_state.mutex);
    if (log_state.before != NULL)
        log_state.before(log_state.arg);
    if (log_state.json)
        log_line_json(level, message, err);
    else
        log_line_text(level, message, err);
    fflush(stderr);
    if (log_state.after != NULL)
        log_state.after(log_state.arg);
    pthread_mutex_unlock(&log_state.mutex);
}

void log_message(LogLevel level, const char *fmt, ...)
{
    if (level < log_state.level)
        return;
    char message[4096];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    log_emit(level, message, NULL);
}

void log_error_value(const Error *err)
{
    log_emit(LOG_ERROR, err->message, err);
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

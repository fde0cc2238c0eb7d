/* compat/cron_log.c - the log in the old layout; the contract is in cron_log.h. */
#include "compat/cron_log.h"

#include <fcntl.h>
#include <pwd.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "compat/dump_dir.h"

#define KEPT_MAX 32

typedef struct Kept
{
    LogLevel level;
    const char *text;
} Kept;

struct CronLog
{
    const char *who; /* "gpcrondump:db0:postgres" */
    bool quiet;
    int fd; /* -1: there is none yet */
    Kept kept[KEPT_MAX];
    size_t kept_count;
};

static const char *host_name(void *ctx)
{
    char host[256] = "localhost";
    if (gethostname(host, sizeof(host)) != 0)
        snprintf(host, sizeof(host), "localhost");
    host[sizeof(host) - 1] = '\0';
    return mem_strndup(ctx, host, strcspn(host, "."));
}

static const char *user_name(void *ctx)
{
    struct passwd entry;
    struct passwd *found = NULL;
    char buf[4096];
    if (getpwuid_r(geteuid(), &entry, buf, sizeof(buf), &found) == 0 && found != NULL)
        return mem_strdup(ctx, found->pw_name);
    return mem_printf(ctx, "%lu", (unsigned long) geteuid());
}

static struct tm local_time(void)
{
    time_t now = time(NULL);
    struct tm tm;
    localtime_r(&now, &tm);
    return tm;
}

static void write_text(const CronLog *log, LogLevel level, const char *text)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "line");
    struct tm tm = local_time();
    char when[32];
    strftime(when, sizeof(when), "%Y%m%d:%H:%M:%S", &tm);
    const char *line = mem_printf(ctx, "%s:%06ld %s-[%s]:-%s\n", when, (long) getpid(), log->who,
                                  names[level], text);
    /* There is nobody left to tell when both of these fail. */
    if (write(log->fd, line, strlen(line)) < 0 || !log->quiet)
    {
        fputs(line, stdout);
        fflush(stdout);
    }
}

static void write_line(void *arg, LogLevel level, const char *text)
{
    CronLog *log = arg;
    if (log->fd >= 0)
        write_text(log, level, text);
    else if (log->kept_count < KEPT_MAX)
        log->kept[log->kept_count++] = (Kept){.level = level, .text = mem_strdup(log, text)};
}

static const char *directory(void *ctx, const CronLogRequest *request)
{
    const char *home = getenv("HOME");
    struct passwd entry;
    struct passwd *found = NULL;
    char buf[4096];
    if (request->dir != NULL)
        return request->dir;
    if (home == NULL && getpwuid_r(geteuid(), &entry, buf, sizeof(buf), &found) == 0 &&
        found != NULL)
        home = found->pw_dir;
    return mem_printf(ctx, "%s/gpAdminLogs", home == NULL ? "." : home);
}

CronLog *cron_log_new(void *ctx)
{
    CronLog *log = mem_new(ctx, CronLog);
    log->fd = -1;
    log_setup(LOG_INFO, false);
    log_redirect(write_line, log);
    return log;
}

bool cron_log_begin(CronLog *log, const CronLogRequest *request, Error *err)
{
    struct tm tm = local_time();
    char day[16];
    const char *dir = directory(log, request);
    strftime(day, sizeof(day), "%Y%m%d", &tm);
    if (!dump_dir_make(dir, err))
        return error_prefix(err, "log file");
    const char *path = mem_printf(log, "%s/%s_%s.log", dir, request->program, day);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return error_errno(err, ERR_USAGE, "cannot write the log file \"%s\"", path);
    log->who = mem_printf(log, "%s:%s:%s", request->program, host_name(log), user_name(log));
    log->quiet = request->quiet;
    log->fd = fd;
    log_setup(request->verbose ? LOG_DEBUG : LOG_INFO, false);
    log_info("Starting %s with args:%s", request->program, request->args);
    for (size_t i = 0; i < log->kept_count; i++)
        log_message(log->kept[i].level, "%s", log->kept[i].text);
    return true;
}

void cron_log_end(CronLog *log)
{
    log_redirect(NULL, NULL);
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}

void cron_log_notice(const char *fmt, ...)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "notice");
    va_list args;
    va_start(args, fmt);
    char *text = mem_check(talloc_vasprintf(ctx, fmt, args));
    va_end(args);
    log_message(LOG_WARNING, "%s", text);
}

/* report/log_files.c - a log file for each run; the contract is in log_files.h. */
#include "report/log_files.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "repo/repo.h"

#define DAY_S INT64_C(86400)
#define STEM  "pgark-"

typedef struct Rotation
{
    void *ctx;
    int64_t oldest_s; /* what is from before this goes */
    char **names;
    size_t count, capacity;
} Rotation;

/* "pgark-COMMAND-KEY-PID.log": the seconds of KEY, -1: the name is none of ours. */
static int64_t time_of(const char *name)
{
    char key[SET_KEY_LEN];
    size_t len = strlen(name);
    if (strncmp(name, STEM, strlen(STEM)) != 0)
        return -1;
    const char *command = name + strlen(STEM);
    size_t letters = strspn(command, "abcdefghijklmnopqrstuvwxyz");
    const char *time = command + letters + 1;
    if (letters == 0 || command[letters] != '-' || len < SET_KEY_LEN + (size_t) (time - name) ||
        time[SET_KEY_LEN - 1] != '-')
        return -1;
    const char *pid = time + SET_KEY_LEN;
    size_t digits = strspn(pid, "0123456789");
    memcpy(key, time, SET_KEY_LEN - 1);
    key[SET_KEY_LEN - 1] = '\0';
    return digits > 0 && strcmp(pid + digits, ".log") == 0 ? repo_key_seconds(key) : -1;
}

static bool note_old(void *arg, const char *name, const StorageInfo *info, Error *err)
{
    Rotation *r = arg;
    int64_t seconds = time_of(name);
    (void) err;
    if (info->kind == STORAGE_FILE && seconds >= 0 && seconds < r->oldest_s)
        *mem_push(r->ctx, r->names, r->count, r->capacity, char *) = mem_strdup(r->ctx, name);
    return true;
}

static bool remove_old(void *ctx, const char *dir, int keep_days, Error *err)
{
    Storage *st = storage_open(ctx, dir, err);
    StorageInfo info;
    Rotation r = {.ctx = ctx, .oldest_s = clock_wall_us() / 1000000 - keep_days * DAY_S};
    if (st == NULL || !storage_stat(st, "", &info, err))
        return false;
    if (info.kind != STORAGE_DIR)
        return error_set(err, ERR_USAGE, "\"%s\" is not a directory", dir);
    if (!storage_list(st, "", note_old, &r, err))
        return false;
    for (size_t i = 0; i < r.count; i++)
    {
        Error why = ERROR_INIT;
        if (!storage_remove(st, r.names[i], &why))
            log_warning("the old log file stays: %s", why.message);
    }
    return true;
}

FILE *log_files_begin(const char *dir, const char *command, int keep_days, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "log files");
    char key[SET_KEY_LEN];
    if (!remove_old(ctx, dir, keep_days, err))
    {
        error_prefix(err, "--log-dir");
        return NULL;
    }
    repo_key_from_seconds(key, clock_wall_us() / 1000000);
    const char *path = mem_printf(ctx, "%s/" STEM "%s-%s-%ld.log", dir, command, key,
                                  (long) getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "a");
    if (file == NULL)
    {
        error_errno(err, ERR_USAGE, "--log-dir: cannot make the log file \"%s\"", path);
        if (fd >= 0)
            close(fd);
    }
    return file;
}

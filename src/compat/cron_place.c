/* compat/cron_place.c - directories and server; the contract is in cron_place.h. */
#include "compat/cron_place.h"

#include <stdio.h>

#include "base/str.h"

#define PID_FILE_PORT   4 /* lines of postmaster.pid */
#define PID_FILE_SOCKET 5

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value != NULL && value[0] != '\0';
}

/* A server that does not run has no such file; then the error is that of the connection. */
static void read_pid_file(void *ctx, const char *data_dir, CronPlace *place)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "pid file");
    FILE *file = fopen(mem_printf(tmp, "%s/postmaster.pid", data_dir), "re");
    char line[1024];
    if (file == NULL)
        return;
    for (int i = 1; i <= PID_FILE_SOCKET && fgets(line, (int) sizeof(line), file) != NULL; i++)
    {
        line[strcspn(line, "\r\n")] = '\0';
        if (i == PID_FILE_PORT && line[0] != '\0')
            place->port = mem_strdup(ctx, line);
        if (i == PID_FILE_SOCKET && line[0] == '/')
            place->host = mem_strdup(ctx, line);
    }
    fclose(file);
}

/* %% in the place of %, which begins a pattern there. */
static char *as_repo(void *ctx, const char *path)
{
    Str *s = str_new(ctx);
    for (const char *c = path; *c != '\0'; c++)
    {
        if (*c == '%')
            str_addc(s, '%');
        str_addc(s, *c);
    }
    return s->data;
}

bool cron_place_find(void *ctx, const char *dir, const char *data_dir, CronPlace *ret, Error *err)
{
    *ret = (CronPlace){.dir = dir};
    if (data_dir == NULL && is_set("MASTER_DATA_DIRECTORY"))
        data_dir = getenv("MASTER_DATA_DIRECTORY");
    if (dir == NULL)
        ret->dir = data_dir;
    if (ret->dir == NULL)
    {
        error_set(err, ERR_USAGE, "where do the dumps lie?");
        return error_hint(err, "Name a directory by -u, or the server's data directory by -d or in "
                               "MASTER_DATA_DIRECTORY.");
    }
    if (data_dir != NULL && !is_set("PGHOST") && !is_set("PGPORT") && !is_set("PGSERVICE"))
        read_pid_file(ctx, data_dir, ret);
    ret->repo_dir = mem_printf(ctx, "%s/%s", ret->dir, CRON_DUMPS);
    ret->repo = as_repo(ctx, ret->repo_dir);
    return true;
}

static void add_quoted(Str *s, const char *name, const char *value)
{
    if (value == NULL)
        return;
    str_addf(s, "%s%s='", s->len > 0 ? " " : "", name);
    for (const char *c = value; *c != '\0'; c++)
    {
        if (*c == '\'' || *c == '\\')
            str_addc(s, '\\');
        str_addc(s, *c);
    }
    str_addc(s, '\'');
}

char *cron_place_conninfo(void *ctx, const CronPlace *place, const char *database)
{
    Str *s = str_new(ctx);
    add_quoted(s, "dbname", database);
    add_quoted(s, "host", place->host);
    add_quoted(s, "port", place->port);
    return s->data;
}

char *cron_place_day(void *ctx, const CronPlace *place, const char *key)
{
    return mem_printf(ctx, "%s/%.8s", place->repo_dir, key);
}

char *cron_place_beside(void *ctx, const CronPlace *place, const char *key, const char *name)
{
    return mem_printf(ctx, "%s/%.8s/%s", place->repo_dir, key, name);
}

char *cron_place_name(void *ctx, const char *prefix, const char *key, const char *suffix)
{
    return mem_printf(ctx, "%sgp_dump_%s%s", prefix, key, suffix);
}

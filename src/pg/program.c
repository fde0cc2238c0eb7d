/* pg/program.c - PostgreSQL's own programs; the contract is in program.h. */
#include "pg/program.h"

#include <ctype.h>
#include <unistd.h>

#include "base/proc.h"

#define NEWEST_MAJOR 40

typedef struct VersionText
{
    char text[128];
    size_t len;
} VersionText;

static bool take_version(void *arg, const void *data, size_t len, Error *err)
{
    VersionText *version = arg;
    (void) err;
    size_t room = sizeof(version->text) - 1 - version->len;
    size_t n = len < room ? len : room;
    memcpy(version->text + version->len, data, n);
    version->len += n;
    version->text[version->len] = '\0';
    return true;
}

/* "pg_dump (PostgreSQL) 15.20 (Debian ...)" or "... 18beta1" */
static bool program_major(const char *path, const Cancel *cancel, int *ret_major, Error *err)
{
    VersionText version = {.len = 0};
    const char *const argv[] = {path, "--version", NULL};
    ProcSpec spec = {.argv = argv, .on_stdout = take_version, .arg = &version, .cancel = cancel};
    if (!proc_run(&spec, err))
        return false;
    const char *p = strchr(version.text, ')');
    while (p != NULL && *p != '\0' && !isdigit((unsigned char) *p))
        p++;
    *ret_major = p == NULL ? 0 : atoi(p);
    if (*ret_major == 0)
        return error_set(err, ERR_PROGRAM, "could not understand the version of \"%s\"", path);
    return true;
}

static char *packaged(void *ctx, const char *name, int major)
{
    static const char *const dirs[] = {"/usr/lib/postgresql/%d/bin/%s", "/usr/pgsql-%d/bin/%s"};
    for (size_t i = 0; i < LENGTH_OF(dirs); i++)
    {
        char path[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(path, sizeof(path), dirs[i], major, name);
#pragma GCC diagnostic pop
        if (access(path, X_OK) == 0)
            return mem_strdup(ctx, path);
    }
    return NULL;
}

static bool too_old(const char *path, int major, int server_major, Error *err)
{
    error_set(err, ERR_PROGRAM, "\"%s\" is version %d, too old for a server of version %d", path,
              major, server_major);
    return error_hint(err,
                      "Install the client programs of PostgreSQL %d, or name them with "
                      "--pg-dump.",
                      server_major);
}

bool pg_program_find(void *ctx, const char *name, const char *user_path, int server_major,
                     const Cancel *cancel, PgProgram *ret, Error *err)
{
    memset(ret, 0, sizeof(*ret));
    if (user_path == NULL)
        ret->path = packaged(ctx, name, server_major);
    if (ret->path != NULL)
    {
        ret->major = server_major;
        return true;
    }
    const char *candidate = user_path != NULL ? user_path : name;
    Error found = ERROR_INIT;
    if (program_major(candidate, cancel, &ret->major, &found) && ret->major >= server_major)
    {
        ret->path = mem_strdup(ctx, candidate);
        return true;
    }
    for (int major = server_major + 1; user_path == NULL && major < NEWEST_MAJOR; major++)
    {
        ret->path = packaged(ctx, name, major);
        ret->major = major;
        if (ret->path != NULL)
            return true;
    }
    if (!error_is_set(&found))
        return too_old(candidate, ret->major, server_major, err);
    *err = found;
    return error_hint(err,
                      "Install the PostgreSQL client programs, or name pg_dump with --pg-dump.");
}

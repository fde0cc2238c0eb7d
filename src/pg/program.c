/* pg/program.c - PostgreSQL's own programs; the contract is in program.h. */
#include "pg/program.h"

#include <ctype.h>
#include <unistd.h>

#include "base/proc.h"

#define NEWEST_MAJOR 40

/* What a program has written, as much of it as is looked at. */
typedef struct OutputText
{
    char text[16384];
    size_t len;
} OutputText;

static bool take_output(void *arg, const void *data, size_t len, Error *err)
{
    OutputText *output = arg;
    (void) err;
    size_t room = sizeof(output->text) - 1 - output->len;
    size_t n = len < room ? len : room;
    memcpy(output->text + output->len, data, n);
    output->len += n;
    output->text[output->len] = '\0';
    return true;
}

static bool run(const char *path, const char *option, const Cancel *cancel, OutputText *output,
                Error *err)
{
    const char *const argv[] = {path, option, NULL};
    const char *const env[] = {"LC_ALL=C", NULL};
    ProcSpec spec = {
        .argv = argv, .env = env, .on_stdout = take_output, .arg = output, .cancel = cancel};
    output->len = 0;
    output->text[0] = '\0';
    return proc_run(&spec, err);
}

/* "pg_dump (PostgreSQL) 15.20 (Debian ...)" or "... 18beta1" or "... 9.4.26" */
static bool read_version(const char *path, const Cancel *cancel, PgProgram *ret, Error *err)
{
    OutputText version;
    if (!run(path, "--version", cancel, &version, err))
        return false;
    const char *p = strchr(version.text, ')');
    while (p != NULL && *p != '\0' && !isdigit((unsigned char) *p))
        p++;
    ret->major = p == NULL ? 0 : atoi(p);
    if (ret->major == 0)
        return error_set(err, ERR_PROGRAM, "could not understand the version of \"%s\"", path);
    const char *minor = p + strspn(p, "0123456789");
    ret->snapshots = ret->major >= 10 || (ret->major == 9 && *minor == '.' && atoi(minor + 1) >= 5);
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
        ret->snapshots = true;
        return true;
    }
    const char *candidate = user_path != NULL ? user_path : name;
    Error found = ERROR_INIT;
    if (read_version(candidate, cancel, ret, &found) && ret->major >= server_major)
    {
        ret->path = mem_strdup(ctx, candidate);
        return true;
    }
    for (int major = server_major + 1; user_path == NULL && major < NEWEST_MAJOR; major++)
    {
        ret->path = packaged(ctx, name, major);
        if (ret->path == NULL)
            continue;
        ret->major = major;
        ret->snapshots = true;
        return true;
    }
    if (!error_is_set(&found))
        return too_old(candidate, ret->major, server_major, err);
    *err = found;
    return error_hint(err,
                      "Install the PostgreSQL client programs, or name pg_dump with --pg-dump.");
}

/* ---- Greenplum's ---- */

static bool check_greenplum(const char *path, int server_major, const Cancel *cancel,
                            PgProgram *ret, Error *err)
{
    OutputText help;
    if (!read_version(path, cancel, ret, err) || !run(path, "--help", cancel, &help, err))
        return false;
    if (strstr(help.text, "--gp-syntax") == NULL)
        return error_set(err, ERR_PROGRAM,
                         "\"%s\" is PostgreSQL's own, which loses how tables are distributed and "
                         "partitioned",
                         path);
    return ret->major == server_major ||
           error_set(err, ERR_PROGRAM, "\"%s\" is version %d, the server %d", path, ret->major,
                     server_major);
}

/* Where Greenplum's own are, by what its greenplum_path.sh sets. */
#define CANDIDATES_MAX 2
static size_t list_candidates(void *ctx, const char *name, const char *user_path,
                              const char *candidates[CANDIDATES_MAX])
{
    const char *home = getenv("GPHOME");
    size_t count = 0;
    if (user_path == NULL && home != NULL && home[0] != '\0')
        candidates[count++] = mem_printf(ctx, "%s/bin/%s", home, name);
    candidates[count++] = user_path != NULL ? user_path : name;
    return count;
}

bool pg_program_find_greenplum(void *ctx, const char *name, const char *user_path, int server_major,
                               const Cancel *cancel, PgProgram *ret, Error *err)
{
    const char *candidates[CANDIDATES_MAX];
    size_t count = list_candidates(ctx, name, user_path, candidates);
    memset(ret, 0, sizeof(*ret));
    Error found = ERROR_INIT;
    for (size_t i = 0; i < count; i++)
    {
        error_clear(&found);
        if (check_greenplum(candidates[i], server_major, cancel, ret, &found))
        {
            ret->path = mem_strdup(ctx, candidates[i]);
            return true;
        }
    }
    *err = found;
    return error_hint(err, "Name the %s that came with the server by --pg-dump, or set GPHOME.",
                      strcmp(name, "pg_dump") == 0 ? "pg_dump" : "pg_dump beside which it is");
}

/* "postgres (Greenplum Database) 6.24.3 build ..." */
static bool check_greenplum_server(const char *path, int major, const Cancel *cancel, Error *err)
{
    static const char product[] = "(Greenplum Database) ";
    OutputText version;
    if (!run(path, "--gp-version", cancel, &version, err))
        return false;
    const char *p = strstr(version.text, product);
    return (p != NULL && atoi(p + strlen(product)) == major) ||
           error_set(err, ERR_PROGRAM, "\"%s\" is not of Greenplum %d", path, major);
}

char *pg_program_find_greenplum_server(void *ctx, const char *name, int major, const Cancel *cancel,
                                       Error *err)
{
    const char *candidates[CANDIDATES_MAX];
    size_t count = list_candidates(ctx, "postgres", NULL, candidates);
    for (size_t i = 0; i < count; i++)
    {
        error_clear(err);
        if (!check_greenplum_server(candidates[i], major, cancel, err))
            continue;
        const char *slash = strrchr(candidates[i], '/');
        int len = slash == NULL ? 0 : (int) (slash + 1 - candidates[i]);
        return mem_printf(ctx, "%.*s%s", len, candidates[i], name);
    }
    error_hint(err, "Set GPHOME, or PATH, to the programs of Greenplum %d on this host.", major);
    return NULL;
}

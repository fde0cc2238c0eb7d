/* compat/psql_run.c - the contract is in psql_run.h. */
#include "compat/psql_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/parallel.h"
#include "base/proc.h"
#include "base/random.h"
#include "base/str.h"
#include "io/compress.h"
#include "storage/storage.h"

#define BLOCK     ((size_t) 65536)
#define TAIL_LEN  256
#define TOKEN_LEN 33
#define OLDEST    11 /* whose variables say whether any statement failed */

/* ---- finding it ---- */

typedef struct Answer
{
    char text[128];
    size_t len;
} Answer;

static bool keep_answer(void *arg, const void *data, size_t len, Error *err UNUSED)
{
    Answer *a = arg;
    size_t room = sizeof(a->text) - 1 - a->len;
    size_t n = len < room ? len : room;
    memcpy(a->text + a->len, data, n);
    a->len += n;
    return true;
}

/* The minor releases from which on psql has \restrict. */
static bool knows_restrict(int major, int minor)
{
    static const int since[][2] = {{13, 22}, {14, 19}, {15, 14}, {16, 10}, {17, 6}};
    for (size_t i = 0; i < LENGTH_OF(since); i++)
    {
        if (major == since[i][0])
            return minor >= since[i][1];
    }
    return major >= 18;
}

/* "psql (PostgreSQL) 15.20 (Debian ...)", or "18beta1". */
static bool look_at_version(Psql *psql, const Cancel *cancel, Error *err)
{
    Answer answer = {.len = 0};
    const char *const argv[] = {psql->program.path, "--version", NULL};
    const ProcSpec spec = {
        .argv = argv, .on_stdout = keep_answer, .arg = &answer, .cancel = cancel};
    if (!proc_run(&spec, err))
        return false;
    const char *number = strpbrk(answer.text, "0123456789");
    const char *dot = number == NULL ? NULL : strchr(number, '.');
    int minor = dot == NULL ? 0 : (int) strtol(dot + 1, NULL, 10);
    psql->restricts = knows_restrict(number == NULL ? 0 : atoi(number), minor);
    return true;
}

bool psql_find(void *ctx, const PgConn *conn, bool must_restrict, const Cancel *cancel, Psql *ret,
               Error *err)
{
    int major = PQserverVersion(conn->raw) / 10000;
    Error ignored = ERROR_INIT;
    if (!pg_program_find(ctx, "psql", NULL, major < OLDEST ? OLDEST : major, cancel, &ret->program,
                         err) ||
        !look_at_version(ret, cancel, err))
        return false;
    const char *path = ret->program.path;
    /* A newer one will do as well. */
    while (
        must_restrict && !ret->restricts &&
        pg_program_find(ctx, "psql", NULL, ret->program.major + 1, cancel, &ret->program, &ignored))
    {
        if (!look_at_version(ret, cancel, err))
            return false;
    }
    if (ret->restricts || !must_restrict)
        return true;
    error_set(err, ERR_PROGRAM, "program \"%s\" lets scripts run its own commands", path);
    return error_hint(err, "Install a release that has \\restrict: 13.22, 14.19, 15.14, 16.10, "
                           "17.6, 18 or later.");
}

/* ---- feeding it ---- */

typedef struct Feed
{
    const PsqlRun *run;
    int in[2]; /* a pipe: its ends for psql and for us; the first is closed by proc_run */
    char token[TOKEN_LEN];
    bool gone; /* psql does not read any more */
    char tail[TAIL_LEN];
    size_t tail_len;
} Feed;

/* Blocks until psql takes it, cancellably. */
static bool send_bytes(void *arg, const void *data, size_t len, Error *err)
{
    Feed *f = arg;
    const char *pos = data;
    while (len > 0 && !f->gone)
    {
        struct pollfd fds[] = {{.fd = f->in[1], .events = POLLOUT},
                               {.fd = cancel_fd(f->run->cancel), .events = POLLIN}};
        if (poll(fds, LENGTH_OF(fds), -1) < 0 && errno != EINTR)
            return error_errno(err, ERR_INTERNAL, "could not wait for psql");
        if (!cancel_check(f->run->cancel, err))
            return false;
        ssize_t n = write(f->in[1], pos, len);
        if (n < 0 && errno == EPIPE)
            f->gone = true;
        else if (n < 0 && errno != EAGAIN && errno != EINTR)
            return error_errno(err, ERR_INTERNAL, "could not write to psql");
        if (n > 0)
        {
            pos += n;
            len -= (size_t) n;
        }
    }
    return true;
}

static bool send_text(Feed *f, const char *text, Error *err)
{
    return send_bytes(f, text, strlen(text), err);
}

static StorageReader *open_script(void *ctx, const PsqlRun *run, Error *err)
{
    const char *slash = strrchr(run->path, '/');
    const char *dir = slash == NULL ? "."
                      : slash == run->path
                          ? "/"
                          : mem_strndup(ctx, run->path, (size_t) (slash - run->path));
    Storage *st = storage_open(ctx, dir, err);
    return st == NULL
               ? NULL
               : storage_read_open(st, slash == NULL ? run->path : slash + 1, 0, UINT64_MAX, err);
}

static bool pump(const Feed *f, StorageReader *reader, IoStage *chain, void *block, Error *err)
{
    size_t n = 1;
    while (n > 0 && !f->gone)
    {
        if (!storage_read(reader, block, BLOCK, &n, err) || !io_write(chain, block, n, err))
            return false;
    }
    return f->gone || io_finish(chain, err);
}

static bool send_script(Feed *f, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "script");
    ScriptFilter filter = {
        .half = f->run->half, .tables = f->run->tables, .ctx = tmp, .sink = send_bytes, .arg = f};
    AUTO(storage_reader_free) StorageReader *reader = open_script(tmp, f->run, err);
    if (reader == NULL)
        return false;
    AUTO(io_free)
    IoStage *chain = io_decompress_new(f->run->gzip ? COMPRESS_GZIP : COMPRESS_NONE,
                                       io_sink_new(script_filter_write, &filter));
    return pump(f, reader, chain, mem_array(tmp, char, BLOCK), err) &&
           (f->gone || script_filter_finish(&filter, err));
}

/* The last line is psql's own: it is heard only where the script has come to its end. */
static bool send_all(Feed *f, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "commands");
    bool restricts = f->run->psql->restricts;
    const char *begin = restricts ? mem_printf(tmp, "\\restrict %s\n", f->token) : "";
    const char *end = restricts ? mem_printf(tmp, "\n\\unrestrict %s\n", f->token) : "\n";
    return send_text(f, begin, err) && send_script(f, err) && send_text(f, end, err) &&
           send_text(f, mem_printf(tmp, "\\echo %s :LAST_ERROR_SQLSTATE\n", f->token), err);
}

static bool feed(Feed *f, Error *err)
{
    bool ok = send_all(f, err);
    close(f->in[1]);
    return ok || error_prefix(err, "\"%s\"", f->run->path);
}

/* ---- hearing it ---- */

static bool keep_tail(void *arg, const void *data, size_t len, Error *err UNUSED)
{
    Feed *f = arg;
    const char *from = data;
    size_t n = len;
    if (n > TAIL_LEN - 1)
    {
        from += n - (TAIL_LEN - 1);
        n = TAIL_LEN - 1;
    }
    if (f->tail_len + n > TAIL_LEN - 1)
    {
        size_t drop = f->tail_len + n - (TAIL_LEN - 1);
        memmove(f->tail, f->tail + drop, f->tail_len - drop);
        f->tail_len -= drop;
    }
    memcpy(f->tail + f->tail_len, from, n);
    f->tail_len += n;
    f->tail[f->tail_len] = '\0';
    return true;
}

static bool hear(Feed *f, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "psql");
    const PsqlRun *run = f->run;
    const char *argv[] = {run->psql->program.path,
                          "-X",
                          "-q",
                          "-w",
                          "-o",
                          "/dev/null",
                          "-v",
                          run->go_on ? "ON_ERROR_STOP=0" : "ON_ERROR_STOP=1",
                          "-d",
                          run->dsn,
                          "-f",
                          "-",
                          NULL};
    const char *env[] = {
        "LC_ALL=C", run->password == NULL ? NULL : mem_printf(tmp, "PGPASSWORD=%s", run->password),
        NULL};
    const ProcSpec spec = {.argv = argv,
                           .env = env,
                           .on_stdout = keep_tail,
                           .arg = f,
                           .input = &f->in[0],
                           .errors = &run->errors,
                           .cancel = run->cancel};
    if (proc_run(&spec, err))
        return true;
    if (err->code == ERR_PROGRAM)
        err->code = ERR_QUERY;
    return error_prefix(err, "\"%s\"", run->path);
}

static bool do_half(void *arg, size_t i, Error *err)
{
    return i == 0 ? feed(arg, err) : hear(arg, err);
}

/* What failed where psql goes on ends nobody else's work. */
static bool judge(const Feed *f, Error *err)
{
    const char *last = strstr(f->tail, f->token);
    if (last == NULL)
        return error_set(err, ERR_CORRUPT, "\"%s\" ends too early: psql did not come to its end",
                         f->run->path);
    if (strncmp(last + strlen(f->token), " 00000", 6) == 0)
        return true;
    return error_set(err, ERR_QUERY, "\"%s\": some statements failed", f->run->path);
}

bool psql_run(const PsqlRun *run, Error *err)
{
    Feed f = {.run = run};
    if (!random_hex(f.token, (TOKEN_LEN - 1) / 2, err))
        return false;
    if (pipe2(f.in, O_CLOEXEC) != 0)
        return error_errno(err, ERR_INTERNAL, "could not create a pipe");
    fcntl(f.in[1], F_SETFL, O_NONBLOCK);
    return parallel_run(2, do_half, &f, run->cancel, err) && judge(&f, err);
}

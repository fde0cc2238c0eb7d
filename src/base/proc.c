/* base/proc.c - child programs; the contract is in proc.h. */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

/* What is kept of the child's stderr: what went wrong stands at the beginning or at the end. */
#define HEAD_KEEP     800
#define TAIL_KEEP     600
#define TERM_GRACE_MS 2000

extern char **environ;

typedef struct Child
{
    pid_t pid;
    int out;
    int err;
    char head[HEAD_KEEP];
    size_t head_len;
    char tail[TAIL_KEEP];
    size_t tail_len;
    bool omitted; /* there was more between head and tail */
} Child;

static const char **child_env(void *ctx, const char *const *extra)
{
    size_t ours = 0;
    size_t more = 0;
    while (environ[ours] != NULL)
        ours++;
    while (extra != NULL && extra[more] != NULL)
        more++;
    const char **env = mem_array(ctx, const char *, ours + more + 1);
    size_t n = 0;
    /* What is added comes first: getenv() in the child finds it before ours. */
    for (size_t i = 0; i < more; i++)
        env[n++] = extra[i];
    for (size_t i = 0; i < ours; i++)
    {
        bool replaced = false;
        size_t name = strcspn(environ[i], "=") + 1;
        for (size_t j = 0; j < more; j++)
            replaced = replaced || strncmp(environ[i], extra[j], name) == 0;
        if (!replaced)
            env[n++] = environ[i];
    }
    return env;
}

/* Runs in the child, between fork and exec: calls nothing that takes a lock, as another thread may
 * have held it at the fork. Returns only when the program could not be started. */
static void become(const ProcSpec *spec, const char **env, int out_w, int err_w, pid_t parent)
{
    struct sigaction defaults = {.sa_handler = SIG_DFL};
    sigset_t none;
    /* The child must not inherit our blocked signals: it could not be ended by SIGTERM. */
    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, &defaults, NULL);
    setpgid(0, 0); /* Ctrl-C on the terminal is ours to handle */
    /* Should we be killed, the child must not go on, with locks on a server. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int in = spec->input != NULL ? *spec->input : open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (in >= 0 && dup2(in, 0) == 0 && dup2(out_w, 1) == 1 && dup2(err_w, 2) == 2)
        execvpe(spec->argv[0], (char *const *) (uintptr_t) spec->argv,
                (char *const *) (uintptr_t) env);
}

/* Returns 0 or an errno. The child tells of a failed exec through a pipe that exec closes. */
static int spawn(Child *child, const ProcSpec *spec, int out_w, int err_w)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "child environment");
    const char **env = child_env(ctx, spec->env);
    int report[2];
    int failure = 0;
    if (pipe2(report, O_CLOEXEC) != 0)
        return errno;
    pid_t parent = getpid();
    child->pid = fork();
    if (child->pid == 0)
    {
        become(spec, env, out_w, err_w, parent);
        failure = errno;
        ssize_t n = write(report[1], &failure, sizeof(failure));
        _exit(n < 0 ? 126 : 127);
    }
    if (child->pid < 0)
        failure = errno;
    close(report[1]);
    ssize_t n = 0;
    while (child->pid > 0 && (n = read(report[0], &failure, sizeof(failure))) < 0 && errno == EINTR)
        ;
    close(report[0]);
    if (n > 0)
        waitpid(child->pid, NULL, 0);
    else if (child->pid > 0)
        failure = 0;
    return failure;
}

static void close_input(const ProcSpec *spec)
{
    if (spec->input != NULL)
        close(*spec->input);
}

static bool child_start(Child *child, const ProcSpec *spec, Error *err)
{
    int out[2] = {-1, -1};
    int errs[2] = {-1, -1};
    if (pipe2(out, O_CLOEXEC) != 0)
    {
        error_errno(err, ERR_INTERNAL, "could not create a pipe");
        close_input(spec);
        return false;
    }
    if (pipe2(errs, O_CLOEXEC) != 0)
    {
        close(out[0]);
        close(out[1]);
        close_input(spec);
        return error_errno(err, ERR_INTERNAL, "could not create a pipe");
    }
    int rc = spawn(child, spec, out[1], errs[1]);
    close(out[1]);
    close(errs[1]);
    close_input(spec);
    child->out = out[0];
    child->err = errs[0];
    if (rc == 0)
        return true;
    close(out[0]);
    close(errs[0]);
    errno = rc;
    return error_errno(err, rc == ENOENT ? ERR_NOT_FOUND : ERR_PROGRAM,
                       "could not run program \"%s\"", spec->argv[0]);
}

static void keep_stderr(Child *child, const char *data, size_t len)
{
    size_t room = HEAD_KEEP - child->head_len;
    size_t n = len < room ? len : room;
    memcpy(child->head + child->head_len, data, n);
    child->head_len += n;
    data += n;
    len -= n;
    if (len > TAIL_KEEP)
    {
        child->omitted = true;
        data += len - TAIL_KEEP;
        len = TAIL_KEEP;
    }
    if (child->tail_len + len > TAIL_KEEP)
    {
        size_t drop = child->tail_len + len - TAIL_KEEP;
        child->omitted = true;
        memmove(child->tail, child->tail + drop, child->tail_len - drop);
        child->tail_len -= drop;
    }
    memcpy(child->tail + child->tail_len, data, len);
    child->tail_len += len;
}

/* What was kept as one line in buf; returns buf. */
static char *stderr_line(const Child *child, char *buf, size_t size)
{
    char text[HEAD_KEEP + TAIL_KEEP + 8];
    int n = snprintf(text, sizeof(text), "%.*s%s%.*s", (int) child->head_len, child->head,
                     child->omitted ? " ... " : "", (int) child->tail_len, child->tail);
    while (n > 0 && text[n - 1] == '\n')
        text[--n] = '\0';
    return str_one_line(buf, size, text);
}

/* For poll(): until the deadline, -1: for ever. */
static int time_left(int64_t deadline_ms)
{
    int64_t left = deadline_ms - clock_ms();
    if (deadline_ms == 0)
        return -1;
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int) left;
}

static bool too_late(const ProcSpec *spec, Error *err)
{
    char time[STR_BYTES_LEN];
    return error_set(err, ERR_PROGRAM, "program \"%s\" did not end within %s", spec->argv[0],
                     str_format_duration(time, spec->timeout_ms));
}

/* Reads both pipes to their ends. false: cancelled, too late, or refused by on_stdout. */
static bool child_pump(Child *child, const ProcSpec *spec, int64_t deadline, char *buf, size_t size,
                       Error *err)
{
    while (child->out >= 0 || child->err >= 0)
    {
        struct pollfd fds[3] = {{.fd = child->out, .events = POLLIN},
                                {.fd = child->err, .events = POLLIN},
                                {.fd = cancel_fd(spec->cancel), .events = POLLIN}};
        if (poll(fds, 3, time_left(deadline)) < 0 && errno != EINTR)
            return error_errno(err, ERR_INTERNAL, "could not wait for \"%s\"", spec->argv[0]);
        if (!cancel_check(spec->cancel, err))
            return false;
        if (deadline != 0 && clock_ms() >= deadline)
            return too_late(spec, err);
        for (int i = 0; i < 2; i++)
        {
            if (fds[i].fd < 0 || fds[i].revents == 0)
                continue;
            ssize_t n = read(fds[i].fd, buf, size);
            if (n <= 0)
            {
                close(fds[i].fd);
                *(i == 0 ? &child->out : &child->err) = -1;
            }
            else if (i == 1)
            {
                keep_stderr(child, buf, (size_t) n);
                if (spec->errors != NULL && write(*spec->errors, buf, (size_t) n) != n)
                    return error_errno(err, ERR_STORAGE, "could not write down what \"%s\" said",
                                       spec->argv[0]);
            }
            else if (spec->on_stdout != NULL && !spec->on_stdout(spec->arg, buf, (size_t) n, err))
                return false;
        }
    }
    return true;
}

/* A program may close its outputs and live on. false: as of child_pump. */
static bool child_wait(const Child *child, const ProcSpec *spec, int64_t deadline, Error *err)
{
    int end = pidfd_open(child->pid, 0);
    bool waiting = end >= 0;
    bool ok = true;
    while (ok && waiting)
    {
        struct pollfd fds[2] = {{.fd = end, .events = POLLIN},
                                {.fd = cancel_fd(spec->cancel), .events = POLLIN}};
        int n = poll(fds, 2, time_left(deadline));
        if (n < 0 && errno != EINTR)
            ok = error_errno(err, ERR_INTERNAL, "could not wait for \"%s\"", spec->argv[0]);
        waiting = n <= 0 || fds[0].revents == 0;
        ok = ok && (!waiting || cancel_check(spec->cancel, err));
        if (ok && waiting && deadline != 0 && clock_ms() >= deadline)
            ok = too_late(spec, err);
    }
    if (end >= 0)
        close(end);
    return ok;
}

static int child_reap(Child *child, bool finished)
{
    int status = 0;
    if (!finished)
        kill(-child->pid, SIGTERM);
    int64_t deadline = clock_ms() + TERM_GRACE_MS;
    while (!finished && waitpid(child->pid, &status, WNOHANG) == 0)
    {
        if (clock_ms() > deadline)
        {
            kill(-child->pid, SIGKILL);
            break;
        }
        clock_sleep_ms(5);
    }
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (child->out >= 0)
        close(child->out);
    if (child->err >= 0)
        close(child->err);
    return status;
}

bool proc_run(const ProcSpec *spec, Error *err)
{
    Child child = {.out = -1, .err = -1};
    if (!child_start(&child, spec, err))
        return false;
    const size_t size = 65536;
    int64_t deadline = spec->timeout_ms == 0 ? 0 : clock_ms() + spec->timeout_ms;
    char *buf = mem_check(malloc(size));
    bool finished = child_pump(&child, spec, deadline, buf, size, err) &&
                    child_wait(&child, spec, deadline, err);
    free(buf);
    int status = child_reap(&child, finished);
    if (!finished || status == 0)
        return finished;
    char line[HEAD_KEEP + TAIL_KEEP + 8];
    if (WIFSIGNALED(status))
        return error_set(err, ERR_PROGRAM, "program \"%s\" was ended by signal %d", spec->argv[0],
                         WTERMSIG(status));
    stderr_line(&child, line, sizeof(line));
    return error_set(err, ERR_PROGRAM, "program \"%s\" failed with exit code %d%s%s", spec->argv[0],
                     WEXITSTATUS(status), line[0] != '\0' ? ": " : "", line);
}

/* base/proc.c - child programs; the contract is in proc.h. */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define STDERR_KEEP   1536
#define TERM_GRACE_MS 2000

extern char **environ;

typedef struct Child
{
    pid_t pid;
    int out;
    int err;
    char tail[STDERR_KEEP + 1]; /* the last bytes of stderr */
    size_t tail_len;
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

/* The child must not inherit our blocked signals: it could not be ended by SIGTERM. */
static int spawn(Child *child, const ProcSpec *spec, void *ctx, int out_w, int err_w)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    sigset_t defaults;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out_w, 1);
    posix_spawn_file_actions_adddup2(&actions, err_w, 2);
    posix_spawnattr_init(&attr);
    sigemptyset(&none);
    sigfillset(&defaults);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawnattr_setpgroup(&attr, 0); /* Ctrl-C on the terminal is ours to handle */
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETPGROUP);
    int rc = posix_spawnp(&child->pid, spec->argv[0], &actions, &attr,
                          (char *const *) (uintptr_t) spec->argv,
                          (char *const *) (uintptr_t) child_env(ctx, spec->env));
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return rc;
}

static bool child_start(Child *child, const ProcSpec *spec, Error *err)
{
    int out[2] = {-1, -1};
    int errs[2] = {-1, -1};
    if (pipe2(out, O_CLOEXEC) != 0)
        return error_errno(err, ERR_INTERNAL, "could not create a pipe");
    if (pipe2(errs, O_CLOEXEC) != 0)
    {
        close(out[0]);
        close(out[1]);
        return error_errno(err, ERR_INTERNAL, "could not create a pipe");
    }
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "child environment");
    int rc = spawn(child, spec, ctx, out[1], errs[1]);
    close(out[1]);
    close(errs[1]);
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

static void keep_tail(Child *child, const char *data, size_t len)
{
    if (len > STDERR_KEEP)
    {
        data += len - STDERR_KEEP;
        len = STDERR_KEEP;
    }
    if (child->tail_len + len > STDERR_KEEP)
    {
        size_t drop = child->tail_len + len - STDERR_KEEP;
        memmove(child->tail, child->tail + drop, child->tail_len - drop);
        child->tail_len -= drop;
    }
    memcpy(child->tail + child->tail_len, data, len);
    child->tail_len += len;
    child->tail[child->tail_len] = '\0';
}

/* Reads both pipes to their ends. false: cancelled or refused by on_stdout. */
static bool child_pump(Child *child, const ProcSpec *spec, char *buf, size_t size, Error *err)
{
    while (child->out >= 0 || child->err >= 0)
    {
        struct pollfd fds[3] = {{.fd = child->out, .events = POLLIN},
                                {.fd = child->err, .events = POLLIN},
                                {.fd = cancel_fd(spec->cancel), .events = POLLIN}};
        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            return error_errno(err, ERR_INTERNAL, "could not wait for \"%s\"", spec->argv[0]);
        if (!cancel_check(spec->cancel, err))
            return false;
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
                keep_tail(child, buf, (size_t) n);
            else if (spec->on_stdout != NULL && !spec->on_stdout(spec->arg, buf, (size_t) n, err))
                return false;
        }
    }
    return true;
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
    char *buf = mem_check(malloc(size));
    bool finished = child_pump(&child, spec, buf, size, err);
    free(buf);
    int status = child_reap(&child, finished);
    if (!finished || status == 0)
        return finished;
    while (child.tail_len > 0 && child.tail[child.tail_len - 1] == '\n')
        child.tail[--child.tail_len] = '\0';
    if (WIFSIGNALED(status))
        return error_set(err, ERR_PROGRAM, "program \"%s\" was ended by signal %d", spec->argv[0],
                         WTERMSIG(status));
    return error_set(err, ERR_PROGRAM, "program \"%s\" failed with exit code %d: %s", spec->argv[0],
                     WEXITSTATUS(status), child.tail);
}

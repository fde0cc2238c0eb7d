/*
 * extension/child.c - one program, from a server process; the contract is in pgark.h.
 *
 * A server process is a bad place to fork in: it has signal handlers, exit callbacks, hundreds of open
 * files, some of them without close-on-exec. So between fork and exec there are only calls that are safe
 * in a signal handler, with all signals blocked until none is handled any more, and _exit() where it
 * fails.
 */
#include "pgark.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libpq/libpq-be.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/pmsignal.h"
#if PG_VERSION_NUM >= 140000
#include "utils/wait_event.h"
#endif

#define TICK_MS   100  /* an interrupt also ends the wait at once, unless it comes just before it */
#define GRACE_MS  2500 /* from SIGTERM to SIGKILL */
#define READS_MAX 32
#define FILES_MAX 65536

typedef struct Child
{
    pid_t pid; /* 0: it has been waited for */
    int in;
    int out;
    int err;
    const char *input;
    size_t input_left;
    ChildResult *result;
    size_t last_len;
    bool last_ended; /* a newline came: what follows is a new line */
} Child;

/* ---- starting ---- */

/* What a child gets of an environment: where programs are, and the plainest of locales. */
static char *child_env[] = {NULL, "LC_ALL=C", "TZ=UTC", NULL};

static void close_all_but(int report)
{
    struct rlimit limit;
    int last = FILES_MAX;

    if (dup3(report, 3, O_CLOEXEC) != 3 && report != 3)
        _exit(127);
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 4u, ~0u, 0u) == 0)
        return;
#endif
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < FILES_MAX)
        last = (int) limit.rlim_cur;
    for (int fd = 4; fd < last; fd++)
        close(fd);
}

/* In the child. */
static void become(char *const *argv, int in, int out, int err, int report, pid_t parent)
{
    struct sigaction defaults;
    sigset_t none;

    memset(&defaults, 0, sizeof(defaults));
    defaults.sa_handler = SIG_DFL;
    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, &defaults, NULL);
    setsid();
    /* The server process may have died before this line: then nobody would send the signal. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127);
    umask(077);
    if (chdir("/") != 0)
        _exit(127);
    if (dup2(in, 0) != 0 || dup2(out, 1) != 1 || dup2(err, 2) != 2)
        _exit(127);
    close_all_but(report);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(argv[0], argv, child_env);
}

/* Above the standard descriptors: a server's may be closed, and dup2 in the child relies on it. */
static int raise_fd(int fd)
{
    int high = fd > 3 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 4);

    if (high != fd)
        close(fd);
    return high;
}

static void make_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) != 0)
        ereport(ERROR, (errcode_for_file_access(), errmsg("could not create a pipe: %m")));
    ends[0] = raise_fd(ends[0]);
    ends[1] = raise_fd(ends[1]);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void reap(Child *child)
{
    int status = 0;

    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    child->result->status = status;
    child->pid = 0;
}

/* The child tells of a failed exec through a pipe that exec closes. */
static void check_started(Child *child, const char *path, int report)
{
    int failure = 0;
    ssize_t n;

    while ((n = read(report, &failure, sizeof(failure))) < 0 && errno == EINTR)
        ;
    close(report);
    if (n <= 0)
        return;
    reap(child);
    errno = failure;
    ereport(ERROR, (errcode_for_file_access(), errmsg("could not start \"%s\": %m", path)));
}

static void start(Child *child, char *const *argv)
{
    int in[2];
    int out[2];
    int err[2];
    int report[2];
    sigset_t all;
    sigset_t before;
    pid_t parent = getpid();

    make_pipe(in);
    make_pipe(out);
    make_pipe(err);
    make_pipe(report);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    child->pid = fork();
    if (child->pid == 0)
    {
        int failure;
        ssize_t n;

        become(argv, in[0], out[1], err[1], report[1], parent);
        failure = errno;
        n = write(3, &failure, sizeof(failure));
        _exit(n < 0 ? 126 : 127);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    close(report[1]);
    child->in = in[1];
    child->out = out[0];
    child->err = err[0];
    if (child->pid < 0)
    {
        child->pid = 0;
        close(report[0]);
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES), errmsg("could not fork: %m")));
    }
    check_started(child, argv[0], report[0]);
    fcntl(child->in, F_SETFL, O_NONBLOCK);
    fcntl(child->out, F_SETFL, O_NONBLOCK);
    fcntl(child->err, F_SETFL, O_NONBLOCK);
}

/* ---- ending ---- */

static bool ended_within(Child *child, int ms)
{
    for (int waited = 0; waited <= ms; waited += 10)
    {
        int status = 0;

        if (waitpid(child->pid, &status, WNOHANG) == child->pid)
        {
            child->pid = 0;
            return true;
        }
        pg_usleep(10000L);
    }
    return false;
}

/* Also on the way out of this process, where nothing may raise an error. The program first learns that
 * nobody listens, then it is asked, then it is made to; it leads a group of its own. */
static void end_child(int code, Datum arg)
{
    Child *child = (Child *) DatumGetPointer(arg);

    close_fd(&child->in);
    if (child->pid > 0)
    {
        pid_t group = child->pid;

        kill(child->pid, SIGTERM);
        if (!ended_within(child, GRACE_MS))
        {
            kill(-group, SIGKILL);
            reap(child);
        }
    }
    close_fd(&child->out);
    close_fd(&child->err);
}

/* ---- waiting ---- */

static void write_input(Child *child)
{
    ssize_t n = write(child->in, child->input, child->input_left);

    if (n > 0)
    {
        child->input += n;
        child->input_left -= (size_t) n;
    }
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        child->input_left = 0; /* it does not want to know; how it ends will tell why */
}

static void keep_last(Child *child, const char *data, size_t len)
{
    char *last = child->result->last;

    for (size_t i = 0; i < len; i++)
    {
        if (data[i] == '\n')
        {
            child->last_ended = true;
            continue;
        }
        if (child->last_ended)
            child->last_len = 0;
        child->last_ended = false;
        if (child->last_len + 1 < sizeof(child->result->last))
            last[child->last_len++] = data[i];
        last[child->last_len] = '\0';
    }
}

/* Reads what there is; closes at the end. */
static void read_output(Child *child, int *fd)
{
    static char buffer[65536];
    ssize_t n = 0;

    /* Not for ever: who writes without end is interrupted all the same. A pipe holds less than this. */
    for (int i = 0; i < READS_MAX; i++)
    {
        n = read(*fd, buffer, sizeof(buffer));
        if (n <= 0)
            break;
        if (fd == &child->err)
            keep_last(child, buffer, (size_t) n);
        else if (child->result->out->len + n > CHILD_OUTPUT_MAX)
            ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                            errmsg("the agent says more than %d bytes", CHILD_OUTPUT_MAX)));
        else
            appendBinaryStringInfo(child->result->out, buffer, (int) n);
    }
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_fd(fd);
}

/* Whoever asked for the program is gone, and so is the reason to go on: no other part of the server
 * would look before the statement ends. */
static void check_client(void)
{
    struct pollfd fd = {.events = POLLRDHUP};

    if (!PostmasterIsAlive())
        ereport(FATAL, (errcode(ERRCODE_ADMIN_SHUTDOWN),
                        errmsg("terminating because the postmaster is gone")));
    if (MyProcPort == NULL)
        return;
    fd.fd = MyProcPort->sock;
    if (poll(&fd, 1, 0) > 0 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
        ereport(FATAL, (errcode(ERRCODE_CONNECTION_FAILURE), errmsg("connection to client lost")));
}

static bool has_ended(Child *child)
{
    int status = 0;

    if (child->pid == 0)
        return true;
    if (waitpid(child->pid, &status, WNOHANG) != child->pid)
        return false;
    child->result->status = status;
    child->pid = 0;
    return true;
}

static void wait_for_end(Child *child)
{
    while (!has_ended(child))
    {
        struct pollfd fds[3] = {{.fd = child->input_left > 0 ? child->in : -1, .events = POLLOUT},
                                {.fd = child->out, .events = POLLIN},
                                {.fd = child->err, .events = POLLIN}};

        CHECK_FOR_INTERRUPTS();
        check_client();
        /* With both closed it is about to end, or its children go on without it. */
        if (poll(fds, 3, child->out < 0 && child->err < 0 ? 5 : TICK_MS) <= 0)
            continue;
        if (fds[0].revents != 0)
            write_input(child);
        if (fds[1].revents != 0)
            read_output(child, &child->out);
        if (fds[2].revents != 0)
            read_output(child, &child->err);
    }
    if (child->out >= 0)
        read_output(child, &child->out);
    if (child->err >= 0)
        read_output(child, &child->err);
}

void child_run(char *const *argv, const char *input, size_t input_len, ChildResult *ret)
{
    Child child = {.in = -1, .out = -1, .err = -1, .input = input, .input_left = input_len};
    static char path[MAXPGPATH + 64];
    char *bin = pstrdup(my_exec_path);

    get_parent_directory(bin);
    snprintf(path, sizeof(path), "PATH=%s:/usr/local/bin:/usr/bin:/bin", bin);
    child_env[0] = path;
    memset(ret, 0, sizeof(*ret));
    ret->out = makeStringInfo();
    child.result = ret;
    PG_ENSURE_ERROR_CLEANUP(end_child, PointerGetDatum(&child));
    {
        start(&child, argv);
        pgstat_report_wait_start(PG_WAIT_EXTENSION);
        wait_for_end(&child);
        pgstat_report_wait_end();
    }
    PG_END_ENSURE_ERROR_CLEANUP(end_child, PointerGetDatum(&child));
    end_child(0, PointerGetDatum(&child));
}

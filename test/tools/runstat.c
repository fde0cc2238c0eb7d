/*
 * runstat.c - run a program and say what it took.
 *
 *   runstat RESULT-FILE PROGRAM [ARG]...
 *
 * Writes {"exit":0,"wall":1.234567,"user":...,"sys":...,"maxrss_kb":...} to RESULT-FILE and ends
 * with the program's exit code. maxrss_kb is the largest resident size of any one process of the
 * program's tree (getrusage(2)), own_rss_kb that of the program itself, and sum_rss_kb the largest sum
 * over the tree at one time; these two are looked at every 50 ms: a program of several processes needs
 * the sum to be compared with one of several threads. Shared pages count once per process there, which
 * is why the sum uses the proportional size.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TREE_MAX 512

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

static double seconds(struct timeval tv)
{
    return (double) tv.tv_sec + (double) tv.tv_usec / 1e6;
}

/* parent_of reads the fourth field of /proc/PID/stat: the name before it may hold anything but ends
 * with the last parenthesis. */
static long parent_of(long pid)
{
    char path[64];
    char text[1024];
    long parent = -1;
    char state;

    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return -1;
    size_t len = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[len] = '\0';
    const char *end = strrchr(text, ')');
    if (end == NULL || sscanf(end + 1, " %c %ld", &state, &parent) != 2)
        return -1;
    return parent;
}

static long pss_kb(long pid)
{
    char path[64];
    char line[256];
    long kb = 0;

    snprintf(path, sizeof(path), "/proc/%ld/smaps_rollup", pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return 0;
    while (fgets(line, sizeof(line), f) != NULL)
    {
        if (sscanf(line, "Pss: %ld", &kb) == 1)
            break;
    }
    fclose(f);
    return kb;
}

/* tree_kb sums the proportional sizes of root and of all its descendants. Children have larger pids
 * than their parents but for a wrap-around, so the table is gone through until nothing is added. */
static long tree_kb(long root)
{
    long tree[TREE_MAX] = {root};
    size_t count = 1;
    bool grew = true;
    long sum = 0;

    while (grew)
    {
        grew = false;
        DIR *proc = opendir("/proc");
        if (proc == NULL)
            return 0;
        const struct dirent *entry;
        while ((entry = readdir(proc)) != NULL && count < TREE_MAX)
        {
            long pid = strtol(entry->d_name, NULL, 10);
            if (pid <= 0)
                continue;
            long parent = parent_of(pid);
            bool mine = false;
            bool known = false;
            for (size_t i = 0; i < count; i++)
            {
                mine = mine || tree[i] == parent;
                known = known || tree[i] == pid;
            }
            if (mine && !known)
            {
                tree[count++] = pid;
                grew = true;
            }
        }
        closedir(proc);
    }
    for (size_t i = 0; i < count; i++)
        sum += pss_kb(tree[i]);
    return sum;
}

/* own_kb reads the largest resident size that a process has had. */
static long own_kb(long pid)
{
    char path[64];
    char line[256];
    long kb = 0;

    snprintf(path, sizeof(path), "/proc/%ld/status", pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return 0;
    while (fgets(line, sizeof(line), f) != NULL)
    {
        if (sscanf(line, "VmHWM: %ld kB", &kb) == 1)
            break;
    }
    fclose(f);
    return kb;
}

int main(int argc, char **argv)
{
    struct rusage usage;
    int status = 0;
    long sum = 0;
    long own = 0;
    const struct timespec pause = {.tv_nsec = 50L * 1000 * 1000};
    sigset_t child_ended;
    sigset_t before;

    if (argc < 3)
    {
        fprintf(stderr, "usage: runstat RESULT-FILE PROGRAM [ARG]...\n");
        return 2;
    }
    /* Blocked, so that an end between the look at the child and the pause ends the pause. */
    sigemptyset(&child_ended);
    sigaddset(&child_ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_ended, &before);
    double start = now();
    pid_t child = fork();
    if (child < 0)
    {
        perror("fork");
        return 2;
    }
    if (child == 0)
    {
        sigprocmask(SIG_SETMASK, &before, NULL);
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    for (;;)
    {
        pid_t got = wait4(child, &status, WNOHANG, &usage);
        if (got == child)
            break;
        if (got < 0 && errno != EINTR)
        {
            perror("wait4");
            return 2;
        }
        long kb = tree_kb(child);
        sum = kb > sum ? kb : sum;
        kb = own_kb(child);
        own = kb > own ? kb : own;
        sigtimedwait(&child_ended, NULL, &pause);
    }
    double wall = now() - start;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

    FILE *f = fopen(argv[1], "we");
    if (f == NULL)
    {
        perror(argv[1]);
        return 2;
    }
    fprintf(f,
            "{\"exit\":%d,\"wall\":%.6f,\"user\":%.6f,\"sys\":%.6f,\"maxrss_kb\":%ld,"
            "\"own_rss_kb\":%ld,\"sum_rss_kb\":%ld}\n",
            code, wall, seconds(usage.ru_utime), seconds(usage.ru_stime), usage.ru_maxrss, own,
            sum);
    fclose(f);
    return code;
}

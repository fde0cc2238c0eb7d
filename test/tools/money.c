/*
 * money.c - writers that make an inconsistent cut over several servers visible.
 *
 *   money [--prepared N] [--plain N] [--chain N] [--accounts N] [--pause-us N] CONNINFO CONNINFO...
 *
 * There is at least one writer, and each waits --pause-us behind its transactions (0). Every server has account (id int primary key, amount bigint) with rows 1..accounts, and
 * chain (id int primary key, value bigint) with a row for each chain thread, 1..N. Threads:
 *
 *   prepared  move an amount between two servers in one two-phase transaction
 *   plain     move an amount by transactions open on both servers, committed one after the other
 *   chain     raise a counter on the first server, then on the second, ...: each commit has ended
 *             before the next transaction begins
 *
 * So at any instant the amounts add up to what they were but for transactions that are being
 * committed, and no counter is above the one of the server before it. Runs until SIGTERM or SIGINT,
 * then ends the transactions it has begun, prints how many it made, and exits 0. Before the first
 * transaction it prints "ready".
 */
#include <errno.h>
#include <getopt.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SERVERS_MAX 16
#define THREADS_MAX 64

typedef enum Mode
{
    MODE_PREPARED,
    MODE_PLAIN,
    MODE_CHAIN,
    MODE_COUNT
} Mode;

static const char *const mode_names[MODE_COUNT] = {"prepared", "plain", "chain"};

typedef struct Writer
{
    pthread_t thread;
    Mode mode;
    int number; /* among the threads of its mode, from 1 */
    unsigned seed;
    unsigned long done;
    bool failed;
    PGconn *conns[SERVERS_MAX];
} Writer;

static char *const *servers;
static int server_count;
static int accounts = 100;
static long pause_us;
static atomic_bool stopping;

/* run executes one statement (or several) on one server. What fails while we are being stopped may
 * be the test's own doing (it stops servers too), but ends the thread either way. */
__attribute__((format(printf, 3, 4))) static bool run(Writer *w, int server, const char *format,
                                                      ...)
{
    char sql[512];
    va_list args;

    va_start(args, format);
    vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    PGresult *res = PQexec(w->conns[server], sql);
    ExecStatusType status = PQresultStatus(res);
    bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (ok && strncmp(sql, "UPDATE", 6) == 0 && strcmp(PQcmdTuples(res), "1") != 0)
    {
        fprintf(stderr, "money: no such row: %s\n", sql);
        ok = false;
    }
    else if (!ok)
    {
        fprintf(stderr, "money: server %d: %s: %s", server, sql, PQerrorMessage(w->conns[server]));
    }
    PQclear(res);
    return ok;
}

static int random_below(Writer *w, int limit)
{
    return rand_r(&w->seed) % limit;
}

typedef struct Transfer
{
    int low, high; /* servers: always in this order, or two writers would wait for each other */
    int low_account, high_account;
    int amount;
} Transfer;

static Transfer transfer_choose(Writer *w)
{
    int a = random_below(w, server_count);
    int b = (a + 1 + random_below(w, server_count - 1)) % server_count;
    int low_account = 1 + random_below(w, accounts);
    int high_account = 1 + random_below(w, accounts);

    return (Transfer){.low = a < b ? a : b,
                      .high = a < b ? b : a,
                      .low_account = low_account,
                      .high_account = high_account,
                      .amount = 1 + random_below(w, 1000) - 500};
}

static bool transfer_open(Writer *w, const Transfer *t)
{
    return run(w, t->low, "BEGIN") && run(w, t->high, "BEGIN") &&
           run(w, t->low, "UPDATE account SET amount = amount - %d WHERE id = %d", t->amount,
               t->low_account) &&
           run(w, t->high, "UPDATE account SET amount = amount + %d WHERE id = %d", t->amount,
               t->high_account);
}

static bool move_prepared(Writer *w)
{
    Transfer t = transfer_choose(w);
    char gid[64];

    snprintf(gid, sizeof(gid), "money-%ld-%d-%lu", (long) getpid(), w->number, w->done);
    return transfer_open(w, &t) && run(w, t.low, "PREPARE TRANSACTION '%s'", gid) &&
           run(w, t.high, "PREPARE TRANSACTION '%s'", gid) &&
           run(w, t.low, "COMMIT PREPARED '%s'", gid) &&
           run(w, t.high, "COMMIT PREPARED '%s'", gid);
}

static bool move_plain(Writer *w)
{
    Transfer t = transfer_choose(w);

    return transfer_open(w, &t) && run(w, t.low, "COMMIT") && run(w, t.high, "COMMIT");
}

static bool raise_chain(Writer *w)
{
    for (int server = 0; server < server_count; server++)
    {
        if (!run(w, server, "UPDATE chain SET value = value + 1 WHERE id = %d", w->number))
            return false;
    }
    return true;
}

static void *writer_main(void *arg)
{
    Writer *w = arg;
    bool (*const step[MODE_COUNT])(Writer *) = {move_prepared, move_plain, raise_chain};

    while (!atomic_load(&stopping))
    {
        if (!step[w->mode](w))
        {
            w->failed = true;
            break;
        }
        w->done++;
        if (pause_us > 0)
        {
            const struct timespec ts = {.tv_sec = pause_us / 1000000,
                                        .tv_nsec = pause_us % 1000000 * 1000};
            nanosleep(&ts, NULL);
        }
    }
    return NULL;
}

static bool writer_connect(Writer *w)
{
    for (int i = 0; i < server_count; i++)
    {
        w->conns[i] = PQconnectdb(servers[i]);
        if (PQstatus(w->conns[i]) != CONNECTION_OK)
        {
            fprintf(stderr, "money: server %d: %s", i, PQerrorMessage(w->conns[i]));
            return false;
        }
    }
    return true;
}

static int usage(void)
{
    fprintf(stderr, "usage: money [--prepared N] [--plain N] [--chain N] [--accounts N] "
                    "[--pause-us N] CONNINFO CONNINFO...\n");
    return 2;
}

static bool number_parse(const char *text, long max, long *ret)
{
    char *end;

    errno = 0;
    *ret = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *ret >= 0 && *ret <= max;
}

static bool options_read(int argc, char **argv, long threads[MODE_COUNT])
{
    static const struct option table[] = {
        {"prepared", required_argument, NULL, MODE_PREPARED},
        {"plain", required_argument, NULL, MODE_PLAIN},
        {"chain", required_argument, NULL, MODE_CHAIN},
        {"accounts", required_argument, NULL, 'a'},
        {"pause-us", required_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    int c;
    long value;

    while ((c = getopt_long(argc, argv, "", table, NULL)) != -1)
    {
        if (c == '?' || !number_parse(optarg, 1000000000, &value))
            return false;
        if (c == 'a')
            accounts = (int) value;
        else if (c == 'p')
            pause_us = value;
        else
            threads[c] = value;
    }
    servers = argv + optind;
    server_count = argc - optind;
    return server_count >= 2 && server_count <= SERVERS_MAX && accounts > 0 &&
           threads[0] <= THREADS_MAX && threads[1] <= THREADS_MAX && threads[2] <= THREADS_MAX &&
           threads[0] + threads[1] + threads[2] <= THREADS_MAX &&
           threads[0] + threads[1] + threads[2] > 0;
}

static int writers_start(Writer *writers, const long threads[MODE_COUNT])
{
    int count = 0;

    for (Mode mode = 0; mode < MODE_COUNT; mode++)
    {
        for (int i = 0; i < threads[mode]; i++, count++)
        {
            Writer *w = &writers[count];
            w->mode = mode;
            w->number = i + 1;
            w->seed = (unsigned) (getpid() * 1000 + count);
            if (!writer_connect(w))
                return -1;
        }
    }
    puts("ready");
    fflush(stdout);
    for (int i = 0; i < count; i++)
    {
        if (pthread_create(&writers[i].thread, NULL, writer_main, &writers[i]) != 0)
            return -1;
    }
    return count;
}

int main(int argc, char **argv)
{
    static Writer writers[THREADS_MAX];
    long threads[MODE_COUNT] = {0};
    unsigned long done[MODE_COUNT] = {0};
    bool failed = false;
    sigset_t signals;
    int signo;

    if (!options_read(argc, argv, threads))
        return usage();
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    int count = writers_start(writers, threads);
    if (count < 0)
        return 1;
    sigwait(&signals, &signo);
    atomic_store(&stopping, true);
    for (int i = 0; i < count; i++)
    {
        pthread_join(writers[i].thread, NULL);
        done[writers[i].mode] += writers[i].done;
        failed = failed || writers[i].failed;
        for (int s = 0; s < server_count; s++)
            PQfinish(writers[i].conns[s]);
    }
    for (Mode mode = 0; mode < MODE_COUNT; mode++)
        printf("%s %lu\n", mode_names[mode], done[mode]);
    return failed ? 1 : 0;
}

/* fleet/topology.c - which nodes a fleet has; the contract is in topology.h. */
#include "fleet/topology.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include "base/str.h"
#include "config/fleet_file.h"

static bool is_conninfo(const char *text)
{
    return strchr(text, '=') != NULL || strncmp(text, "postgres://", 11) == 0 ||
           strncmp(text, "postgresql://", 13) == 0;
}

/* libpq quotes from the string what it could not understand, and that may be a password. */
static bool may_hold_password(const char *conninfo)
{
    return strcasestr(conninfo, "pass") != NULL || strchr(conninfo, '@') != NULL;
}

bool fleet_check_conninfo(const char *conninfo, const char *what, Error *err)
{
    if (conninfo == NULL || !is_conninfo(conninfo))
        return true; /* a database name: anything is one */
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &message);
    if (options == NULL)
    {
        char line[256];
        const char *why = message == NULL ? "out of memory" : message;
        if (may_hold_password(conninfo))
            why = "its text is not shown, as it may hold a password";
        str_one_line(line, sizeof(line), why);
        for (size_t len = strlen(line); len > 0 && line[len - 1] == ' '; len--)
            line[len - 1] = '\0';
        error_set(err, ERR_USAGE, "%s: not a valid connection string: %s", what, line);
        PQfreemem(message);
        return false;
    }
    bool replication = false;
    for (PQconninfoOption *o = options; o->keyword != NULL; o++)
        replication = replication || (strcmp(o->keyword, "replication") == 0 && o->val != NULL);
    PQconninfoFree(options);
    return !replication ||
           error_set(err, ERR_USAGE, "%s: a replication connection cannot be used here", what);
}

static bool add_nodes(Fleet *fleet, const char *const *conninfo, size_t count, Error *err)
{
    fleet->nodes = mem_array(fleet, FleetNode, count);
    fleet->node_count = count;
    for (size_t i = 0; i < count; i++)
    {
        char what[32];
        snprintf(what, sizeof(what), "node %zu", i);
        if (!fleet_check_conninfo(conninfo[i], what, err))
            return false;
        fleet->nodes[i].content = (int) i;
        fleet->nodes[i].dbid = (int) i + 1;
        fleet->nodes[i].spec.conninfo = mem_strdup(fleet, conninfo[i]);
    }
    return true;
}

static bool from_file(Fleet *fleet, const char *path, Error *err)
{
    FleetFile *file = fleet_file_read(fleet, path, err);
    if (file == NULL)
        return false;
    fleet->name = file->name;
    if (strcmp(file->topology, "single") == 0 && file->node_count > 1)
        return error_set(err, ERR_USAGE, "\"%s\": topology single cannot have %zu nodes", path,
                         file->node_count);
    fleet->topology = strcmp(file->topology, "shards") == 0 || file->node_count > 1 ? "shards"
                                                                                    : "single";
    fleet->automatic = file->node_count == 1 && strcmp(file->topology, "single") != 0 &&
                       strcmp(file->topology, "shards") != 0;
    return add_nodes(fleet, (const char *const *) file->conninfo, file->node_count, err);
}

static bool from_one(Fleet *fleet, const FleetRequest *request, Error *err)
{
    fleet->topology = "single";
    fleet->automatic = true;
    const char *const conninfo[] = {request->dbname};
    if (!fleet_check_conninfo(request->dbname, "-d", err) || !add_nodes(fleet, conninfo, 1, err))
        return false;
    PgConnSpec *spec = &fleet->nodes[0].spec;
    spec->host = request->host;
    spec->port = request->port;
    spec->user = request->user;
    return true;
}

Fleet *fleet_discover(void *ctx, const FleetRequest *request, Error *err)
{
    Fleet *fleet = mem_new(ctx, Fleet);
    bool ok;
    if (request->file != NULL)
        ok = from_file(fleet, request->file, err);
    else if (request->node_count > 0)
    {
        fleet->topology = request->node_count > 1 ? "shards" : "single";
        ok = add_nodes(fleet, request->nodes, request->node_count, err);
    }
    else
        ok = from_one(fleet, request, err);
    if (ok && request->name != NULL)
        fleet->name = mem_strdup(fleet, request->name);
    return ok ? fleet : NULL;
}

static void on_signal(int sig)
{
    (void) sig;
}

/* Reads one line; a signal that ends the program otherwise ends the reading. */
static bool read_line(FILE *tty, char *line, int size)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction interrupt = {.sa_handler = on_signal};
    struct sigaction old[LENGTH_OF(signals)];
    for (size_t i = 0; i < LENGTH_OF(signals); i++)
        sigaction(signals[i], &interrupt, &old[i]);
    bool got = fgets(line, size, tty) != NULL;
    for (size_t i = 0; i < LENGTH_OF(signals); i++)
        sigaction(signals[i], &old[i], NULL);
    return got;
}

/* Reads one line from the terminal without echo. */
static char *prompt(void *ctx, const char *text, Error *err)
{
    FILE *tty = fopen("/dev/tty", "r+e");
    if (tty == NULL)
    {
        error_errno(err, ERR_USAGE, "a password is needed, and there is no terminal to ask on");
        error_hint(err, "Use a password file (~/.pgpass) or PGPASSFILE.");
        return NULL;
    }
    struct termios old;
    bool terminal = tcgetattr(fileno(tty), &old) == 0;
    struct termios silent = old;
    silent.c_lflag &= ~(tcflag_t) ECHO;
    if (terminal)
        tcsetattr(fileno(tty), TCSAFLUSH, &silent);
    fprintf(tty, "%s", text);
    fflush(tty);
    char line[1024] = "";
    bool got = read_line(tty, line, (int) sizeof(line));
    bool interrupted = !got && !feof(tty);
    if (terminal)
        tcsetattr(fileno(tty), TCSAFLUSH, &old);
    fprintf(tty, "\n");
    fclose(tty);
    line[strcspn(line, "\r\n")] = '\0';
    char *password = got ? mem_strdup(ctx, line) : NULL;
    explicit_bzero(line, sizeof(line));
    if (interrupted)
        error_set(err, ERR_CANCELLED, "cancelled");
    else if (!got)
        error_set(err, ERR_USAGE, "no password was given");
    return password;
}

/* A password file may hold a different password for each node, so a prompted one is tried only
 * where there is none. */
static bool give_password(void *ctx, FleetNode *node, const char **last, bool force, Error *err)
{
    if (!force && !pg_conn_spec_needs_password(&node->spec))
        return true;
    node->spec.password = *last;
    if (*last != NULL && !pg_conn_spec_needs_password(&node->spec))
        return true;
    char text[64];
    snprintf(text, sizeof(text), "Password for node %d: ", node->content);
    *last = prompt(ctx, text, err);
    node->spec.password = *last;
    return *last != NULL;
}

bool fleet_passwords(void *ctx, Fleet *fleet, const FleetRequest *request, Error *err)
{
    if (request->never_prompt || (!request->force_prompt && !isatty(STDIN_FILENO)))
        return true;
    /* Nobody waits for signals yet: they must work here, while logins are tried, as always. */
    sigset_t ending;
    sigset_t old;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGHUP);
    pthread_sigmask(SIG_UNBLOCK, &ending, &old);
    const char *last = NULL;
    bool ok = true;
    for (size_t i = 0; ok && i < fleet->node_count; i++)
        ok = give_password(ctx, &fleet->nodes[i], &last, request->force_prompt && i == 0, err);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return ok;
}

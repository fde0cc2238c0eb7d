/* fleet/topology.c - which nodes a fleet has; the contract is in topology.h. */
#include "fleet/topology.h"

#include <termios.h>
#include <unistd.h>

#include "base/str.h"
#include "config/fleet_file.h"

static bool is_conninfo(const char *text)
{
    return strchr(text, '=') != NULL || strncmp(text, "postgres://", 11) == 0 ||
           strncmp(text, "postgresql://", 13) == 0;
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
        size_t len = message == NULL ? 0 : strlen(message);
        while (len > 0 && message[len - 1] == '\n')
            message[--len] = '\0';
        error_set(err, ERR_USAGE, "%s: not a valid connection string: %s", what,
                  str_one_line(line, sizeof(line), message == NULL ? "out of memory" : message));
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
    return add_nodes(fleet, (const char *const *) file->conninfo, file->node_count, err);
}

static bool from_one(Fleet *fleet, const FleetRequest *request, Error *err)
{
    fleet->topology = "single";
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
    return ok ? fleet : NULL;
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
    bool got = fgets(line, sizeof(line), tty) != NULL;
    if (terminal)
        tcsetattr(fileno(tty), TCSAFLUSH, &old);
    fprintf(tty, "\n");
    fclose(tty);
    line[strcspn(line, "\r\n")] = '\0';
    char *password = got ? mem_strdup(ctx, line) : NULL;
    explicit_bzero(line, sizeof(line));
    if (!got)
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
    const char *last = NULL;
    for (size_t i = 0; i < fleet->node_count; i++)
    {
        if (!give_password(ctx, &fleet->nodes[i], &last, request->force_prompt && i == 0, err))
            return false;
    }
    return true;
}

/* fleet/citus_nodes.c - addresses in pg_dist_node; the contract is in citus_nodes.h. */
#include "fleet/citus_nodes.h"

#include "base/log.h"
#include "base/str.h"
#include "fleet/node_address.h"
#include "pg/program.h"
#include "physical/single_user.h"

#define PREPARED "prepared "

/* Names come as hexadecimal digits, so that nothing in them means anything to whoever reads the rows. */
#define LIST_DATABASES                                                                             \
    "SELECT '" SINGLE_USER_MARK "' || pg_catalog.encode(pg_catalog.convert_to(datname::text,"      \
    " pg_catalog.getdatabaseencoding()), 'hex') FROM pg_catalog.pg_database WHERE datallowconn"    \
    " ORDER BY oid\n"                                                                              \
    "SELECT '" SINGLE_USER_MARK PREPARED "' || count(*) FROM pg_catalog.pg_prepared_xacts\n"
#define LIST_NODES                                                                                 \
    "SELECT '" SINGLE_USER_MARK "' || nodeid || ' ' || nodeport || ' '"                            \
    " || pg_catalog.encode(pg_catalog.convert_to(nodename, 'UTF8'), 'hex')"                        \
    " FROM pg_catalog.pg_dist_node ORDER BY nodeid\n"

typedef struct Address
{
    const char *id; /* nodeid */
    const char *host;
    const char *port;
} Address;

typedef struct AddressList
{
    void *ctx;
    Address *items;
    size_t count, capacity;
} AddressList;

typedef struct NameList
{
    void *ctx;
    char **items;
    size_t count, capacity;
    int prepared; /* transactions */
} NameList;

/* ---- what comes ---- */

static bool add_database(void *arg, const char *text, Error *err)
{
    NameList *list = arg;
    if (strncmp(text, PREPARED, sizeof(PREPARED) - 1) == 0)
    {
        list->prepared = atoi(text + sizeof(PREPARED) - 1);
        return true;
    }
    char *name = node_address_decode(list->ctx, text, err);
    if (name != NULL)
        *mem_push(list->ctx, list->items, list->count, list->capacity, char *) = name;
    return name != NULL;
}

static bool add_address(void *arg, const char *text, Error *err)
{
    AddressList *list = arg;
    char *id = mem_strdup(list->ctx, text);
    char *port = strchr(id, ' ');
    char *host = port == NULL ? NULL : strchr(port + 1, ' ');
    if (host == NULL)
        return error_set(err, ERR_PROGRAM, "a node in the server's answer cannot be read");
    *port++ = '\0';
    *host++ = '\0';
    Address *a = mem_push(list->ctx, list->items, list->count, list->capacity, Address);
    *a = (Address){.id = id, .port = port, .host = node_address_decode(list->ctx, host, err)};
    return a->host != NULL;
}

/* ---- what is changed ---- */

typedef struct Rewrite
{
    const CitusNodes *nodes;
    SingleUser server;
    AddressMap map;
    size_t tables;
} Rewrite;

static bool check_addresses(const AddressList *list, Error *err)
{
    for (size_t i = 0; i < list->count; i++)
    {
        const Address *a = &list->items[i];
        for (size_t j = 0; j < i; j++)
            if (strcmp(a->host, list->items[j].host) == 0 &&
                strcmp(a->port, list->items[j].port) == 0)
                return error_set(err, ERR_USAGE, "--host-map gives two nodes the address %s:%s",
                                 a->host, a->port);
    }
    return true;
}

/* In two steps, as two nodes may change places and every address is there once. */
static const char *statements_for(void *ctx, const AddressList *list)
{
    Str *sql = str_new(ctx);
    str_add(sql, "UPDATE pg_catalog.pg_dist_node SET nodename = 'pgark ' || nodeid\n");
    for (size_t i = 0; i < list->count; i++)
    {
        const Address *a = &list->items[i];
        str_addf(sql,
                 "UPDATE pg_catalog.pg_dist_node SET nodename = %s, nodeport = %s"
                 " WHERE nodeid = %s\n",
                 node_address_literal(ctx, a->host), a->port, a->id);
    }
    str_add(sql, LIST_NODES);
    return sql->data;
}

static bool same_addresses(const AddressList *a, const AddressList *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = strcmp(a->items[i].id, b->items[i].id) == 0 &&
               strcmp(a->items[i].host, b->items[i].host) == 0 &&
               strcmp(a->items[i].port, b->items[i].port) == 0;
    return same;
}

static bool rewrite_database(Rewrite *w, const char *database, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "nodes");
    AddressList list = {.ctx = tmp};
    AddressList now = {.ctx = tmp};
    bool changed = false;
    /* A database without Citus has no such table, and gives no rows. */
    if (!single_user_run(&w->server, database, LIST_NODES, add_address, &list, err))
        return false;
    w->tables += list.count > 0 ? 1 : 0;
    for (size_t i = 0; i < list.count; i++)
        changed = node_address_map(tmp, &w->map, &list.items[i].host, &list.items[i].port) ||
                  changed;
    if (!changed)
        return true;
    if (!check_addresses(&list, err) ||
        !single_user_run(&w->server, database, statements_for(tmp, &list), add_address, &now, err))
        return false;
    return same_addresses(&list, &now) ||
           error_set(err, ERR_PROGRAM, "the addresses of the nodes could not be changed");
}

static bool rewrite_directory(Rewrite *w, const CitusDirectory *d, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "databases");
    NameList databases = {.ctx = tmp};
    w->server.directory = d->path;
    w->server.prepared = 0;
    if (!single_user_run(&w->server, d->database, LIST_DATABASES, add_database, &databases, err))
        return false;
    if (databases.count == 0)
        return error_set(err, ERR_PROGRAM, "the server's databases could not be listed");
    w->server.prepared = databases.prepared + 16;
    for (size_t i = 0; i < databases.count; i++)
        if (!rewrite_database(w, databases.items[i], err))
            return error_prefix(err, "database \"%s\"", databases.items[i]);
    return true;
}

static bool check_used(const Rewrite *w, Error *err)
{
    return w->tables == 0 ||
           node_address_all_used(
               &w->map, "The addresses are those that pg_dist_node of the cluster had.", err);
}

bool citus_nodes_rewrite(const CitusNodes *nodes, const CitusDirectory *directories, size_t count,
                         size_t *ret_tables, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "rewrite");
    Rewrite w = {
        .nodes = nodes,
        .server = {.program = nodes->program, .no_sync = nodes->no_sync, .cancel = nodes->cancel},
        .map = {.map = nodes->host_map,
                .count = nodes->host_map_count,
                .used = mem_array(tmp, bool, nodes->host_map_count)}};
    for (size_t i = 0; i < count; i++)
        if (!rewrite_directory(&w, &directories[i], err))
            return error_prefix(err, "%s: the table of the cluster's nodes", directories[i].path);
    *ret_tables = w.tables;
    return check_used(&w, err);
}

const char *citus_nodes_program(void *ctx, int major, const Cancel *cancel, Error *err)
{
    static const char name[] = "postgres";
    PgProgram program;
    Error why = ERROR_INIT;
    bool found = pg_program_find(ctx, name, NULL, major, cancel, &program, &why);
    if (found && program.major == major)
        return program.path;
    if (program.major != 0)
        error_set(err, ERR_PROGRAM, "\"%s\" is version %d, the servers of the set are %d",
                  found ? program.path : name, program.major, major);
    else
        error_set(err, why.code, "%s", why.message);
    error_hint(err,
               "--host-map needs the server programs of PostgreSQL %d on the host of the restore.",
               major);
    return NULL;
}

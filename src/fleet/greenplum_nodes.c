/* fleet/greenplum_nodes.c - gp_segment_configuration; the contract is in greenplum_nodes.h. */
#include "fleet/greenplum_nodes.h"

#include "base/log.h"
#include "base/str.h"
#include "fleet/node_address.h"
#include "pg/program.h"
#include "physical/single_user.h"

#define MAJOR       6
#define COORDINATOR (-1)
#define REACHED     "reached"
#define FIELDS      8

/* Texts come as hexadecimal digits, so that nothing in them means anything to whoever reads the rows. */
#define HEX(column) " || ' ' || pg_catalog.encode(pg_catalog.convert_to(" column ", 'UTF8'), 'hex')"
#define LIST_NODES                                                                                 \
    "SELECT '" SINGLE_USER_MARK "' || dbid || ' ' || content || ' ' || role::text || ' ' ||"       \
    " preferred_role::text || ' ' || port" HEX("hostname") HEX("address")                          \
        HEX("datadir") " FROM pg_catalog.gp_segment_configuration ORDER BY content, dbid\n"

typedef struct Node
{
    int dbid;
    int content;
    char role;
    char preferred_role;
    const char *port;
    const char *hostname;
    const char *address;
    const char *datadir;
} Node;

typedef struct NodeList
{
    void *ctx;
    bool reached; /* the restore point */
    Node *items;
    size_t count, capacity;
} NodeList;

/* ---- what comes ---- */

static size_t split(char *text, char *fields[FIELDS])
{
    size_t count = 0;
    for (char *save = NULL, *p = strtok_r(text, " ", &save); p != NULL && count < FIELDS;
         p = strtok_r(NULL, " ", &save))
        fields[count++] = p;
    return count;
}

static bool add_node(void *arg, const char *text, Error *err)
{
    NodeList *list = arg;
    char *fields[FIELDS];
    if (strcmp(text, REACHED) == 0)
    {
        list->reached = true;
        return true;
    }
    if (split(mem_strdup(list->ctx, text), fields) != FIELDS)
        return error_set(err, ERR_PROGRAM, "a node in the server's answer cannot be read");
    Node node = {.dbid = atoi(fields[0]),
                 .content = atoi(fields[1]),
                 .role = fields[2][0],
                 .preferred_role = fields[3][0],
                 .port = fields[4],
                 .hostname = node_address_decode(list->ctx, fields[5], err)};
    if (node.hostname == NULL)
        return false;
    node.address = node_address_decode(list->ctx, fields[6], err);
    node.datadir = node.address == NULL ? NULL : node_address_decode(list->ctx, fields[7], err);
    if (node.datadir != NULL)
        *mem_push(list->ctx, list->items, list->count, list->capacity, Node) = node;
    return node.datadir != NULL;
}

/* Why the new timeline began is in its history. A server of this version ends its recovery where WAL ends as well, and
 * says nothing. */
static const char *first_statements(void *ctx, const char *point)
{
    const char *reason = mem_printf(ctx, "at restore point \"%s\"", point);
    char *hex = mem_array(ctx, char, 2 * strlen(reason) + 1);
    str_hex(hex, reason, strlen(reason));
    return mem_printf(ctx,
                      "SELECT '" SINGLE_USER_MARK REACHED "' WHERE pg_catalog.strpos("
                      "pg_catalog.encode(pg_catalog.pg_read_binary_file('pg_xlog/' ||"
                      " pg_catalog.substr(pg_catalog.pg_xlogfile_name("
                      "pg_catalog.pg_current_xlog_location()), 1, 8) || '.history'), 'hex'),"
                      " '%s') > 0\n" LIST_NODES,
                      hex);
}

/* ---- what is changed ---- */

typedef struct Rewrite
{
    const GreenplumNodes *nodes;
    const PhysicalDirectory *directories;
    size_t count;
    SingleUser server;
    AddressMap map;
} Rewrite;

static const char *directory_of(const Rewrite *w, int content)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->directories[i].content == content)
            return w->directories[i].path;
    return NULL;
}

/* What a host is called, and where it is connected to, are two things here: a map may name either. */
static void map_node(Rewrite *w, void *ctx, Node *n)
{
    const char *host = n->address;
    const char *port = n->port;
    if (!node_address_map(ctx, &w->map, &host, &port))
    {
        host = n->hostname;
        if (!node_address_map(ctx, &w->map, &host, &port))
            return;
    }
    if (strcmp(host, n->address) != 0 && strcmp(host, n->hostname) != 0)
        n->address = n->hostname = host;
    n->port = port;
}

static void move_node(Rewrite *w, void *ctx, Node *n)
{
    const char *directory = directory_of(w, n->content);
    map_node(w, ctx, n);
    n->preferred_role = 'p';
    if (directory != NULL)
        n->datadir = directory;
    else
        log_info("node %d is not restored here: gp_segment_configuration goes on to call its data "
                 "directory %s",
                 n->content, n->datadir);
}

/* Those that are there after it; the others are mirrors. */
static NodeList primaries_of(Rewrite *w, void *ctx, const NodeList *all)
{
    NodeList list = {.ctx = ctx};
    for (size_t i = 0; i < all->count; i++)
    {
        if (all->items[i].role != 'p')
            continue;
        Node *n = mem_push(ctx, list.items, list.count, list.capacity, Node);
        *n = all->items[i];
        move_node(w, ctx, n);
    }
    return list;
}

static bool check_addresses(const NodeList *list, Error *err)
{
    for (size_t i = 0; i < list->count; i++)
    {
        const Node *a = &list->items[i];
        for (size_t j = 0; j < i; j++)
            if (strcmp(a->address, list->items[j].address) == 0 &&
                strcmp(a->port, list->items[j].port) == 0)
                return error_set(err, ERR_USAGE, "--host-map gives two nodes the address %s:%s",
                                 a->address, a->port);
    }
    return true;
}

/* Without a mirror a primary is not in synchronization. */
static const char *statements_for(void *ctx, const NodeList *list)
{
    Str *sql = str_new(ctx);
    str_add(sql, "DELETE FROM pg_catalog.gp_segment_configuration WHERE role <> 'p'\n");
    for (size_t i = 0; i < list->count; i++)
    {
        const Node *n = &list->items[i];
        str_addf(sql,
                 "UPDATE pg_catalog.gp_segment_configuration SET hostname = %s, address = %s,"
                 " datadir = %s, port = %s, preferred_role = 'p', mode = 'n', status = 'u'"
                 " WHERE dbid = %d\n",
                 node_address_literal(ctx, n->hostname), node_address_literal(ctx, n->address),
                 node_address_literal(ctx, n->datadir), n->port, n->dbid);
    }
    str_add(sql, LIST_NODES);
    return sql->data;
}

static bool same_node(const Node *a, const Node *b)
{
    return a->dbid == b->dbid && a->content == b->content && a->role == b->role &&
           a->preferred_role == b->preferred_role && strcmp(a->port, b->port) == 0 &&
           strcmp(a->hostname, b->hostname) == 0 && strcmp(a->address, b->address) == 0 &&
           strcmp(a->datadir, b->datadir) == 0;
}

static bool same_nodes(const NodeList *a, const NodeList *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = same_node(&a->items[i], &b->items[i]);
    return same;
}

static void say_gone(const NodeList *all, const NodeList *left)
{
    size_t gone = all->count - left->count;
    if (gone > 0)
        log_info("%zu mirror%s of the cluster %s not restored, and gone from "
                 "gp_segment_configuration: gpaddmirrors and gpinitstandby make new ones",
                 gone, gone == 1 ? "" : "s", gone == 1 ? "is" : "are");
}

static bool rewrite(Rewrite *w, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "nodes");
    const char *database = w->nodes->database;
    NodeList all = {.ctx = tmp};
    NodeList now = {.ctx = tmp};
    if (!single_user_run(&w->server, database, first_statements(tmp, w->nodes->point), add_node,
                         &all, err))
        return false;
    if (!all.reached)
        return error_set(err, ERR_PROGRAM, "recovery has ended before restore point %s",
                         w->nodes->point);
    NodeList primaries = primaries_of(w, tmp, &all);
    if (primaries.count == 0)
        return error_set(err, ERR_PROGRAM, "gp_segment_configuration could not be read");
    if (!check_addresses(&primaries, err) ||
        !node_address_all_used(&w->map,
                               "The addresses are those that gp_segment_configuration had.", err) ||
        !single_user_run(&w->server, database, statements_for(tmp, &primaries), add_node, &now,
                         err))
        return false;
    if (!same_nodes(&primaries, &now))
        return error_set(err, ERR_PROGRAM, "gp_segment_configuration could not be changed");
    say_gone(&all, &primaries);
    return true;
}

bool greenplum_nodes_rewrite(const GreenplumNodes *nodes, const PhysicalDirectory *directories,
                             size_t count, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "rewrite");
    Rewrite w = {.nodes = nodes,
                 .directories = directories,
                 .count = count,
                 .server = {.program = nodes->program,
                            .no_sync = nodes->no_sync,
                            .greenplum_dbid = nodes->dbid,
                            .cancel = nodes->cancel},
                 .map = {.map = nodes->host_map,
                         .count = nodes->host_map_count,
                         .used = mem_array(tmp, bool, nodes->host_map_count)}};
    w.server.directory = directory_of(&w, COORDINATOR);
    return rewrite(&w, err) || error_prefix(err, "%s", w.server.directory);
}

const char *greenplum_nodes_program(void *ctx, const Cancel *cancel, Error *err)
{
    return pg_program_find_greenplum_server(ctx, "postgres", MAJOR, cancel, err);
}

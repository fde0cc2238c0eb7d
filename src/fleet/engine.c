/* fleet/engine.c - finding a fleet's engine; the contract is in engine.h. */
#include "fleet/engine.h"

#include "base/str.h"

static const FleetEngine *const engines[] = {&citus_engine, &greenplum_engine};

bool engine_discover(void *ctx, Fleet *fleet, const FleetRequest *request, Error *err)
{
    if (fleet->node_count != 1 || !fleet->automatic)
        return true;
    AUTO(pg_conn_close)
    PgConn *conn = pg_conn_open(&fleet->nodes[0].spec, NULL, "pgark", NULL, err);
    bool found = false;
    if (conn == NULL)
        return error_prefix(err, "node %d", fleet->nodes[0].content);
    for (size_t i = 0; i < LENGTH_OF(engines) && !found; i++)
    {
        if (!engines[i]->discover(ctx, fleet, conn, request, &found, err))
            return false;
        if (!found)
            continue;
        fleet->engine = engines[i];
        fleet->topology = engines[i]->topology;
    }
    return true;
}

const FleetEngine *engine_of(const char *topology)
{
    for (size_t i = 0; i < LENGTH_OF(engines); i++)
        if (strcmp(engines[i]->topology, topology) == 0)
            return engines[i];
    return NULL;
}

const NodeScope *engine_scope_at_first(const FleetEngine *engine, size_t node)
{
    static const NodeScope nothing;
    return engine != NULL && node > 0 ? &nothing : NULL;
}

EngineMap *engine_map(const FleetEngine *engine, BackupNode *nodes, size_t count, PgConn *conn,
                      Error *err)
{
    EngineMap *map = engine->map(nodes[0].ctx, nodes, count, conn, err);
    for (size_t i = 0; map != NULL && i < count; i++)
        nodes[i].scope = &map->scopes[i];
    return map;
}

bool engine_refuse(const BackupNode *nodes, size_t count, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "engine");
    const FleetRequest request = {.dbname = NULL};
    for (size_t i = 0; i < count; i++)
    {
        for (size_t k = 0; k < LENGTH_OF(engines); k++)
        {
            Fleet fleet = {.topology = NULL};
            bool found = false;
            if (!engines[k]->discover(tmp, &fleet, nodes[i].probe, &request, &found, err))
                return error_node(err, nodes[i].label);
            if (!found)
                continue;
            error_set(err, ERR_USAGE,
                      "database \"%s\" has tables whose rows are on other servers (%s)",
                      nodes[i].record.database, engines[k]->topology);
            error_hint(err, "Name it alone, by -d: pgark finds the other nodes by itself.");
            return error_node(err, nodes[i].label);
        }
    }
    return true;
}

/* The part of a name in front of ":port", and the port; NULL: there is none. */
static const char *split_port(void *ctx, const char *text, const char **ret_port)
{
    const char *colon = strrchr(text, ':');
    /* An IPv6 address has several; one with a port is in brackets. */
    bool has = colon != NULL && (strchr(text, ':') == colon || (colon > text && colon[-1] == ']'));
    size_t len = has ? (size_t) (colon - text) : strlen(text);
    *ret_port = has ? mem_strdup(ctx, colon + 1) : NULL;
    if (len > 1 && text[0] == '[' && text[len - 1] == ']')
        return mem_strndup(ctx, text + 1, len - 2);
    return mem_strndup(ctx, text, len);
}

void engine_map_host(void *ctx, const NameMap *map, size_t count, const char **host,
                     const char **port)
{
    for (size_t i = 0; i < count; i++)
    {
        const char *from_port;
        const char *to_port;
        const char *from = split_port(ctx, map[i].from, &from_port);
        const char *to = split_port(ctx, map[i].to, &to_port);
        if (strcmp(from, *host) != 0 || (from_port != NULL && strcmp(from_port, *port) != 0))
            continue;
        *host = to;
        *port = to_port != NULL ? to_port : *port;
        return;
    }
}

bool engine_same_hash(const TableRecord *t, const char *column)
{
    size_t place = manifest_column(t, column);
    const char *type = place < t->type_count ? t->types[place] : "other";
    return strchr(type, '(') == NULL && strcmp(type, "enum") != 0 && strcmp(type, "other") != 0;
}

/* fleet/node_address.c - addresses in catalogues; the contract is in node_address.h. */
#include "fleet/node_address.h"

#include "base/str.h"
#include "fleet/engine.h"

static bool is_port(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len < 6 && strspn(text, "0123456789") == len && atoi(text) > 0 &&
           atoi(text) < 65536;
}

bool node_address_check(const NameMap *map, size_t count, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "ports");
    for (size_t i = 0; i < count; i++)
    {
        const NameMap all = {.from = "any", .to = map[i].to};
        const char *host = "any";
        const char *port = "5432";
        engine_map_host(tmp, &all, 1, &host, &port);
        if (!is_port(port))
            return error_set(err, ERR_USAGE, "--host-map: \"%s\" is no port", port);
    }
    return true;
}

bool node_address_map(void *ctx, const AddressMap *map, const char **host, const char **port)
{
    for (size_t i = 0; i < map->count; i++)
    {
        const char *new_host = *host;
        const char *new_port = *port;
        engine_map_host(ctx, &map->map[i], 1, &new_host, &new_port);
        if (new_host == *host && new_port == *port)
            continue;
        if (map->used != NULL)
            map->used[i] = true;
        *host = new_host;
        *port = new_port;
        return true;
    }
    return false;
}

bool node_address_all_used(const AddressMap *map, const char *hint, Error *err)
{
    for (size_t i = 0; i < map->count; i++)
    {
        if (map->used[i])
            continue;
        error_set(err, ERR_USAGE, "--host-map=%s=%s: the cluster knows no node by that address",
                  map->map[i].from, map->map[i].to);
        return error_hint(err, "%s", hint);
    }
    return true;
}

char *node_address_decode(void *ctx, const char *hex, Error *err)
{
    size_t len = strlen(hex);
    char *text = mem_array(ctx, char, len / 2 + 1);
    for (size_t i = 0; i + 1 < len; i += 2)
    {
        int high = str_hex_digit(hex[i]);
        int low = str_hex_digit(hex[i + 1]);
        text[i / 2] = (char) (high << 4 | low);
        if (high < 0 || low < 0 || text[i / 2] == '\0')
            len = 1;
    }
    if (len % 2 == 0 && len > 0)
        return text;
    error_set(err, ERR_PROGRAM, "a name in the server's answer cannot be read");
    return NULL;
}

char *node_address_literal(void *ctx, const char *text)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "digits");
    size_t len = strlen(text);
    char *hex = mem_array(tmp, char, 2 * len + 1);
    str_hex(hex, text, len);
    return mem_printf(ctx, "pg_catalog.convert_from(pg_catalog.decode('%s', 'hex'), 'UTF8')", hex);
}

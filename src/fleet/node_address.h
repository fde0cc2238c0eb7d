/*
 * fleet/node_address.h - addresses of nodes in a cluster's own catalogue, and what --host-map makes of them.
 */
#ifndef PGARK_FLEET_NODE_ADDRESS_H
#define PGARK_FLEET_NODE_ADDRESS_H

#include "restore/request.h"

/* "OLD" or "OLD:PORT" to "NEW" or "NEW:PORT". */
typedef struct AddressMap
{
    const NameMap *map;
    size_t count;
    bool *used; /* of each entry: some node has that address; NULL: nobody wants to know */
} AddressMap;

/* node_address_check looks at what can be known of a map beforehand: ports. ERR_USAGE. */
bool node_address_check(const NameMap *map, size_t count, Error *err) MUST_CHECK;

/* node_address_map puts a new address in the place of host and port, below ctx, by the first entry that they are in;
 * false: none has them. */
bool node_address_map(void *ctx, const AddressMap *map, const char **host, const char **port);

/* node_address_all_used: ERR_USAGE for an entry that no node had an address for; hint says where addresses are. */
bool node_address_all_used(const AddressMap *map, const char *hint, Error *err) MUST_CHECK;

/* node_address_decode reads a name that came as hexadecimal digits, so that nothing in it means anything to whoever
 * reads rows (physical/single_user.h); below ctx. NULL: ERR_PROGRAM. */
char *node_address_decode(void *ctx, const char *hex, Error *err);

/* node_address_literal is its reverse: an SQL expression that gives text; below ctx. */
char *node_address_literal(void *ctx, const char *text);

#endif

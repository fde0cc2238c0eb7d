/*
 * config/fleet_file.h - the ini file of --fleet.
 *
 *   [fleet]
 *   name = shop                 ; letters, digits, _ - . ; at most 63 bytes
 *   topology = auto             ; auto, single, shards
 *   [node 0]
 *   conninfo = host=db0 dbname=shop
 *   [node 1]
 *   conninfo = service=shop1
 */
#ifndef PGARK_CONFIG_FLEET_FILE_H
#define PGARK_CONFIG_FLEET_FILE_H

#include "base/error.h"
#include "base/mem.h"

typedef struct FleetFile
{
    char *name;     /* NULL when not given */
    char *topology; /* "auto" by default */
    char **conninfo; /* by content id 0.., without gaps */
    size_t node_count;
} FleetFile;

/* fleet_file_read reads a file (at most 1 MiB); fleet_file_parse a text. Unknown sections or keys,
 * doubled ones, a gap in the content ids, an empty conninfo, no node: ERR_USAGE with the line. */
FleetFile *fleet_file_read(void *ctx, const char *path, Error *err);
FleetFile *fleet_file_parse(void *ctx, const char *text, size_t len, const char *name, Error *err);

#endif

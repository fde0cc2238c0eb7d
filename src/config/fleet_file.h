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
 *
 * A line may be indented. A ';' or '#' at the start of a line, and a ';' after a blank, begin a
 * comment.
 */
#ifndef PGARK_CONFIG_FLEET_FILE_H
#define PGARK_CONFIG_FLEET_FILE_H

#include "base/error.h"
#include "base/mem.h"

#define FLEET_FILE_NODES_MAX 4096

typedef struct FleetFile
{
    char *name;      /* NULL when not given */
    char *topology;  /* "auto" by default */
    char **conninfo; /* by content id 0.., without gaps */
    size_t node_count;
} FleetFile;

/* fleet_file_read reads a file (at most 1 MiB); fleet_file_parse a text. Unknown sections or keys,
 * doubled ones, a gap in the content ids, an empty conninfo, no node, several nodes with topology
 * single: ERR_USAGE with the line, without repeating a conninfo, which may hold a password. */
FleetFile *fleet_file_read(void *ctx, const char *path, Error *err);
FleetFile *fleet_file_parse(void *ctx, const char *text, size_t len, const char *name, Error *err);

#endif

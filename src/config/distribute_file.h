/*
 * config/distribute_file.h - the ini file of --distribute: how tables are to be spread over a cluster.
 *
 *   [public.orders]
 *   column = customer_id        ; spread by the hash of this column
 *   shard_count = 64            ; otherwise the server's default
 *   colocate_with = public.customers
 *   [public.country]
 *   reference = yes             ; a copy on every node
 *
 * A section's name is the table's, schema and name without quotes, parted at the first dot. Tables that
 * are not named stay on the coordinator.
 */
#ifndef PGARK_CONFIG_DISTRIBUTE_FILE_H
#define PGARK_CONFIG_DISTRIBUTE_FILE_H

#include "base/error.h"
#include "base/mem.h"

#define DISTRIBUTE_SHARDS_MAX 64000

typedef struct DistributeTable
{
    char *schema;
    char *name;
    char *column; /* NULL: reference */
    bool reference;
    int shard_count;     /* 0: not given */
    char *colocate_with; /* "schema.name" of another section before this one, NULL */
    size_t colocated;    /* its place in the list, when colocate_with is given */
    int line;
} DistributeTable;

typedef struct DistributeFile
{
    DistributeTable *tables; /* in the file's order */
    size_t count, capacity;
} DistributeFile;

/* distribute_file_read reads a file (at most 1 MiB); distribute_file_parse a text. ERR_USAGE with the
 * line: an unknown key, a section twice or without schema, a table with neither or both of column and
 * reference, a table to be colocated with one that does not stand before it, no section. */
DistributeFile *distribute_file_read(void *ctx, const char *path, Error *err);
DistributeFile *distribute_file_parse(void *ctx, const char *text, size_t len, const char *name,
                                      Error *err);

#endif

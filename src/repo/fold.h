/*
 * repo/fold.h - a set of a fleet with a coordinator, seen as the one database that it is.
 *
 * In the manifest the coordinator's tables have no chunks, and every relation that holds rows of one
 * is a table of its node. Who restores or exports wants the tables: each with all its rows, wherever
 * these were.
 */
#ifndef PGARK_REPO_FOLD_H
#define PGARK_REPO_FOLD_H

#include "repo/manifest.h"

typedef struct FoldedPart
{
    TableRecord record; /* of the relation: columns and format of its chunks */
    const ShardRecord *shard;
    size_t node;          /* in Manifest.nodes: where its chunks are listed */
    uint32_t table_oid;   /* of the table, one of the coordinator's */
    uint32_t first_chunk; /* its chunk 0 is that one of the table's */
} FoldedPart;

typedef struct Fold
{
    FoldedPart *parts; /* by node, then by oid of the relation */
    size_t count;
    uint32_t *by_table; /* positions in parts, by table, then as they stand */
    bool even;          /* the parts of each table have its columns, in its order, and its format */
} Fold;

/* fold_manifest takes the parts out of m->tables: a table then has their columns, and the sums of
 * their chunks, rows and bytes; m->totals.tables counts what is left. Of a manifest without shards
 * there is nothing to fold. The result lies below m. Pointers to m's former records stay good.
 * ERR_CORRUPT: a shard without its relation or its table, two for one relation, or one of a shard. */
Fold *fold_manifest(Manifest *m, Error *err);

/* fold_find finds a relation of a node; NULL: it is no part. */
const FoldedPart *fold_find(const Fold *fold, size_t node, uint32_t oid);

/* fold_parts_of gives the positions in parts of those of one table. */
const uint32_t *fold_parts_of(const Fold *fold, uint32_t table_oid, size_t *ret_count);

/* fold_is_source tells whether a node has nothing but parts of another one's tables. */
static inline bool fold_is_source(const NodeRecord *node)
{
    return node->schema.path == NULL;
}

#endif
